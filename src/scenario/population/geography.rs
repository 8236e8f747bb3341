//! Scenario layer: where nodes stand.

mod dealing;
mod great_circle;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::base::id::NodeMap;
use crate::base::rng::Seed;

use super::super::error::ScenarioError;
use super::city::{self, CITIES};
use super::{Site, fold, near_name};

use self::dealing::{by_stake, deal, mainnet_cities};

pub use self::dealing::mainnet_placement_error;
pub use self::great_circle::{
    Coordinates, DEFAULT_ACCESS, DEFAULT_INFLATION, EARTH_RADIUS_KM, LIGHT_KM_PER_S,
    great_circle_km, one_way,
};

/// In which order nodes are dealt out to places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementOrder {
    /// In turn, node 0 first; with weights, each node to the place that is most behind its weight
    /// (the method of Sainte-Laguë).
    #[default]
    RoundRobin,
    /// Each node is drawn from the seed, in proportion to the weights.
    Random,
}

/// A place that a scenario describes itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Name of the place; no two places may share it.
    pub name: String,
    /// Name of its region, which places may share; without it the place's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Degrees north; negative numbers are south.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub latitude: f64,
    /// Degrees east; negative numbers are west.
    #[schemars(range(min = -180.0, max = 180.0))]
    pub longitude: f64,
    /// How many nodes stand here, in proportion to the other places.
    #[serde(default = "one")]
    pub weight: u64,
}

const fn one() -> u64 {
    1
}

/// Where the nodes stand. Names of places and regions are free of commas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PlacementConfig {
    /// All nodes stand at one site without coordinates.
    Single {},
    /// In cities of the built-in table, with their coordinates and regions.
    Cities {
        /// Names of cities; a city named twice gets twice as many nodes.
        #[schemars(schema_with = "city_names")]
        cities: Vec<String>,
        /// In which order nodes are dealt out.
        #[serde(default)]
        order: PlacementOrder,
    },
    /// In abstract regions without coordinates, each of which is one site.
    Regions {
        /// Names of the regions, no two the same.
        names: Vec<String>,
        /// How many nodes stand in each region, in proportion: as many numbers as there are names.
        /// Without it all regions get equally many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weights: Option<Vec<u64>>,
        /// In which order nodes are dealt out.
        #[serde(default)]
        order: PlacementOrder,
    },
    /// At places that are described here.
    Sites {
        /// The places.
        list: Vec<SiteConfig>,
        /// In which order nodes are dealt out.
        #[serde(default)]
        order: PlacementOrder,
    },
    /// In the cities of Solana's mainnet, so that the stake in each city has the share that it had
    /// at epoch 860: the largest stake first, each to the city that is furthest below its share;
    /// observers follow by number instead of stake. With mainnet's stakes the largest error of a
    /// city's share is 0.001 percentage points with 962 validators, 0.01 with 200, 0.8 with 100 and
    /// 22 with 25, where the first validator alone holds more than any city should.
    SolanaMainnet {},
}

/// A list of texts, with every city of the table for editors to propose. Other spellings of them
/// are understood too, so the names are examples and not the only values.
fn city_names(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = CITIES.iter().map(|city| city.name).collect();
    json_schema!({"type": "array", "items": {"type": "string", "examples": names}})
}

impl Default for PlacementConfig {
    fn default() -> Self {
        Self::Single {}
    }
}

/// The outcome of a placement.
pub(super) struct Placed {
    pub(super) sites: Vec<Site>,
    pub(super) regions: Vec<String>,
    pub(super) site_of: NodeMap<u16>,
}

