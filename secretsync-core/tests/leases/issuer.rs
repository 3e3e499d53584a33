//! A provider that issues, and what tests need around it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Error, ErrorKind, Result};
use secretsync_core::json::Json;
use secretsync_core::memory::MemoryStore;
use secretsync_core::object::{ObjectRef, Read};
use secretsync_core::provider::{
    FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Renewed,
};
use secretsync_core::secret::{Lease, Parent, Secret, SecretObject, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataEntry, ProviderKey, Reason, SyncReport, SyncSpec};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// Issues numbered credentials and writes down what it is asked, with the seconds since the start.
#[derive(Debug)]
pub(crate) struct Issuer {
    info: ProviderInfo,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each test turns one of them")]
pub(crate) struct State {
    /// How long a credential lasts, and how much longer it can be made to last in all.
    pub(crate) ttl: Duration,
    pub(crate) longest: Duration,
    pub(crate) leased: bool,
    pub(crate) rotates: bool,
    pub(crate) renewable: bool,
    pub(crate) failure: Option<Error>,
    pub(crate) renewal_failure: Option<Error>,
    /// What every renewal answers.
    pub(crate) renewal: Option<Renewed>,
    /// How long an issuing request takes.
    pub(crate) slow: Duration,
    /// How far the end is off; `None` where none is told.
    pub(crate) no_end: bool,
    pub(crate) past: Duration,
    pub(crate) unversioned: bool,
    pub(crate) closed: u32,
    pub(crate) hangs: bool,
    /// The login that everything hangs on.
    pub(crate) parent: Option<Door>,
    pub(crate) issued: u32,
    pub(crate) rotation: u32,
    pub(crate) born: Vec<Instant>,
    pub(crate) log: Vec<(u64, String)>,
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

/// A loop without pause would never let the paused clock go on: after so many calls there is no answer.
pub(crate) const LIMIT: u32 = 1000;
pub(crate) const HOUR: Duration = Duration::from_hours(1);

impl Issuer {
    pub(crate) fn new(change: impl FnOnce(&mut State)) -> Arc<Self> {
        let mut state = State {
            ttl: HOUR,
            longest: 1000 * HOUR,
            leased: true,
            rotates: false,
            renewable: true,
            failure: None,
            renewal_failure: None,
            renewal: None,
            slow: Duration::ZERO,
            no_end: false,
            past: Duration::ZERO,
            unversioned: false,
            closed: 0,
            hangs: false,
            parent: None,
            issued: 0,
            rotation: 1,
            born: Vec::new(),
            log: Vec::new(),
        };
        change(&mut state);
        Arc::new(Self {
            info: ProviderInfo::new("issuer", "SecretStore shop/issuer"),
            begun: Instant::now(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn note(&self, state: &mut State, what: String) {
        state.log.push((self.begun.elapsed().as_secs(), what));
    }

    /// What was asked, without the times.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.iter().map(|(_, what)| what.clone()).collect()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.log().iter().filter(|entry| entry.starts_with(what)).count()
    }

    /// When something was asked first.
    pub(crate) fn when(&self, what: &str) -> u64 {
        let state = self.state();
        state.log.iter().find(|(_, entry)| entry == what).unwrap_or_else(|| panic!("no {what} in {:?}", state.log)).0
    }

    fn issue(&self, name: &str) -> Result<Fetched> {
        let mut state = self.state();
        if let Some(error) = state.failure.clone() {
            self.note(&mut state, "refuse".to_owned());
            return Err(error);
        }
        state.issued += 1;
        let number = state.issued;
        state.born.push(Instant::now());
        self.note(&mut state, format!("issue {number}"));
        let shown = if state.rotates { state.rotation } else { number };
        let text = format!(r#"{{"user": "{name}-{shown}"}}"#);
        let secret = Secret::object(SecretObject::new(json(&text)));
        let end = SystemTime::now() + state.ttl - state.past;
        let secret = if state.no_end {
            secret
        } else if state.rotates && state.unversioned {
            secret.with_rotation(end)
        } else if state.rotates {
            secret.with_rotation(end).with_version(shown.to_string())
        } else {
            secret.with_expiry(end)
        };
        let secret = match &state.parent {
            Some(door) => secret.with_parent(door.clone()),
            None => secret,
        };
        Ok(Fetched::Found(if state.leased {
            secret.with_lease(Lease::new(format!("lease-{number}"), state.renewable))
        } else {
            secret
        }))
    }
}

/// A login that ends half an hour after it was made, unless it is extended.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    end: SystemTime,
    last: Arc<Notify>,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self { end: SystemTime::now() + HOUR / 2, last: Arc::default() }
    }

    pub(crate) fn end(&self) -> SystemTime {
        self.end
    }

    /// Lets it be known that it will be extended no more.
    pub(crate) fn is_the_last(&self) {
        self.last.notify_one();
    }
}

#[async_trait]
impl Parent for Door {
    fn ends_at(&self) -> Option<SystemTime> {
        Some(self.end)
    }

    async fn last_end(&self) -> SystemTime {
        self.last.notified().await;
        self.end
    }
}

#[async_trait]
impl Provider for Issuer {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        Ok(ObjectRef::new(&reference.key).with_read(Read::Issuing))
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        Ok(if object.name().starts_with("kv") { Read::Repeatable } else { Read::Issuing })
    }

    async fn fetch(&self, objects: &[ObjectRef], _: &FetchOptions) -> Vec<Result<Fetched>> {
        assert_eq!(objects.len(), 1, "issuing reads are never batched");
        if objects[0].name() == "kv/broken" {
            return vec![Err(Error::new(ErrorKind::PermissionDenied, "read"))];
        }
        if objects[0].name() == "kv/hang" && self.state().hangs {
            std::future::pending::<()>().await;
        }
        if objects[0].name() == "kv/slow" {
            sleep(Duration::from_secs(20)).await;
        }
        if objects[0].name().starts_with("kv") {
            return vec![Ok(Fetched::Found(Secret::bytes(SecretValue::from("plain"))))];
        }
        let (slow, many) = {
            let state = self.state();
            (state.slow, state.issued >= LIMIT)
        };
        if many {
            std::future::pending::<()>().await;
        }
        sleep(slow).await;
        vec![self.issue(objects[0].name())]
    }

    async fn find(&self, _: &Query) -> Result<Vec<Found>> {
        Ok(Vec::new())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    async fn close(&self) {
        self.state().closed += 1;
    }
}

#[async_trait]
impl Leases for Issuer {
    async fn renew(&self, lease: &Lease, increment: Duration) -> Result<Renewed> {
        if self.count("renew") >= LIMIT as usize {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        self.note(&mut state, format!("renew {}", lease.id()));
        if let Some(error) = state.renewal_failure.clone() {
            return Err(error);
        }
        if let Some(renewal) = state.renewal {
            return Ok(renewal);
        }
        let number: usize = lease.id().trim_start_matches("lease-").parse().unwrap();
        let age = state.born.get(number - 1).map_or(Duration::ZERO, Instant::elapsed);
        let increment = if increment.is_zero() { state.ttl } else { increment };
        Ok(Renewed::new(increment.min(state.longest.saturating_sub(age)), true))
    }

    async fn revoke(&self, lease: &Lease) -> Result<()> {
        let mut state = self.state();
        self.note(&mut state, format!("revoke {}", lease.id()));
        Ok(())
    }
}

pub(crate) fn key() -> ProviderKey {
    ProviderKey::new("issuer")
}

pub(crate) fn spec() -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db")).with_data(entry("user", "creds"))
}

pub(crate) fn entry(name: &str, object: &str) -> DataEntry {
    let entry = DataEntry::new(name, key(), RemoteRef::new(object));
    if object.starts_with("kv") { entry } else { entry.with_property("user") }
}

pub(crate) fn engine(issuer: &Arc<Issuer>, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder(Arc::clone(store) as _).provider(key(), Arc::clone(issuer) as _).build()
}

pub(crate) fn setup(change: impl FnOnce(&mut State)) -> (Arc<Issuer>, Arc<MemoryStore>, Engine) {
    let (issuer, store) = (Issuer::new(change), Arc::new(MemoryStore::new()));
    let engine = engine(&issuer, &store);
    (issuer, store, engine)
}

pub(crate) fn user(store: &MemoryStore) -> String {
    let value = store.value("shop", "db", "user").expect("the key exists");
    value.expose_str().unwrap().to_owned()
}

pub(crate) fn written(report: &SyncReport) {
    assert_eq!(report.reason, Reason::Synced, "{:?}", report.error);
}

/// Lets background tasks run that are due now.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(10)).await;
}
