//! `secretsync sync --watch`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::path_watch::PathWatch;
use secretsync_core::sync::ProviderKey;

use super::prepare::{Purpose, prepare};
use crate::args::Job;
use crate::output::{self, Style, WatchLog};
use crate::process;
use crate::target::Target;

/// Keeps every target in line with its sources until a signal comes. An error means that nothing was tried.
pub(super) async fn run(job: Job, style: Style) -> Result<ExitCode> {
    let Job { source, to, allow_mass_deletion: mass_deletion } = job;
    if to.is_standard_output() {
        return Err(Error::new(ErrorKind::InvalidConfig, "watch")
            .because("`manifest=-` writes one document, and a watch would write it again and again")
            .with_hint(Hint::new(
                Code::UsageInvalid,
                "name a file with `--to manifest=FILE`, or leave `--watch` out",
            )));
    }
    let stop = process::stop()?;
    let (mut prepared, progress) = prepare(source, Target::open(to).await?, Purpose::Write { mass_deletion }).await?;
    progress.end();
    let specs = std::mem::take(&mut prepared.specs);
    let mut log = WatchLog::start(style, specs.len());
    prepared.order.unusable().for_each(|report| log.tell(report));
    if specs.is_empty() {
        return Ok(output::failed());
    }
    // Seen before anything is read, so that no change falls between.
    let mut files = PathWatch::new();
    files.set(prepared.paths.keys().cloned()).await;
    tokio::select! {
        () = prepared.engine.watch(specs, |report| log.tell(report), stop) => {}
        () = pass_on(files, &prepared.paths, &prepared.engine) => {}
    }
    super::end(&prepared.engine, GRACE).await;
    Ok(output::stopped())
}

/// Tells the engine for ever whose files changed.
async fn pass_on(mut files: PathWatch, paths: &BTreeMap<PathBuf, Vec<ProviderKey>>, engine: &Engine) {
    loop {
        let changed = files.changed().await;
        tracing::info!(path = %changed.display(), "a source has changed");
        paths.get(&changed).into_iter().flatten().for_each(|key| engine.source_changed(key));
    }
}

/// How long what is under way may take after a signal: Kubernetes kills after 30 s.
const GRACE: Duration = Duration::from_secs(20);
