//! `secretsync sync`.

use secretsync_core::error::Result;

use super::finish;
use super::prepare::{Purpose, prepare};
use crate::args::Job;
use crate::output::{Outcome, Told};
use crate::target::Target;

/// Brings every target in line with its sources.
pub(super) async fn run(job: Job) -> Result<Outcome> {
    let Job { source, to, allow_mass_deletion: mass_deletion } = job;
    let (mut prepared, progress) = prepare(source, Target::open(to).await?, Purpose::Write { mass_deletion }).await?;
    let reports = prepared.engine.sync_all(std::mem::take(&mut prepared.specs)).await;
    Ok(finish(prepared, reports, &progress, Told::Sync).await)
}
