//! What the program reads: scenarios from files and from the standard input, the files that they
//! name, and what is no file at all.

use std::io::Write;
use std::process::Stdio;

use super::{Desk, Said, json};

impl Desk {
    /// A call that is told something on its standard input.
    fn told(&self, arguments: &str, input: &str) -> Said {
        let mut child =
            self.command(arguments).stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        // One that stops reading early says why by itself.
        let _ = pipe.write_all(input.as_bytes());
        drop(pipe);
        let done = child.wait_with_output().expect("the program ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
        let code = done.status.code().unwrap_or(-1);
        Said { code, out: text(done.stdout), err: text(done.stderr) }
    }
}

#[test]
fn a_scenario_comes_from_the_standard_input() {
    let desk = Desk::new();
    desk.write("stakes.csv", "5\n7\n");
    let scenario = "name = \"piped\"\nduration = \"2s\"\nnodes.count = 2\n\
                    nodes.stake = { kind = \"file\", path = \"stakes.csv\" }\n[[rumors]]\n";
    let said = desk.told("run -", scenario);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let manifest = json(&desk.files("results/piped-1")["manifest.json"]);
    assert_eq!(manifest["command"], "headwater run - --seed 1");
    desk.write("same.toml", scenario);
    let again = desk.ok("run same.toml");
    assert!(again.contains("(the same bytes as before)"), "{again}");
    let said = desk.told("validate -", "[nodes]\ncount = 0\n");
    let expected = "error: standard input:2:9: nodes.count: 0 is below the minimum 1\n";
    assert_eq!((said.code, said.err.as_str()), (2, expected));
    // What a pipe leaves when the command before it has failed.
    let said = desk.told("run -", " \n");
    let expected = "error: standard input is empty; expected a scenario\n";
    assert_eq!((said.code, said.err.as_str()), (2, expected));
    let said = desk.told("validate -", &"#".repeat((16 << 20) + 1));
    let expected = "error: standard input is larger than 16 MiB, the limit\n";
    assert_eq!((said.code, said.err.as_str()), (2, expected));
}

/// A scenario that names a file in each of the places where one can be named.
fn naming(path: &str) -> [String; 4] {
    [
        format!("nodes.stake = {{ kind = \"file\", path = \"{path}\" }}"),
        format!("topology = {{ kind = \"file\", path = \"{path}\" }}"),
        format!("network.latency = {{ kind = \"measured\", file = \"{path}\" }}"),
        format!("network.matrix = \"{path}\""),
    ]
}

#[test]
fn what_is_no_regular_file_is_refused_everywhere() {
    let desk = Desk::new();
    // The extension says which format a graph has; the others do not look at it.
    std::fs::create_dir(desk.path("folder.csv")).expect("a folder");
    let mut refused = vec![("folder.csv", "is a directory; expected a file")];
    #[cfg(unix)]
    {
        let made = std::process::Command::new("mkfifo").arg(desk.path("pipe.csv")).status();
        assert!(made.expect("mkfifo starts").success());
        std::os::unix::fs::symlink("/dev/zero", desk.path("zero.csv")).expect("a link");
        refused.push(("pipe.csv", "is a device or a pipe; expected a regular file"));
        refused.push(("zero.csv", "is a device or a pipe; expected a regular file"));
    }
    for (path, why) in refused {
        for text in naming(path) {
            desk.write("s.toml", &text);
            let err = desk.fails(2, "validate s.toml");
            assert!(err.trim_end().ends_with(&format!("{path} {why}")), "{text}: {err}");
            assert_eq!(err.lines().count(), 1, "{err}");
        }
        let err = desk.fails(2, &format!("run {path}"));
        assert!(err.starts_with(&format!("error: {path} {why}")), "{err}");
    }
}

/// A regular file that the system cannot read, as on a broken disk.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_the_system_cannot_read_has_an_exit_code_of_its_own() {
    let desk = Desk::new();
    // The first page of a process is not mapped: reading there is an input/output error.
    std::os::unix::fs::symlink("/proc/self/mem", desk.path("broken.csv")).expect("a link");
    for text in naming("broken.csv") {
        desk.write("s.toml", &text);
        let err = desk.fails(6, "validate s.toml");
        assert!(err.contains("broken.csv cannot be read: "), "{err}");
    }
    desk.fails(6, "run broken.csv");
}
