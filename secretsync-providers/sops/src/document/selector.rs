//! Which values of a document are encrypted.

use secretsync_core::regex::GoRegex;

use crate::error::Error;

/// The one rule of a document (section 5 of the format). What matches on the way to a value counts for the whole subtree.
#[derive(Debug)]
pub(crate) enum Selector {
    EncryptedComment(GoRegex),
    EncryptedRegex(GoRegex),
    EncryptedSuffix(String),
    UnencryptedComment(GoRegex),
    UnencryptedRegex(GoRegex),
    UnencryptedSuffix(String),
}

/// What sops assumes when a document names no rule.
const DEFAULT_SUFFIX: &str = "_unencrypted";

impl Selector {
    /// The names of the rules in a document's metadata.
    pub(crate) const NAMES: [&str; 6] = [
        "encrypted_comment_regex",
        "encrypted_regex",
        "encrypted_suffix",
        "unencrypted_comment_regex",
        "unencrypted_regex",
        "unencrypted_suffix",
    ];

    /// The rule of metadata that sets these, with their names. More than one is a damaged document.
    pub(crate) fn of(rules: &[(&str, String)]) -> Result<Self, Error> {
        let (name, text) = match rules {
            [] => return Ok(Self::UnencryptedSuffix(DEFAULT_SUFFIX.to_owned())),
            [rule] => rule,
            [(one, _), (other, _), ..] => return Err(Error::metadata(format!("sets both `{one}` and `{other}`"))),
        };
        let regex = || {
            GoRegex::new(text)
                .map_err(|_| Error::metadata(format!("has a regular expression in `{name}` that cannot be used")))
        };
        Ok(match *name {
            "encrypted_comment_regex" => Self::EncryptedComment(regex()?),
            "encrypted_regex" => Self::EncryptedRegex(regex()?),
            "encrypted_suffix" => Self::EncryptedSuffix(text.clone()),
            "unencrypted_comment_regex" => Self::UnencryptedComment(regex()?),
            "unencrypted_regex" => Self::UnencryptedRegex(regex()?),
            _ => Self::UnencryptedSuffix(text.clone()),
        })
    }

    /// Whether a key on the way to a value matches.
    pub(crate) fn matches_key(&self, key: &str) -> bool {
        match self {
            Self::EncryptedSuffix(suffix) | Self::UnencryptedSuffix(suffix) => key.ends_with(suffix.as_str()),
            Self::EncryptedRegex(regex) | Self::UnencryptedRegex(regex) => regex.is_match(key),
            Self::EncryptedComment(_) | Self::UnencryptedComment(_) => false,
        }
    }

    /// Whether a comment before an entry matches.
    pub(crate) fn matches_comment(&self, comment: &str) -> bool {
        match self {
            Self::EncryptedComment(regex) | Self::UnencryptedComment(regex) => regex.is_match(comment),
            _ => false,
        }
    }

    /// Whether a value is encrypted, given whether anything matched on the way to it.
    pub(crate) fn encrypts(&self, matched: bool) -> bool {
        match self {
            Self::EncryptedComment(_) | Self::EncryptedRegex(_) | Self::EncryptedSuffix(_) => matched,
            Self::UnencryptedComment(_) | Self::UnencryptedRegex(_) | Self::UnencryptedSuffix(_) => !matched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(name: &str, text: &str) -> Selector {
        Selector::of(&[(name, text.to_owned())]).unwrap()
    }

    #[test]
    fn without_a_rule_the_suffix_unencrypted_keeps_values_plain() {
        let selector = Selector::of(&[]).unwrap();
        assert!(selector.encrypts(selector.matches_key("password")));
        assert!(!selector.encrypts(selector.matches_key("note_unencrypted")));
    }

    #[test]
    fn each_rule_looks_at_its_own_thing() {
        let rule = selector("encrypted_regex", "^data$");
        assert!(rule.encrypts(rule.matches_key("data")) && !rule.encrypts(rule.matches_key("metadata")));
        let rule = selector("unencrypted_regex", "meta");
        assert!(!rule.encrypts(rule.matches_key("metadata")) && rule.encrypts(rule.matches_key("data")));
        let rule = selector("encrypted_suffix", "_enc");
        assert!(rule.encrypts(rule.matches_key("a_enc")) && !rule.encrypts(rule.matches_key("a")));
        let rule = selector("encrypted_comment_regex", "sops:enc");
        assert!(rule.encrypts(rule.matches_comment(" sops:enc")) && !rule.matches_key("sops:enc"));
        let rule = selector("unencrypted_comment_regex", "sops:plain");
        assert!(!rule.encrypts(rule.matches_comment(" sops:plain")) && rule.encrypts(false));
        let rule = selector("encrypted_regex", r"^\d+$");
        assert!(rule.matches_key("12") && !rule.matches_key("١٢"), "digits are ASCII, as in Go");
    }

    #[test]
    fn two_rules_and_broken_rules_are_refused() {
        let two = [("encrypted_suffix", "a".to_owned()), ("encrypted_regex", "b".to_owned())];
        assert!(Selector::of(&two).unwrap_err().to_string().contains("`encrypted_suffix` and `encrypted_regex`"));
        for text in ["(", "a{1000}{1000}{1000}"] {
            assert!(Selector::of(&[("encrypted_regex", text.to_owned())]).is_err());
        }
    }
}
