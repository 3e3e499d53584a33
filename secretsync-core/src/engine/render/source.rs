//! Reads the texts of `templateFrom`.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::provider::{CredentialRef, CredentialSource};
use crate::secret::SecretValue;
use crate::sync::{Origin, TemplateSpec, TemplateText};

/// The texts behind references. They are kept like secrets: those of Secrets are.
pub(crate) type Texts = BTreeMap<CredentialRef, SecretValue>;

/// Reads each text that a template refers to once, all at the same time. Fails with the first entry of the spec that cannot be read.
pub(crate) async fn texts(spec: &TemplateSpec, source: Option<&dyn CredentialSource>) -> Result<Texts> {
    let references: BTreeSet<_> =
        spec.from.iter().flat_map(|from| &from.texts).filter_map(TemplateText::reference).collect();
    if references.is_empty() {
        return Ok(Texts::new());
    }
    let source = source.ok_or_else(no_source)?;
    let read = |reference| async move { (reference, source.resolve(reference).await) };
    let mut answers: BTreeMap<_, _> = join_all(references.into_iter().map(read)).await.into_iter().collect();
    let mut texts = Texts::new();
    for (index, from) in spec.from.iter().enumerate() {
        for reference in from.texts.iter().filter_map(TemplateText::reference) {
            let Some(answer) = answers.remove(reference) else { continue };
            let text = answer.map_err(|error| at(&Origin::template_from(index), error))?;
            texts.insert(reference.clone(), text);
        }
    }
    Ok(texts)
}

/// Says which entry a failure belongs to.
pub(super) fn at(origin: &Origin, error: Error) -> Error {
    error.within("apply", format!("`{origin}`"))
}

fn no_source() -> Error {
    Error::new(ErrorKind::InvalidConfig, "read")
        .on("`spec.target.template.templateFrom`")
        .because("no source of templates was given")
        .with_hint(Hint::new(Code::TemplateMissing, "give the engine one with `EngineBuilder::template_source`"))
}
