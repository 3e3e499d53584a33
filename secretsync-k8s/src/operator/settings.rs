//! What an operator is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secretsync_core::provider::{Ambient, StoreOrigin};

/// How an operator works. Names and defaults follow External Secrets Operator's flags (`eso-compat.md` 6.1) where they mean the same.
#[non_exhaustive]
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct OperatorSettings {
    /// Stores of another class, and ExternalSecrets that use them, are left alone. Stores without a class are anybody's.
    pub class: String,
    /// The only namespace to work in; `None` for all.
    pub namespace: Option<String>,
    /// How many syncs run at once.
    pub concurrency: usize,
    /// How many requests a second the API server is sent for long, and how many at once after a rest; `None` for as many as it bears.
    pub rate: Option<(f64, u32)>,
    /// How often a store is validated again that says nothing else.
    pub store_interval: Duration,
    /// Whether ExternalSecrets wait for their store to be `Ready`.
    pub gate: bool,
    /// How old `refreshTime` may become before it is written again where nothing else changed; zero for each refresh.
    pub heartbeat: Duration,
    /// Whether ClusterSecretStores are served.
    pub cluster_stores: bool,
    /// Whether SecretStores are validated.
    pub stores: bool,
    /// Whether ClusterExternalSecrets are spread over namespaces. They are not where the operator works in one namespace only.
    pub cluster_external_secrets: bool,
    /// What encloses the actions of templates; empty texts for `{{` and `}}`.
    pub delimiters: (String, String),
    /// The identity of this process that cluster stores without credentials of their own may use; `None` for nobody's.
    pub own_identity: Option<Ambient>,
    /// Whether the stores of namespaces may use it, too: then whoever may create a store in a namespace acts as this process.
    pub lends_to_namespaces: bool,
    /// The folder below which stores may name files and folders; `None` where they may name none.
    pub sops_root: Option<PathBuf>,
    /// Where `/healthz` and `/readyz` are served; `None` for nowhere.
    pub live_address: Option<SocketAddr>,
    /// Where `/metrics` is served; `None` for nowhere.
    pub metrics_address: Option<SocketAddr>,
    /// Whether figures bear the recommended labels (`app.kubernetes.io/…`) of the objects that they are about.
    pub extended_metric_labels: bool,
    /// How long the end may take.
    pub grace: Duration,
}

impl OperatorSettings {
    /// The identity that a store may use which names no credentials (design 9.2).
    pub(super) fn identity_for(&self, store: &StoreOrigin) -> Option<Ambient> {
        self.own_identity.clone().filter(|_| self.lends_to_namespaces || store.namespace().is_none())
    }
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            class: "default".to_owned(),
            namespace: None,
            concurrency: 64,
            rate: None,
            store_interval: Duration::from_mins(5),
            gate: true,
            heartbeat: Duration::from_mins(5),
            cluster_stores: true,
            stores: true,
            cluster_external_secrets: true,
            delimiters: (String::new(), String::new()),
            own_identity: None,
            lends_to_namespaces: false,
            sops_root: None,
            live_address: None,
            metrics_address: None,
            extended_metric_labels: false,
            grace: Duration::from_secs(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_the_process_is_lent_to_namespaces_only_where_that_is_allowed() {
        let (cluster, namespaced) = (StoreOrigin::cluster("aws"), StoreOrigin::namespaced("shop", "aws"));
        let mut settings = OperatorSettings::default();
        let lent = |settings: &OperatorSettings, store| settings.identity_for(store).is_some();
        assert!(!lent(&settings, &cluster));
        settings.own_identity = Some(Ambient::new(|_| None));
        assert!(lent(&settings, &cluster) && !lent(&settings, &namespaced));
        settings.lends_to_namespaces = true;
        assert!(lent(&settings, &cluster) && lent(&settings, &namespaced));
    }
}
