//! `secretsync crd`.

use std::process::ExitCode;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::yaml::emit;
use secretsync_k8s::crd::{self, Definition};

use crate::args::Crd;
use crate::diagnose::Exit;
use crate::{output, providers};

/// Prints the definitions that were asked for.
pub(super) fn run(job: &Crd) -> ExitCode {
    match documents(&job.kinds) {
        Ok(text) => output::text(&text, Exit::Done),
        Err(error) => output::refusal(&error, None),
    }
}

/// YAML documents in the order of the definitions, each once.
fn documents(words: &[String]) -> Result<String> {
    let definitions = crd::definitions(&providers::registry());
    if let Some(unknown) = words.iter().find(|word| !definitions.iter().any(|kind| kind.is_meant_by(word))) {
        return Err(no_such_kind(unknown, &definitions));
    }
    let meant = |definition: &&Definition| words.is_empty() || words.iter().any(|word| definition.is_meant_by(word));
    Ok(definitions.iter().filter(meant).map(document).collect())
}

fn document(definition: &Definition) -> String {
    format!("---\n{}", String::from_utf8_lossy(&emit::document(definition.manifest())))
}

fn no_such_kind(word: &str, definitions: &[Definition]) -> Error {
    let known: Vec<_> = definitions.iter().map(Definition::kind).collect();
    Error::new(ErrorKind::InvalidConfig, "print")
        .on(format!("the CRD of `{}`", output::printable(word)))
        .because("there is no such kind here")
        .with_hint(Hint::new(Code::ManifestKindUnknown, format!("name one of {}, or none for all", known.join(", "))))
}