impl PlacementConfig {
    /// Sites, regions, and the site of every node.
    ///
    /// # Errors
    /// If a list is empty or too long, a name is unknown, doubled or unfit, weights are missing or
    /// all zero, or coordinates are off the globe.
    pub(super) fn resolve(
        &self,
        stakes: &NodeMap<u64>,
        seed: Seed,
    ) -> Result<Placed, ScenarioError> {
        let mut list = SiteList::default();
        let count = stakes.len();
        let site_of = match self {
            Self::Single {} => {
                list.add("single", "single", None, "kind")?;
                NodeMap::filled(count, 0)
            }
            Self::Cities { cities, order } => {
                let weights = list.add_cities(cities)?;
                // Cities named twice take their turns where they are named.
                let turns = deal(count, &vec![1; weights.len()], *order, seed);
                NodeMap::build(count, |node| weights[usize::from(turns[node])])
            }
            Self::Regions { names, weights, order } => {
                list.add_regions(names)?;
                let weights = weights.clone().unwrap_or_else(|| vec![1; names.len()]);
                check_weights(&weights, names.len(), "weights", "names")?;
                deal(count, &weights, *order, seed)
            }
            Self::Sites { list: places, order } => {
                list.add_places(places)?;
                let weights: Vec<u64> = places.iter().map(|place| place.weight).collect();
                check_weights(&weights, places.len(), "list", "list")?;
                deal(count, &weights, *order, seed)
            }
            Self::SolanaMainnet {} => {
                let cities = mainnet_cities();
                for city in &cities {
                    list.add(city.name, city.region, Some((*city).into()), "kind")?;
                }
                by_stake(stakes, &cities)
            }
        };
        Ok(Placed { sites: list.sites, regions: list.regions, site_of })
    }
}

/// Sites and regions as they are named.
#[derive(Default)]
struct SiteList {
    sites: Vec<Site>,
    regions: Vec<String>,
    site_names: BTreeMap<String, u16>,
    region_names: BTreeMap<String, u16>,
}

impl SiteList {
    /// Adds a site of a new name.
    fn add(
        &mut self,
        name: &str,
        region: &str,
        coordinates: Option<Coordinates>,
        key: &str,
    ) -> Result<u16, ScenarioError> {
        for text in [name, region] {
            if text.trim() != text || text.is_empty() || text.contains(unfit) {
                let message = format!("\"{text}\" is no name of a place; expected a text without");
                return Err(fault(key, message + " commas, quotes or blanks at its ends"));
            }
        }
        let Ok(index) = u16::try_from(self.sites.len()) else {
            return Err(fault(key, "is one place too many; at most 65536 were expected"));
        };
        if self.site_names.insert(fold(name), index).is_some() {
            return Err(fault(key, format!("\"{name}\" is named twice; once was expected")));
        }
        // There are no more regions than sites, so their numbers fit as well.
        let next = self.regions.len() as u16;
        let region_index = *self.region_names.entry(fold(region)).or_insert(next);
        if region_index == next {
            self.regions.push(region.to_owned());
        }
        self.sites.push(Site { name: name.to_owned(), region: region_index, coordinates });
        Ok(index)
    }

    /// Adds regions as sites of their own.
    fn add_regions(&mut self, names: &[String]) -> Result<(), ScenarioError> {
        for (i, name) in names.iter().enumerate() {
            self.add(name, name, None, &format!("names[{i}]"))?;
        }
        Ok(())
    }

    /// Adds places that the scenario describes.
    fn add_places(&mut self, places: &[SiteConfig]) -> Result<(), ScenarioError> {
        for (i, place) in places.iter().enumerate() {
            let point = coordinates(place, i)?;
            let region = place.region.as_ref().unwrap_or(&place.name);
            self.add(&place.name, region, Some(point), &format!("list[{i}]"))?;
        }
        Ok(())
    }

    /// Adds cities of the table; gives the site of every entry of the list.
    fn add_cities(&mut self, cities: &[String]) -> Result<Vec<u16>, ScenarioError> {
        if cities.is_empty() {
            return Err(fault("cities", "names no city; at least one was expected"));
        }
        if cities.len() > usize::from(u16::MAX) {
            return Err(fault("cities", "names too many cities; at most 65535 were expected"));
        }
        let mut entries = Vec::with_capacity(cities.len());
        for (i, name) in cities.iter().enumerate() {
            let key = format!("cities[{i}]");
            let Some(city) = city::find(name) else {
                let error = fault(&key, format!("\"{name}\" is not in the table of cities"));
                return Err(match near_name(name, CITIES.iter().map(|city| city.name)) {
                    Some(near) => error.hint(format!("did you mean \"{near}\"?")),
                    None => error.hint("a place with coordinates can be given by kind = \"sites\""),
                });
            };
            entries.push(match self.site_names.get(&fold(city.name)) {
                Some(&index) => index,
                None => self.add(city.name, city.region, Some(city.into()), &key)?,
            });
        }
        Ok(entries)
    }
}

