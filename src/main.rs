//! The command line: parse, call, turn the outcome into an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use headwater::cli::{Arguments, EXIT_INTERNAL, main as run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic is our bug; the default hook has printed where.
    std::panic::catch_unwind(|| run(&arguments)).unwrap_or_else(|_| {
        let text = "error: this is a bug in headwater; please report it with the command above";
        let _ = writeln!(std::io::stderr(), "{text}");
        ExitCode::from(EXIT_INTERNAL)
    })
}
