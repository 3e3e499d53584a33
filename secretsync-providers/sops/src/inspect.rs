//! Looks at documents without handing out a value: who can read them, and what is wrong with them.

mod finding;
mod leaves;
mod lint;
mod rules;

use std::sync::Arc;

use secretsync_core::error::Result;
use secretsync_core::provider::{Ambient, NoCredentials};

pub use self::finding::{SopsCheck, SopsFinding};
pub use self::rules::{SopsRule, SopsRules};
use crate::auth::{KeyRing, Keys, Unwrapping};
use crate::document::{DataKey, Document, Format};
use crate::error::Error;

/// Looks at documents, with the age keys that an environment offers.
#[derive(Debug)]
pub struct SopsInspector {
    ring: KeyRing,
}

/// One key that a document is encrypted for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SopsRecipient {
    /// The number of its key group, from 1; nothing where there is only one group.
    pub group: Option<usize>,
    /// Its kind, in the words of the document's metadata: `age`, `kms`, `hc_vault`, `pgp`.
    pub kind: &'static str,
    /// What names it: recipient, ARN, fingerprint, address.
    pub name: String,
    /// When the data key was wrapped for it, where the document says so.
    pub created: Option<String>,
    /// Whether a key of the environment unwraps the data key by it.
    pub opens: bool,
}

/// Who can read a document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SopsRecipients {
    /// Every key, in the order of the document's groups.
    pub keys: Vec<SopsRecipient>,
    /// How many key groups are needed, where the data key is split.
    pub needed: Option<usize>,
}

impl SopsInspector {
    /// An inspector with the age keys of an environment, which may have none.
    ///
    /// # Errors
    ///
    /// Keys that are named, by `SOPS_AGE_KEY` or `SOPS_AGE_KEY_FILE`, and of which none can be used.
    pub async fn new(environment: Ambient) -> Result<Self> {
        let keys = Keys {
            ambient: Some(environment),
            references: Vec::new(),
            credentials: Arc::new(NoCredentials::default()),
            services: Arc::default(),
        };
        let ring = keys.load_optional().await;
        Ok(Self { ring: ring.map_err(|error| error.into_core("read", "the age keys of the environment"))? })
    }

    /// What of the environment's keys cannot be used, in words.
    pub fn unusable(&self) -> impl Iterator<Item = &str> {
        self.ring.unusable()
    }

    /// An inspector without any key: it sees what anybody sees.
    pub fn without_keys() -> Self {
        Self { ring: KeyRing::default() }
    }

    /// Who can read the document of this name.
    ///
    /// # Errors
    ///
    /// A document that cannot be read.
    pub fn recipients(&self, name: &str, content: &[u8]) -> Result<SopsRecipients> {
        let document = Document::parse(Format::of(name), content);
        let document = document.map_err(|error| error.into_core("read", format!("document `{name}`")))?;
        let groups = &document.metadata().groups;
        let keys = groups.keys().map(|(group, key)| SopsRecipient {
            group: groups.split().then_some(group + 1),
            kind: key.kind.list(),
            name: key.name(),
            created: key.created.clone(),
            opens: self.ring.opens(key),
        });
        Ok(SopsRecipients { keys: keys.collect(), needed: groups.needed() })
    }

    /// What is wrong with the document of this name, the worst first. Its rule is that of a `.sops.yaml`, if there is one.
    pub fn lint(&self, name: &str, content: &[u8], rule: Option<&SopsRule>) -> Vec<SopsFinding> {
        match Document::with_comments(Format::of(name), content) {
            Ok(document) => lint::findings(&document, rule, self),
            // Why a plain file of any kind is not read as a document does not matter.
            Err(_) if !Self::is_encrypted(content) => {
                vec![SopsFinding::error(SopsCheck::NotEncrypted, "it is not encrypted")]
            }
            Err(error) => vec![SopsFinding::error(SopsCheck::Unreadable, error.to_string())],
        }
    }

    /// Whether sops encrypted this, as far as can be told at a glance: nearly every document has an encrypted value, if only its MAC.
    pub fn is_encrypted(content: &[u8]) -> bool {
        const VALUE: &[u8] = b"ENC[AES256_GCM,";
        content.windows(VALUE.len()).any(|part| part == VALUE)
    }

    /// The data key, if the environment's keys give it.
    fn data_key(&self, document: &Document<'_>) -> Option<Result<DataKey, Error>> {
        Unwrapping::offline(&document.metadata().groups, &self.ring).found()
    }
}
