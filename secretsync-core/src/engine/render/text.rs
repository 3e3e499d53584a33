//! One template: what it makes, and how its failures are told.

use secretsync_template::{Delimiters, Options, Template, TemplateCache, Value};
use zeroize::Zeroizing;

use super::super::assemble::decode;
use crate::error::{Code, Error, ErrorKind, Hint, Result, TemplateFailure, TemplatePlace};
use crate::provider::{CredentialKind, CredentialRef};
use crate::secret::SecretValue;
use crate::sync::{DecodingStrategy, TemplateFrom, TemplateScope, TemplateTarget};

/// Parses the templates of an engine, each text once.
#[derive(Debug)]
pub(crate) struct TemplateParser {
    options: Options,
    cache: TemplateCache,
}

/// A template with its place.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) template: Template,
    pub(super) target: TemplateTarget,
    pub(super) makes: Makes,
    /// What messages call it.
    pub(super) subject: String,
    pub(super) decoding: DecodingStrategy,
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
#[derive(Debug)]
enum Shown {
    /// They may; it stands there.
    Text(TemplatePlace),
    /// It comes from a Secret: only the line of a failure is told.
    Line,
}

impl TemplateParser {
    pub(crate) fn new(delimiters: Delimiters) -> Self {
        Self {
            options: Options::new().with_delimiters(delimiters),
            cache: TemplateCache::new(MOST_TEMPLATES, MOST_BYTES),
        }
    }

    /// How many templates it keeps.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.cache.len()
    }

    fn parse(&self, name: &str, text: &str, shown: &Shown, subject: &str) -> Result<Template> {
        let parsed = match shown {
            Shown::Text(_) => self.cache.parse(name, text, &self.options),
            // Kept, the text of a Secret would stay in memory for as long as the engine.
            Shown::Line => Template::parse_with(name, text, &self.options),
        };
        parsed.map_err(|error| tell(error, shown, subject))
    }
}

impl Text {
    /// A template that stands in the spec under the key that it makes.
    pub(super) fn own(parser: &TemplateParser, target: TemplateTarget, key: &str, text: &str) -> Result<Self> {
        let subject = format!("the template of `{key}`");
        let shown = Shown::Text(match target {
            TemplateTarget::Annotations => TemplatePlace::Annotation(key.to_owned()),
            TemplateTarget::Data => TemplatePlace::Data(key.to_owned()),
            TemplateTarget::Labels => TemplatePlace::Label(key.to_owned()),
        });
        Ok(Self {
            template: parser.parse(key, text, &shown, &subject)?,
            target,
            makes: Makes::Value(key.to_owned()),
            subject,
            decoding: DecodingStrategy::None,
            shown,
        })
    }

    /// The literal of the `templateFrom` of this index.
    pub(super) fn literal(parser: &TemplateParser, from: &TemplateFrom, index: usize, text: &str) -> Result<Self> {
        let place = TemplatePlace::Literal(index);
        let subject = format!("`{place}`");
        let shown = Shown::Text(place);
        Ok(Self {
            template: parser.parse("literal", text, &shown, &subject)?,
            target: from.target,
            makes: Makes::Pairs,
            subject,
            decoding: from.decoding,
            shown,
        })
    }

    pub(super) fn item(
        parser: &TemplateParser,
        from: &TemplateFrom,
        reference: &CredentialRef,
        scope: TemplateScope,
        value: &SecretValue,
    ) -> Result<Self> {
        let subject = format!("the template in {reference}");
        let text = value.expose_str().ok_or_else(|| failure("parse", &subject).because("it is not UTF-8"))?;
        let shown = match reference.kind() {
            CredentialKind::ConfigMap => Shown::Text(TemplatePlace::Item(reference.clone())),
            CredentialKind::Secret | CredentialKind::ServiceAccount => Shown::Line,
        };
        Ok(Self {
            template: parser.parse(reference.key(), text, &shown, &subject)?,
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
        let rendered = self.template.render(root).map_err(|error| tell(error, &self.shown, &self.subject))?;
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

fn tell(error: secretsync_template::Error, shown: &Shown, subject: &str) -> Error {
    match shown {
        Shown::Text(place) => {
            let advice = error.hint().map_or_else(|| "correct the template".to_owned(), ToOwned::to_owned);
            failure("render", subject)
                .with_hint(Hint::new(Code::TemplateInvalid, advice))
                .with_source(TemplateFailure::new(place.clone(), error))
        }
        Shown::Line => failure("render", subject).because(format!(
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

/// How many templates an engine keeps parsed, and how many bytes of text they may have together: far more than one cluster has, and little memory.
const MOST_TEMPLATES: usize = 20_000;
const MOST_BYTES: usize = 8 << 20;
