//! `secretsync render`.

use std::io::{IsTerminal, stdout};
use std::sync::Arc;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::store::ManifestStore;
use secretsync_core::sync::{CreationPolicy, SyncSpec};

use super::data::Data;
use super::finish;
use super::prepare::{Purpose, prepare};
use crate::args::Render;
use crate::output::{Outcome, Told};
use crate::target::Target;

/// Prints the finished Secrets: a sync to standard output, where every target is new.
pub(super) async fn run(job: Render) -> Result<Outcome> {
    let Render { source, with, show_values } = job;
    let twice = with.iter().chain(&source.files.paths).filter(|path| path.as_os_str() == "-").count() > 1;
    if twice {
        return Err(Error::new(ErrorKind::InvalidConfig, "read standard input")
            .because("it cannot be the data and the manifests at once")
            .with_hint(Hint::new(Code::UsageInvalid, "give one of the two as a file")));
    }
    let data = with.as_deref().map(Data::read).transpose()?;
    let output = Box::new(stdout());
    let shown = show_values || !stdout().is_terminal();
    let store = if shown { ManifestStore::writer(output) } else { ManifestStore::masked_writer(output) };
    let (mut prepared, progress) =
        prepare(source, Target::Output(Arc::new(store)), Purpose::Show(data.map(Box::new))).await?;
    let specs = std::mem::take(&mut prepared.specs).into_iter().map(alone).collect();
    let reports = prepared.engine.sync_all(specs).await;
    Ok(finish(prepared, reports, &progress, Told::Render).await)
}

/// What a sync would merge into is not there, so its own part is made alone.
fn alone(mut spec: SyncSpec) -> SyncSpec {
    if spec.creation == CreationPolicy::Merge {
        spec.creation = CreationPolicy::CreateOrMerge;
    }
    spec
}
