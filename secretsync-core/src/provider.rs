//! Where secrets come from.

mod ambient;
mod credential;
mod fetch;
mod find;
mod key_service;
mod lease;
mod registry;
mod request;
mod selector;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;

pub use ambient::Ambient;
pub use credential::{AccountToken, CredentialKind, CredentialRef, CredentialSource, NoCredentials, TokenRequest};
pub use fetch::{Absence, FetchOptions, Fetched, RemoteRef};
pub use find::{Found, Query};
pub use key_service::{KeyKind, KeyService, KeyServiceFactory, WrappedKey};
pub use lease::{Leases, Renewed};
pub use registry::{BuildContext, ProviderFactory, ProviderRegistry, RawConfig, StoreOrigin};
pub use request::{Asked, Cost, PriceList, Request};
pub use selector::{SecretKeySelector, SelectorProblem, ServiceAccountSelector};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::object::{ObjectRef, Read};
use crate::secret::Secret;

/// A place secrets come from.
///
/// # Contract
///
/// For implementors; callers use [`ProviderExt`] or the engine. No retries, caches or policies live inside: the engine's layers own them.
///
/// - [`fetch`](Self::fetch) MUST answer each object, in order, and one failure MUST NOT spoil its neighbours.
/// - [`Fetched::Absent`] MUST be used only when the other side positively said that the object is not there. Every doubt is an error.
/// - [`address`](Self::address) MUST be pure, and every alias of an object MUST give the same [`ObjectRef`]. Where it is not known what a read does, it
///   says [`Read::Issuing`].
/// - An issuing read whose request may have been carried out MUST fail with [`Retry::Never`](crate::error::Retry::Never).
///
/// # Cancellation
///
/// Every future may be dropped at any await point. A dropped issuing read MUST revoke what it was handed, or still will be, as soon as it can.
///
/// # Secrets
///
/// No value, token or response body may appear in an error, a log line or `Debug`.
///
/// The exported conformance suite ([`crate::conformance`], feature `conformance`) checks what can be checked.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Identity and declared capabilities. Pure.
    fn info(&self) -> &ProviderInfo;

    /// The one name of the object that a manifest's reference means. Pure; refuses references that can name no object.
    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef>;

    /// What reading an object does, where [`address`](Self::address) calls it [`Read::Issuing`] because only the other side can tell: the engine asks
    /// before it reads. An answer serves for many objects and is kept. Doubt that asking again would not end is no failure but [`Read::Issuing`].
    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        Ok(object.read())
    }

    /// Reads objects, as many answers as questions, in order.
    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>>;

    /// Names of the objects that match; their values are fetched afterwards like any others.
    async fn find(&self, query: &Query) -> Result<Vec<Found>>;

    /// The requests that a call sends to the other side when all goes well and nothing has to be asked twice, so that they can be counted in advance. Pure.
    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        asked.one_by_one()
    }

    /// The cheapest call that proves that address and credentials work.
    async fn check(&self) -> Result<()>;

    /// Renewal and revocation of what issuing reads handed out; `None` where nothing is leased.
    fn leases(&self) -> Option<&dyn Leases>;

    /// Ends sessions and gives back what is held, bounded in time.
    async fn close(&self);
}

/// Convenience over [`Provider`], for every provider.
pub trait ProviderExt: Provider {
    /// Reads one object; `None` when the provider said that it is not there.
    fn fetch_one(&self, object: &ObjectRef) -> impl Future<Output = Result<Option<Secret>>> + Send {
        async move {
            let answers = self.fetch(std::slice::from_ref(object), &FetchOptions::default()).await;
            match answers.into_iter().next() {
                Some(Ok(Fetched::Found(secret))) => Ok(Some(secret)),
                Some(Ok(Fetched::Absent(_))) => Ok(None),
                Some(Err(error)) => Err(error),
                None => Err(Error::new(ErrorKind::Internal, "read")
                    .on(format!("`{object}`"))
                    .because("the provider gave no answer")),
            }
        }
    }

    /// Reads what a manifest's key means; `None` when the provider said that it is not there.
    fn fetch_key(&self, key: &str) -> impl Future<Output = Result<Option<Secret>>> + Send {
        async move { self.fetch_one(&self.address(&RemoteRef::new(key))?).await }
    }
}

impl<P: Provider + ?Sized> ProviderExt for P {}

/// Who a provider is and what it can do.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct ProviderInfo {
    /// The kind, as in a store's `provider.<kind>`: `vault`, `sops`.
    pub kind: &'static str,
    /// The store that configured it, for messages: `SecretStore shop/vault`.
    pub name: String,
    /// How many objects one [`Provider::fetch`] takes best. Bigger needs are asked for in pieces.
    pub per_fetch: NonZeroUsize,
    /// How many objects one request to the other side reads: newest values, without a pinned version. One where each object is a request of its own; else
    /// [`crate::layer::Coalesce`] fills requests up with what other syncs will need, and `per_fetch` should be the same.
    pub per_request: NonZeroUsize,
    /// Whether objects have versions that a reference can pin.
    pub versions: bool,
    /// Whether [`Provider::find`] works.
    pub find: bool,
}

impl ProviderInfo {
    /// A provider that reads one object at a time and can neither pin versions nor find.
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            per_fetch: NonZeroUsize::MIN,
            per_request: NonZeroUsize::MIN,
            versions: false,
            find: false,
        }
    }

    /// Declares the best number of objects in one call, each of them a request of its own.
    #[must_use]
    pub fn with_per_fetch(mut self, objects: NonZeroUsize) -> Self {
        self.per_fetch = objects;
        self
    }

    /// Declares that one request reads this many objects. A call of as many is then the best.
    #[must_use]
    pub fn with_per_request(mut self, objects: NonZeroUsize) -> Self {
        (self.per_fetch, self.per_request) = (objects, objects);
        self
    }

    /// Declares that references can pin versions.
    #[must_use]
    pub fn with_versions(mut self) -> Self {
        self.versions = true;
        self
    }

    /// Declares that [`Provider::find`] works.
    #[must_use]
    pub fn with_find(mut self) -> Self {
        self.find = true;
        self
    }
}

/// The error of a provider that declares no `find`.
pub fn find_unsupported(info: &ProviderInfo) -> Error {
    Error::new(ErrorKind::Unsupported, "find objects")
        .on(format!("in {}", info.name))
        .because(format!("provider `{}` does not support `find`", info.kind))
        .with_hint(Hint::new(Code::Unsupported, "name each object with `data` or `dataFrom[].extract`"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn info(&self) -> &ProviderInfo {
        (**self).info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        (**self).address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        (**self).reading(object).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        (**self).fetch(objects, options).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        (**self).find(query).await
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        (**self).requests(asked)
    }

    async fn check(&self) -> Result<()> {
        (**self).check().await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        (**self).leases()
    }

    async fn close(&self) {
        (**self).close().await;
    }
}
