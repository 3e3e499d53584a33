//! The keys of a store: where they come from, and which of them opens a document.

mod age;
mod service;
mod unwrapping;

use std::sync::Arc;

use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};

use self::age::Identities;
pub(crate) use self::service::{Service, Services};
pub(crate) use self::unwrapping::Unwrapping;
use crate::document::{KeyKind, MasterKey};
use crate::error::Error;

/// Where the keys of a store come from.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The environment, which is asked beside the configuration, as the `sops` program asks it.
    pub(crate) ambient: Option<Ambient>,
    /// Secrets with age identities.
    pub(crate) references: Vec<CredentialRef>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    /// What is asked over the network, in the order of the configuration.
    pub(crate) services: Services,
}

impl Keys {
    /// Obtains the keys as they are now. Fails if there is none at all.
    pub(crate) async fn load(&self) -> Result<KeyRing, Error> {
        let (ring, failure) = self.collect().await;
        let nothing = ring.age.is_empty() && ring.services.is_empty();
        match failure.filter(|_| nothing) {
            Some(error) => Err(error),
            None if nothing => Err(nothing_in_the_environment()),
            None => Ok(ring),
        }
    }

    /// Obtains the keys as they are now; there may be none. Fails if one that is there cannot be used.
    pub(crate) async fn load_optional(&self) -> Result<KeyRing, Error> {
        match self.collect().await {
            (_, Some(error)) => Err(error),
            (ring, None) => Ok(ring),
        }
    }

    /// Every key that can be had, and the first failure: keys are rotated one after the other, so it is told only when no other opens a document.
    async fn collect(&self) -> (KeyRing, Option<Error>) {
        let mut age = Identities::default();
        let mut first = None;
        if let Some(ambient) = &self.ambient {
            match age::from_env(ambient.clone()).await {
                Ok(identities) => age = identities,
                Err(error) => {
                    age.note(format!("the environment's age keys cannot be used: {error}"));
                    first = Some(error);
                }
            }
        }
        for reference in &self.references {
            if let Err(error) = add(&mut age, reference, self.credentials.as_ref()).await {
                age.note(format!("{reference} cannot be used"));
                first.get_or_insert(error);
            }
        }
        (KeyRing { age, services: Arc::clone(&self.services) }, first)
    }

    /// Ends the sessions of services.
    pub(crate) async fn close(&self) {
        for service in self.services.iter() {
            service.close().await;
        }
    }
}

fn nothing_in_the_environment() -> Error {
    Error::Identity {
        from: "the environment".to_owned(),
        what: "offers no age key".into(),
        advice: "set SOPS_AGE_KEY_FILE to the path of a key file",
    }
}

async fn add(age: &mut Identities, reference: &CredentialRef, credentials: &dyn CredentialSource) -> Result<(), Error> {
    let text = credentials.resolve(reference).await.map_err(Error::Credential)?;
    age.add(&reference.to_string(), text.expose())
}

/// Keys in memory, wiped when dropped, and services. `Debug` shows nothing of them.
#[derive(Default)]
pub(crate) struct KeyRing {
    age: Identities,
    services: Services,
}

impl KeyRing {
    /// Whether an identity in memory unwraps what a document has for a key.
    pub(crate) fn opens(&self, key: &MasterKey) -> bool {
        key.kind == KeyKind::Age && self.age.unwrap(&key.wrapped).is_ok()
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(..)")
    }
}
