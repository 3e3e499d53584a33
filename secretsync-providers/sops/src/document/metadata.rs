//! The `sops` block of a document: who can open it, and how it was encrypted.

mod block;
mod keys;
mod kind;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use self::block::Block;
pub(crate) use self::keys::{Identity, KeyGroups, MasterKey};
pub(crate) use self::kind::KeyKind;
use super::selector::Selector;
use super::time::Time;
use super::tree::Node;
use crate::error::Error;

/// What the block says, checked. Unknown members are ignored, as sops does.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// What the MAC is bound to: the time of the last change, in the text that sops gives it.
    pub(crate) modified: String,
    /// The encrypted MAC; empty if there is none.
    pub(crate) mac: String,
    pub(crate) mac_only_encrypted: bool,
    pub(crate) selector: Selector,
    pub(crate) groups: Arc<KeyGroups>,
    /// Whether sops 3.13.2 or later wrote it: since then whole numbers of JSON are not read as floats.
    pub(crate) exact_integers: bool,
}

impl Metadata {
    /// Reads the block.
    pub(crate) fn read(block: &Node<'_>) -> Result<Self, Error> {
        let block = Block::of(block).ok_or_else(|| Error::metadata("is no map"))?;
        let modified = block.text("lastmodified").ok_or_else(|| Error::metadata("has no `lastmodified`"))?;
        let modified =
            Time::rfc3339(&modified).ok_or_else(|| Error::metadata("has a `lastmodified` that is no RFC 3339 time"))?;
        let rules: Vec<_> =
            Selector::NAMES.into_iter().filter_map(|name| Some((name, block.text(name)?.into_owned()))).collect();
        Ok(Self {
            modified: modified.whole_seconds(),
            mac: block.text("mac").unwrap_or_default().into_owned(),
            mac_only_encrypted: block.flag("mac_only_encrypted")?,
            selector: Selector::of(&rules)?,
            groups: Arc::new(KeyGroups::read(&block)?),
            exact_integers: block.text("version").is_some_and(|version| at_least(&version, [3, 13, 2])),
        })
    }

    /// Whether the last change lies in the future, by more than clocks usually differ.
    pub(crate) fn is_ahead_of(&self, now: Timestamp) -> bool {
        self.modified.parse::<Timestamp>().is_ok_and(|modified| modified.duration_since(now) > LEEWAY)
    }
}

