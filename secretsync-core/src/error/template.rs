//! Which template failed, for programs that show it.

use std::error::Error as StdError;
use std::fmt;

use super::{Error, causes};
use crate::provider::CredentialRef;
use crate::yaml::Step;

/// A template that failed, as a cause of an [`Error`]: its place, and what the template engine says. Never holds a value.
#[derive(Clone, Debug)]
pub struct TemplateFailure {
    place: TemplatePlace,
    error: secretsync_template::Error,
}

/// Where a template stands.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplatePlace {
    /// Under this annotation.
    Annotation(String),
    /// Under this key.
    Data(String),
    /// In a ConfigMap. Texts of Secrets are never told.
    Item(CredentialRef),
    /// Under this label.
    Label(String),
    /// The literal of the `templateFrom` of this index.
    Literal(usize),
}

impl TemplateFailure {
    pub(crate) fn new(place: TemplatePlace, error: secretsync_template::Error) -> Self {
        Self { place, error }
    }

    /// Finds the failure among an error and its causes.
    pub fn of(error: &Error) -> Option<&Self> {
        causes(error).find_map(<dyn StdError>::downcast_ref)
    }

    /// Where the template stands.
    pub fn place(&self) -> &TemplatePlace {
        &self.place
    }

    /// The name of the template, as its own texts call it.
    pub fn name(&self) -> &str {
        self.error.template()
    }

    /// Line in the template, from 1.
    pub fn line(&self) -> u32 {
        self.error.line()
    }

    /// Column in that line in bytes, from 1.
    pub fn column(&self) -> u32 {
        self.error.column()
    }

    /// What went wrong, without the place.
    pub fn message(&self) -> &str {
        self.error.message()
    }

    /// The line with carets below what failed, as compilers show it; several lines, each ended.
    pub fn snippet(&self) -> String {
        self.error.snippet()
    }
}

/// The text of the template engine, in the form of Go's.
impl fmt::Display for TemplateFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for TemplateFailure {}

impl TemplatePlace {
    /// The way to the text in the manifest of its ExternalSecret; empty where it stands in another object.
    pub fn path(&self) -> Vec<Step<'_>> {
        let (parents, last): (&[&str], _) = match self {
            Self::Annotation(key) => (&["metadata", "annotations"], Step::Key(key)),
            Self::Data(key) => (&["data"], Step::Key(key)),
            Self::Item(_) => return Vec::new(),
            Self::Label(key) => (&["metadata", "labels"], Step::Key(key)),
            Self::Literal(index) => (&["templateFrom"], Step::Index(*index)),
        };
        let literal = matches!(self, Self::Literal(_)).then_some(Step::Key("literal"));
        let parents = ["spec", "target", "template"].iter().chain(parents).map(|key| Step::Key(key));
        parents.chain([last]).chain(literal).collect()
    }
}

/// As messages name it: `spec.target.template.data.url`, or the object that holds it.
impl fmt::Display for TemplatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Item(reference) = self {
            return reference.fmt(f);
        }
        for (index, step) in self.path().iter().enumerate() {
            match step {
                Step::Index(at) => write!(f, "[{at}]")?,
                Step::Key(key) => write!(f, "{}{}", if index > 0 { "." } else { "" }, key.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_as_the_field_of_the_manifest() {
        for (place, expected) in [
            (TemplatePlace::Annotation("a/b".to_owned()), "spec.target.template.metadata.annotations.a/b"),
            (TemplatePlace::Data("app.conf".to_owned()), "spec.target.template.data.app.conf"),
            (TemplatePlace::Label("tier".to_owned()), "spec.target.template.metadata.labels.tier"),
            (TemplatePlace::Literal(2), "spec.target.template.templateFrom[2].literal"),
        ] {
            assert_eq!(place.to_string(), expected);
        }
    }
}
