//! Command line: progress on stderr for what takes more than a second, if someone can see it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::Progress;

/// Shows how a run is going.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    started: Instant,
    wanted: bool,
}

impl Bar {
    #[expect(clippy::disallowed_methods, reason = "the bar shows wall time, to people only")]
    pub(super) fn new(quiet: bool) -> Self {
        let wanted = !quiet && std::io::stderr().is_terminal();
        Self { bar: None, started: Instant::now(), wanted }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if !self.wanted || self.started.elapsed() < Duration::from_secs(1) {
            return;
        }
        let end = progress.end.as_nanos() / 1_000_000;
        let bar = self.bar.get_or_insert_with(|| {
            let bar =
                ProgressBar::with_draw_target(Some(end), ProgressDrawTarget::stderr_with_hz(8));
            let template = "{bar:30} {percent:>3}%  {msg}  {eta} to go";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        bar.set_position(progress.now.as_nanos() / 1_000_000);
        let rate = progress.handled as f64 / self.started.elapsed().as_secs_f64() / 1e6;
        let seconds = progress.now.as_nanos() as f64 / 1e9;
        bar.set_message(format!("virtual time {seconds:.1} s, {rate:.1} M events/s"));
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how many runs of a sweep are done, and how long the rest will take.
pub(super) struct Tally {
    bar: ProgressBar,
}

impl Tally {
    pub(super) fn new(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
        let template = "{bar:30} {percent:>3}%  {pos} of {len} runs, {elapsed}, {eta} to go";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    pub(super) fn show(&self, done: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
