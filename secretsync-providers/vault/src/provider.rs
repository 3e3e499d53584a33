//! Objects of Vault as secrets.

pub(crate) mod issued;
mod payload;
mod seen;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use secretsync_core::Result;
use secretsync_core::error::Retry;
use secretsync_core::net::Cause;
use secretsync_core::object::{ObjectRef, Part, Read};
use secretsync_core::provider::{
    Absence, BuildContext, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef,
};
use tokio::time::timeout;

use self::seen::Seen;
use crate::client::{Answer, Request};
use crate::config::{KvVersion, Settings, VaultConfig};
use crate::error::Failure;
use crate::find::{Finder, Search};
use crate::lease::{Handed, SessionLeases};
use crate::mounts::{Mounts, plain, question};
use crate::session::{Pool, Session};
use crate::{Member, VAULT, address};

/// A Vault or OpenBao server, seen through one store.
///
/// # Secrets
///
/// The token and the values are wiped when they are dropped, as far as they are in our hands: the HTTP and TLS libraries make copies of their own.
#[derive(Debug)]
pub struct VaultProvider {
    info: ProviderInfo,
    session: Arc<Session>,
    mounts: Arc<Mounts>,
    leases: SessionLeases,
    seen: Seen,
}

impl VaultProvider {
    /// Checks a configuration. Nothing is sent and no credential is resolved before the first use.
    pub fn new(config: &VaultConfig, context: BuildContext) -> Result<Self> {
        Self::sharing(VAULT, config, context, None)
    }

    /// As [`new`](Self::new), with a login that stores of the same identity share.
    pub(crate) fn sharing(
        member: Member,
        config: &VaultConfig,
        context: BuildContext,
        pool: Option<&Pool>,
    ) -> Result<Self> {
        let settings = Settings::new(config, &context, member.member)?;
        let info = ProviderInfo::new(member.kind, settings.origin.to_string()).with_per_fetch(CONCURRENT).with_find();
        let info = match settings.version {
            KvVersion::V1 => info,
            KvVersion::V2 => info.with_versions(),
        };
        let session = Arc::new(Session::new(settings, context.credentials, pool));
        let leases = SessionLeases::new(Arc::clone(&session));
        Ok(Self { info, session, mounts: Arc::default(), leases, seen: Seen::default() })
    }

    async fn fetch_within(&self, object: &ObjectRef, options: &FetchOptions) -> Result<Fetched> {
        let read = async {
            match object.read() {
                Read::Issuing => self.issue(object).await,
                _ => self.read(object).await,
            }
        };
        bounded(options.timeout, read).await.map_err(|failure| {
            // What may have been issued already is not issued again.
            let lost = object.read() == Read::Issuing && failure.may_have_been_done();
            let error = failure.into_error("read", format!("`{object}` from {}", self.info.name));
            if lost { error.with_retry(Retry::Never) } else { error }
        })
    }

    /// Reads what issues something. A task of its own: whoever asked may go away, and what comes then is given back.
    async fn issue(&self, object: &ObjectRef) -> Result<Fetched, Failure> {
        let (session, mounts) = (Arc::clone(&self.session), Arc::clone(&self.mounts));
        let leases = self.leases.clone();
        let object = object.clone();
        let issued = self.leases.detached(async move {
            let path = address::request_path(&object, session.settings().version);
            let asked = SystemTime::now();
            match session.issue(|| Request::get(&path), Some(&question(&plain(&object)))).await {
                Ok((Answer::Found(body), login)) => {
                    let (secret, useful) = issued::data(body, &path, asked);
                    // Should the answer be of no use, its lease is given back with the drop of this.
                    let handed = Handed::new(secret, login, leases);
                    useful.map(|()| handed)
                }
                // An engine that does not have what the path names: never a reason to delete something.
                Ok((Answer::Empty | Answer::Missing(_), _)) => {
                    mounts.confirm(&session, &object, &path).await?;
                    Err(Failure::NothingIssued)
                }
                Err(Failure::Forbidden) => Err(mounts.blame(&session, &object, path, "read").await),
                Err(failure) => Err(failure),
            }
        });
        issued.await.map(Fetched::Found)
    }

    async fn read(&self, object: &ObjectRef) -> Result<Fetched, Failure> {
        let settings = self.session.settings();
        let path = address::request_path(object, settings.version);
        let query = object.version().map(|version| ("version", version));
        let answer = match self.session.get(&path, query, &question(&plain(object))).await {
            Err(Failure::Forbidden) => return Err(self.mounts.blame(&self.session, object, path, "read").await),
            answer => answer?,
        };
        let payload = match answer {
            Answer::Found(body) => payload::found(object, settings.version, body),
            Answer::Missing(Some(body)) if settings.version == KvVersion::V2 && object.part() == Part::Value => {
                payload::found(object, settings.version, body)
            }
            Answer::Missing(_) => {
                self.mounts.confirm(&self.session, object, &path).await?;
                return Ok(Fetched::Absent(Absence::default()));
            }
            Answer::Empty => Err(payload::Odd::Malformed("it is empty")),
        };
        match payload {
            Ok(Fetched::Found(secret)) if !self.seen.is_current(object, secret.version.as_ref()) => Err(Failure::Stale),
            Ok(fetched) => Ok(fetched),
            Err(payload::Odd::Leased(lease)) => {
                self.mounts.forget(object);
                self.leases.return_unused(&lease).await;
                Err(Failure::Leased)
            }
            Err(payload::Odd::Malformed(found)) => {
                // A mount of the other KV version answers like this; that is the better thing to say.
                self.mounts.confirm(&self.session, object, &path).await?;
                Err(Failure::Malformed { version: settings.version, found })
            }
        }
    }
}

#[async_trait]
impl Provider for VaultProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        let settings = self.session.settings();
        address::object(settings.mount.as_deref(), settings.version, reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        if self.session.settings().version == KvVersion::V2 {
            return Ok(object.read());
        }
        let reading = self.mounts.reading(&self.session, object).await;
        reading.map_err(|failure| {
            failure.into_error("ask what engine holds", format!("`{object}` from {}", self.info.name))
        })
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let reads: Vec<_> = objects.iter().map(|object| self.fetch_within(object, options)).collect();
        stream::iter(reads).buffered(CONCURRENT.get()).collect().await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let search = Search::new(self.session.settings(), query)?;
        let finder = Finder { session: &self.session, mounts: &self.mounts, concurrent: CONCURRENT.get() };
        let found = finder.run(&search).await;
        found.map_err(|failure| failure.into_error("find objects", format!("in {}", self.info.name)))
    }

    async fn check(&self) -> Result<()> {
        let witness = self.session.settings().mount.as_deref().map(question);
        let checked = self.session.check(witness.as_deref()).await;
        checked.map_err(|failure| failure.into_error("check", format!("the token of {}", self.info.name)))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(&self.leases)
    }

    async fn close(&self) {
        self.leases.settle().await;
        self.session.close().await;
    }
}

/// Gives up after a while, where there is a bound.
pub(crate) async fn bounded<T>(
    bound: Option<Duration>,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match bound {
        Some(bound) => timeout(bound, call).await.unwrap_or_else(|_| Err(Failure::Transport(Cause::TimedOut.into()))),
        None => call.await,
    }
}

/// How many requests of one fetch are under way at once. Vault has no request for many objects, so a fetch of this many keeps the connection
/// full, and a bigger one would only queue here.
const CONCURRENT: NonZeroUsize = NonZeroUsize::new(16).expect("sixteen is not zero");
