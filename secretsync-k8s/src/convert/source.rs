//! `data`, `dataFrom` and the stores they refer to.

use std::collections::BTreeSet;

use secretsync_core::access::KeyAccess;
use secretsync_core::error::{Code, Result};
use secretsync_core::provider::{self, Query, StoreOrigin};
use secretsync_core::sync::{self, DataEntry, KeyConversion, ProviderKey, Selection, SyncSpec, ValueRules};

use super::{StoreUse, check, rewrite};
use crate::api::external_secret::{
    ConversionStrategy, DataFrom, DecodingStrategy, DeletionPolicy, ExternalSecretSpec, Find, GeneratorRef,
    MetadataPolicy, NullBytePolicy, OnMissing, RemoteRef, SourceRef, StoreKind, StoreRef,
};
use crate::api::{GENERATORS_GROUP, KNOWN_GENERATORS, Manifest as _, VaultDynamicSecret, closest};
use crate::problems::{Problems, plain};

pub(super) fn check(spec: &ExternalSecretSpec, problems: &mut Problems) {
    // External Secrets Operator leaves that to its webhook; a cluster without it has such objects, and their Secrets are retained (`eso-compat.md` 0). Where
    // its policy would take keys away, it is refused: a list that got lost must not delete anything.
    let loses_nothing = spec.target.deletion_policy == DeletionPolicy::Retain;
    if spec.data.is_empty() && spec.data_from.is_empty() && !loses_nothing {
        problems.add("either data or dataFrom should be specified");
    }
    if let Some(name) = spec.secret_store_ref.as_ref().and_then(|store| store.name.as_ref()) {
        check::dns_subdomain("spec.secretStoreRef.name", name, problems);
    }
    check_data(spec, problems);
    for (index, entry) in spec.data_from.iter().enumerate() {
        check_data_from(&format!("spec.dataFrom[{index}]"), entry, spec, problems);
    }
}

/// Adds the sources to a sync. `spec` has passed [`check()`].
pub(super) fn fill(
    sync: &mut SyncSpec,
    namespace: &str,
    spec: &ExternalSecretSpec,
    mut store: impl FnMut(&StoreOrigin) -> Result<StoreUse>,
) -> Result<()> {
    let mut provider = |sync: &mut SyncSpec, origin: &StoreOrigin| {
        let StoreUse { key, access } = store(origin)?;
        // What is not noted may be read whole.
        if access != KeyAccess::everything() {
            sync.access.insert(key.clone(), access);
        }
        Ok(key)
    };
    for entry in &spec.data_from {
        if let Some(generator) = generator_of(entry) {
            let origin = StoreOrigin::generator(&generator.kind, namespace, &generator.name);
            let from = sync::DataFrom::generate(provider(sync, &origin)?, &generator.name);
            sync.data_from.push(from.with_rewrites(rewrite::rewrites(&entry.rewrite)));
            continue;
        }
        let Some(store) = store_of(entry.source_ref.as_ref(), spec) else { continue };
        let provider = provider(sync, &origin(store, namespace))?;
        let from = data_from(entry, spec.target.deletion_policy, provider);
        sync.data_from.extend(from.map(|from| from.on_missing(entry.on_missing.map(on_missing))));
    }
    for entry in &spec.data {
        let Some(store) = store_of(entry.source_ref.as_ref(), spec) else { continue };
        let provider = provider(sync, &origin(store, namespace))?;
        let reference = &entry.remote_ref;
        let mut data = DataEntry::new(&entry.secret_key, provider, remote(reference))
            .with_rules(rules(reference.decoding_strategy, reference.null_byte_policy))
            .on_missing(entry.on_missing.map(on_missing));
        data.property = given(reference.property.as_ref());
        sync.data.push(data);
    }
    Ok(())
}

