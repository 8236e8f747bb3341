//! Results layer: the manifest of a result folder, which says what was run, how to run it again,
//! what came of it and which files belong to it; and the record of wall-clock facts beside it.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ResultsError;
use crate::base::digest::Digest;

/// What a run was and what came of it: `manifest.json`.
///
/// Nothing in it depends on the wall clock, the host, a path or the number of threads, except that
/// a run which is not `complete` may have been ended by a budget of wall time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Number of this format: [`Manifest::FORMAT`].
    pub format: u32,
    /// Always [`Manifest::PROGRAM`].
    pub program: String,
    /// Version of the program.
    pub program_version: String,
    /// Version of the model; part of the key.
    pub model_version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed; part of the key.
    pub seed: u64,
    /// The run's identity: digest of the resolved scenario, the seed and the version.
    pub key: Digest,
    /// Digest of the plan that the scenario and the seed were resolved to.
    pub plan_digest: Digest,
    /// Digest of all outcomes of messages and all facts of protocols.
    pub event_digest: Digest,
    /// Virtual time that the scenario asks for, in nanoseconds.
    pub duration_ns: u64,
    /// Virtual time reached, in nanoseconds; less than asked for if the run stopped early.
    pub reached_ns: u64,
    /// Whether the run ended by itself. One ended by a limit is kept, but takes no
    /// part in comparisons.
    pub complete: bool,
    /// What became of the expectations, in words.
    pub verdict: String,
    /// The scenario as it was named on the command line; files that it names start in its folder.
    pub source: String,
    /// Changes made on the command line, each as `key=value`, in their order.
    pub overrides: Vec<String>,
    /// A command that makes the same run again, to be pasted into a shell.
    pub command: String,
    /// The files that the scenario names.
    pub inputs: Vec<InputRecord>,
    /// Every other file that belongs to the results, sorted by name; filled in by
    /// [`Folder::publish`](super::folder::Folder::publish).
    pub files: Vec<FileRecord>,
    /// The scenario with all presets, defaults and changes written out, as TOML.
    pub resolved: String,
}

/// A file of a result folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its name, without a folder.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// A file that the scenario names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// Its name as in the scenario.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// The two keys that are read before anything else, so that the error can say what is wrong.
#[derive(Deserialize)]
struct Header {
    program: String,
    format: u64,
}

impl Manifest {
    /// The format that this program writes and reads.
    pub const FORMAT: u32 = 2;
    /// What `program` says.
    pub const PROGRAM: &'static str = "headwater";
    /// Name of the file.
    pub const FILE: &'static str = "manifest.json";

    /// The manifest as it stands in its file.
    #[must_use]
    pub fn to_text(&self) -> String {
        json_text(self).expect("a manifest holds only texts, numbers and lists")
    }

    /// Reads the manifest of a result folder.
    ///
    /// # Errors
    /// [`ResultsError::Io`] if there is none or it cannot be read; [`ResultsError::NotAManifest`].
    pub fn read(folder: &Path) -> Result<Self, ResultsError> {
        let path = folder.join(Self::FILE);
        let bytes = fs::read(&path).map_err(ResultsError::io("read", &path))?;
        Self::parse(&bytes).map_err(|reason| ResultsError::NotAManifest { path, reason })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let foreign = |error| format!("is not the manifest of a headwater run ({error})");
        let header: Header = serde_json::from_slice(bytes).map_err(foreign)?;
        if header.program != Self::PROGRAM {
            return Err(format!("was written by {}, not by headwater", header.program));
        }
        if header.format != u64::from(Self::FORMAT) {
            let (found, known) = (header.format, Self::FORMAT);
            return Err(format!("has format {found}; this version of headwater reads {known}"));
        }
        let damaged = |error| format!("is damaged ({error})");
        let manifest: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        // A name with a folder in it would make a comparison read outside of the result folder.
        match manifest.files.iter().find(|file| !is_plain_name(&file.name)) {
            Some(file) => Err(format!("is damaged (`{}` is not a plain file name)", file.name)),
            None => Ok(manifest),
        }
    }

    /// This manifest with what only describes the way to the run taken from `other`: two ways to
    /// write down one run share a key, and must agree in everything else.
    pub(super) fn as_asked_by(&self, other: &Self) -> Self {
        Self {
            program_version: other.program_version.clone(),
            scenario: other.scenario.clone(),
            source: other.source.clone(),
            overrides: other.overrides.clone(),
            inputs: other.inputs.clone(),
            command: other.command.clone(),
            resolved: other.resolved.clone(),
            ..self.clone()
        }
    }
}

pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}

