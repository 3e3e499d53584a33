//! `secretsync sops`.

mod files;
mod keys;
mod lint;
mod rules;

use std::path::Path;
use std::process::ExitCode;

use secretsync_core::error::Result;
use secretsync_core::provider::Ambient;
use secretsync_providers::sops::SopsInspector;

use crate::args::{Format, Sops, When};
use crate::diagnose::Exit;
use crate::output::{self, Style};

/// Runs a verb on documents.
pub(super) async fn run(verb: Sops, color: When) -> ExitCode {
    let (format, told) = match verb {
        Sops::Lint(job) => (job.output, lint::run(job).await),
        Sops::Keys(job) => (job.output, keys::run(job).await),
    };
    match told {
        Ok(Told { text, exit }) => output::text(&text, exit),
        Err(error) => output::refusal(&error, Some(Style { format, color, output_taken: false })),
    }
}

/// What a verb has to say.
struct Told {
    text: String,
    exit: Exit,
}

/// An inspector with the age keys of the environment, as `sops` itself finds them.
async fn inspector() -> Result<SopsInspector> {
    SopsInspector::new(Ambient::from_env()).await
}

/// A path as messages and rules write it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A report for programs.
fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn is_text(format: Format) -> bool {
    format == Format::Text
}
