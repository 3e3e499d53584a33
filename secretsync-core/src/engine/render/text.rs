//! One template: what it makes, and how its failures are told.

use secretsync_template::{Template, Value};
use zeroize::Zeroizing;

use super::super::assemble::decode;
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::provider::{CredentialKind, CredentialRef};
use crate::secret::SecretValue;
use crate::sync::{DecodingStrategy, Origin, TemplateFrom, TemplateScope, TemplateTarget};

/// A template with its place.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) template: Template,
    pub(super) target: TemplateTarget,
    pub(super) makes: Makes,
    /// What messages call it.
    pub(super) subject: String,
    decoding: DecodingStrategy,
    shown: Shown,
}

/// What a template renders to.
#[derive(Debug)]
pub(super) enum Makes {
    /// A YAML mapping of keys to values.
    Pairs,
    /// The value of this key.
    Value(String),
}

/// Whether messages may quote a template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shown {
    /// They may.
    Text,
    /// It comes from a Secret: only the place of a failure is told.
    Place,
}

impl Text {
    /// A template that stands in the spec under the key that it makes.
    pub(super) fn own(target: TemplateTarget, key: &str, text: &str) -> Result<Self> {
        let subject = format!("the template of `{key}`");
        Ok(Self {
            template: parse(key, text, Shown::Text, &subject)?,
            target,
            makes: Makes::Value(key.to_owned()),
            subject,
            decoding: DecodingStrategy::None,
            shown: Shown::Text,
        })
    }

    pub(super) fn literal(from: &TemplateFrom, text: &str, origin: &Origin) -> Result<Self> {
        let subject = format!("`{origin}.literal`");
        Ok(Self {
            template: parse("literal", text, Shown::Text, &subject)?,
            target: from.target,
            makes: Makes::Pairs,
            subject,
            decoding: from.decoding,
            shown: Shown::Text,
        })
    }

    pub(super) fn item(
        from: &TemplateFrom,
        reference: &CredentialRef,
        scope: TemplateScope,
        value: &SecretValue,
    ) -> Result<Self> {
        let subject = format!("the template in {reference}");
        let text = value.expose_str().ok_or_else(|| failure("parse", &subject).because("it is not UTF-8"))?;
        let shown = if reference.kind() == CredentialKind::ConfigMap { Shown::Text } else { Shown::Place };
        Ok(Self {
            template: parse(reference.key(), text, shown, &subject)?,
            target: from.target,
            makes: match scope {
                TemplateScope::KeysAndValues => Makes::Pairs,
                TemplateScope::Values => Makes::Value(reference.key().to_owned()),
            },
            subject,
            decoding: from.decoding,
            shown,
        })
    }

    pub(super) fn execute(&self, root: &Value) -> Result<SecretValue> {
        let rendered = self.template.render(root).map_err(|error| tell("render", error, self.shown, &self.subject))?;
        Ok(Zeroizing::new(rendered).into())
    }

    pub(super) fn decode(&self, key: &str, value: SecretValue) -> Result<SecretValue> {
        decode(value, self.decoding).map_err(|error| {
            Error::new(ErrorKind::InvalidData, "decode rendered template value")
                .on(format!("for key {}", self.name(key)))
                .with_source(error)
                .with_hint(Hint::new(
                    Code::DataInvalid,
                    "set `valuesDecodingStrategy: None`, or render the encoding that it names",
                ))
        })
    }

    pub(super) fn failure(&self, operation: &'static str) -> Error {
        failure(operation, &self.subject)
    }

    /// A key for a message. One that was rendered is shown only if it looks like one: it may be a piece of a value.
    fn name(&self, key: &str) -> String {
        let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/');
        match &self.makes {
            Makes::Pairs if key.len() > 253 || !key.chars().all(harmless) => format!("of {}", self.subject),
            _ => key.to_owned(),
        }
    }
}

fn parse(name: &str, text: &str, shown: Shown, subject: &str) -> Result<Template> {
    Template::parse(name, text).map_err(|error| tell("render", error, shown, subject))
}

fn tell(operation: &'static str, error: secretsync_template::Error, shown: Shown, subject: &str) -> Error {
    match shown {
        Shown::Text => {
            let advice = error.hint().map_or_else(|| "correct the template".to_owned(), ToOwned::to_owned);
            failure(operation, subject).with_hint(Hint::new(Code::TemplateInvalid, advice)).with_source(error)
        }
        Shown::Place => failure(operation, subject).because(format!(
            "it fails at line {} column {} (its text is not shown: it comes from a Secret)",
            error.line(),
            error.column()
        )),
    }
}

fn failure(operation: &'static str, subject: &str) -> Error {
    Error::new(ErrorKind::InvalidData, operation)
        .on(subject)
        .with_hint(Hint::new(Code::TemplateInvalid, "correct the template"))
}
