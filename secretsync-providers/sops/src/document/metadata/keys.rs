//! The keys that a document's data key, or parts of it, are wrapped for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use secretsync_core::provider::WrappedKey;

use super::block::Block;
use super::kind::KeyKind;
use crate::document::limits::{MAX_KEYS, MAX_WRAPPED};
use crate::error::{Error, quoted};

/// What tells two keys apart.
pub(crate) type Identity = (KeyKind, String);

/// Who can open a document: with one group, each of its keys; with several, keys of so many groups together.
#[derive(Debug)]
pub(crate) struct KeyGroups {
    /// Never empty.
    pub(crate) groups: Vec<Vec<MasterKey>>,
    /// How many groups are needed where there are several; nothing if the document does not say.
    pub(crate) threshold: Option<usize>,
}

/// The data key or a part of it, wrapped for one master key.
#[derive(Debug)]
pub(crate) struct MasterKey {
    pub(crate) kind: KeyKind,
    /// What the document says about the key. It is compared and shown, and never decides whom we contact.
    attributes: BTreeMap<String, String>,
    context: BTreeMap<String, String>,
    /// When it was wrapped, where the document says so.
    pub(crate) created: Option<String>,
    /// The wrapped key, in the form of its kind.
    pub(crate) wrapped: String,
}

impl KeyGroups {
    /// The flat lists are the one group, if they are not all empty; otherwise `key_groups` counts.
    pub(super) fn read(block: &Block<'_, '_>) -> Result<Self, Error> {
        let mut room = MAX_KEYS;
        let mut groups = vec![group(block, &mut room)?];
        if groups[0].is_empty() {
            groups.clear();
            for entry in block.list("key_groups") {
                let entry = Block::of(entry).ok_or_else(|| Error::metadata("has a key group that is no map"))?;
                groups.push(group(&entry, &mut room)?);
            }
        }
        if groups.len() > MAX_KEYS {
            return Err(Error::metadata(format!("has more than {MAX_KEYS} key groups")));
        }
        if groups.iter().all(Vec::is_empty) {
            return Err(Error::metadata("names no key that could open it"));
        }
        // One group's keys have the data key undivided, whatever threshold sops was told.
        let threshold =
            match block.text("shamir_threshold").as_deref() {
                None | Some("0") => None,
                Some(_) if groups.len() == 1 => None,
                Some(text) => {
                    let threshold = text.parse().ok().filter(|threshold| *threshold <= groups.len());
                    Some(threshold.ok_or_else(|| {
                        Error::metadata("has a `shamir_threshold` that is no number of its key groups")
                    })?)
                }
            };
        Ok(Self { groups, threshold })
    }

    /// Whether the data key is split, so that several groups are needed.
    pub(crate) fn split(&self) -> bool {
        self.groups.len() > 1
    }

    /// How many groups are needed, where there are several. A document that does not say needs them all.
    pub(crate) fn needed(&self) -> Option<usize> {
        self.split().then(|| self.threshold.map_or(self.groups.len(), |threshold| threshold.max(2)))
    }

    /// What tells the keys of each group apart.
    pub(crate) fn identities(&self) -> Vec<Vec<Identity>> {
        self.groups.iter().map(|keys| keys.iter().map(MasterKey::identity).collect()).collect()
    }

    /// Whether no configuration of ours could make use of any key.
    pub(crate) fn only_unsupported(&self) -> bool {
        self.keys().all(|(_, key)| match key.kind {
            KeyKind::Age => key.unsupported_recipient().is_some(),
            kind => kind.service().is_none(),
        })
    }

    /// Every key, with the number of its group from 0.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (usize, &MasterKey)> {
        self.groups.iter().enumerate().flat_map(|(index, keys)| keys.iter().map(move |key| (index, key)))
    }
}

/// The keys of one group in the order of sops's readers.
fn group(block: &Block<'_, '_>, room: &mut usize) -> Result<Vec<MasterKey>, Error> {
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        for entry in block.list(kind.list()) {
            let entry = Block::of(entry)
                .ok_or_else(|| Error::metadata(format!("has an entry in `{}` that is no map", kind.list())))?;
            let key = MasterKey::read(kind, &entry);
            if *room == 0 || key.size() > MAX_WRAPPED {
                return Err(Error::metadata(format!(
                    "has more than {MAX_KEYS} keys, or one of more than {MAX_WRAPPED} bytes"
                )));
            }
            *room -= 1;
            keys.push(key);
        }
    }
    Ok(keys)
}

