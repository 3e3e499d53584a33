//! Many dependents, one read.

mod flights;
mod rehearsal;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::object::{ObjectRef, Read};
use crate::provider::{Asked, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request};

pub(crate) use flights::goes_along;
pub(crate) use rehearsal::Rehearsal;

use flights::{Flight, Flights};

/// Shares one read among all who want the object at the same time, and among all who [expect](Self::expect) it.
///
/// An answer is kept while somebody waits for it or is still expected to ask, and dropped with the last of them: a later pass reads anew. Issuing reads
/// pass through, one each.
///
/// Where one request reads many objects ([`ProviderInfo::per_request`]), a read takes along what others announced and nobody has read yet, in the order of the announcements, until
/// its request is full: no window of time, so the number of requests is always the same. The answers wait for those who announced them.
pub struct Coalesce {
    inner: Arc<dyn Provider>,
    flights: Arc<Mutex<Flights<Batch>>>,
}

type Batch = Shared<BoxFuture<'static, Arc<[Result<Fetched>]>>>;

impl Coalesce {
    /// Shares the reads of `inner`.
    pub fn new(inner: Arc<dyn Provider>) -> Self {
        Self { inner, flights: Arc::default() }
    }

    /// The provider below, for a read that must not be shared.
    pub fn inner(&self) -> &Arc<dyn Provider> {
        &self.inner
    }

    /// Announces a later fetch of each object, so that one answer serves all who announced it. The announcement ends with the drop of the returned
    /// value. One of an object that turns out to be [issuing](Provider::reading) means nothing.
    pub fn expect(&self, objects: impl IntoIterator<Item = ObjectRef>) -> Expectation {
        let mut flights = lock(&self.flights);
        let announce = |object: ObjectRef| {
            let shared = object.read() == Read::Repeatable;
            let object = object.with_read(Read::Repeatable);
            flights.announce(&object, shared);
            object
        };
        let objects: Vec<_> = objects.into_iter().map(announce).collect();
        drop(flights);
        Expectation { flights: Arc::clone(&self.flights), objects }
    }

    /// Shares no answer of a read that began before now with whoever asks from now on: what is read has changed.
    pub fn outdate(&self) {
        let gone = lock(&self.flights).outdate();
        drop(gone);
    }

    /// Joins the flights of the objects; starts reads for those that have none.
    fn board(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Seat> {
        let mut flights = lock(&self.flights);
        let start = |piece: &[ObjectRef]| self.start(piece.to_vec(), options.clone());
        flights.begin(objects, self.inner.info().per_request, start);
        let seat = |object: &ObjectRef| {
            let flight = flights.of(object.clone());
            flight.waiting += 1;
            let read = flight.read.clone().expect("every object is in a flight that was there or has just begun");
            Seat { flights: Arc::clone(&self.flights), object: object.clone(), read }
        };
        objects.iter().map(seat).collect()
    }

    fn start(&self, objects: Vec<ObjectRef>, options: FetchOptions) -> Batch {
        let inner = Arc::clone(&self.inner);
        async move { fetch_all(inner.as_ref(), &objects, &options).await.into() }.boxed().shared()
    }
}

/// Reads, and turns a panic of the provider into an answer: it must not spoil those who wait for other objects.
async fn fetch_all(provider: &dyn Provider, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
    let read = std::panic::AssertUnwindSafe(provider.fetch(objects, options)).catch_unwind();
    let panicked = |object: &ObjectRef| {
        Err(Error::new(ErrorKind::Internal, "read")
            .on(format!("`{object}`"))
            .because("the provider itself failed")
            .with_hint(Hint::new(Code::InternalDefect, "report it with the version and the manifest, without values")))
    };
    read.await.unwrap_or_else(|_| objects.iter().map(panicked).collect())
}

/// A place in a flight: its drop, also that of a cancelled waiter, lets the answer go when nobody else needs it.
struct Seat {
    flights: Arc<Mutex<Flights<Batch>>>,
    object: ObjectRef,
    read: (Batch, usize),
}

impl Seat {
    async fn answer(self) -> Result<Fetched> {
        let (batch, place) = &self.read;
        batch.clone().await[*place].clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        leave(&self.flights, &self.object, |flight| flight.waiting -= 1);
    }
}

/// An announcement of later fetches; see [`Coalesce::expect`].
#[must_use = "dropping it ends the announcement"]
pub struct Expectation {
    flights: Arc<Mutex<Flights<Batch>>>,
    objects: Vec<ObjectRef>,
}

impl Drop for Expectation {
    fn drop(&mut self) {
        for object in &self.objects {
            leave(&self.flights, object, |flight| flight.expected -= 1);
        }
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectation").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl fmt::Debug for Coalesce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce").field("inner", &self.inner).finish_non_exhaustive()
    }
}

fn lock(flights: &Mutex<Flights<Batch>>) -> MutexGuard<'_, Flights<Batch>> {
    // The flights are consistent between any two statements that hold the lock, so a panic elsewhere does not spoil them.
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

fn leave(flights: &Mutex<Flights<Batch>>, object: &ObjectRef, change: impl FnOnce(&mut Flight<Batch>)) {
    // Wiping a large answer takes time: not under the lock.
    let gone = lock(flights).leave(object, change);
    drop(gone);
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Coalesce {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.inner.address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        self.inner.reading(object).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let (shared, issuing): (Vec<_>, Vec<_>) =
            objects.iter().cloned().partition(|object| object.read() == Read::Repeatable);
        let seats = self.board(&shared, options);
        // One call each: a slow one must not take the leases of its neighbours along.
        let issued = issuing.iter().map(|object| fetch_all(self.inner.as_ref(), std::slice::from_ref(object), options));
        let (shared, issued) = futures::join!(join_all(seats.into_iter().map(Seat::answer)), join_all(issued));
        let (mut shared, mut issued) = (shared.into_iter(), issued.into_iter().flatten());
        let next = |object: &ObjectRef| if object.read() == Read::Repeatable { shared.next() } else { issued.next() };
        objects.iter().filter_map(next).collect()
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        self.inner.find(query).await
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        self.inner.requests(asked)
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