fn check_data(spec: &ExternalSecretSpec, problems: &mut Problems) {
    let (mut seen, mut doubled) = (BTreeSet::new(), BTreeSet::new());
    for (index, entry) in spec.data.iter().enumerate() {
        let path = format!("spec.data[{index}]");
        check::secret_key(format_args!("{path}.secretKey"), &entry.secret_key, problems);
        check_source(&path, entry.source_ref.as_ref(), spec, problems);
        if let Some(source) = &entry.source_ref
            && source.store_ref.is_some() == source.generator_ref.is_some()
        {
            problems.at(format_args!("{path}.sourceRef"), "must have exactly one member, `storeRef`");
        }
        if spec.target.deletion_policy == DeletionPolicy::Retain && !seen.insert(&entry.secret_key) {
            doubled.insert(&entry.secret_key);
        }
    }
    for key in doubled {
        problems.add(format_args!("duplicate secretKey found: {}", plain(key)));
    }
}

fn check_data_from(path: &str, entry: &DataFrom, spec: &ExternalSecretSpec, problems: &mut Problems) {
    let generator = generator_of(entry);
    let sources =
        usize::from(entry.extract.is_some()) + usize::from(entry.find.is_some()) + usize::from(generator.is_some());
    match (sources, &entry.source_ref) {
        (0, None) => problems.at(path, "either extract, find, or sourceRef must be set to dataFrom"),
        (0, Some(SourceRef { store_ref: None, .. })) => {
            problems.at(path, "generatorRef or storeRef must be set when using sourceRef in dataFrom");
        }
        (0, Some(_)) => problems.at(path, "must have `extract` or `find` beside `sourceRef.storeRef`"),
        (1, _) => {}
        // Only `find` runs then (`eso-compat.md` 0).
        (2, _) if generator.is_none() => {}
        _ => problems.at(path, "extract, find, or generatorRef cannot be set at the same time"),
    }
    if let Some(SourceRef { store_ref: Some(_), generator_ref: Some(_) }) = &entry.source_ref {
        problems.at(format_args!("{path}.sourceRef"), "must have exactly one member");
    }
    match generator {
        Some(generator) => check_generator(&format!("{path}.sourceRef.generatorRef"), generator, problems),
        None => check_source(path, entry.source_ref.as_ref(), spec, problems),
    }
    rewrite::check(path, &entry.rewrite, problems);
}

fn generator_of(entry: &DataFrom) -> Option<&GeneratorRef> {
    entry.source_ref.as_ref()?.generator_ref.as_ref()
}

/// A generator that can be used here. No store is needed beside it.
fn check_generator(path: &str, generator: &GeneratorRef, problems: &mut Problems) {
    let api_version = generator.api_version.as_deref().filter(|version| !version.is_empty());
    let group = api_version.map(|version| version.split('/').next().unwrap_or_default());
    if group.is_some_and(|group| group != GENERATORS_GROUP) {
        problems.at(format_args!("{path}.apiVersion"), format_args!("must be of the group {GENERATORS_GROUP}"));
    }
    if KNOWN_GENERATORS.contains(&generator.kind.as_str()) {
        problems.unsupported(format_args!("{path} (kind {})", generator.kind));
    } else if generator.kind != VaultDynamicSecret::KIND {
        let near = closest(&generator.kind, KNOWN_GENERATORS.iter().copied().chain([VaultDynamicSecret::KIND]));
        let advice = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        problems.at(format_args!("{path}.kind"), format_args!("there is no such generator{advice}"));
    }
    check::dns_subdomain(format_args!("{path}.name"), &generator.name, problems);
}

/// An entry's own store or, without one, that there is a store for the whole object.
fn check_source(path: &str, source: Option<&SourceRef>, spec: &ExternalSecretSpec, problems: &mut Problems) {
    if source.is_some_and(|source| source.generator_ref.is_some()) {
        // There its store is looked for, and not found (`eso-compat.md` 0).
        return problems.unsupported_as(Code::StoreMissing, format_args!("{path}.sourceRef.generatorRef"));
    }
    match source.and_then(|source| source.store_ref.as_ref()) {
        Some(StoreRef { name: Some(name), .. }) => {
            check::dns_subdomain(format_args!("{path}.sourceRef.storeRef.name"), name, problems);
        }
        Some(_) => problems.no_store(format_args!("{path}.sourceRef.storeRef"), "missing field `name`"),
        None => match &spec.secret_store_ref {
            Some(StoreRef { name: Some(_), .. }) => {}
            Some(_) => {
                problems.no_store("spec.secretStoreRef", format_args!("missing field `name`, which `{path}` needs"));
            }
            None => {
                problems
                    .no_store(path, "has no store: set `spec.secretStoreRef`, or `sourceRef.storeRef` in the entry");
            }
        },
    }
}