impl MasterKey {
    fn read(kind: KeyKind, entry: &Block<'_, '_>) -> Self {
        let text = |name: &str| entry.text(name).map(Cow::into_owned);
        let attribute = |name: &&str| Some(((*name).to_owned(), text(name)?));
        Self {
            kind,
            attributes: kind.attributes().iter().filter_map(attribute).collect(),
            context: entry.texts("context"),
            created: text("created_at"),
            wrapped: text("enc").unwrap_or_default(),
        }
    }

    fn size(&self) -> usize {
        let told = self.attributes.values().chain(self.context.values()).chain(&self.created);
        self.wrapped.len() + told.map(String::len).sum::<usize>()
    }

    /// Names the key in the way of sops: recipient, fingerprint, ARN, address.
    pub(crate) fn name(&self) -> String {
        let of = |name: &str| self.attributes.get(name).map_or("", String::as_str);
        match self.kind {
            KeyKind::AzureKeyVault => format!("{}/keys/{}/{}", of("vault_url"), of("name"), of("version")),
            KeyKind::VaultTransit => {
                format!("{}/v1/{}/keys/{}", of("vault_address"), of("engine_path"), of("key_name"))
            }
            kind => of(kind.attributes().first().unwrap_or(&"")).to_owned(),
        }
    }

    /// Kind and name for a message, on one line.
    pub(crate) fn told(&self) -> String {
        format!("{} `{}`", self.kind, quoted(&self.name()))
    }

    /// What tells this key from others of its group.
    fn identity(&self) -> Identity {
        let role = self.attributes.get("role").filter(|_| self.kind == KeyKind::AwsKms);
        let name = role.map_or_else(|| self.name(), |role| format!("{}+{role}", self.name()));
        let context: Vec<String> = self.context.iter().map(|(name, text)| format!("{name}:{text}")).collect();
        self.kind.identity(&name, &context.join(","))
    }

    /// Why an age recipient of another kind than X25519 can never fit.
    pub(crate) fn unsupported_recipient(&self) -> Option<&'static str> {
        let recipient = self.name();
        let plugin = recipient.starts_with("age1") && recipient.matches('1').count() > 1;
        match recipient.as_str() {
            _ if self.kind != KeyKind::Age => None,
            pq if pq.starts_with("age1pq1") => Some("post-quantum recipients are not supported"),
            ssh if ssh.starts_with("ssh-") => Some("SSH keys are not supported"),
            _ if plugin => Some("recipients of age plugins are not supported"),
            _ => None,
        }
    }

    /// The same key as a service unwraps it, if its kind has services.
    pub(crate) fn for_service(&self) -> Option<WrappedKey> {
        let kind = self.kind.service()?;
        let key = WrappedKey::new(kind, self.wrapped.as_str()).with_context(self.context.clone());
        Some(self.attributes.iter().fold(key, |key, (name, text)| key.with_attribute(name, text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_of_other_kinds_are_told_by_name() {
        for (recipient, expected) in [
            ("age1pq1abc", Some("post-quantum")),
            ("age1yubikey1abc", Some("age plugins")),
            ("ssh-ed25519 AAAA", Some("SSH keys")),
            ("ssh-rsa AAAA", Some("SSH keys")),
            ("age1l5pzvjlqecvn4y3ejtzyul49z54mq2sy7jae7xp2xmk92q977u4qy0az6v", None),
        ] {
            let attributes = BTreeMap::from([("recipient".to_owned(), recipient.to_owned())]);
            let key = MasterKey {
                kind: KeyKind::Age,
                attributes,
                context: BTreeMap::new(),
                created: None,
                wrapped: String::new(),
            };
            let told = key.unsupported_recipient();
            assert_eq!(told.map(|why| why.contains(expected.unwrap_or("?"))), expected.map(|_| true), "{recipient}");
        }
    }
}
