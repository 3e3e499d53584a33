//! `secretsync plan`.

use secretsync_core::error::Result;
use secretsync_core::sync::Plan;

use super::finish;
use super::prepare::{Purpose, prepare};
use crate::args::Job;
use crate::output::{Outcome, Told};
use crate::target::Target;

/// Says what a sync would change, and writes nothing.
pub(super) async fn run(job: Job) -> Result<Outcome> {
    let Job { source, to, allow_mass_deletion: mass_deletion } = job;
    let (mut prepared, progress) = prepare(source, Target::open(to).await?, Purpose::Write { mass_deletion }).await?;
    let plans = prepared.engine.plan_all(std::mem::take(&mut prepared.specs)).await;
    let reports = plans.into_iter().map(Plan::into_report).collect();
    Ok(finish(prepared, reports, &progress, Told::Plan).await)
}
