//! Command line: Ctrl-C and the polite signals of schedulers. The first one asks runs to stop where
//! they are; a second one ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{EXIT_INTERRUPTED, Failure};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From here on signals are noted instead of ending the program.
pub(super) fn listen() -> Result<(), Failure> {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_INTERRUPTED.into());
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::new(super::EXIT_IO, format!("cannot listen to signals: {error}")))
}

/// Whether somebody wants the program to end.
pub(super) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
