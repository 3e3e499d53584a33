//! Which verb runs, and what it tells.

mod plan;
mod prepare;
mod stores;
mod sync;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use secretsync_core::engine::Engine;
use secretsync_core::error::Result;
use secretsync_core::sync::SyncReport;

use crate::args::{Invocation, Job, SyncJob, Verb, When};
use crate::output::{self, Outcome, Progress, Style};
use prepare::Prepared;

/// Runs the verb of a command line.
pub(crate) async fn dispatch(invocation: Invocation) -> ExitCode {
    let Invocation { verb, log: _, color } = invocation;
    match verb {
        Verb::Sync(SyncJob { job, watch: true }) => {
            let style = style(&job, color);
            watch::run(job, style).await.unwrap_or_else(|error| output::refusal(&error, Some(style)))
        }
        Verb::Sync(SyncJob { job, watch: false }) => tell(style(&job, color), sync::run(job).await),
        Verb::Plan(job) => tell(style(&job, color), plan::run(job).await),
    }
}

fn tell(style: Style, outcome: Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(outcome) => output::outcome(&outcome, style),
        Err(error) => output::refusal(&error, Some(style)),
    }
}

fn style(job: &Job, color: When) -> Style {
    Style { format: job.output, color, output_taken: job.to.is_standard_output() }
}

/// Ends what a run held and puts the reports in the order of the manifests.
async fn finish(prepared: Prepared, reports: Vec<SyncReport>, progress: &Progress, planned: bool) -> Outcome {
    progress.end();
    end(&prepared.engine, Duration::from_secs(5)).await;
    Outcome { reports: prepared.order.merge(reports), skipped: prepared.skipped, planned }
}

/// Waits for what is under way and gives back what is held, for so long at most.
async fn end(engine: &Engine, grace: Duration) {
    if !engine.shutdown(grace).await {
        tracing::warn!("some sessions could not be ended in time; they end by themselves");
    }
}
