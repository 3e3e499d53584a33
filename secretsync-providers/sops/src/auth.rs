//! The keys of a store: where they come from, and which of them opens a document.

mod age;
mod service;
mod unwrapping;

use std::sync::Arc;

use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};

use self::age::Identities;
pub(crate) use self::service::{Service, Services};
pub(crate) use self::unwrapping::Unwrapping;
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
    /// Obtains the keys as they are now.
    pub(crate) async fn load(&self) -> Result<KeyRing, Error> {
        let mut age = Identities::default();
        // One key that cannot be had is told only when no other opens the document: keys are rotated one after the other.
        let mut first = None;
        if let Some(ambient) = &self.ambient {
            match age::from_env(ambient.clone(), Identities::default()).await {
                Ok((identities, found)) => {
                    age = identities;
                    if !found && self.references.is_empty() {
                        first = Some(nothing_in_the_environment());
                    }
                }
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
        if let (true, true, Some(error)) = (age.is_empty(), self.services.is_empty(), first) {
            return Err(error);
        }
        Ok(KeyRing { age, services: Arc::clone(&self.services) })
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
pub(crate) struct KeyRing {
    age: Identities,
    services: Services,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(..)")
    }
}
