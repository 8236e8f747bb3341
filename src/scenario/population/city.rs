//! Scenario layer: cities that validators really run in: where they are, and what share of the
//! stake of Solana's mainnet is in them.
//!
//! Regions follow the United Nations' scheme M49 (the United Kingdom, Ireland, Scandinavia and the
//! Baltic states are Northern Europe; Germany, France, the Netherlands and Luxembourg are Western).

use super::fold;

/// A city of the built-in table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct City {
    /// Its English name.
    pub name: &'static str,
    /// The country it is in.
    pub country: &'static str,
    /// Its region, such as `western-europe`.
    pub region: &'static str,
    /// Degrees north in units of 1e-4 degrees, -900,000 to 900,000.
    pub latitude: i32,
    /// Degrees east in units of 1e-4 degrees, -1,800,000 to 1,800,000.
    pub longitude: i32,
    /// Share of the stake of Solana's mainnet in parts per 10,000.
    pub weight: u32,
}

/// The city of this name, whatever the case, the accents, and blanks or hyphens.
#[must_use]
pub fn find(name: &str) -> Option<&'static City> {
    let name = fold(name);
    CITIES.iter().find(|city| fold(city.name) == name)
}

const fn city(
    name: &'static str,
    country: &'static str,
    region: &'static str,
    (latitude, longitude): (i32, i32),
    weight: u32,
) -> City {
    City { name, country, region, latitude, longitude, weight }
}

