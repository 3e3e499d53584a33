//! SecretStore and ClusterSecretStore: the one provider that they configure.

use std::sync::Arc;
use std::time::Duration;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::layer::LayerSettings;
use secretsync_core::provider::{ProviderFactory, ProviderRegistry, RawConfig, StoreOrigin};
use secretsync_core::sync::ProviderKey;

use super::check;
use crate::access::Access;
use crate::api::{
    ClusterSecretStore, GoDuration, Manifest, RetrySettings, SecretStore, SecretStoreSpec, StoreInterval,
    VaultDynamicSecret, closest,
};
use crate::problems::{Problems, plain, quote, subject};

/// A store or a generator, checked: which provider it configures, and who may use it.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct StoreSpec {
    /// Which store it is.
    pub origin: StoreOrigin,
    /// The provider's kind: `vault`.
    pub kind: String,
    /// The provider's configuration.
    pub config: RawConfig,
    /// The class of the controller that handles it; `None` for any.
    pub controller: Option<String>,
    /// How failed calls are tried again, where the store says so.
    pub retry: Option<RetrySettings>,
    /// How often it is validated again, where the store says so.
    pub refresh_interval: Option<Duration>,
    /// Which namespaces may use it.
    pub access: Access,
}

impl StoreSpec {
    /// Whether it is another provider in each namespace that uses it: a reference of a cluster store without a namespace means the ExternalSecret's.
    pub fn is_referent(&self, registry: &ProviderRegistry) -> Result<bool> {
        if self.origin.namespace().is_some() {
            return Ok(false);
        }
        let factory = self.factory(registry)?;
        let references = factory.references(&self.config, &self.origin)?;
        let own = references.iter().any(|reference| reference.namespace().is_none());
        Ok(own || factory.depends_on_consumer(&self.config, &self.origin)?)
    }

    /// The engine's name of its provider for ExternalSecrets of a namespace.
    pub fn provider_key(&self, registry: &ProviderRegistry, namespace: &str) -> Result<ProviderKey> {
        Ok(if self.is_referent(registry)? {
            super::provider_key_in(&self.origin, namespace)
        } else {
            super::provider_key(&self.origin)
        })
    }

    /// The layers around its provider, with the retries that the store asks for.
    pub fn layers(&self) -> LayerSettings {
        let mut layers = LayerSettings::default();
        if let Some(retry) = &self.retry {
            // A negative number of retries means none; more than these would keep a one-shot run waiting for ever, and shorter pauses hammer the server.
            let times = retry.max_retries.map_or(layers.retry.retries, |times| usize::try_from(times).unwrap_or(0));
            let pause = retry.retry_interval.and_then(GoDuration::positive).unwrap_or(layers.retry.pause);
            layers.retry.retries = times.min(MOST_RETRIES);
            layers.retry.pause = pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            layers.retry.longest = layers.retry.longest.max(layers.retry.pause);
        }
        layers
    }

    /// Whether External Secrets Operator has this provider, too.
    pub(crate) fn is_of_external_secrets_operator(&self) -> bool {
        PROVIDERS.contains(&self.kind.as_str())
    }

    /// The factory of its provider. Kinds that exist elsewhere are told apart from those that do not exist.
    pub fn factory<'r>(&self, registry: &'r ProviderRegistry) -> Result<&'r Arc<dyn ProviderFactory>> {
        if self.origin.generator_kind().is_some() {
            return registry.generator(&self.kind).ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, "use")
                    .on(&self.origin)
                    .because("generators of this kind are not supported here")
                    .with_hint(Hint::new(Code::Unsupported, "leave it to External Secrets Operator"))
            });
        }
        registry.factory(&self.kind).ok_or_else(|| {
            let known: Vec<_> = registry.kinds().collect();
            let error =
                |kind| Error::new(kind, "read").on(format!("`spec.provider.{}` of {}", plain(&self.kind), self.origin));
            if PROVIDERS.contains(&self.kind.as_str()) {
                let advice =
                    format!("use one of {}, or leave the store to External Secrets Operator", known.join(", "));
                return error(ErrorKind::Unsupported)
                    .because("this provider is not supported here")
                    .with_hint(Hint::new(Code::Unsupported, advice));
            }
            let advice = match closest(&self.kind, known.iter().copied().chain(PROVIDERS.iter().copied())) {
                Some(near) => format!("write `{near}` if that is what you meant"),
                None => format!("use one of {}", known.join(", ")),
            };
            error(ErrorKind::InvalidConfig)
                .because("there is no such provider")
                .with_hint(Hint::new(Code::StoreInvalid, advice))
        })
    }
}