/// Pretty JSON with a line end; keys in the order of the fields.
pub(super) fn json_text<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// Facts of the wall clock and the machine: `run.meta.json`. It is outside every digest, and two
/// result folders may differ in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunMeta {
    /// When the run started: milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// How long it took, in nanoseconds of wall time.
    pub elapsed_ns: u64,
    /// Events handled per second of wall time.
    pub events_per_second: u64,
    /// Peak memory of the whole process so far, in bytes; null where the system does not say.
    pub peak_memory_bytes: Option<u64>,
    /// Processor family of the machine.
    pub arch: String,
    /// Operating system of the machine.
    pub os: String,
    /// How the program was built: `release` or `debug`.
    pub build_profile: String,
}

impl RunMeta {
    /// Name of the file.
    pub const FILE: &'static str = "run.meta.json";

    /// The facts of a run of `events` events, measured by the caller. The machine and the build are
    /// those of this program.
    #[must_use]
    pub fn new(
        started_unix_ms: u64,
        elapsed_ns: u64,
        events: u64,
        peak_memory_bytes: Option<u64>,
    ) -> Self {
        let per_second = u128::from(events) * 1_000_000_000 / u128::from(elapsed_ns.max(1));
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        Self {
            started_unix_ms,
            elapsed_ns,
            events_per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
            peak_memory_bytes,
            arch: std::env::consts::ARCH.to_string(),
            os: std::env::consts::OS.to_string(),
            build_profile: profile.to_string(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The manifest of an invented run.
    pub(in crate::results) fn sample(key: &str) -> Manifest {
        Manifest {
            format: Manifest::FORMAT,
            program: Manifest::PROGRAM.into(),
            program_version: "0.1.0".into(),
            model_version: 1,
            scenario: "smoke".into(),
            seed: 7,
            key: Digest::of(key.as_bytes()),
            plan_digest: Digest::of(b"plan"),
            event_digest: Digest::of(b"events"),
            duration_ns: 40_000_000_000,
            reached_ns: 40_000_000_000,
            complete: true,
            verdict: "as expected".into(),
            source: "smoke".into(),
            overrides: vec!["gossip.fanout=8".into()],
            command: "headwater run smoke --seed 7 --set gossip.fanout=8".into(),
            inputs: Vec::new(),
            files: Vec::new(),
            resolved: "[gossip]\nfanout = 8\n".into(),
        }
    }

    fn reason(text: &str) -> String {
        Manifest::parse(text.as_bytes()).expect_err("not a manifest")
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut manifest = sample("a");
        let sha256 = Digest::of(b"x");
        manifest.files.push(FileRecord { name: "votes.csv".into(), bytes: 1, sha256 });
        fs::write(folder.path().join(Manifest::FILE), manifest.to_text()).expect("written");
        assert_eq!(Manifest::read(folder.path()).expect("a manifest"), manifest);
        let text = manifest.to_text();
        assert!(text.starts_with("{\n  \"format\": 2,\n  \"program\": \"headwater\",\n"), "{text}");
        assert!(text.contains(&format!("\"key\": \"{}\"", Digest::of(b"a"))), "{text}");
        assert!(text.ends_with("}\n"), "{text}");
    }

    #[test]
    fn what_is_not_a_manifest_is_refused_with_a_reason() {
        let good = sample("a").to_text();
        assert!(reason("").contains("not the manifest of a headwater run"));
        assert!(reason("[1, 2]").contains("not the manifest of a headwater run"));
        assert!(reason(&good[..60]).contains("not the manifest of a headwater run"));
        assert!(reason(&good.replace("\"headwater\"", "\"npm\"")).contains("written by npm"));
        assert!(reason(&good.replace("\"format\": 2", "\"format\": 9")).contains("has format 9"));
        let damaged = reason(&good.replace("\"seed\": 7", "\"seed\": -7"));
        assert!(damaged.contains("is damaged") && damaged.contains("line"), "{damaged}");
        let mut outside = sample("a");
        let sha256 = Digest::of(b"x");
        outside.files.push(FileRecord { name: "../votes.csv".into(), bytes: 1, sha256 });
        assert!(reason(&outside.to_text()).contains("`../votes.csv` is not a plain file name"));
    }

    #[test]
    fn a_folder_without_a_manifest_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Manifest::read(folder.path()).expect_err("no manifest").to_string();
        let path = folder.path().join("manifest.json").display().to_string();
        assert!(error.starts_with(&format!("cannot read {path}: ")), "{error}");
    }

    #[test]
    fn events_per_second_are_events_over_wall_time() {
        // 3,000,000 events in 1.5 s.
        let meta = RunMeta::new(0, 1_500_000_000, 3_000_000, None);
        assert_eq!(meta.events_per_second, 2_000_000);
        assert_eq!(RunMeta::new(0, 0, 1, None).events_per_second, 1_000_000_000);
        let text = json_text(&meta).expect("a text");
        assert!(text.contains("\"peak_memory_bytes\": null"), "{text}");
    }
}