/// The table. Coordinates are those of the city centres.
///
/// Weights: stake shares at epoch 860 (validators.app export of 2025-10-06) as published for
/// Frankfurt, Amsterdam, London, Vilnius, Tokyo, New York, Ashburn and Luxembourg, for the
/// countries named there, and for the regions. How a country's or region's remainder divides among
/// its other cities is not published and was set here, as was the 0.8 % outside the named regions.
pub const CITIES: &[City] = &[
    city("Frankfurt", "Germany", "western-europe", (501_109, 86_821), 2_500),
    city("Nuremberg", "Germany", "western-europe", (494_521, 110_767), 310),
    city("Berlin", "Germany", "western-europe", (525_200, 134_050), 200),
    city("Amsterdam", "Netherlands", "western-europe", (523_676, 49_041), 1_600),
    city("Rotterdam", "Netherlands", "western-europe", (519_244, 44_777), 120),
    city("Luxembourg", "Luxembourg", "western-europe", (496_116, 61_319), 320),
    city("Paris", "France", "western-europe", (488_566, 23_522), 120),
    city("Marseille", "France", "western-europe", (432_965, 53_698), 30),
    city("Zurich", "Switzerland", "western-europe", (473_769, 85_417), 10),
    city("Vienna", "Austria", "western-europe", (482_082, 163_738), 0),
    city("Brussels", "Belgium", "western-europe", (508_503, 43_517), 0),
    city("London", "United Kingdom", "northern-europe", (515_074, -1_278), 950),
    city("Manchester", "United Kingdom", "northern-europe", (534_808, -22_426), 80),
    city("Vilnius", "Lithuania", "northern-europe", (546_872, 252_797), 530),
    city("Stockholm", "Sweden", "northern-europe", (593_293, 180_686), 180),
    city("Dublin", "Ireland", "northern-europe", (533_498, -62_603), 60),
    city("Helsinki", "Finland", "northern-europe", (601_699, 249_384), 40),
    city("Riga", "Latvia", "northern-europe", (569_496, 241_052), 20),
    city("Oslo", "Norway", "northern-europe", (599_139, 107_522), 10),
    city("Copenhagen", "Denmark", "northern-europe", (556_761, 125_683), 0),
    city("New York", "United States", "north-america", (407_128, -740_060), 360),
    city("Ashburn", "United States", "north-america", (390_438, -774_874), 350),
    city("Chicago", "United States", "north-america", (418_781, -876_298), 180),
    city("Salt Lake City", "United States", "north-america", (407_608, -1_118_910), 150),
    city("Los Angeles", "United States", "north-america", (340_522, -1_182_437), 140),
    city("Dallas", "United States", "north-america", (327_767, -967_970), 120),
    city("Miami", "United States", "north-america", (257_617, -801_918), 80),
    city("Seattle", "United States", "north-america", (476_062, -1_223_321), 50),
    city("San Jose", "United States", "north-america", (373_382, -1_218_863), 50),
    city("Atlanta", "United States", "north-america", (337_490, -843_880), 0),
    city("Toronto", "Canada", "north-america", (436_532, -793_832), 60),
    city("Montreal", "Canada", "north-america", (455_017, -735_673), 50),
    city("Tokyo", "Japan", "east-asia", (356_762, 1_396_503), 400),
    city("Osaka", "Japan", "east-asia", (346_937, 1_355_023), 10),
    city("Hong Kong", "Hong Kong", "east-asia", (223_193, 1_141_694), 50),
    city("Seoul", "South Korea", "east-asia", (375_665, 1_269_780), 30),
    city("Taipei", "Taiwan", "east-asia", (250_330, 1_215_654), 0),
    city("Singapore", "Singapore", "southeast-asia", (13_521, 1_038_198), 230),
    city("Jakarta", "Indonesia", "southeast-asia", (-62_088, 1_068_456), 0),
    city("Mumbai", "India", "south-asia", (190_760, 728_777), 190),
    city("Bangalore", "India", "south-asia", (129_716, 775_946), 0),
    city("Warsaw", "Poland", "eastern-europe", (522_297, 210_122), 80),
    city("Prague", "Czechia", "eastern-europe", (500_755, 144_378), 30),
    city("Bucharest", "Romania", "eastern-europe", (444_268, 261_025), 20),
    city("Kyiv", "Ukraine", "eastern-europe", (504_501, 305_234), 20),
    city("Sofia", "Bulgaria", "eastern-europe", (426_977, 233_219), 10),
    city("Bratislava", "Slovakia", "eastern-europe", (481_486, 171_077), 10),
    city("São Paulo", "Brazil", "latin-america", (-235_505, -466_333), 60),
    city("Santiago", "Chile", "latin-america", (-334_489, -706_693), 10),
    city("Buenos Aires", "Argentina", "latin-america", (-346_037, -583_816), 10),
    city("Mexico City", "Mexico", "latin-america", (194_326, -991_332), 10),
    city("Johannesburg", "South Africa", "africa", (-262_041, 280_473), 50),
    city("Cape Town", "South Africa", "africa", (-339_249, 184_241), 0),
    city("Madrid", "Spain", "southern-europe", (404_168, -37_038), 10),
    city("Milan", "Italy", "southern-europe", (454_642, 91_900), 10),
    city("Lisbon", "Portugal", "southern-europe", (387_223, -91_393), 10),
    city("Dubai", "United Arab Emirates", "west-asia", (252_048, 552_708), 30),
    city("Istanbul", "Türkiye", "west-asia", (410_082, 289_784), 10),
    city("Tel Aviv", "Israel", "west-asia", (320_853, 347_818), 10),
    city("Sydney", "Australia", "oceania", (-338_688, 1_512_093), 30),
    city("Melbourne", "Australia", "oceania", (-378_136, 1_449_631), 0),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The sum of the weights of the cities for which `of` gives the same text.
    fn shares(of: fn(&City) -> &'static str) -> BTreeMap<&'static str, u32> {
        let mut shares = BTreeMap::new();
        for city in CITIES {
            *shares.entry(of(city)).or_insert(0) += city.weight;
        }
        shares
    }

    #[test]
    fn regions_and_countries_have_their_published_shares() {
        // Published in tenths of a percent, so in steps of ten parts per 10,000.
        let regions = shares(|city| city.region);
        for (region, published) in [
            ("western-europe", 5_210),
            ("northern-europe", 1_870),
            ("north-america", 1_590),
            ("east-asia", 490),
            ("southeast-asia", 230),
            ("south-asia", 190),
            ("eastern-europe", 170),
            ("latin-america", 90),
            ("africa", 50),
            ("southern-europe", 30),
        ] {
            assert_eq!(regions[region], published, "{region}");
        }
        assert_eq!(regions.values().sum::<u32>(), 10_000);
        let countries = shares(|city| city.country);
        for (country, published) in [
            ("Germany", 3_010_u32),
            ("Netherlands", 1_720),
            ("United States", 1_480),
            ("United Kingdom", 1_030),
            ("Lithuania", 530),
            ("Japan", 410),
            ("Luxembourg", 320),
            ("Singapore", 230),
            ("India", 190),
            ("Sweden", 180),
            ("France", 150),
            ("Canada", 100),
        ] {
            // The published regions and countries are rounded, which leaves 0.1 % to Canada.
            assert!(countries[country].abs_diff(published) <= 10, "{country}");
        }
    }

    #[test]
    fn names_are_unique_and_found_however_they_are_written() {
        let names: BTreeSet<String> = CITIES.iter().map(|city| fold(city.name)).collect();
        assert_eq!(names.len(), CITIES.len());
        for text in ["São Paulo", "sao paulo", "SAO-PAULO"] {
            assert_eq!(find(text).map(|city| city.country), Some("Brazil"), "{text}");
        }
        assert_eq!(find("Atlantis"), None);
    }

    #[test]
    fn every_city_lies_in_its_region() {
        // Rough boxes (south, north, west, east in degrees) that a slip of sign or digit leaves.
        let boxes = BTreeMap::from([
            ("western-europe", (43, 54, -2, 17)),
            ("northern-europe", (50, 61, -7, 26)),
            ("eastern-europe", (42, 53, 14, 31)),
            ("southern-europe", (36, 46, -10, 19)),
            ("north-america", (25, 49, -123, -73)),
            ("latin-america", (-35, 20, -100, -46)),
            ("east-asia", (22, 38, 114, 140)),
            ("southeast-asia", (-7, 2, 103, 107)),
            ("south-asia", (12, 20, 72, 78)),
            ("west-asia", (25, 42, 28, 56)),
            ("africa", (-34, -26, 18, 29)),
            ("oceania", (-38, -33, 144, 152)),
        ]);
        for city in CITIES {
            let (south, north, west, east) = boxes[city.region];
            let inside =
                |value: i32, low: i32, high: i32| (low * 10_000..=high * 10_000).contains(&value);
            assert!(inside(city.latitude, south, north), "{city:?}");
            assert!(inside(city.longitude, west, east), "{city:?}");
        }
    }
}
