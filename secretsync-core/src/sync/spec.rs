//! What a sync should do, parsed and checked: the engine never sees a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::policy::{
    CreationPolicy, DecodingStrategy, DeletionPolicy, KeyConversion, NullBytePolicy, OnMissing, RefreshPolicy,
};
use super::template::TemplateSpec;
use super::{Removal, Rewrite, Timing};
use crate::access::KeyAccess;
use crate::provider::{Query, RemoteRef};
use crate::store::{OwnerId, TargetMeta, TargetRef};

/// One sync: which objects, through which transformations, to which target.
///
/// ```
/// use secretsync_core::provider::RemoteRef;
/// use secretsync_core::store::{OwnerId, TargetRef};
/// use secretsync_core::sync::{DataEntry, ProviderKey, SyncSpec};
///
/// let spec = SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
///     .with_data(DataEntry::new("password", ProviderKey::new("vault"), RemoteRef::new("app/db")).with_property("password"));
/// assert_eq!(spec.data.len(), 1);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct SyncSpec {
    /// Whose sync it is.
    pub owner: OwnerId,
    /// What it writes.
    pub target: TargetRef,
    /// Whole objects, in order; later ones win.
    pub data_from: Vec<DataFrom>,
    /// Single keys, in order; they win over `data_from`.
    pub data: Vec<DataEntry>,
    /// Which objects of each provider may be read; all of a provider that is not named.
    pub access: BTreeMap<ProviderKey, KeyAccess>,
    /// How the target is made from the data; `None` takes the data as it is.
    pub template: Option<TemplateSpec>,
    /// Type, labels and annotations of the target, as far as no template makes them.
    pub meta: TargetMeta,
    /// What may be done to the target.
    pub creation: CreationPolicy,
    /// What happens when sources are gone.
    pub deletion: DeletionPolicy,
    /// When the target is written again.
    pub refresh: RefreshPolicy,
    /// When it runs again.
    pub timing: Timing,
    /// Whether nothing is read or written for now.
    pub suspended: bool,
    /// Whether its target may be removed now.
    pub removal: Removal,
}

/// The name under which a program gave the engine a provider: `SecretStore/shop/vault`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProviderKey {
    text: String,
    /// The length of the part of it that names the store.
    store: usize,
}

/// One key of the target.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct DataEntry {
    /// The key. The engine checks it.
    pub secret_key: String,
    /// The provider.
    pub provider: ProviderKey,
    /// The object.
    pub remote: RemoteRef,
    /// The property of the object; `None` takes it whole.
    pub property: Option<String>,
    /// What is done to the value.
    pub rules: ValueRules,
    /// What a missing object means; `None` leaves it to the deletion policy.
    pub on_missing: Option<OnMissing>,
}

/// Many keys of the target at once.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct DataFrom {
    /// The provider.
    pub provider: ProviderKey,
    /// What is taken.
    pub selection: Selection,
    /// How remote names become keys, where no change of the keys is asked for.
    pub conversion: KeyConversion,
    /// Changes to the keys, in order.
    pub rewrites: Vec<Rewrite>,
    /// What is done to each value.
    pub rules: ValueRules,
    /// What a missing object means; `None` leaves it to the deletion policy.
    pub on_missing: Option<OnMissing>,
}

/// What a `dataFrom` entry takes.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Selection {
    /// The members of one object.
    Extract {
        /// The object.
        remote: RemoteRef,
        /// The property that holds the members; `None` takes those of the object itself.
        property: Option<String>,
    },
    /// Each object that matches, whole.
    Find(Query),
    /// All that a generator gives, under its own names.
    Generate {
        /// What the generator is called.
        name: String,
    },
}

/// What is done to a value before it becomes the target's.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ValueRules {
    /// How it is decoded.
    pub decoding: DecodingStrategy,
    /// What a NUL byte in it means.
    pub null_bytes: NullBytePolicy,
}