/// How much clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// Whether a version is not older than another. A text that is no version is old.
fn at_least(version: &str, wanted: [u32; 3]) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Option<Vec<u32>> = core.split('.').map(|part| part.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.as_slice() >= wanted.as_slice())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secretsync_core::provider::KeyKind as ServiceKind;

    use super::*;
    use crate::document::yaml::{self, Comments};

    fn read(text: &str) -> Result<Metadata, Error> {
        Metadata::read(&Node::Map(yaml::parse(text, Comments::WhereRuled)?.items))
    }

    fn keys(metadata: &Metadata) -> Vec<(usize, KeyKind, String)> {
        metadata.groups.keys().map(|(group, key)| (group, key.kind, key.name())).collect()
    }

    const HEAD: &str = "lastmodified: '2024-05-06T07:08:09Z'\nmac: x\n";

    #[test]
    fn the_flat_lists_come_before_the_groups_and_empty_ones_count_as_missing() {
        let flat = read(&format!(
            "{HEAD}kms: null\npgp: []\nage: [{{recipient: r, enc: e}}]\nkey_groups: [{{age: [{{recipient: other}}]}}]"
        ))
        .unwrap();
        assert_eq!(keys(&flat), [(0, KeyKind::Age, "r".to_owned())]);
        let grouped =
            read(&format!("{HEAD}key_groups: [{{pgp: [{{fp: F, enc: e}}], kms: [{{arn: a, enc: e}}]}}]")).unwrap();
        assert_eq!(keys(&grouped), [(0, KeyKind::AwsKms, "a".to_owned()), (0, KeyKind::Pgp, "F".to_owned())]);
        let split = read(&format!(
            "{HEAD}key_groups: [{{pgp: [{{fp: F, enc: e}}]}}, {{age: [{{recipient: r}}]}}]\nshamir_threshold: '2'"
        ))
        .unwrap();
        assert_eq!(keys(&split), [(0, KeyKind::Pgp, "F".to_owned()), (1, KeyKind::Age, "r".to_owned())]);
        assert_eq!((split.groups.split(), split.groups.threshold), (true, Some(2)));
    }

    #[test]
    fn what_a_document_says_about_a_key_is_kept_for_its_service() {
        let metadata = read(&format!(
            "{HEAD}kms: [{{arn: a, role: r, aws_profile: '', context: {{Env: prod, env: dev, none: null, empty: ''}}, created_at: '2024-01-01T00:00:00Z', enc: e}}]\n\
             hc_vault: [{{vault_address: 'https://v', engine_path: t, key_name: k, enc: 'vault:v1:x'}}]"
        ))
        .unwrap();
        let keys: Vec<_> = metadata.groups.keys().map(|(_, key)| key).collect();
        let kms = keys[0].for_service().unwrap();
        let said = ["arn", "role", "aws_profile"].map(|name| kms.attribute(name));
        assert_eq!(said, [Some("a"), Some("r"), None]);
        assert_eq!(
            kms.context,
            BTreeMap::from(
                [("Env", "prod"), ("env", "dev"), ("empty", "")].map(|(name, text)| (name.to_owned(), text.to_owned()))
            )
        );
        assert_eq!(keys[0].created.as_deref(), Some("2024-01-01T00:00:00Z"));
        let transit = keys[1].for_service().unwrap();
        assert_eq!((transit.kind, transit.ciphertext.as_str()), (ServiceKind::VaultTransit, "vault:v1:x"));
        assert_eq!(keys[1].told(), "Vault transit key `https://v/v1/t/keys/k`");
    }

    #[test]
    fn names_in_any_case_and_scalars_of_any_type_are_read() {
        let metadata = read("LastModified: 2024-05-06T07:08:09+00:00\nMAC: x\nmac_only_encrypted: 'true'\nage: [{Recipient: r, ENC: e}]").unwrap();
        assert_eq!((metadata.modified.as_str(), metadata.mac_only_encrypted), ("2024-05-06T07:08:09Z", true));
    }

    #[test]
    fn what_is_missing_or_split_is_said() {
        let complaint = |text: &str| read(text).unwrap_err().to_string();
        assert!(complaint("mac: x").contains("no `lastmodified`"));
        assert!(complaint("lastmodified: yesterday").contains("no RFC 3339 time"));
        assert!(complaint(HEAD).contains("names no key"));
        let split = format!("{HEAD}key_groups: [{{age: [{{enc: a}}]}}, {{age: [{{enc: b}}]}}]\nshamir_threshold: ");
        let ignored = read(&format!("{HEAD}age: [{{recipient: r, enc: e}}]\nshamir_threshold: 2")).unwrap();
        assert_eq!((ignored.groups.needed(), ignored.groups.threshold), (None, None), "one group is not split");
        for threshold in ["3", "-1", "x"] {
            assert!(complaint(&format!("{split}{threshold}")).contains("no number of its key groups"), "{threshold}");
        }
        assert!(complaint(&format!("{HEAD}age: [{}]", "{enc: a},".repeat(257))).contains("more than 256 keys"));
    }

    #[test]
    fn a_change_in_the_future_is_seen() {
        let metadata = read(&format!("{HEAD}age: [{{enc: e}}]")).unwrap();
        for (now, ahead) in
            [("2024-05-06T07:03:00Z", true), ("2024-05-06T07:04:00Z", false), ("2025-01-01T00:00:00Z", false)]
        {
            assert_eq!(metadata.is_ahead_of(now.parse().unwrap()), ahead, "{now}");
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        for (version, expected) in
            [("3.13.2", true), ("3.13.1", false), ("3.9.0", false), ("4.0.0-rc1", true), ("", false), ("x", false)]
        {
            assert_eq!(at_least(version, [3, 13, 2]), expected, "{version}");
        }
    }
}
