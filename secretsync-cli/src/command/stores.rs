//! From SecretStores to providers: only those that a sync needs are built, each once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secretsync_core::access::KeyAccess;
use secretsync_core::engine::EngineBuilder;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{Ambient, BuildContext, NoCredentials, Provider, ProviderRegistry, StoreOrigin};
use secretsync_core::sync::ProviderKey;
use secretsync_k8s::api::{self, ClusterSecretStore, Manifest as _, ObjectKind, SecretStore, VaultDynamicSecret};
use secretsync_k8s::convert::{self, StoreSpec, StoreUse};

use crate::credentials::{CredentialPool, StoreCredentials};
use crate::manifests::{Object, Place};
use crate::providers;

/// The stores among the manifests, and the providers that syncs asked for.
pub(super) struct Stores {
    known: BTreeMap<StoreOrigin, Known>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    registry: ProviderRegistry,
    wanted: BTreeMap<ProviderKey, Wanted>,
}

struct Known {
    spec: Result<StoreSpec>,
    place: Place,
}

/// A provider to build: the store, and the namespace on whose behalf it resolves references.
struct Wanted {
    spec: StoreSpec,
    folder: PathBuf,
    consumer: String,
}

impl Stores {
    pub(super) fn new(objects: Vec<Object>, namespaces: BTreeMap<String, BTreeMap<String, String>>) -> Self {
        let known = objects.into_iter().map(known).collect();
        Self { known, namespaces, registry: providers::registry(), wanted: BTreeMap::new() }
    }

    /// How ExternalSecrets of a namespace may use a store; asks for its provider to be built.
    pub(super) fn admit(&mut self, origin: &StoreOrigin, namespace: &str) -> Result<StoreUse> {
        let Some(known) = self.known.get(origin) else { return Err(self.missing(origin)) };
        let spec = known.spec.clone()?;
        let access = self.access(&spec, namespace)?;
        let key = spec.provider_key(&self.registry, namespace).map_err(|error| error.within("read", &known.place))?;
        let wanted = Wanted { spec, folder: known.place.folder(), consumer: namespace.to_owned() };
        self.wanted.entry(key.clone()).or_insert(wanted);
        Ok(StoreUse::new(key, access))
    }

    /// What the providers that were asked for read from files, and whose it is. A configuration that cannot work is told where its provider is built.
    pub(super) fn paths(&self) -> BTreeMap<PathBuf, Vec<ProviderKey>> {
        let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, wanted) in &self.wanted {
            let context = BuildContext::new(wanted.spec.origin.clone(), Arc::new(NoCredentials::default()))
                .with_base(Some(wanted.folder.clone()));
            let read = wanted.spec.factory(&self.registry).and_then(|known| known.paths(&wanted.spec.config, &context));
            for path in read.unwrap_or_default() {
                paths.entry(path).or_default().push(key.clone());
            }
        }
        paths
    }

    /// Builds every provider that was asked for. One that cannot be built fails its own syncs only.
    pub(super) async fn build(
        self,
        mut builder: EngineBuilder,
        pool: &Arc<CredentialPool>,
        ambient: Option<Ambient>,
    ) -> EngineBuilder {
        for (key, wanted) in self.wanted {
            builder = builder.layers(wanted.spec.layers());
            builder = match build(&self.registry, wanted, pool, ambient.clone()).await {
                Ok(provider) => builder.provider(key, provider),
                Err(error) => builder.broken_provider(key, error),
            };
        }
        builder
    }

    fn access(&self, spec: &StoreSpec, namespace: &str) -> Result<KeyAccess> {
        let nothing = BTreeMap::new();
        let labels = self.namespaces.get(namespace);
        let checked = spec.access.check(&spec.origin, namespace, labels.unwrap_or(&nothing));
        if spec.access.needs_labels() && labels.is_none() {
            let advice = format!("give the Namespace `{namespace}` with -f: the store's conditions look at its labels");
            return checked.map_err(|error| error.with_hint(Hint::new(Code::StoreInvalid, advice)));
        }
        checked
    }

    fn missing(&self, origin: &StoreOrigin) -> Error {
        let generator = origin.generator_kind().is_some();
        let (what, field) = if generator { ("generator", "generatorRef") } else { ("store", "secretStoreRef") };
        let near: Vec<_> = self
            .known
            .keys()
            .filter(|known| known.generator_kind().is_some() == generator)
            .filter(|known| known.namespace().is_none() || known.namespace() == origin.namespace())
            .map(|known| format!("`{known}`"))
            .collect();
        let advice = if near.is_empty() {
            format!("give the {what} with -f; none was given that this ExternalSecret could use")
        } else {
            format!("correct `{field}`, or give the {what} with -f; given are {}", near.join(", "))
        };
        Error::new(ErrorKind::InvalidConfig, "find")
            .on(origin)
            .because(format!("there is no such {what} among the manifests"))
            .with_hint(Hint::new(Code::StoreMissing, advice))
    }
}

fn known(object: Object) -> (StoreOrigin, Known) {
    let place = object.place.clone();
    let origin = match &object.namespace {
        Some(namespace) if object.kind == ObjectKind::VaultDynamicSecret => {
            StoreOrigin::generator(VaultDynamicSecret::KIND, namespace, &object.name)
        }
        Some(namespace) => StoreOrigin::namespaced(namespace, &object.name),
        None => StoreOrigin::cluster(&object.name),
    };
    let spec = match object.kind {
        ObjectKind::ClusterSecretStore => {
            api::parse::<ClusterSecretStore>(object.manifest).and_then(|store| convert::cluster_store(&store))
        }
        ObjectKind::VaultDynamicSecret => {
            api::parse::<VaultDynamicSecret>(object.manifest).and_then(|generator| convert::dynamic_secret(&generator))
        }
        _ => api::parse::<SecretStore>(object.manifest).and_then(|store| convert::store(&store)),
    };
    (origin, Known { spec: spec.map_err(|error| error.within("read", &place)), place })
}

async fn build(
    registry: &ProviderRegistry,
    wanted: Wanted,
    pool: &Arc<CredentialPool>,
    ambient: Option<Ambient>,
) -> Result<Arc<dyn Provider>> {
    let Wanted { spec, folder, consumer } = wanted;
    let credentials = StoreCredentials::new(Arc::clone(pool), &spec.origin, &*consumer);
    let context = BuildContext::new(spec.origin.clone(), Arc::new(credentials))
        .with_own_identity(ambient.clone())
        .with_ambient(ambient)
        .for_consumer(consumer)
        .with_base(Some(folder));
    spec.factory(registry)?.build(&spec.config, context).await
}
