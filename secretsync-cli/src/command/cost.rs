//! `secretsync cost`.

mod report;

use std::process::ExitCode;
use std::sync::Arc;

use secretsync_core::engine::{Engine, Forecast};
use secretsync_core::error::Result;
use secretsync_core::memory::MemoryStore;
use secretsync_core::provider::Ambient;

use super::prepare;
use crate::args::{Cost, Files, Format, When};
use crate::credentials::CredentialPool;
use crate::diagnose;
use crate::output::{self, Style};

/// Counts the requests that the manifests cause. Nothing is asked.
pub(super) async fn run(job: Cost, color: When) -> ExitCode {
    let Cost { files, output: format } = job;
    let (forecast, syncs) = match forecast(&files).await {
        Ok(found) => found,
        Err(error) => return output::refusal(&error, Some(Style { format, color, output_taken: false })),
    };
    let exit = diagnose::exit(&forecast.failed, false);
    if format == Format::Json {
        return output::text(&report::json(&forecast), exit);
    }
    output::failures(&forecast.failed, color);
    output::text(&report::text(&forecast, syncs), exit)
}

/// The forecast, and how many syncs there are.
async fn forecast(files: &Files) -> Result<(Forecast, usize)> {
    let prepare::Wanted { specs, order, stores, .. } = prepare::read(files, None)?;
    let mut failed: Vec<_> = order.unusable().cloned().collect();
    let syncs = specs.len() + failed.len();
    // A store that nothing is asked of needs no credentials: whatever it names, it gets an empty environment instead.
    let nobody = Ambient::new(|_| None);
    let pool = CredentialPool::nothing();
    let builder = Engine::builder(Arc::new(MemoryStore::new()));
    let engine = stores.build(builder, &pool, Some(nobody)).await.build();
    let mut forecast = engine.forecast(&specs);
    failed.append(&mut forecast.failed);
    forecast.failed = failed;
    Ok((forecast, syncs))
}
