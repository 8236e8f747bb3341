//! Law 10: one-way latency = (access + inflation * 2d / (2c / 3)) / 2 over great circles; or a
//! matrix of measurements instead.

use super::scenario;
use crate::support::{plan_of_file, ran};

/// Direct rumors between all pairs of the first `nodes` nodes, one a second, and the latency of
/// each in the order of pairs.
fn all_pairs(nodes: u64) -> String {
    let pairs = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let rumor = |(second, (a, b)): (usize, (u64, u64))| {
        format!(
            "[[rumors]]\nspread = \"direct\"\nnode = {a}\nto = {b}\nat = \"{second}s\"\nsize = \"1B\"\n"
        )
    };
    pairs.enumerate().map(rumor).collect()
}

/// Latencies of `all_pairs` as a list of (from, to, nanoseconds).
fn latencies(text: &str) -> Vec<(u64, u64, u64)> {
    let deliveries = ran(text).deliveries();
    deliveries.iter().map(|d| (d.from, d.node, d.latency.expect("followed"))).collect()
}

#[test]
fn cities_are_as_far_apart_as_an_independent_computation_says() {
    // Python, mpmath with 40 digits, by the chord in three dimensions, d = 2 R asin(|a - b| / 2),
    // rounded to the nearest nanosecond; R = 6371.0088 km, c = 299,792.458 km/s. Access and
    // inflation: (6.3 ms, 1.64), (0, 1), (10 ms, 2.5). Frankfurt to Tokyo is 9,331.403 km.
    let pairs = [(0, 1), (0, 2), (1, 2), (3, 0), (3, 1), (3, 2)];
    for (geography, expected) in [
        ("{}", [79_720_476, 138_403_364, 67_366_227, 54_047_229, 92_195_935, 134_348_740]),
        (
            "{ access = \"0s\", inflation = 1.0 }",
            [46_689_315, 82_471_564, 39_156_236, 31_034_896, 54_296_302, 79_999_232],
        ),
        (
            "{ access = \"10ms\", inflation = 2.5 }",
            [121_723_287, 211_178_909, 102_890_589, 82_587_239, 140_740_754, 204_998_080],
        ),
    ] {
        let body = format!(
            "placement = {{ kind = \"cities\", cities = [\"Frankfurt\", \"Tokyo\", \"Sydney\", \
             \"New York\"] }}\n[network]\ngeography = {geography}\n{}",
            all_pairs(4)
        );
        let found = latencies(&scenario(4, "60s", 1, &body));
        assert_eq!(found.len(), 12);
        for (from, to, latency) in found {
            let place = pairs.iter().position(|&pair| pair == (from, to) || pair == (to, from));
            let expected = expected[place.expect("one of the pairs")];
            assert_eq!(latency, expected, "{from} to {to}, geography = {geography}");
        }
    }
}

#[test]
fn places_across_the_date_line_and_at_the_antipodes_are_where_they_are() {
    // The same computation. Suva and Apia are 1,150.704 km apart across the date line; the antipode
    // of Frankfurt is half a circumference away, 20,015.114 km; two nodes at one place are `access`
    // apart and back.
    let body = format!(
        "[nodes.placement]\nkind = \"sites\"\nlist = [\n\
         {{ name = \"Suva\", latitude = -18.1416, longitude = 178.4419 }},\n\
         {{ name = \"Apia\", latitude = -13.8333, longitude = -171.7667 }},\n\
         {{ name = \"Frankfurt\", latitude = 50.1109, longitude = 8.6821 }},\n\
         {{ name = \"Antipode\", latitude = -50.1109, longitude = -171.3179 }}]\n\
         [network]\ngeography = {{}}\n{}",
        all_pairs(5)
    );
    let found = latencies(&scenario(5, "60s", 1, &body));
    for (a, b, expected) in [
        (0, 1, 12_592_301),
        (0, 2, 137_272_915),
        (1, 2, 134_285_069),
        (0, 3, 33_264_644),
        (1, 3, 36_252_490),
        (2, 3, 167_387_559),
        // The fifth node stands in Suva again.
        (0, 4, 3_150_000),
        (1, 4, 12_592_301),
    ] {
        for pair in [(a, b), (b, a)] {
            assert!(found.contains(&(pair.0, pair.1, expected)), "{pair:?} {expected}: {found:?}");
        }
    }
}

#[test]
fn a_measured_matrix_is_taken_cell_by_cell() {
    let folder = tempfile::tempdir().expect("a folder");
    let matrix = "site,Tokyo,Frankfurt\nFrankfurt,112ms,0.5ms\nTokyo,300us,117250us\n";
    std::fs::write(folder.path().join("matrix.csv"), matrix).expect("a file");
    let body = format!(
        "placement = {{ kind = \"cities\", cities = [\"Frankfurt\", \"Tokyo\"] }}\n\
         [network]\nmatrix = \"matrix.csv\"\n{}",
        all_pairs(4)
    );
    let file = folder.path().join("measured.toml");
    std::fs::write(&file, scenario(4, "60s", 1, &body)).expect("a file");
    let ran = crate::support::ran_plan(&plan_of_file(&file));
    for delivery in ran.deliveries() {
        // Even nodes stand in Frankfurt, odd ones in Tokyo; rows are where a message comes from.
        let expected = match (delivery.from % 2, delivery.node % 2) {
            (0, 0) => 500_000,
            (0, _) => 112_000_000,
            (_, 0) => 117_250_000,
            _ => 300_000,
        };
        assert_eq!(delivery.latency, Some(expected), "{delivery:?}");
    }
}
