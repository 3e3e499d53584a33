//! Named steps of a verb: announced, timed, and summed up at the end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::rig::note;

/// The steps that ran so far.
#[derive(Debug, Default)]
pub(super) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Runs one step. A failure is returned with the name of the step.
    pub(super) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        note(format_args!("{name} …"));
        let started = Instant::now();
        let outcome = step();
        let took = started.elapsed();
        let word = if outcome.is_ok() { "done" } else { "failed" };
        note(format_args!("{name}: {word} after {:.1} s", took.as_secs_f64()));
        self.done.push((name.to_owned(), took));
        outcome.with_context(|| format!("{name} failed"))
    }

    /// Prints the times of all steps.
    pub(super) fn sum_up(&self) {
        let width = self.done.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, took) in &self.done {
            note(format_args!("{name:width$}  {:>7.1} s", took.as_secs_f64()));
        }
    }
}
