//! W2 through the whole simulator: the same work as an ordinary scenario, with the real node, the
//! network model, the recorder with all its tables, and the digest. Its own random streams draw
//! the peers and latencies, so the number of deliveries differs a little from that of the bare
//! workload.

use cpu_time::ProcessTime;
use headwater::fact::Deaf;
use headwater::metrics::table::MemorySink;
use headwater::run::{Go, run};
use headwater::scenario::reader::Source;
use headwater::scenario::shipped;

use crate::measured::Measured;

fn scenario(nodes: u64) -> String {
    format!(
        r#"
        duration = "60s"
        [nodes]
        count = {nodes}
        [topology]
        kind = "k-out"
        degree = 8
        [network]
        latency = {{ kind = "uniform", min = "10ms", max = "200ms" }}
        latency_per = "message"
        [[rumors]]
        every = "100ms"
        count = 100
        node = "all"
        size = "1B"
        spread = "flood"
        echo = true
        [output]
        peers = false
        deliveries = "none"
        "#
    )
}

pub(crate) fn run_scenario(nodes: u64) -> Measured {
    let source = Source::embedded("w2", &scenario(nodes));
    let plan = shipped::plan(&source, &[]).expect("a valid scenario");
    let start = ProcessTime::now();
    let finished = run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On);
    let seconds = start.elapsed().as_secs_f64();
    let delivered = finished.summary.messages.delivered;
    // Every node but those that nobody knows is reached, and sends to eight: e^-8 is 0.03 %.
    let all = nodes * 8 * 100;
    assert!(delivered.abs_diff(all) < all / 500, "{delivered} of {all} deliveries");
    Measured::of(delivered, seconds)
}
