//! The keys of a store: where they come from, and which of them opens a document.

mod age;
mod service;
mod unwrapping;

use std::sync::Arc;

use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};

use self::age::{Identities, Offered, Refused};
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
        match self.collect().await {
            (ring, _) if !ring.is_empty() => Ok(ring),
            (_, Some(refused)) => Err(refused.error),
            (_, None) => Err(nothing_in_the_environment()),
        }
    }

    /// Obtains the keys as they are now; there may be none. Fails if all that somebody named cannot be used.
    pub(crate) async fn load_optional(&self) -> Result<KeyRing, Error> {
        match self.collect().await {
            (_, Some(Refused { error, decides: true })) => Err(error),
            (ring, _) => Ok(ring),
        }
    }

    /// Every key that can be had, and the first failure: keys are rotated one after the other, so it is told only when no other opens a document.
    async fn collect(&self) -> (KeyRing, Option<Refused>) {
        let Offered { identities: mut age, mut refused } = match &self.ambient {
            Some(ambient) => Offered::by(ambient.clone()).await,
            None => Offered::default(),
        };
        for reference in &self.references {
            if let Err(error) = add(&mut age, reference, self.credentials.as_ref()).await {
                age.note(format!("{reference} cannot be used"));
                refused.get_or_insert(Refused { error, decides: true });
            }
        }
        (KeyRing { age, services: Arc::clone(&self.services) }, refused)
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
    fn is_empty(&self) -> bool {
        self.age.is_empty() && self.services.is_empty()
    }

    /// What of its sources could not be used, in words.
    pub(crate) fn unusable(&self) -> impl Iterator<Item = &str> {
        self.age.unusable()
    }

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