/// What would make a name unreadable in a selector or a table.
fn unfit(character: char) -> bool {
    character.is_control() || matches!(character, ',' | '"')
}

fn coordinates(place: &SiteConfig, index: usize) -> Result<Coordinates, ScenarioError> {
    let bounds = [("latitude", place.latitude, 90.0), ("longitude", place.longitude, 180.0)];
    for (key, degrees, most) in bounds {
        if !(-most..=most).contains(&degrees) {
            let message = format!("is {degrees}; degrees from -{most} to {most} were expected");
            return Err(fault(&format!("list[{index}].{key}"), message));
        }
    }
    Ok(Coordinates { latitude: place.latitude, longitude: place.longitude })
}

fn check_weights(
    weights: &[u64],
    places: usize,
    key: &str,
    places_key: &str,
) -> Result<(), ScenarioError> {
    if places == 0 {
        return Err(fault(places_key, "names no place; at least one was expected"));
    }
    if weights.len() != places {
        let message = format!("{} given for {places} places; one each was expected", weights.len());
        return Err(fault(key, message));
    }
    let sum = weights.iter().try_fold(0_u64, |sum, &weight| sum.checked_add(weight));
    match sum {
        Some(1..) => Ok(()),
        Some(0) => Err(fault(key, "all weights are 0; at least one above 0 was expected")),
        None => Err(fault(key, "the weights add up to 2^64 or more")),
    }
}

/// An error about a key of `[nodes.placement]`.
fn fault(key: &str, message: impl Into<String>) -> ScenarioError {
    ScenarioError::new(format!("nodes.placement.{key}"), message)
}

#[cfg(test)]
mod tests {
    use super::super::mainnet;
    use super::super::tests::{resolved, try_resolved};
    use super::*;

    fn sites(text: &str, count: u32, seed: u64) -> Vec<u16> {
        let text = format!("count = {count}\nplacement = {text}");
        resolved(&text, seed).site_of.as_slice().to_vec()
    }

    #[test]
    fn cities_are_taken_in_turn_with_their_coordinates_and_regions() {
        let text = "count = 5\nplacement = { kind = \"cities\", \
                    cities = [\"frankfurt\", \"Tokyo\", \"Paris\", \"Tokyo\"] }";
        let population = resolved(text, 1);
        assert_eq!(population.site_of.as_slice(), [0, 1, 2, 1, 0]);
        assert_eq!(population.regions, ["western-europe", "east-asia"]);
        assert_eq!(population.region_of.as_slice(), [0, 1, 0, 1, 0]);
        assert_eq!(population.sites[0].name, "Frankfurt");
        let expected = Coordinates { latitude: 50.1109, longitude: 8.6821 };
        assert_eq!(population.sites[0].coordinates, Some(expected));
    }

    #[test]
    fn weights_hold_at_every_moment_and_in_the_end() {
        let text = "{ kind = \"regions\", names = [\"a\", \"b\", \"c\"], weights = [3, 1, 0] }";
        let sites = sites(text, 400, 1);
        for (seen, window) in (1..=400).map(|n| (n, &sites[..n])) {
            let first = window.iter().filter(|&&site| site == 0).count();
            // Sainte-Laguë with two parties never leaves the exact share by more than a half, so
            // 4 * |first - 3/4 seen| <= 2.
            assert!((4 * first).abs_diff(3 * seen) <= 2, "{first} of {seen}");
        }
        assert!(sites.iter().all(|&site| site != 2));
    }

    #[test]
    fn random_places_follow_the_weights_and_the_seed() {
        let text = "{ kind = \"regions\", names = [\"a\", \"b\"], weights = [3, 1], \
                    order = \"random\" }";
        let drawn = sites(text, 10_000, 1);
        let second = drawn.iter().filter(|&&site| site == 1).count();
        // Mean 2,500, deviation sqrt(10,000 * 3/16) = 43; five of them.
        assert!(second.abs_diff(2_500) < 217, "{second}");
        assert_eq!(drawn, sites(text, 10_000, 1));
        assert_ne!(drawn, sites(text, 10_000, 2));
        // A node's place is its own draw: fewer nodes are a prefix.
        assert_eq!(drawn[..100], sites(text, 100, 1));
    }

