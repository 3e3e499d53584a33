//! The keys of a store: where they come from, and which of them opens a document.

mod age;

use std::sync::Arc;

use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};

use self::age::{Identities, NoFit};
use crate::document::{DataKey, KeyKind, Metadata};
use crate::error::Error;

/// Where the keys of a store come from.
#[derive(Debug)]
pub(crate) enum Keys {
    /// The environment, as the `sops` program uses it.
    Ambient(Ambient),
    /// The store's own configuration.
    Configured { references: Vec<CredentialRef>, credentials: Arc<dyn CredentialSource> },
}

impl Keys {
    /// Obtains the keys as they are now.
    pub(crate) async fn load(&self) -> Result<KeyRing, Error> {
        let mut age = Identities::default();
        match self {
            Self::Ambient(ambient) => age = age::from_env(ambient.clone()).await?,
            Self::Configured { references, credentials } => {
                // One key that cannot be had is told only when no other opens the document: keys are rotated one after the other.
                let mut first = None;
                for reference in references {
                    if let Err(error) = add(&mut age, reference, credentials.as_ref()).await {
                        age.note(format!("{reference} cannot be used"));
                        first.get_or_insert(error);
                    }
                }
                if let (true, Some(error)) = (age.is_empty(), first) {
                    return Err(error);
                }
            }
        }
        Ok(KeyRing { age })
    }
}

async fn add(age: &mut Identities, reference: &CredentialRef, credentials: &dyn CredentialSource) -> Result<(), Error> {
    let text = credentials.resolve(reference).await.map_err(Error::Credential)?;
    age.add(&reference.to_string(), text.expose())
}

/// Keys in memory, wiped when dropped. `Debug` shows nothing of them.
pub(crate) struct KeyRing {
    age: Identities,
}

impl KeyRing {
    /// The data key of a document. The document only selects among these keys: nothing in it decides whom we contact.
    pub(crate) fn unwrap(&self, metadata: &Metadata) -> Result<DataKey, Error> {
        let mut tried = Vec::new();
        for key in &metadata.keys {
            let why = match key.kind {
                KeyKind::Age => match self.age.unwrap(&key.wrapped) {
                    Ok(data_key) => return Ok(data_key),
                    Err(NoFit::Damaged) => "its entry in the document is damaged",
                    Err(NoFit::NoIdentity) => "no identity for it is configured",
                },
                _ => "keys of this kind are not supported",
            };
            tried.push(format!("{} `{}`: {why}", key.kind, key.id));
        }
        let more = tried.len().saturating_sub(SHOWN);
        tried.truncate(SHOWN);
        if more > 0 {
            tried.push(format!("{more} more"));
        }
        tried.extend(self.age.unusable().map(str::to_owned));
        Err(Error::NoKey { tried })
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(..)")
    }
}

/// How many keys of a document a message lists.
const SHOWN: usize = 10;
