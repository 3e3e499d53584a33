//! From manifests to what the engine takes: parsed, not validated, so that nothing downstream checks again.

mod check;
mod rewrite;
mod source;
mod store;
mod target;
mod template;
mod timing;

use secretsync_core::access::KeyAccess;
use secretsync_core::error::{Code, Result};
use secretsync_core::provider::StoreOrigin;
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{self, ProviderKey, SyncSpec};

pub(crate) use check::is_dns_subdomain;
pub use store::{StoreSpec, cluster_store, dynamic_secret, store};

use crate::api::external_secret::{ExternalSecret, ExternalSecretSpec, RefreshPolicy};
use crate::api::{Manifest, Metadata};
use crate::problems::{Problems, subject};

/// A store as the objects of one namespace use it.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct StoreUse {
    /// The engine's name of its provider; [`provider_key`] is the usual one.
    pub key: ProviderKey,
    /// Which objects may be read.
    pub access: KeyAccess,
}

impl StoreUse {
    /// A store under the engine's name, and what [`Access::check`](crate::access::Access::check) granted.
    pub fn new(key: ProviderKey, access: KeyAccess) -> Self {
        Self { key, access }
    }
}

/// Turns an ExternalSecret into a sync.
///
/// Every rule of the schema and of External Secrets Operator's admission is checked, and all violations are reported together. What is known but
/// not supported yet is refused by name, never ignored.
///
/// `store` says how the object may use each store that it refers to. An error of its own ends the conversion: a store that is not there, or not for this
/// namespace ([`Access::check`](crate::access::Access::check)).
pub fn sync_spec(object: &ExternalSecret, store: impl FnMut(&StoreOrigin) -> Result<StoreUse>) -> Result<SyncSpec> {
    let ExternalSecret { metadata, spec, .. } = object;
    let mut problems = Problems::default();
    check_object(metadata, &mut problems);
    timing::check(spec, &mut problems);
    source::check(spec, &mut problems);
    target::check(&spec.target, &mut problems);
    problems.into_result(&describe(object), Code::ManifestInvalid)?;

    let mut owner = OwnerId::new(metadata.namespace(), &metadata.name);
    if let Some(uid) = &metadata.uid {
        owner = owner.with_uid(uid);
    }
    let target = TargetRef::new(metadata.namespace(), spec.target.name.as_deref().unwrap_or(&metadata.name));
    let mut sync = SyncSpec::new(owner, target);
    source::fill(&mut sync, metadata.namespace(), spec, store)?;
    let (creation, deletion) = target::policies(&spec.target);
    Ok(sync
        .with_meta(target::meta(&spec.target, metadata))
        .with_template(spec.target.template.as_ref().map(|text| template::spec(text, metadata.namespace())))
        .with_policies(creation, deletion, refresh(spec))
        .with_timing(timing::timing(spec))
        .suspended(spec.suspend == Some(true)))
}

/// The usual name of a store in the engine: `SecretStore/shop/vault`, `ClusterSecretStore/vault`.
pub fn provider_key(store: &StoreOrigin) -> ProviderKey {
    ProviderKey::new(match store.namespace() {
        Some(namespace) if let Some(kind) = store.generator_kind() => format!("{kind}/{namespace}/{}", store.name()),
        Some(namespace) => format!("SecretStore/{namespace}/{}", store.name()),
        None => format!("ClusterSecretStore/{}", store.name()),
    })
}

/// The name of a cluster store whose configuration refers to objects without naming their namespace: it is another provider for each namespace that
/// uses it, `ClusterSecretStore/vault@shop`.
pub fn provider_key_in(store: &StoreOrigin, namespace: &str) -> ProviderKey {
    provider_key(store).for_consumer(namespace)
}

/// How an object is called in messages.
fn describe<T: Manifest>(object: &T) -> String {
    let metadata = object.metadata();
    subject(T::KIND, Some(metadata.namespace()), &metadata.name)
}

fn check_object(metadata: &Metadata, problems: &mut Problems) {
    check::dns_subdomain("metadata.name", &metadata.name, problems);
    check::dns_label("metadata.namespace", metadata.namespace(), problems);
}

fn refresh(spec: &ExternalSecretSpec) -> sync::RefreshPolicy {
    match spec.refresh_policy {
        Some(RefreshPolicy::CreatedOnce) => sync::RefreshPolicy::CreatedOnce,
        Some(RefreshPolicy::OnChange) => sync::RefreshPolicy::OnChange,
        Some(RefreshPolicy::Periodic) | None => sync::RefreshPolicy::Periodic,
    }
}

#[cfg(test)]
mod tests;
