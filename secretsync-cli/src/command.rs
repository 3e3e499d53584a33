//! Which verb runs, and what it tells.

mod cost;
mod crd;
mod data;
mod plan;
mod prepare;
mod render;
mod sops;
mod stores;
mod sync;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use secretsync_core::engine::Engine;
use secretsync_core::error::Result;
use secretsync_core::sync::SyncReport;

use crate::args::{Invocation, Job, Source, SyncJob, Verb, When};
use crate::output::{self, Outcome, Progress, Style, Told};
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
        Verb::Render(job) => tell(style_of(&job.source, color, true), render::run(job).await),
        Verb::Crd(job) => crd::run(&job),
        Verb::Cost(job) => cost::run(job, color).await,
        Verb::Sops(verb) => sops::run(verb, color).await,
    }
}

fn tell(style: Style, outcome: Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(outcome) => output::outcome(&outcome, style),
        Err(error) => output::refusal(&error, Some(style)),
    }
}

fn style(job: &Job, color: When) -> Style {
    style_of(&job.source, color, job.to.is_standard_output())
}

fn style_of(source: &Source, color: When, output_taken: bool) -> Style {
    Style { format: source.output, color, output_taken }
}

/// Ends what a run held and puts the reports in the order of the manifests.
async fn finish(prepared: Prepared, reports: Vec<SyncReport>, progress: &Progress, told: Told) -> Outcome {
    progress.end();
    end(&prepared.engine, Duration::from_secs(5)).await;
    let Prepared { order, places, skipped, .. } = prepared;
    Outcome { reports: order.merge(reports), places, skipped, told }
}

/// Waits for what is under way and gives back what is held, for so long at most.
async fn end(engine: &Engine, grace: Duration) {
    if !engine.shutdown(grace).await {
        tracing::warn!("some sessions could not be ended in time; they end by themselves");
    }
}