/// Turns a SecretStore into the provider that it configures.
pub fn store(object: &SecretStore) -> Result<StoreSpec> {
    let metadata = &object.metadata;
    let mut problems = Problems::default();
    super::check_object(metadata, &mut problems);
    let origin = StoreOrigin::namespaced(metadata.namespace(), &metadata.name);
    build(origin, &super::describe(object), &object.spec, problems)
}

/// Turns a ClusterSecretStore into the provider that it configures.
pub fn cluster_store(object: &ClusterSecretStore) -> Result<StoreSpec> {
    let name = &object.metadata.name;
    let mut problems = Problems::default();
    check::dns_subdomain("metadata.name", name, &mut problems);
    build(StoreOrigin::cluster(name), &subject("ClusterSecretStore", None, name), &object.spec, problems)
}

/// Turns a `VaultDynamicSecret` into the provider that it is.
pub fn dynamic_secret(object: &VaultDynamicSecret) -> Result<StoreSpec> {
    let VaultDynamicSecret { metadata, spec, .. } = object;
    let mut problems = Problems::default();
    super::check_object(metadata, &mut problems);
    problems.into_result(&super::describe(object), Code::StoreInvalid)?;
    Ok(StoreSpec {
        origin: StoreOrigin::generator(VaultDynamicSecret::KIND, metadata.namespace(), &metadata.name),
        kind: VaultDynamicSecret::KIND.to_owned(),
        config: spec.config.clone(),
        controller: spec.controller.clone().filter(|class| !class.is_empty()),
        retry: spec.retry_settings,
        refresh_interval: None,
        access: Access::default(),
    })
}

fn build(origin: StoreOrigin, subject: &str, spec: &SecretStoreSpec, mut problems: Problems) -> Result<StoreSpec> {
    let access = Access::new(&spec.conditions, &mut problems);
    for (index, _) in spec.conditions.iter().enumerate().filter(|(_, condition)| condition.keys.is_some()) {
        if origin.namespace().is_some() {
            problems.at(format_args!("spec.conditions[{index}].keys"), "means something on a ClusterSecretStore only");
        }
    }
    let providers = spec.provider.iter();
    if providers.len() != 1 {
        problems.add(format_args!(
            "store error for {}: secret stores must only have exactly one backend specified, found {}",
            plain(origin.name()),
            providers.len()
        ));
    }
    problems.into_result(subject, Code::StoreInvalid)?;
    let (kind, config) =
        spec.provider.iter().next().ok_or_else(|| Error::new(ErrorKind::Internal, "read").on(quote(origin.name())))?;
    Ok(StoreSpec {
        kind: kind.to_owned(),
        config: config.clone(),
        controller: spec.controller.clone().filter(|class| !class.is_empty()),
        retry: spec.retry_settings,
        refresh_interval: spec.refresh_interval.and_then(StoreInterval::positive),
        // The schema has conditions on both kinds, but they mean something on a cluster store only.
        access: if origin.namespace().is_some() { Access::default() } else { access },
        origin,
    })
}

const MOST_RETRIES: usize = 10;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The providers of External Secrets Operator 2.9.
const PROVIDERS: &[&str] = &[
    "akeyless",
    "aws",
    "azurekv",
    "barbican",
    "beyondtrust",
    "beyondtrustworkloadcredentials",
    "bitwardensecretsmanager",
    "chef",
    "cloudrusm",
    "conjur",
    "crd",
    "delinea",
    "doppler",
    "dvls",
    "fake",
    "fortanix",
    "gcpsm",
    "github",
    "gitlab",
    "ibm",
    "infisical",
    "keepersecurity",
    "kubernetes",
    "nebiusmysterybox",
    "ngrok",
    "onboardbase",
    "onepassword",
    "onepasswordSDK",
    "openBao",
    "oracle",
    "ovh",
    "passbolt",
    "passworddepot",
    "previder",
    "pulumi",
    "scaleway",
    "secretserver",
    "senhasegura",
    "vault",
    "volcengine",
    "webhook",
    "yandexcertificatemanager",
    "yandexlockbox",
];
