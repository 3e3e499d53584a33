//! Texts of templates, read from Secrets and ConfigMaps of the cluster.

use std::fmt;

use async_trait::async_trait;
use kube::Client;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;
use secretsync_core::sync::{TemplateMissing, template_missing};

use super::Holding;
use crate::request::Server;

/// The texts that `templateFrom` refers to, from the cluster.
///
/// Each is read in the namespace that its reference names, and [`sync_spec`](crate::convert::sync_spec) names that of the ExternalSecret. Of a
/// ConfigMap only `data` counts, as in External Secrets Operator.
pub struct KubeTemplates(Server);

impl KubeTemplates {
    /// The texts that this client may read.
    pub fn new(client: Client) -> Self {
        Self(client.into())
    }

    /// The same, behind what bounds the requests of a program.
    pub(crate) fn over(server: Server) -> Self {
        Self(server)
    }
}

impl fmt::Debug for KubeTemplates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeTemplates").finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialSource for KubeTemplates {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        let namespace = reference.namespace().ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "read")
                .on(reference)
                .because("the reference names no namespace")
                .with_hint(Hint::new(Code::TemplateMissing, "name the namespace of the sync's owner"))
        })?;
        let object = Holding::read(&self.0, reference, namespace).await?;
        let mut object = object.ok_or_else(|| template_missing(reference, TemplateMissing::Object))?;
        object.binary_data = None;
        object.take(reference).ok_or_else(|| template_missing(reference, TemplateMissing::Key))
    }
}
