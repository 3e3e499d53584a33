//! `secretsync sync`.

use secretsync_core::error::Result;

use super::{finish, prepare};
use crate::args::Job;
use crate::output::{Outcome, Told};
use crate::target::Target;

/// Brings every target in line with its sources.
pub(super) async fn run(job: Job) -> Result<Outcome> {
    let Job { source, to } = job;
    let (mut prepared, progress) = prepare::prepare(source, Target::open(to).await?, None).await?;
    let reports = prepared.engine.sync_all(std::mem::take(&mut prepared.specs)).await;
    Ok(finish(prepared, reports, &progress, Told::Sync).await)
}