    #[test]
    fn own_sites_share_regions_and_default_to_their_name() {
        let text = "count = 3\n[placement]\nkind = \"sites\"\n\
            list = [{ name = \"a\", region = \"r\", latitude = 1, longitude = 2.5, weight = 2 },\n\
                    { name = \"b\", latitude = -90, longitude = 180 }]";
        let population = resolved(text, 1);
        assert_eq!(population.regions, ["r", "b"]);
        let count = population.site_of.values().filter(|&&site| site == 0).count();
        assert_eq!(count, 2);
        let point = population.sites[1].coordinates.expect("coordinates");
        assert_eq!((point.latitude, point.longitude), (-90.0, 180.0));
    }

    #[test]
    fn mainnet_placement_keeps_the_stake_share_of_every_city() {
        // Python, the same rule on real numbers: 0.0006, 0.0098, 0.757 and 21.986 points. At 25
        // nodes the first holds 47 % and goes to Frankfurt, which should have 25 %.
        for (nodes, stated) in [(962, 0.0006), (200, 0.0098), (100, 0.757), (25, 21.986)] {
            let stakes = mainnet::stakes(nodes, mainnet::TOTAL_SOL).expect("a large total");
            let error = mainnet_placement_error(&NodeMap::from_vec(stakes));
            assert!((error - stated).abs() < 0.001, "{nodes} nodes: {error}");
        }
    }

    #[test]
    fn regions_of_the_mainnet_placement_hold_their_published_shares() {
        let population = resolved(
            "count = 1000\nobservers = 38\nstake = { kind = \"solana-mainnet\" }\n\
             placement = { kind = \"solana-mainnet\" }",
            1,
        );
        let share = |name: &str| {
            let nodes = population.region_of.iter();
            let inside =
                nodes.filter(|(_, region)| population.regions[usize::from(**region)] == name);
            let stake: u64 = inside.map(|(node, _)| population.stakes[node]).sum();
            100.0 * stake as f64 / population.total_stake() as f64
        };
        for (region, published) in
            [("western-europe", 52.1), ("northern-europe", 18.7), ("north-america", 15.9)]
        {
            // Up to 11 cities in a region with at most 0.001 points each.
            assert!((share(region) - published).abs() < 0.011, "{region}: {}", share(region));
        }
        // 25 % of 38 observers are 9.5 for Frankfurt: not all in one city.
        let frankfurt = population.site_of.values().skip(962).filter(|&&site| site == 0).count();
        assert!((9..=10).contains(&frankfurt), "{frankfurt}");
    }

    #[test]
    fn bad_places_are_refused_with_a_near_name() {
        for (text, key, reason) in [
            ("kind = \"cities\"\ncities = [\"Frankfort\"]", "cities[0]", "mean \"Frankfurt\"?"),
            ("kind = \"cities\"\ncities = [\"Xyzzy\"]", "cities[0]", "kind = \"sites\""),
            ("kind = \"cities\"\ncities = []", "cities", "names no city"),
            ("kind = \"regions\"\nnames = []", "names", "names no place"),
            ("kind = \"regions\"\nnames = [\"a\", \"A\"]", "names[1]", "named twice"),
            ("kind = \"regions\"\nnames = [\"a,b\"]", "names[0]", "without commas"),
            ("kind = \"regions\"\nnames = [\"a\"]\nweights = [1, 2]", "weights", "2 given for 1"),
            ("kind = \"regions\"\nnames = [\"a\"]\nweights = [0]", "weights", "all weights are 0"),
            (
                "kind = \"sites\"\nlist = [{ name = \"a\", latitude = 91, longitude = 0 }]",
                "list[0].latitude",
                "degrees from -90 to 90",
            ),
        ] {
            let error = try_resolved(&format!("[placement]\n{text}"), 1).expect_err(text);
            assert_eq!(error.key, format!("nodes.placement.{key}"));
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