/// Which entry of a spec something is about, as `Display`: `spec.data[0] (key: app/db)`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Origin(String);

impl SyncSpec {
    /// A sync without sources, under the default policies.
    pub fn new(owner: OwnerId, target: TargetRef) -> Self {
        Self {
            owner,
            target,
            data_from: Vec::new(),
            data: Vec::new(),
            access: BTreeMap::new(),
            template: None,
            meta: TargetMeta::default(),
            creation: CreationPolicy::default(),
            deletion: DeletionPolicy::default(),
            refresh: RefreshPolicy::default(),
            timing: Timing::default(),
            suspended: false,
            removal: Removal::default(),
        }
    }

    /// Adds a key.
    #[must_use]
    pub fn with_data(mut self, entry: DataEntry) -> Self {
        self.data.push(entry);
        self
    }

    /// Adds many keys at once.
    #[must_use]
    pub fn with_data_from(mut self, entry: DataFrom) -> Self {
        self.data_from.push(entry);
        self
    }

    /// Sets which objects of a provider may be read.
    #[must_use]
    pub fn with_access(mut self, provider: ProviderKey, access: KeyAccess) -> Self {
        self.access.insert(provider, access);
        self
    }

    /// Sets the template.
    #[must_use]
    pub fn with_template(mut self, template: Option<TemplateSpec>) -> Self {
        self.template = template;
        self
    }

    /// Sets type, labels and annotations.
    #[must_use]
    pub fn with_meta(mut self, meta: TargetMeta) -> Self {
        self.meta = meta;
        self
    }

    /// Sets the policies.
    #[must_use]
    pub fn with_policies(mut self, creation: CreationPolicy, deletion: DeletionPolicy, refresh: RefreshPolicy) -> Self {
        (self.creation, self.deletion, self.refresh) = (creation, deletion, refresh);
        self
    }

    /// Sets when it runs again.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets whether nothing is read or written for now.
    #[must_use]
    pub fn suspended(mut self, suspended: bool) -> Self {
        self.suspended = suspended;
        self
    }

    /// Sets whether its target may be removed now, if its sources are gone and its deletion policy removes it then.
    #[must_use]
    pub fn with_removal(mut self, removal: Removal) -> Self {
        self.removal = removal;
        self
    }

    /// The provider of each entry; one that several entries name comes as often.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderKey> {
        self.data_from.iter().map(|entry| &entry.provider).chain(self.data.iter().map(|entry| &entry.provider))
    }

    /// The keys of the target that it names itself; `dataFrom` and `templateFrom` may bring more.
    pub fn named_keys(&self) -> BTreeSet<&str> {
        let template = self.template.as_ref();
        let entries = self.data.iter().map(|entry| entry.secret_key.as_str());
        let entries = entries.filter(|_| template.is_none_or(TemplateSpec::keeps_data));
        entries.chain(template.iter().flat_map(|template| template.data.keys().map(String::as_str))).collect()
    }

    /// Which objects of a provider may be read.
    pub fn access_to(&self, provider: &ProviderKey) -> KeyAccess {
        self.access.get(provider).cloned().unwrap_or_default()
    }
}

impl ProviderKey {
    /// Any text that the program chooses.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { store: text.len(), text }
    }

    /// The name of one store for somebody who has a provider of his own there: `ClusterSecretStore/vault@shop`.
    #[must_use]
    pub fn for_consumer(&self, consumer: &str) -> Self {
        Self { text: format!("{}@{consumer}", self.text), store: self.store }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part of it that names the store, the same for all who have providers of their own there.
    pub fn store(&self) -> &str {
        &self.text[..self.store]
    }
}

impl fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DataEntry {
    /// A key that takes an object whole.
    pub fn new(secret_key: impl Into<String>, provider: ProviderKey, remote: RemoteRef) -> Self {
        let rules = ValueRules::default();
        Self { secret_key: secret_key.into(), provider, remote, property: None, rules, on_missing: None }
    }

