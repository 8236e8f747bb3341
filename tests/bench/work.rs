//! The workloads W1 and W2 apart from any engine: what is drawn, who knows whom, and the values
//! that show that the work was the right work.

use crate::mix::{Sm64, mix64};

/// Out-peers of each node in W2.
pub(crate) const PEERS: usize = 8;

/// Rumors of a whole W2.
pub(crate) const RUMORS: u64 = 100;

/// W1: the next delay in nanoseconds, exponential with a mean of one second.
pub(crate) fn delay(stream: &mut Sm64) -> u64 {
    let u = (stream.next() >> 11) as f64 / (1_u64 << 53) as f64;
    (-libm::log(1.0 - u) * 1e9) as u64 + 1
}

/// W1: how many events are measured.
pub(crate) const FIRED: u64 = 1_000_000;

/// W1: the clock after the last event, in nanoseconds.
pub(crate) fn last_clock(pending: u64) -> u64 {
    match pending {
        1_000 => 1_001_923_415_555,
        100_000 => 11_008_708_906,
        1_000_000 => 1_999_989_264,
        _ => panic!("W1 is defined for 1e3, 1e5 and 1e6 pending events"),
    }
}

/// W2: when and at which node a rumor appears, in nanoseconds.
pub(crate) const fn appearance(rumor: u64, nodes: u64) -> (u64, u64) {
    (rumor * 100_000_000, mix64(42 ^ 0x0419_0000_0000 ^ rumor) % nodes)
}

/// W2: latency of one message, in nanoseconds.
pub(crate) const fn latency(rumor: u64, source: u64, target: u64) -> u64 {
    let h = mix64(mix64(42 ^ rumor << 32 ^ source) ^ target);
    10_000_000 + (((h >> 32) * 190_000_000) >> 32)
}

/// W2: the out-peers of each node.
pub(crate) fn peers(nodes: u64) -> Vec<[u32; PEERS]> {
    let mut stream = Sm64(42 ^ 0x5E_ED0F_6A4F);
    let draw = |node: u64| {
        let mut peers = Vec::new();
        while peers.len() < PEERS {
            let peer = stream.below(nodes);
            if peer != node && !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        std::array::from_fn(|i| peers[i] as u32)
    };
    (0..nodes).map(draw).collect()
}

/// W2: deliveries, and the wrapping sum of the times of first receipt, appearances included.
pub(crate) fn spread(nodes: u64) -> (u64, u64) {
    match nodes {
        1_000 => (799_200, 517_517_534_658_211),
        10_000 => (7_998_400, 5_255_910_668_140_632),
        _ => panic!("W2 is defined for 1,000 and 10,000 nodes"),
    }
}
