//! What can be wrong with a document.

use std::fmt;

/// One thing that is wrong with a document. It quotes no value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SopsFinding {
    /// What was looked at.
    pub check: SopsCheck,
    /// Whether the document must not stay as it is. Otherwise it is a warning.
    pub error: bool,
    /// What is wrong, in words.
    pub what: String,
}

impl SopsFinding {
    pub(super) fn error(check: SopsCheck, what: impl Into<String>) -> Self {
        Self { check, error: true, what: what.into() }
    }

    /// A warning, also of a caller that knows more than the document: whether its path has a rule.
    pub fn warning(check: SopsCheck, what: impl Into<String>) -> Self {
        Self { check, error: false, what: what.into() }
    }
}

macro_rules! checks {
    ($($variant:ident $text:literal $meaning:literal;)*) => {
        /// What was looked at, as a stable name.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum SopsCheck {
            $(#[doc = $meaning] $variant,)*
        }

        impl SopsCheck {
            /// The name as users see it: `leaked-value`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

checks! {
    Future "future" "The time of the last change lies in the future.";
    LeakedValue "leaked-value" "A value is plain although a rule says that it is encrypted.";
    Mac "mac" "The MAC is missing or does not fit.";
    MacUnchecked "mac-unchecked" "No key of the environment opens the document, so the MAC could not be verified.";
    MissingRecipient "missing-recipient" "The creation rule has a key that the document is not encrypted for.";
    NoRule "no-rule" "No creation rule matches the document.";
    NotEncrypted "not-encrypted" "It should be a document of sops and is none.";
    PlainValues "plain-values" "Values are plain because the document's rule says so: nothing ties them to their keys.";
    RuleDiffers "rule-differs" "The document was encrypted in another way than its creation rule says.";
    StaleRecipient "stale-recipient" "The document is encrypted for a key that its creation rule does not have.";
    Unreadable "unreadable" "The document cannot be read.";
    UnsupportedKeys "unsupported-keys" "secretsync supports none of the kinds of keys that the document is encrypted for.";
}

impl fmt::Display for SopsCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
