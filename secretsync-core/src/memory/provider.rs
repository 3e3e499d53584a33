//! A provider in memory.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::json::Json;
use crate::object::{ObjectRef, Part, Read};
use crate::provider::{Absence, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef};
use crate::regex::GoRegex;
use crate::secret::{Secret, SecretObject, SecretValue};

/// Objects that a program puts in. Keys are segments, as Vault's: surplus slashes vanish. Reads are counted.
///
/// ```
/// use secretsync_core::memory::MemoryProvider;
/// use secretsync_core::provider::ProviderExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let provider = MemoryProvider::new("demo").with_json("app/db", r#"{"user": "ann"}"#);
/// assert!(provider.fetch_key("/app//db").await.unwrap().is_some());
/// assert!(provider.fetch_key("app/other").await.unwrap().is_none());
/// assert_eq!(provider.reads("app/db"), 1);
/// # });
/// ```
#[derive(Debug)]
pub struct MemoryProvider {
    info: ProviderInfo,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Secret>,
    failures: HashMap<String, Error>,
    issuing: Vec<String>,
    reads: HashMap<String, usize>,
}

impl MemoryProvider {
    /// A provider without objects. `name` is what messages call its store.
    pub fn new(name: impl Into<String>) -> Self {
        let sixteen = NonZeroUsize::MIN.saturating_add(15);
        Self { info: ProviderInfo::new("memory", name).with_per_fetch(sixteen).with_find(), state: Mutex::default() }
    }

    /// Adds a structured object from JSON text; text that is no JSON is kept as bytes.
    #[must_use]
    pub fn with_json(self, key: &str, json: &str) -> Self {
        let secret = match Json::parse(json.as_bytes()) {
            Ok(tree) => Secret::object(SecretObject::new(tree)),
            Err(_) => Secret::bytes(SecretValue::from(json)),
        };
        self.with(key, secret)
    }

    /// Adds an object.
    #[must_use]
    pub fn with(self, key: &str, secret: Secret) -> Self {
        self.set(key, Some(secret));
        self
    }

    /// Makes every read of an object fail.
    #[must_use]
    pub fn with_failure(self, key: &str, error: Error) -> Self {
        self.state().failures.insert(canonical(key), error);
        self
    }

    /// Makes reads of an object issue something.
    #[must_use]
    pub fn with_issuing(self, key: &str) -> Self {
        self.state().issuing.push(canonical(key));
        self
    }

    /// Replaces an object, or takes it away.
    pub fn set(&self, key: &str, secret: Option<Secret>) {
        let key = canonical(key);
        let mut state = self.state();
        match secret {
            Some(secret) => drop(state.objects.insert(key, secret)),
            None => drop(state.objects.remove(&key)),
        }
    }

    /// How often an object was read.
    pub fn reads(&self, key: &str) -> usize {
        self.state().reads.get(&canonical(key)).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, object: &ObjectRef) -> Result<Fetched> {
        let mut state = self.state();
        *state.reads.entry(object.name().to_owned()).or_default() += 1;
        if let Some(error) = state.failures.get(object.name()) {
            return Err(error.clone());
        }
        Ok(state.objects.get(object.name()).cloned().map_or(Fetched::Absent(Absence::default()), Fetched::Found))
    }
}

#[async_trait]
impl Provider for MemoryProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        let refuse = |why: &'static str| {
            Err(Error::new(ErrorKind::InvalidConfig, "address")
                .on(format!("key `{}`", reference.key.escape_debug()))
                .because(why)
                .with_hint(Hint::new(Code::ManifestInvalid, "correct `remoteRef`")))
        };
        let key = canonical(&reference.key);
        if key.is_empty() || key.split('/').any(|part| part == "." || part == "..") || key.chars().any(char::is_control)
        {
            return refuse("it names no object");
        }
        if reference.version.is_some() || reference.metadata {
            return refuse("objects in memory have neither versions nor metadata");
        }
        let read = if self.state().issuing.contains(&key) { Read::Issuing } else { Read::Repeatable };
        Ok(ObjectRef::new(key).with_part(Part::Value).with_read(read))
    }

    async fn fetch(&self, objects: &[ObjectRef], _options: &FetchOptions) -> Vec<Result<Fetched>> {
        objects.iter().map(|object| self.answer(object)).collect()
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let pattern = query.name.as_deref().map(GoRegex::new).transpose().map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, "compile `find.name.regexp`")
                .with_source(error)
                .with_hint(Hint::new(Code::ManifestInvalid, "write the expression in RE2 syntax"))
        })?;
        let below = query.path.as_deref().map(canonical).filter(|path| !path.is_empty()).map(|path| path + "/");
        let state = self.state();
        let wanted = |key: &&String| {
            below.as_ref().is_none_or(|below| key.starts_with(below))
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(key))
        };
        Ok(state
            .objects
            .keys()
            .filter(wanted)
            .map(|key| Found::new(ObjectRef::new(key.clone()), key.clone()))
            .collect())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {}
}

fn canonical(key: &str) -> String {
    key.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}
