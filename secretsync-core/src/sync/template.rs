//! The template of a sync: its texts, and where they come from.

use std::collections::BTreeMap;

use super::policy::DecodingStrategy;
use crate::error::{Code, Error, ErrorKind, Hint};
use crate::provider::{CredentialKind, CredentialRef};

/// How the target is made from the data (`target.template`).
///
/// # Random results
///
/// What a template makes from nothing (a password of `randAlphaNum`, a key of `genPrivateKey`) would be another one at each rendering. A key, label or
/// annotation that such a text gave stays as it is for as long as it is there; only one that is missing, or that somebody else wrote, is rendered. The engine
/// remembers what the others were made of for as long as it lives, and never writes that down: a text with data beside it (`{{ .user }}:{{ randAlphaNum 16 }}`),
/// and one that is only salted (`bcrypt`, `htpasswd`) or tells the time, is rendered again when the data or a template changes, and once by the next process.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct TemplateSpec {
    /// Whether the data's own keys stay beside the template's (`mergePolicy: Merge`).
    pub merge: bool,
    /// Templates from elsewhere, in order; later ones win, and `data`, `labels` and `annotations` win over them.
    pub from: Vec<TemplateFrom>,
    /// Template text of each key.
    pub data: BTreeMap<String, String>,
    /// Template text of each label.
    pub labels: BTreeMap<String, String>,
    /// Template text of each annotation.
    pub annotations: BTreeMap<String, String>,
}

/// Templates from elsewhere (`templateFrom`): texts that may make several keys, and objects that hold texts.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct TemplateFrom {
    /// The texts, in order.
    pub texts: Vec<TemplateText>,
    /// What they make.
    pub target: TemplateTarget,
    /// How each rendered value is decoded; keys never are.
    pub decoding: DecodingStrategy,
}

/// A text of a [`TemplateFrom`].
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum TemplateText {
    /// A text that stands in the spec and renders to a YAML mapping of keys to values.
    Literal(String),
    /// A key of a ConfigMap or Secret; the reference names the namespace. Read through [`EngineBuilder::template_source`].
    ///
    /// [`EngineBuilder::template_source`]: crate::engine::EngineBuilder::template_source
    Item {
        /// Where the text is.
        reference: CredentialRef,
        /// What it renders to.
        scope: TemplateScope,
    },
}

/// What the text of an item renders to (`templateAs`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TemplateScope {
    /// A YAML mapping of keys to values.
    KeysAndValues,
    /// One value, under the key that holds the text.
    #[default]
    Values,
}

/// What templates make (`templateFrom[].target`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TemplateTarget {
    /// Annotations.
    Annotations,
    /// Keys.
    #[default]
    Data,
    /// Labels.
    Labels,
}

impl TemplateSpec {
    /// Whether the data's own keys are keys of the target too: when the template merges, or makes nothing that could stand in their place.
    pub fn keeps_data(&self) -> bool {
        self.merge || (self.data.is_empty() && self.from.is_empty())
    }
}

impl TemplateFrom {
    /// Texts that make keys, undecoded.
    pub fn new(texts: Vec<TemplateText>) -> Self {
        Self { texts, ..Self::default() }
    }

    /// Sets what the texts make.
    #[must_use]
    pub fn with_target(mut self, target: TemplateTarget) -> Self {
        self.target = target;
        self
    }

    /// Sets how each rendered value is decoded.
    #[must_use]
    pub fn with_decoding(mut self, decoding: DecodingStrategy) -> Self {
        self.decoding = decoding;
        self
    }
}

impl TemplateText {
    /// A key of an object, whose reference names the namespace.
    pub fn item(reference: CredentialRef, scope: TemplateScope) -> Self {
        Self::Item { reference, scope }
    }

    /// What holds the text, if it does not stand in the spec.
    pub fn reference(&self) -> Option<&CredentialRef> {
        match self {
            Self::Literal(_) => None,
            Self::Item { reference, .. } => Some(reference),
        }
    }
}

/// What of a text's place does not exist.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TemplateMissing {
    /// The key in the object.
    Key,
    /// The object.
    Object,
}

/// The error of a source of templates for a text that does not exist, in the words of External Secrets Operator (`eso-compat.md` 7.6).
pub fn template_missing(reference: &CredentialRef, missing: TemplateMissing) -> Error {
    let config_map = reference.kind() == CredentialKind::ConfigMap;
    let kind = if config_map { "configmap" } else { "secret" };
    let (name, key) = (plain(reference.name()), plain(reference.key()));
    let why = match missing {
        TemplateMissing::Key => format!("error in {kind} {name}: missing key {key}"),
        TemplateMissing::Object => format!("{kind}s \"{name}\" not found"),
    };
    let advice = match missing {
        TemplateMissing::Key if config_map => "add the key to `data` of the ConfigMap, or correct `templateFrom`",
        TemplateMissing::Key => "add the key to the Secret, or correct `templateFrom`",
        TemplateMissing::Object => {
            "create the object in the namespace of the ExternalSecret, or correct `templateFrom`"
        }
    };
    Error::new(ErrorKind::NotFound, "read")
        .on(reference)
        .because(format!("error fetching templateFrom data: {why}"))
        .with_hint(Hint::new(Code::TemplateMissing, advice))
}

/// A name fit for one line of a message.
fn plain(text: &str) -> String {
    text.chars().take(253).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_the_words_of_external_secrets_operator() {
        let (map, secret) = (CredentialRef::config_map("tpl", "nope"), CredentialRef::secret("tpl", "nope"));
        for (reference, missing, expected) in [
            (&map, TemplateMissing::Object, "error fetching templateFrom data: configmaps \"tpl\" not found"),
            (&map, TemplateMissing::Key, "error fetching templateFrom data: error in configmap tpl: missing key nope"),
            (&secret, TemplateMissing::Object, "error fetching templateFrom data: secrets \"tpl\" not found"),
            (&secret, TemplateMissing::Key, "error fetching templateFrom data: error in secret tpl: missing key nope"),
        ] {
            let error = template_missing(reference, missing);
            assert!(error.to_string().ends_with(expected), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
