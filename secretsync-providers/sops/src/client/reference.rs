//! Documents in the keys of a `ConfigMap` or Secret.

use std::sync::Arc;

use secretsync_core::provider::{CredentialKind, CredentialRef, CredentialSource};
use zeroize::Zeroizing;

use super::Content;
use crate::config::SopsObjectRef;
use crate::document::Format;
use crate::error::Error;

/// A `ConfigMap` or Secret whose keys are documents.
#[derive(Debug)]
pub(crate) struct Reference {
    kind: CredentialKind,
    object: SopsObjectRef,
    credentials: Arc<dyn CredentialSource>,
}

impl Reference {
    pub(crate) fn new(kind: CredentialKind, object: SopsObjectRef, credentials: Arc<dyn CredentialSource>) -> Self {
        Self { kind, object, credentials }
    }

    /// A missing key is an error like any other: nobody said whether the object was there.
    pub(crate) async fn read(&self, name: &str) -> Result<Content, Error> {
        let document = self.credentials.resolve(&key(self.kind, &self.object, name)).await.map_err(Error::Source)?;
        Ok(Zeroizing::new(document.expose().to_vec()))
    }

    /// The keys that are documents, sorted: those with the ending of a format, and others that sops encrypted.
    pub(crate) async fn names(&self) -> Result<Vec<String>, Error> {
        let keys = self.credentials.keys(&key(self.kind, &self.object, "*")).await.map_err(Error::Source)?;
        let mut names = Vec::with_capacity(keys.len());
        for name in keys {
            if Format::of(&name) != Format::Binary || Format::is_binary_document(&self.read(&name).await?) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The reference to one key of the object; `*` stands for all of them, and is no name that a key can have.
pub(crate) fn key(kind: CredentialKind, object: &SopsObjectRef, key: &str) -> CredentialRef {
    let reference = match kind {
        CredentialKind::ConfigMap => CredentialRef::config_map(&object.name, key),
        _ => CredentialRef::secret(&object.name, key),
    };
    reference.in_namespace(object.namespace.clone())
}
