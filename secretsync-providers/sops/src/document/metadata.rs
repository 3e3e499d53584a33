//! The `sops` block of a document: who can open it, and how it was encrypted.

use std::borrow::Cow;
use std::fmt;

use super::limits::{MAX_KEYS, MAX_WRAPPED};
use super::selector::Selector;
use super::time::Time;
use super::tree::{Item, Leaf, Node};
use super::value::float_text;
use crate::error::{Error, quoted};

/// What the block says, checked. Unknown members are ignored, as sops does.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// What the MAC is bound to: the time of the last change, in the text that sops gives it.
    pub(crate) modified: String,
    /// The encrypted MAC; empty if there is none.
    pub(crate) mac: String,
    pub(crate) mac_only_encrypted: bool,
    pub(crate) selector: Selector,
    /// The data key, wrapped once for each key that may open the document.
    pub(crate) keys: Vec<WrappedKey>,
    /// Whether sops 3.13.2 or later wrote it: since then whole numbers of JSON are not read as floats.
    pub(crate) exact_integers: bool,
}

/// The data key, wrapped for one master key.
#[derive(Debug)]
pub(crate) struct WrappedKey {
    pub(crate) kind: KeyKind,
    /// Names the master key: recipient, fingerprint, ARN. Only for messages: a document never decides whom we contact.
    pub(crate) id: String,
    /// The wrapped data key, in the form of its kind.
    pub(crate) wrapped: String,
}

/// The kinds of master keys that sops knows, in the order of its readers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyKind {
    AwsKms,
    GcpKms,
    HuaweiKms,
    AzureKeyVault,
    VaultTransit,
    Pgp,
    Age,
}

impl KeyKind {
    const ALL: [Self; 7] =
        [Self::AwsKms, Self::GcpKms, Self::HuaweiKms, Self::AzureKeyVault, Self::VaultTransit, Self::Pgp, Self::Age];

    /// The list in the metadata, and the member of an entry that names the key.
    fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Age => ("age", "recipient"),
            Self::AwsKms => ("kms", "arn"),
            Self::AzureKeyVault => ("azure_kv", "name"),
            Self::GcpKms => ("gcp_kms", "resource_id"),
            Self::HuaweiKms => ("hckms", "key_id"),
            Self::Pgp => ("pgp", "fp"),
            Self::VaultTransit => ("hc_vault", "key_name"),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "age recipient",
            Self::AwsKms => "AWS KMS key",
            Self::AzureKeyVault => "Azure Key Vault key",
            Self::GcpKms => "GCP KMS key",
            Self::HuaweiKms => "Huawei Cloud KMS key",
            Self::Pgp => "PGP key",
            Self::VaultTransit => "Vault transit key",
        })
    }
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
            keys: keys(&block)?,
            exact_integers: block.text("version").is_some_and(|version| at_least(&version, [3, 13, 2])),
        })
    }
}

/// The keys of the one group: the flat lists, or the only member of `key_groups`.
fn keys(block: &Block<'_, '_>) -> Result<Vec<WrappedKey>, Error> {
    let flat = group(block)?;
    if !flat.is_empty() {
        return Ok(flat);
    }
    match block.list("key_groups").as_slice() {
        [] => Err(Error::metadata("names no key that could open it")),
        [only] => {
            let only = Block::of(only).ok_or_else(|| Error::metadata("has a key group that is no map"))?;
            let keys = group(&only)?;
            if keys.is_empty() { Err(Error::metadata("names no key that could open it")) } else { Ok(keys) }
        }
        _ => Err(Error::unsupported(
            "its data key is split among several key groups",
            "encrypt the document for one key group",
        )),
    }
}

fn group(block: &Block<'_, '_>) -> Result<Vec<WrappedKey>, Error> {
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        let (list, id) = kind.members();
        for entry in block.list(list) {
            let entry =
                Block::of(entry).ok_or_else(|| Error::metadata(format!("has an entry in `{list}` that is no map")))?;
            let wrapped = entry.text("enc").unwrap_or_default();
            if keys.len() == MAX_KEYS || wrapped.len() > MAX_WRAPPED {
                return Err(Error::metadata(format!(
                    "has more than {MAX_KEYS} keys, or one of more than {MAX_WRAPPED} bytes"
                )));
            }
            keys.push(WrappedKey {
                kind,
                id: quoted(&entry.text(id).unwrap_or_default()),
                wrapped: wrapped.into_owned(),
            });
        }
    }
    Ok(keys)
}

/// Whether a version is not older than another. A text that is no version is old.
fn at_least(version: &str, wanted: [u32; 3]) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Option<Vec<u32>> = core.split('.').map(|part| part.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.as_slice() >= wanted.as_slice())
}

/// A map read as sops reads its metadata: names in any case, scalars in any type.
struct Block<'t, 'a>(&'t [Item<'a>]);

impl<'t, 'a> Block<'t, 'a> {
    fn of(node: &'t Node<'a>) -> Option<Self> {
        match node {
            Node::Map(items) => Some(Self(items)),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Option<&'t Node<'a>> {
        self.0.iter().find_map(|item| match item {
            Item::Entry { key, value } if key.eq_ignore_ascii_case(name) => Some(value),
            _ => None,
        })
    }

    /// The text of a scalar; nothing for null and for an empty text.
    fn text(&self, name: &str) -> Option<Cow<'t, str>> {
        let Node::Leaf(leaf) = self.member(name)? else { return None };
        let text = match leaf {
            Leaf::Bool(value) => Cow::from(value.to_string()),
            Leaf::Float(number) => float_text(*number).into(),
            Leaf::Int(number) => number.to_string().into(),
            Leaf::Null => return None,
            Leaf::Text(text) => Cow::from(text.as_ref()),
            Leaf::Time(text) => Cow::from(text.as_str()),
        };
        (!text.is_empty()).then_some(text)
    }

    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.text(name).as_deref() {
            None | Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
            Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
            Some(_) => Err(Error::metadata(format!("has a `{name}` that is neither true nor false"))),
        }
    }

    fn list(&self, name: &str) -> Vec<&'t Node<'a>> {
        match self.member(name) {
            Some(Node::List(items)) => items.iter().filter(|item| !matches!(item, Node::Comment(_))).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::yaml;

    fn read(text: &str) -> Result<Metadata, Error> {
        Metadata::read(&Node::Map(yaml::parse(text)?))
    }

    const HEAD: &str = "lastmodified: '2024-05-06T07:08:09Z'\nmac: x\n";

    #[test]
    fn the_flat_lists_come_before_the_groups_and_empty_ones_count_as_missing() {
        let flat = read(&format!(
            "{HEAD}kms: null\npgp: []\nage: [{{recipient: r, enc: e}}]\nkey_groups: [{{age: [{{recipient: other}}]}}]"
        ))
        .unwrap();
        assert_eq!((flat.keys.len(), flat.keys[0].id.as_str()), (1, "r"));
        let grouped =
            read(&format!("{HEAD}key_groups: [{{pgp: [{{fp: F, enc: e}}], kms: [{{arn: a, enc: e}}]}}]")).unwrap();
        assert_eq!(grouped.keys.iter().map(|key| key.kind).collect::<Vec<_>>(), [KeyKind::AwsKms, KeyKind::Pgp]);
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
        assert!(
            complaint(&format!("{HEAD}key_groups: [{{age: [{{enc: a}}]}}, {{age: [{{enc: b}}]}}]"))
                .contains("several key groups")
        );
        assert!(complaint(&format!("{HEAD}age: [{}]", "{enc: a},".repeat(257))).contains("more than 256 keys"));
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