    /// Takes a property of the object.
    #[must_use]
    pub fn with_property(mut self, property: impl Into<String>) -> Self {
        self.property = Some(property.into());
        self
    }

    /// Sets what is done to the value.
    #[must_use]
    pub fn with_rules(mut self, rules: ValueRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets what a missing object means.
    #[must_use]
    pub fn on_missing(mut self, on_missing: Option<OnMissing>) -> Self {
        self.on_missing = on_missing;
        self
    }
}

impl DataFrom {
    /// The members of one object.
    pub fn extract(provider: ProviderKey, remote: RemoteRef) -> Self {
        Self::new(provider, Selection::Extract { remote, property: None })
    }

    /// Each object that matches.
    pub fn find(provider: ProviderKey, query: Query) -> Self {
        Self::new(provider, Selection::Find(query))
    }

    /// All that a generator gives. Its names are keys already: they are rewritten, but not converted.
    pub fn generate(provider: ProviderKey, name: impl Into<String>) -> Self {
        Self::new(provider, Selection::Generate { name: name.into() })
    }

    /// A selection with default rules.
    pub fn new(provider: ProviderKey, selection: Selection) -> Self {
        Self {
            provider,
            selection,
            conversion: KeyConversion::default(),
            rewrites: Vec::new(),
            rules: ValueRules::default(),
            on_missing: None,
        }
    }

    /// Takes the members of a property instead of those of the object itself. Means nothing for a search.
    #[must_use]
    pub fn with_property(mut self, named: impl Into<String>) -> Self {
        if let Selection::Extract { property, .. } = &mut self.selection {
            *property = Some(named.into());
        }
        self
    }

    /// Sets how names become keys.
    #[must_use]
    pub fn with_conversion(mut self, conversion: KeyConversion) -> Self {
        self.conversion = conversion;
        self
    }

    /// Sets the changes to the keys.
    #[must_use]
    pub fn with_rewrites(mut self, rewrites: Vec<Rewrite>) -> Self {
        self.rewrites = rewrites;
        self
    }

    /// Sets what is done to each value.
    #[must_use]
    pub fn with_rules(mut self, rules: ValueRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets what a missing object means.
    #[must_use]
    pub fn on_missing(mut self, on_missing: Option<OnMissing>) -> Self {
        self.on_missing = on_missing;
        self
    }
}

impl Selection {
    /// The property that holds the members, where one is named.
    pub fn property(&self) -> Option<&str> {
        match self {
            Self::Extract { property, .. } => property.as_deref(),
            Self::Find(_) | Self::Generate { .. } => None,
        }
    }
}

impl ValueRules {
    /// Decoding and NUL bytes.
    pub fn new(decoding: DecodingStrategy, null_bytes: NullBytePolicy) -> Self {
        Self { decoding, null_bytes }
    }
}

impl Origin {
    pub(crate) fn data(index: usize, entry: &DataEntry) -> Self {
        Self(format!("spec.data[{index}] (key: {})", entry.remote.key))
    }

    pub(crate) fn data_from(index: usize, entry: &DataFrom) -> Self {
        Self(match &entry.selection {
            Selection::Extract { remote, .. } => format!("spec.dataFrom[{index}].extract (key: {})", remote.key),
            Selection::Find(_) => format!("spec.dataFrom[{index}].find"),
            Selection::Generate { name } => {
                format!("spec.dataFrom[{index}].sourceRef.generatorRef (name: {name})")
            }
        })
    }

    pub(crate) fn template_from(index: usize) -> Self {
        Self(format!("spec.target.template.templateFrom[{index}]"))
    }
}

impl Origin {
    /// One of the things that the entry stands for.
    pub(crate) fn naming(&self, name: &str) -> Self {
        Self(format!("{self} (name: {})", name.escape_debug()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
