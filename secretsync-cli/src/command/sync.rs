//! `secretsync sync`.

use secretsync_core::error::Result;

use super::{finish, prepare};
use crate::args::Job;
use crate::output::Outcome;

/// Brings every target in line with its sources.
pub(super) async fn run(job: Job) -> Result<Outcome> {
    let (mut prepared, progress) = prepare::prepare(job).await?;
    let reports = prepared.engine.sync_all(std::mem::take(&mut prepared.specs)).await;
    Ok(finish(prepared, reports, &progress, false).await)
}
