//! The kinds: names, scopes, columns (`eso-compat.md` 1.1 and 1.9).

use secretsync_core::schema;
use serde_json::{Value, json};

use super::status;
use crate::api::external_secret::ExternalSecretSpec;
use crate::api::{
    ClusterExternalSecretSpec, GENERATORS_GROUP, GROUP, Manifest as _, SecretStoreSpec, VaultDynamicSecret,
};

/// A kind and all that its type does not say.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) plural: &'static str,
    pub(super) short_names: &'static [&'static str],
    pub(super) categories: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    /// A version that may stand in the list of stored versions of a cluster, and is not served.
    pub(super) old_version: Option<&'static str>,
    pub(super) cluster_scoped: bool,
    pub(super) description: &'static str,
    pub(super) columns: &'static [Column],
    /// JSON paths that `kubectl get --field-selector` takes.
    pub(super) selectable: &'static [&'static str],
    pub(super) spec: Spec,
    pub(super) status: fn() -> Value,
}

/// Where the schema of a spec comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spec {
    /// Its type.
    Type(fn() -> Value),
    /// Its type, and the providers.
    Store(fn() -> Value),
    /// The factory of this kind of generators.
    Generator,
}

/// A column of `kubectl get`.
#[derive(Debug)]
pub(super) struct Column {
    name: &'static str,
    kind: &'static str,
    path: &'static str,
}

impl Kind {
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }
}

impl Column {
    const fn text(name: &'static str, path: &'static str) -> Self {
        Self { name, kind: "string", path }
    }

    const fn date(name: &'static str, path: &'static str) -> Self {
        Self { name, kind: "date", path }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"name": self.name, "type": self.kind, "jsonPath": self.path})
    }
}

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "ClusterExternalSecret",
        plural: "clusterexternalsecrets",
        short_names: &["ces"],
        cluster_scoped: true,
        description: "Makes an ExternalSecret in each namespace that it selects.",
        columns: &[
            Column::text("Store", ".spec.externalSecretSpec.secretStoreRef.name"),
            Column::text("Refresh Interval", ".spec.refreshTime"),
            Column::text("Ready", READY_STATUS),
        ],
        spec: Spec::Type(schema::of::<ClusterExternalSecretSpec>),
        status: status::cluster_external_secret,
        ..OURS
    },
    Kind {
        name: "ClusterSecretStore",
        plural: "clustersecretstores",
        short_names: &["css"],
        cluster_scoped: true,
        description: "Configures a provider for the ExternalSecrets of all namespaces, or of those that its conditions name.",
        ..STORE
    },
    Kind {
        name: "ExternalSecret",
        plural: "externalsecrets",
        short_names: &["es"],
        description: "Describes a sync: which objects of which providers become which keys of one Secret.",
        columns: &[
            Column::text("StoreType", ".spec.secretStoreRef.kind"),
            Column::text("Store", ".spec.secretStoreRef.name"),
            Column::text("Refresh Interval", ".spec.refreshInterval"),
            Column::text("Status", READY_REASON),
            Column::text("Ready", READY_STATUS),
            Column::date("Last Sync", ".status.refreshTime"),
        ],
        selectable: &[
            ".spec.secretStoreRef.name",
            ".spec.secretStoreRef.kind",
            ".spec.target.name",
            ".spec.refreshInterval",
        ],
        spec: Spec::Type(schema::of::<ExternalSecretSpec>),
        status: status::external_secret,
        ..OURS
    },
    Kind {
        name: "SecretStore",
        plural: "secretstores",
        short_names: &["ss"],
        description: "Configures a provider for the ExternalSecrets of its namespace.",
        ..STORE
    },
    Kind {
        name: VaultDynamicSecret::KIND,
        plural: "vaultdynamicsecrets",
        categories: &["external-secrets", "external-secrets-generators"],
        group: GENERATORS_GROUP,
        version: "v1alpha1",
        old_version: None,
        description: "Sends one request to Vault or OpenBao, and gives ExternalSecrets the keys of what it hands out.",
        spec: Spec::Generator,
        status: status::generator,
        ..OURS
    },
];

const STORE: Kind = Kind {
    columns: &[
        Column::date("AGE", ".metadata.creationTimestamp"),
        Column::text("Status", READY_REASON),
        Column::text("Capabilities", ".status.capabilities"),
        Column::text("Ready", READY_STATUS),
    ],
    spec: Spec::Store(schema::of::<SecretStoreSpec>),
    status: status::store,
    ..OURS
};

/// What most kinds have in common.
const OURS: Kind = Kind {
    name: "",
    plural: "",
    short_names: &[],
    categories: &["external-secrets"],
    group: GROUP,
    version: "v1",
    old_version: Some("v1beta1"),
    cluster_scoped: false,
    description: "",
    columns: &[],
    selectable: &[],
    spec: Spec::Type(|| Value::Bool(true)),
    status: status::store,
};

const READY_REASON: &str = r#".status.conditions[?(@.type=="Ready")].reason"#;
const READY_STATUS: &str = r#".status.conditions[?(@.type=="Ready")].status"#;
