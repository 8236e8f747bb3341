//! Each measurement in a process of its own, so that memory and the state of the allocator are its
//! own too.

use std::process::{Command, Stdio};

use crate::measured::Measured;

/// The argument that makes this program measure one thing and print one line.
pub(crate) const ONE: &str = "--one";

/// Has a child of this program measure what `arguments` name.
///
/// # Errors
/// If the child fails: it says why on the standard error.
pub(crate) fn measure(arguments: &[&str]) -> Result<Measured, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(program).arg(ONE).args(arguments).stderr(Stdio::inherit()).output();
    let output = child.map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed.lines().find_map(Measured::parse);
    line.filter(|_| output.status.success())
        .ok_or_else(|| format!("{} failed: {}", arguments.join(" "), output.status))
}

/// In the child: prints what was measured, with the largest resident set of the process.
pub(crate) fn report(measured: Measured) {
    println!("{}", Measured { peak: status("VmHWM:"), ..measured }.line());
}

/// A line of the file in which Linux tells about this process, in bytes; zero on other systems.
pub(crate) fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1_024
}
