//! Texts of templates without a cluster: from where credentials come from, in the same order.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::error::Result;
use secretsync_core::provider::{CredentialKind, CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;
use secretsync_core::sync::{TemplateMissing, template_missing};
use secretsync_k8s::KubeTemplates;

use super::{Cluster, CredentialPool};

/// The texts that `templateFrom` refers to.
#[derive(Debug)]
pub(crate) struct TemplateTexts(Arc<CredentialPool>);

impl TemplateTexts {
    /// Texts out of `pool`.
    pub(crate) fn new(pool: Arc<CredentialPool>) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl CredentialSource for TemplateTexts {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        let CredentialPool { references, flags, cluster } = &*self.0;
        let namespace = reference.namespace().unwrap_or_default();
        if let Some(text) = references.template(reference, namespace) {
            return text;
        }
        let of_secret = reference.kind() == CredentialKind::Secret;
        if let Some(flag) = flags.iter().find(|flag| of_secret && flag.answers(reference, namespace)) {
            return flag.value();
        }
        match cluster {
            Some(Cluster(client)) => KubeTemplates::new(client.clone()).resolve(reference).await,
            None if references.has(reference, namespace) => Err(template_missing(reference, TemplateMissing::Key)),
            None => Err(template_missing(reference, TemplateMissing::Object)),
        }
    }
}
