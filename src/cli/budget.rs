//! Command line: what a run may use up. Events and virtual time are limits of the scenario, and a
//! run that reaches one is the same on every machine. Wall time and memory are watched from here.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;

use super::Failure;
use crate::base::quantity::Bytes;
use crate::base::time::Span;
use crate::scenario::reader::Override;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Budgets of a run (exit code 5; what is known is kept)")]
pub(super) struct BudgetArguments {
    /// Most events: short for --set limits.events=N.
    #[arg(long, value_name = "N")]
    max_events: Option<i64>,
    /// Longest virtual time: short for --set limits.virtual_time=TIME.
    #[arg(long, value_name = "TIME")]
    max_virtual_time: Option<String>,
    /// Longest wall time; looked at once the cluster is built, and then all the time.
    #[arg(long, value_name = "TIME")]
    max_wall_time: Option<Span>,
    /// Most memory of the whole process, such as 4GiB; of several runs the first to notice stops.
    /// Looked at once the cluster is built, and then all the time.
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<Bytes>,
}

impl BudgetArguments {
    /// Those that are keys of the scenario.
    pub(super) fn overrides(&self) -> Result<Vec<Override>, Failure> {
        let events = self.max_events.map(toml::Value::Integer);
        let time = self.max_virtual_time.clone().map(toml::Value::String);
        let keys = [("limits.events", events), ("limits.virtual_time", time)];
        let set = keys.into_iter().filter_map(|(key, value)| Some(Override::new(key, value?)));
        Ok(set.collect::<Result<_, _>>()?)
    }

    /// Those same as they stand in a command.
    pub(super) fn words(&self) -> Vec<String> {
        let events = self.max_events.map(|events| format!("--max-events={events}"));
        let time = self.max_virtual_time.as_ref().map(|t| format!("--max-virtual-time={t}"));
        events.into_iter().chain(time).collect()
    }

    /// Those that only this machine has, as they stand in a command.
    pub(super) fn words_of_machine(&self) -> Vec<String> {
        let time = self.max_wall_time.map(|time| format!("--max-wall-time={time}"));
        let memory = self.max_memory.map(|size| format!("--max-memory={size}"));
        time.into_iter().chain(memory).collect()
    }

    /// A guard for so many runs at a time.
    pub(super) fn guard(&self, jobs: usize) -> Result<Guard, Failure> {
        let memory = self.max_memory.map(Bytes::get);
        if memory.is_some() && memory_now().is_none() {
            return Err(Failure::usage("--max-memory: this system does not say what is in use"));
        }
        if memory == Some(0) {
            return Err(Failure::usage("--max-memory 0B: expected more than 0B"));
        }
        if self.max_wall_time.is_some_and(Span::is_zero) {
            return Err(Failure::usage("--max-wall-time 0s: expected more than 0s"));
        }
        let wall = self.max_wall_time.map(|time| Duration::from_nanos(time.as_nanos()));
        let started = (0..jobs.max(1)).map(|_| Mutex::new(now())).collect();
        Ok(Guard { wall, memory, started, stopping: Mutex::new(None) })
    }
}

/// Watches wall time and memory of runs, numbered by their workers.
pub(super) struct Guard {
    wall: Option<Duration>,
    memory: Option<u64>,
    started: Vec<Mutex<Instant>>,
    /// Which run was stopped for its memory last and has not ended yet: the others go on.
    stopping: Mutex<Option<usize>>,
}

impl Guard {
    /// A run begins.
    pub(super) fn begin(&self, worker: usize) {
        if let Some(started) = self.started.get(worker) {
            *locked(started) = now();
        }
    }

    /// A run has ended and its memory is free.
    pub(super) fn end(&self, worker: usize) {
        let mut stopping = locked(&self.stopping);
        if *stopping == Some(worker) {
            *stopping = None;
        }
    }

    /// Why a run has to stop, if it has.
    pub(super) fn check(&self, worker: usize) -> Option<String> {
        let elapsed = || self.started.get(worker).map(|started| locked(started).elapsed());
        if let Some(wall) = self.wall.filter(|wall| elapsed().is_some_and(|e| e > *wall)) {
            let wall = Span::from_nanos(wall.as_nanos() as u64);
            return Some(format!("{wall} of wall time have passed (--max-wall-time)"));
        }
        let most = self.memory?;
        let used = memory_now().filter(|used| *used > most)?;
        let mut stopping = locked(&self.stopping);
        if stopping.is_some_and(|other| other != worker) {
            return None;
        }
        *stopping = Some(worker);
        let (used, most) = (used >> 20, Bytes(most));
        Some(format!("{used} MiB of memory are in use, more than {most} (--max-memory)"))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

#[expect(clippy::disallowed_methods, reason = "budgets of wall time are a matter of this command")]
fn now() -> Instant {
    Instant::now()
}

/// What the process has in memory now, where the system tells it in a file.
fn memory_now() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
