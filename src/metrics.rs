//! Metrics layer, beside the simulator: what a run is measured by. It listens to facts and never
//! steers; it knows neither the kernel nor a protocol, only `base` and the facts they state.

pub mod table;