fn store_of<'a>(source: Option<&'a SourceRef>, spec: &'a ExternalSecretSpec) -> Option<&'a StoreRef> {
    source.and_then(|source| source.store_ref.as_ref()).or(spec.secret_store_ref.as_ref())
}

fn origin(store: &StoreRef, namespace: &str) -> StoreOrigin {
    let name = store.name.clone().unwrap_or_default();
    match store.kind {
        StoreKind::ClusterSecretStore => StoreOrigin::cluster(name),
        StoreKind::SecretStore => StoreOrigin::namespaced(namespace, name),
    }
}

fn data_from(entry: &DataFrom, deletion: DeletionPolicy, provider: ProviderKey) -> Option<sync::DataFrom> {
    if let Some(reference) = entry.extract.as_ref().filter(|_| entry.find.is_none()) {
        let selection = Selection::Extract { remote: remote(reference), property: given(reference.property.as_ref()) };
        let conversion = conversion(reference.conversion_strategy);
        let rules = rules(reference.decoding_strategy, reference.null_byte_policy);
        let from = sync::DataFrom::new(provider, selection).with_conversion(conversion).with_rules(rules);
        return Some(from.with_rewrites(rewrite::rewrites(&entry.rewrite)));
    }
    let find = entry.find.as_ref()?;
    let rules = rules(find.decoding_strategy, find.null_byte_policy);
    Some(
        sync::DataFrom::find(provider, query(find, deletion))
            .with_conversion(conversion(find.conversion_strategy))
            .with_rewrites(rewrite::rewrites(&entry.rewrite))
            .with_rules(rules),
    )
}

fn remote(reference: &RemoteRef) -> provider::RemoteRef {
    let mut remote = provider::RemoteRef::new(&reference.key);
    remote.version = given(reference.version.as_ref());
    remote.metadata = reference.metadata_policy == Some(MetadataPolicy::Fetch);
    remote
}

fn query(find: &Find, deletion: DeletionPolicy) -> Query {
    let mut query = Query::default();
    query.path = given(find.path.as_ref());
    // An empty expression is one that everything matches, which is more than none: some providers refuse to look for nothing in particular.
    query.name = find.name.as_ref().map(|name| name.regexp.clone().unwrap_or_default());
    query.tags.clone_from(&find.tags);
    // As with an object that is not there (`eso-compat.md` 2.6 and 4.7).
    query.must_exist = deletion == DeletionPolicy::Retain;
    query
}

/// A text that is there and not empty: Go, where the manifests come from, does not tell the two apart.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn conversion(strategy: Option<ConversionStrategy>) -> KeyConversion {
    match strategy.unwrap_or_default() {
        ConversionStrategy::Default => KeyConversion::Default,
        ConversionStrategy::Unicode => KeyConversion::Unicode,
    }
}

fn rules(strategy: Option<DecodingStrategy>, null_bytes: Option<NullBytePolicy>) -> ValueRules {
    let null_bytes = match null_bytes.unwrap_or_default() {
        NullBytePolicy::Fail => sync::NullBytePolicy::Fail,
        NullBytePolicy::Ignore => sync::NullBytePolicy::Ignore,
    };
    ValueRules::new(decoding(strategy), null_bytes)
}

fn on_missing(choice: OnMissing) -> sync::OnMissing {
    match choice {
        OnMissing::Fail => sync::OnMissing::Fail,
        OnMissing::Keep => sync::OnMissing::Keep,
        OnMissing::Skip => sync::OnMissing::Skip,
    }
}

/// How a value is decoded, here and in templates.
pub(super) fn decoding(strategy: Option<DecodingStrategy>) -> sync::DecodingStrategy {
    match strategy.unwrap_or_default() {
        DecodingStrategy::Auto => sync::DecodingStrategy::Auto,
        DecodingStrategy::Base64 => sync::DecodingStrategy::Base64,
        DecodingStrategy::Base64Url => sync::DecodingStrategy::Base64Url,
        DecodingStrategy::None => sync::DecodingStrategy::None,
    }
}
