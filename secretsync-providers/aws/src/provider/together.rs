//! Many objects in few requests: which go together, and what is left to be read alone.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use secretsync_core::net::Cause;
use secretsync_core::object::{ObjectRef, Part};
use secretsync_core::provider::Fetched;
use tokio::time::{Instant, timeout};

use crate::address;
use crate::client::Call;
use crate::config::Region;
use crate::error::Failure;

/// The answer for one object; `None` where it has to be read alone.
pub(super) type Answer = Option<Result<Fetched, Failure>>;

/// Until when objects are read one by one, because the right to read many is missing.
#[derive(Debug, Default)]
pub(super) struct Alone(Mutex<Option<Instant>>);

impl Alone {
    pub(super) fn holds(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Remembers that a right is missing.
    pub(super) fn begin(&self, right: &str) {
        tracing::info!(right, "many are not read at once: the right is missing, and asked for again in an hour");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REMEMBERED);
    }
}

/// A service of which one request reads many values.
pub(super) trait Together: Sync {
    /// How many at most.
    fn at_once(&self) -> NonZeroUsize;

    /// The region of the store.
    fn region(&self) -> &Region;

    /// Whether a value of this version can be read beside others.
    fn fits(&self, object: &ObjectRef) -> bool;

    /// What a request for many is called.
    fn call_for_many(&self) -> Call;

    /// What the requests for one are called.
    fn calls_for_one(&self, object: &ObjectRef) -> &'static [Call];

    /// Reads many of one region in one request, one answer for each, in order.
    fn read_many(&self, region: &Region, objects: &[&ObjectRef]) -> impl Future<Output = Vec<Answer>> + Send;

    /// Reads one, value or metadata.
    fn read_one(&self, region: &Region, object: &ObjectRef) -> impl Future<Output = Result<Fetched, Failure>> + Send;
}

/// The objects that go together, by their places: those of one region, as many as a request takes. A single one is read alone: that needs no further right.
fn pieces<S: Together>(service: &S, objects: &[ObjectRef]) -> Vec<(Region, Vec<usize>)> {
    let mut regions: BTreeMap<Region, Vec<usize>> = BTreeMap::new();
    for (index, object) in objects.iter().enumerate() {
        if object.part() == Part::Value && service.fits(object) {
            regions.entry(region_of(service, object)).or_default().push(index);
        }
    }
    let of_region = |(region, indexes): (Region, Vec<usize>)| {
        let pieces = indexes.chunks(service.at_once().get()).filter(|piece| piece.len() > 1);
        pieces.map(|piece| (region.clone(), piece.to_vec())).collect::<Vec<_>>()
    };
    regions.into_iter().flat_map(of_region).collect()
}

/// The requests that [`fetch`] sends if no answer is missing: what each is called, and how many objects it reads.
pub(super) fn requests<S: Together>(service: &S, objects: &[ObjectRef]) -> Vec<(Call, usize)> {
    let pieces = pieces(service, objects);
    let together: HashSet<_> = pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect();
    let alone = (0..objects.len()).filter(|index| !together.contains(index));
    let many = pieces.iter().map(|(_, piece)| (service.call_for_many(), piece.len()));
    many.chain(alone.flat_map(|index| service.calls_for_one(&objects[index]).iter().map(|call| (*call, 1)))).collect()
}

/// Reads objects in as few requests as their regions allow. What is not there when the time is over has timed out, and nothing else.
pub(super) async fn fetch<S: Together>(
    service: &S,
    objects: &[ObjectRef],
    bound: Option<Duration>,
) -> Vec<Result<Fetched, Failure>> {
    let mut answers: Vec<Answer> = objects.iter().map(|_| None).collect();
    let read = read(service, objects, &mut answers);
    match bound {
        Some(bound) => drop(timeout(bound, read).await),
        None => read.await,
    }
    let late = || Err(Failure::Transport(Cause::TimedOut.into()));
    answers.into_iter().map(|answer| answer.unwrap_or_else(late)).collect()
}

/// Reads objects and gives each its answer as soon as it is there.
async fn read<S: Together>(service: &S, objects: &[ObjectRef], answers: &mut [Answer]) {
    let reads: Vec<_> = pieces(service, objects)
        .into_iter()
        .map(|(region, piece)| async move {
            let many: Vec<_> = piece.iter().map(|&index| &objects[index]).collect();
            let read = service.read_many(&region, &many).await;
            (piece, read)
        })
        .collect();
    let mut reads = stream::iter(reads).buffer_unordered(REQUESTS);
    while let Some((piece, read)) = reads.next().await {
        for (index, answer) in piece.into_iter().zip(read) {
            answers[index] = answer;
        }
    }
    let alone: Vec<_> =
        (0..objects.len())
            .filter(|&index| answers[index].is_none())
            .map(|index| async move {
                (index, service.read_one(&region_of(service, &objects[index]), &objects[index]).await)
            })
            .collect();
    let mut alone = stream::iter(alone).buffer_unordered(REQUESTS);
    while let Some((index, answer)) = alone.next().await {
        answers[index] = Some(answer);
    }
}

/// An ARN says in which region it lies; everything else lies in the store's.
pub(super) fn region_of<S: Together>(service: &S, object: &ObjectRef) -> Region {
    let own = service.region();
    match address::region(object.name()) {
        Some(region) => Region { fips: own.fips, ..region },
        None => own.clone(),
    }
}

/// How long a missing right is remembered.
const REMEMBERED: Duration = Duration::from_hours(1);
/// How many requests of one fetch are under way at once.
const REQUESTS: usize = 16;

#[cfg(test)]
mod tests {
    use secretsync_core::provider::Absence;
    use tokio::time::sleep;

    use super::*;

    /// Reads `a` and `b` together at once, and everything else alone and after some seconds that its name tells.
    struct Slow(Region);

    impl Together for Slow {
        fn at_once(&self) -> NonZeroUsize {
            NonZeroUsize::MAX
        }

        fn region(&self) -> &Region {
            &self.0
        }

        fn fits(&self, object: &ObjectRef) -> bool {
            object.name().starts_with(char::is_alphabetic)
        }

        fn call_for_many(&self) -> Call {
            Call::BatchGetSecretValue
        }

        fn calls_for_one(&self, _object: &ObjectRef) -> &'static [Call] {
            &[Call::GetSecretValue]
        }

        async fn read_many(&self, _region: &Region, objects: &[&ObjectRef]) -> Vec<Answer> {
            objects.iter().map(|_| Some(Ok(Fetched::Absent(Absence::default())))).collect()
        }

        async fn read_one(&self, _region: &Region, object: &ObjectRef) -> Result<Fetched, Failure> {
            sleep(Duration::from_secs(object.name().parse().unwrap())).await;
            Ok(Fetched::Absent(Absence::default()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_not_there_in_time_has_timed_out() {
        let service = Slow(Region::parse("eu-west-1").unwrap());
        let objects = ["9", "a", "1", "b"].map(ObjectRef::new);
        let in_time = async |bound| {
            let answers = fetch(&service, &objects, bound).await;
            answers.iter().map(Result::is_ok).collect::<Vec<_>>()
        };
        assert_eq!(in_time(Some(Duration::from_secs(5))).await, [false, true, true, true]);
        assert_eq!(in_time(None).await, [true; 4]);
    }
}
