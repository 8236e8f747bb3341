//! Scenario layer: distances on the globe, and how long light in cables takes for them.

use crate::base::time::Span;

use super::super::city::City;

/// Radius of the sphere that stands for the Earth, in km (the mean radius R1 of the ellipsoid of
/// WGS 84).
pub const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// Speed of light in vacuum, in km/s (exact by definition of the metre).
pub const LIGHT_KM_PER_S: f64 = 299_792.458;

/// Round trip time spent near the two ends; fitted, with [`DEFAULT_INFLATION`], on measured round
/// trips between cloud regions (the two explain about two thirds of the variance).
pub const DEFAULT_ACCESS: Span = Span::from_micros(6_300);

/// How much longer the way through cables is than the great circle.
pub const DEFAULT_INFLATION: f64 = 1.64;

/// A point on the globe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

impl From<&City> for Coordinates {
    fn from(city: &City) -> Self {
        // A division of exact integers rounds as reading the decimal text does, so a city of the
        // table and the same degrees typed into a scenario are the same point.
        let degrees = |units: i32| f64::from(units) / 10_000.0;
        Self { latitude: degrees(city.latitude), longitude: degrees(city.longitude) }
    }
}

/// Distance on the surface of the sphere in km, by Vincenty's formula for the special case of a
/// sphere, which is accurate for near points and antipodes alike.
#[must_use]
pub fn great_circle_km(a: Coordinates, b: Coordinates) -> f64 {
    let radians = |degrees: f64| degrees * std::f64::consts::PI / 180.0;
    let (from, to) = (radians(a.latitude), radians(b.latitude));
    let turn = radians(b.longitude - a.longitude);
    let (sin_from, cos_from) = libm::sincos(from);
    let (sin_to, cos_to) = libm::sincos(to);
    let (sin_turn, cos_turn) = libm::sincos(turn);
    let east = cos_to * sin_turn;
    let north = cos_from * sin_to - sin_from * cos_to * cos_turn;
    let along = sin_from * sin_to + cos_from * cos_to * cos_turn;
    EARTH_RADIUS_KM * libm::atan2(libm::sqrt(east * east + north * north), along)
}

/// One-way latency between two points: `(access + inflation * 2d / (2c/3)) / 2`, where `d` is the
/// great-circle distance, `c` the speed of light and two thirds of it the speed in glass; rounded
/// to the nearest nanosecond, halves up.
///
/// `access` is the part of a round trip that does not depend on distance; `inflation` is 0 or more.
#[must_use]
pub fn one_way(a: Coordinates, b: Coordinates, access: Span, inflation: f64) -> Span {
    let glass_km_per_ns = LIGHT_KM_PER_S * 2.0 / 3.0 / 1e9;
    let round_trip = inflation * (2.0 * great_circle_km(a, b)) / glass_km_per_ns;
    Span::from_nanos(libm::round((access.as_nanos() as f64 + round_trip) / 2.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::super::city;
    use super::*;

    fn at(name: &str) -> Coordinates {
        city::find(name).expect("a city of the table").into()
    }

    #[test]
    fn great_circles_and_latencies_match_an_independent_computation() {
        // Python, mpmath with 40 digits, by the chord in three dimensions: 2R asin(|a - b| / 2) km,
        // and law 10 in ns with (access 6.3 ms, inflation 1.64) and with (0, 1).
        for (a, b, km, fitted, bare) in [
            ("Frankfurt", "Tokyo", 9_331.402_982_013_693, 79_720_476, 46_689_315),
            ("New York", "London", 5_570.229_873_656_523, 48_857_506, 27_870_430),
            ("Sydney", "São Paulo", 13_357.224_470_822_31, 112_755_066, 66_832_357),
            ("Frankfurt", "Amsterdam", 363.422_160_323_979_4, 6_132_125, 1_818_369),
            ("London", "Singapore", 10_847.859_854_391_71, 92_164_031, 54_276_848),
        ] {
            let distance = great_circle_km(at(a), at(b));
            assert!((distance - km).abs() < 1e-8, "{a} to {b}: {distance}");
            for (from, to) in [(at(a), at(b)), (at(b), at(a))] {
                let latency = one_way(from, to, DEFAULT_ACCESS, DEFAULT_INFLATION);
                assert_eq!(latency.as_nanos(), fitted, "{a} to {b}");
                assert_eq!(one_way(from, to, Span::ZERO, 1.0).as_nanos(), bare, "{a} to {b}");
            }
        }
    }

    #[test]
    fn near_points_and_antipodes_keep_their_precision() {
        let point = |latitude, longitude| Coordinates { latitude, longitude };
        // Half and a quarter of the circumference 2 * pi * 6371.0088 km.
        let half = great_circle_km(point(0.0, 0.0), point(0.0, 180.0));
        assert!((half - 20_015.114_442_035_92).abs() < 1e-8, "{half}");
        let quarter = great_circle_km(point(90.0, 0.0), point(0.0, 77.0));
        assert!((quarter - 10_007.557_221_017_96).abs() < 1e-8, "{quarter}");
        // 1e-7 degrees of longitude at 50.11 degrees north: 7.131115e-6 km (mpmath). The degrees
        // themselves are only known to 1e-15, so a relative 1e-7 is left.
        let near = great_circle_km(point(50.11, 8.68), point(50.11, 8.680_000_1));
        assert!((near / 7.131_115_363e-6 - 1.0).abs() < 1e-6, "{near}");
        // At no distance half the access time remains.
        assert_eq!(one_way(at("Tokyo"), at("Tokyo"), DEFAULT_ACCESS, 1.64).as_nanos(), 3_150_000);
    }
}
