//! Scenario layer, reader, tests only: malformed scenarios and the exact errors that they get.

use super::Source;
use super::tests::errors_of;

/// Cases are separated by `---`; lines that start with `!` are the expected errors without the name
/// of the file, and continue on lines that start with `!` and three spaces.
const CASES: &str = r##"name = "x"
duration = 80ms
! 2:12: 80ms is not a value of TOML; a text needs quotes: "80ms"
---
name =
! 1:7: a value is missing after "=" or ","
---
name
! 1:5: "=" and a value are missing after this key
---
name = 'x' rules = 'y'
! 1:12: a new line is missing before this text
---
name = "x
! 1:10: a text has no closing quote
---
[network]
loss = 0
loss = 1
! 3:1: the key "loss" is defined twice
---
[network]
[gossip]
[network]
! 3:2: the table "network" is defined twice
---
name = 'ü€😀' x
! 1:14: a new line is missing before this text
---
faults = []
[[faults]]
! 2:3: the table "faults" is defined twice
---
sites = {}
sites.a = 1
! 2:1: "sites" is already of type inline table and cannot take more keys
---
name = [1, 2
! 1:13: not valid TOML: unclosed array, expected `]`
---
name = 'x'
stakes = 99999999999999999999
! 2:10: stakes: 99999999999999999999 is outside the range of integers, -2^63 to 2^63 - 1
---
name = 'x'
stakes = 0x
! 2:10: stakes: 0x has no digits
---
name = 'x'
[sites.a]
latitude = 1e999
! 3:12: sites.a.latitude: 1e999 is not a finite number
---
name = 'x'
[sites.a]
latitude = nan
! 3:12: sites.a.latitude: nan is not a finite number
---
name = 'x'
[sites.a]
latitude = .5
! 3:12: not valid TOML: invalid mantissa, expected digits
---
name = 'x'
netwrk = 1
! 2:1: netwrk: unknown key; did you mean "network"?
---
name = 'x'
[network]
los = 1
! 3:1: network.los: unknown key; did you mean "loss"?
---
name = 'x'
[network]
lag = 1
! 3:1: network.lag: unknown key; the keys here are latency, loss, uplink, buffer, matrix,
!   spread, meets, weights, ordered, classes
---
name = 'x'
[gosip]
fanout = 1
! 2:2: gosip: unknown key; did you mean "gossip"?
---
name = 'x'
"é" = 1
! 2:1: "é": unknown key; the keys here are name, rules, duration, network, topology, faults,
!   sites, gossip, stakes
---
name = 'x'
gossip = { push = { lief = '1s' } }
! 2:21: gossip.push.lief: unknown key; did you mean "life"?
---
name = 'x'
[[faults]]
kind = 'crash'
at = '1s'
node = 'all'
! 5:1: faults[0].node: unknown key; did you mean "nodes"?
---
name = 8
! 1:8: name: expected a text, found the number 8
---
name = 'x'
duration = 80
! 2:12: duration: expected a length of time such as "80ms", found the number 80
---
name = 'x'
[network]
loss = true
! 3:8: network.loss: expected a probability such as "2%" or 0.02, found true
---
name = 'x'
[network]
ordered = 'true'
! 3:11: network.ordered: expected true or false, found the text "true"; write true without
!   quotes
---
name = 'x'
[network]
latency = ['1s']
! 3:11: network.latency: expected a length of time such as "80ms", found a list
---
name = 'x'
network = 5
! 2:11: network: expected a table, found the number 5
---
name = 'x'
[faults]
kind = 'crash'
! 2:1: faults: expected a list, found a table; write [[faults]] in front of every entry
---
name = 'x'
[gossip]
fanout = 2.0
! 3:10: gossip.fanout: expected an integer, found the number 2.0
---
name = 'x'
[gossip]
fanout = '8'
! 3:10: gossip.fanout: expected an integer, found the text "8"; write 8 without quotes
---
name = 'x'
[gossip]
tags = ['a', 1, 'b', 2020-01-01]
! 3:14: gossip.tags[1]: expected a text, found the number 1
! 3:22: gossip.tags[3]: expected a text, found the date 2020-01-01
---
name = 'x'
[network]
matrix = [['1s'], ['2s', 3]]
! 3:26: network.matrix[1][1]: expected a length of time such as "80ms", found the number 3
---
name = 'x'
[gossip.push]
rests = ['1s', '2s', 3]
! 3:9: gossip.push.rests: expected exactly 2 entries, found 3
! 3:16: gossip.push.rests[1]: expected an integer, found the text "2s"
---
name = 'x'
stakes = true
! 2:10: stakes: expected an integer or a list or a table, found true
---
name = 'x'
stakes = [1, -1]
! 2:14: stakes[1]: -1 is below the minimum 0
---
[name]
x = 1
! 1:1: name: expected a text, found a table
---
name = 'x'
rules = 3
! 2:9: rules: expected a text, found the number 3
---
name = 'x'
duration = '80'
! 2:12: duration: "80" has no unit; a length of time ends in one of h, min, s, ms, us, ns
---
name = 'x'
[network]
loss = '200%'
! 3:8: network.loss: "200%" is a probability above one (100%)
---
name = 'x'
[network]
loss = 1.5
! 3:8: network.loss: 1.5 is a probability above one
---
name = 'x'
[network]
uplink = '0bit/s'
buffer = '1.5B'
! 3:10: network.uplink: a rate of zero would never send anything
! 4:10: network.buffer: "1.5B" is finer than the smallest unit
---
name = 'x'
[network.classes]
fast = '1Gbit'
! 3:8: network.classes.fast: "1Gbit" has the unit "Gbit"; a rate ends in one of Gbit/s,
!   Mbit/s, kbit/s, bit/s, GB/s, MB/s, kB/s, B/s
---
name = 'x'
[[faults]]
kind = 'crash'
at = '1s'
nodes = 'nobody'
! 5:9: faults[0].nodes: "nobody" chooses no nodes
---
name = 'x'
[gossip]
fanout = 0
! 3:10: gossip.fanout: 0 is below the minimum 1
---
name = 'x'
[gossip]
fanout = 4294967296
! 3:10: gossip.fanout: 4294967296 is above the maximum 4294967295
---
name = 'x'
[topology]
kind = 'k-out'
k = 101
! 4:5: topology.k: 101 is above the maximum 100
---
name = 'x'
[sites."New York"]
latitude = 90.5
weight = 256
! 3:12: sites."New York".latitude: 90.5 is above the maximum 90
! 4:10: sites."New York".weight: 256 is above the maximum 255
---
name = 'x'
[network]
spread = [1.0]
! 3:10: network.spread: expected exactly 2 entries, found 1
---
name = 'x'
[[faults]]
kind = 'partition'
at = '1s'
groups = ['a']
! 5:10: faults[0].groups: expected at least 2 entries, found 1
---
name = 'x'
[network]
meets = 'block_chunks'
! 3:9: network.meets: "block_chunks" is not known here; did you mean "block-chunks"?
---
name = 'x'
[network]
meets = 'nothing'
! 3:9: network.meets: "nothing" is not known here; known are votes, all, block-chunks
---
name = 'x'
[topology]
kind = 'kout'
k = 3
! 3:8: topology.kind: unknown kind "kout"; did you mean "k-out"?
---
name = 'x'
[topology]
kind = 'torus'
! 3:8: topology.kind: unknown kind "torus"; known are complete, k-out, small-world
---
name = 'x'
[topology]
k = 3
! 2:1: topology.kind: this key is required and missing; it is one of "complete", "k-out",
!   "small-world"
---
name = 'x'
[topology]
kind = 3
! 3:8: topology.kind: expected one of "complete", "k-out", "small-world", found the number 3
---
name = 'x'
[topology]
kind = 'k-out'
! 2:1: topology.k: this key is required and missing; it takes an integer
---
name = 'x'
[[faults]]
kind = 'crash'
at = '1s'
nodes = 'all'
[[faults]]
at = '2s'
! 6:1: faults[1].kind: this key is required and missing; it is one of "crash", "partition"
---
name = 'x'
[[faults]]
kind = 'partition'
at = '1s'
groups = ['a', { nodes = 'b' }]
! 5:16: faults[0].groups[1].share: this key is required and missing; it takes a probability
!   such as "2%" or 0.02
---
name = 'x'
[[faults]]
kind = 'partition'
at = '1s'
groups = ['a', 3]
! 5:16: faults[0].groups[1]: expected a choice of nodes such as "stake:33%" or a table, found
!   the number 3
---
name = 'x'
stakes = { kind = 'zipf' }
! 2:10: stakes.exponent: this key is required and missing; it takes a number
---
name = 'x'
[stakes]
kind = 'zpif'
! 3:8: stakes.kind: unknown kind "zpif"; did you mean "zipf"?
---
[network]
loss = 0
! 1:1: name: this key is required and missing; it takes a text
---
name = 'x'
[sites.a]
! 2:1: sites.a.latitude: this key is required and missing; it takes a number
---

# ü
nam = 'x'
! 3:1: nam: unknown key; did you mean "name"?
---
name = "\q"
! 1:10: not valid TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`,
!   `u`, `U`
---
name = 'x'
[network]
"a b\n" = 1
! 3:1: network."a b\u000a": unknown key; the keys here are latency, loss, uplink, buffer,
!   matrix, spread, meets, weights, ordered, classes
"##;

#[test]
fn every_malformed_scenario_gets_exactly_these_errors() {
    let mut count = 0;
    for case in CASES.split("---\n") {
        let (expected, text): (Vec<_>, Vec<_>) =
            case.lines().partition(|line| line.starts_with("! "));
        let expected = expected.join("\n").replace("\n!   ", " ").replace("! ", "s:");
        let text = text.join("\n");
        assert_eq!(errors_of(&Source::embedded("s", &text)).join("\n"), expected, "{text}");
        count += 1;
    }
    assert_eq!(count, 68);
}

#[test]
fn other_line_ends_and_a_byte_order_mark_do_not_move_the_place() {
    for (text, expected) in [
        ("name = 'x'\r\n\r\nnetwrk = 1\r\n", "3:1: netwrk: unknown key; did you mean \"network\"?"),
        ("name = 'x'\r\n\r\n[network\r\n", "3:9: not valid TOML: unclosed table, expected `]`"),
        ("\u{feff}nam = 'x'", "1:1: nam: unknown key; did you mean \"name\"?"),
        ("", "1:1: name: this key is required and missing; it takes a text"),
        // Before the value: four characters of key, space, =, space, so column 8; the comment
        // line above has characters of two, three and four bytes.
        ("# ü€😀\nname = 8", "2:8: name: expected a text, found the number 8"),
        (
            "rules = '😀'\n\"😀\".x = 1 # ü\nname = 1",
            "2:1: \"😀\": unknown key; the keys here are name, rules, duration, network, \
             topology, faults, sites, gossip, stakes\n\
             s:3:8: name: expected a text, found the number 1",
        ),
    ] {
        let errors = errors_of(&Source::embedded("s", text)).join("\n");
        assert_eq!(errors, format!("s:{expected}"), "{text:?}");
    }
}
