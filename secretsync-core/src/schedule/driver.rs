//! Runs what a scheduler gives out: the one loop of every program that syncs again and again.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::hash::Hash;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

use super::{Lane, Scheduler};

/// A [`Scheduler`] with slots for what it gives out.
///
/// Whoever drives asks for the next [`turn`](Self::turn) again and again. Somewhat more is given out than there are slots: what is prepared but not yet running can tell what it
/// will read, so that reads fill whole requests.
pub struct Driver<K, T> {
    scheduler: Scheduler<K>,
    slots: usize,
    running: JoinSet<T>,
    /// What runs where, so that a task that panics frees its key, too.
    keys: HashMap<task::Id, K>,
    /// What waits for a slot.
    ready: VecDeque<(K, BoxFuture<'static, T>)>,
}

/// What happens next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Turn<K, T> {
    /// It is due: [`start`](Driver::start) it, or [`skip`](Driver::skip) it.
    Due(K, Lane),
    /// It has ended, with this result; without one where it panicked.
    Done(K, Option<T>),
}

impl<K: Clone + Eq + Hash + Ord, T: Send + 'static> Driver<K, T> {
    /// A driver with so many slots, at least one.
    pub fn new(slots: usize) -> Self {
        Self {
            scheduler: Scheduler::new(),
            slots: slots.max(1),
            running: JoinSet::new(),
            keys: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// What decides about the order.
    pub fn scheduler(&mut self) -> &mut Scheduler<K> {
        &mut self.scheduler
    }

    /// Waits for something to happen. Nothing is lost when the returned future is dropped.
    pub async fn turn(&mut self) -> Turn<K, T> {
        loop {
            self.fill();
            if self.ready.len() < AHEAD
                && let Some((key, lane)) = self.scheduler.next_in_lane(Instant::now())
            {
                return Turn::Due(key, lane);
            }
            let wake = if self.ready.len() < AHEAD { self.scheduler.wake() } else { None };
            tokio::select! {
                biased;
                Some(joined) = self.running.join_next_with_id() => {
                    if let Some((key, result)) = self.done(joined) {
                        return Turn::Done(key, result);
                    }
                }
                () = reached(wake) => {}
            }
        }
    }

    /// Runs what is due as soon as there is a slot; what is urgent goes first.
    pub fn start(&mut self, key: K, lane: Lane, work: impl Future<Output = T> + Send + 'static) {
        let ready = (key, work.boxed());
        match lane {
            Lane::Urgent => self.ready.push_front(ready),
            Lane::Refresh => self.ready.push_back(ready),
        }
        self.fill();
    }

    /// Says that there is nothing to do for what is due.
    pub fn skip(&mut self, key: &K) {
        self.scheduler.finish(key);
    }

    /// Starts nothing more, and gives what is under way as it ends; `None` when nothing is left.
    pub async fn last(&mut self) -> Option<(K, Option<T>)> {
        self.ready.clear();
        loop {
            let joined = self.running.join_next_with_id().await?;
            if let Some(done) = self.done(joined) {
                return Some(done);
            }
        }
    }

    fn done(&mut self, joined: Result<(task::Id, T), task::JoinError>) -> Option<(K, Option<T>)> {
        let id = joined.as_ref().map_or_else(task::JoinError::id, |(id, _)| *id);
        let key = self.keys.remove(&id)?;
        self.scheduler.finish(&key);
        Some((key, joined.ok().map(|(_, result)| result)))
    }

    fn fill(&mut self) {
        while self.running.len() < self.slots
            && let Some((key, work)) = self.ready.pop_front()
        {
            let id = self.running.spawn(work).id();
            self.keys.insert(id, key);
        }
    }
}

impl<K: fmt::Debug, T> fmt::Debug for Driver<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("scheduler", &self.scheduler).field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// Waits until a moment; for ever where there is none.
pub async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// How many may wait for a slot: as many as fill the largest requests of all providers a few times.
const AHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::Place;

    const SECOND: Duration = Duration::from_secs(1);

    fn driver(slots: usize, keys: std::ops::Range<u32>) -> Driver<u32, u32> {
        let mut driver = Driver::new(slots);
        for key in keys {
            driver.scheduler().add(key, Place::new("s", "n"), SECOND * 3600);
            driver.scheduler().request(&key, Lane::Refresh, Instant::now());
        }
        driver
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_than_there_are_slots_and_what_is_urgent_takes_the_next_one() {
        let started = Instant::now();
        let mut driver = driver(2, 0..6);
        let mut done = Vec::new();
        while done.len() < 7 {
            match driver.turn().await {
                Turn::Due(key, lane) => {
                    driver.start(key, lane, async move {
                        tokio::time::sleep(SECOND).await;
                        key
                    });
                    if key == 5 {
                        driver.scheduler().add(9, Place::new("s", "n"), SECOND);
                        driver.scheduler().request(&9, Lane::Urgent, Instant::now());
                    }
                }
                Turn::Done(key, result) => {
                    assert_eq!(result, Some(key));
                    done.push((key, started.elapsed().as_secs()));
                }
            }
        }
        done.sort_by_key(|(key, second)| (*second, *key));
        assert_eq!(done, [(0, 1), (1, 1), (2, 2), (9, 2), (3, 3), (4, 3), (5, 4)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_later_is_waited_for_and_a_panic_frees_its_key() {
        let mut driver: Driver<u32, ()> = Driver::new(1);
        driver.scheduler().add(1, Place::new("s", "n"), SECOND);
        driver.scheduler().request(&1, Lane::Refresh, Instant::now() + SECOND);
        let started = Instant::now();
        let Turn::Due(key, lane) = driver.turn().await else { panic!("it is due") };
        assert_eq!(started.elapsed(), SECOND);
        driver.start(key, lane, async { panic!("a defect") });
        assert!(matches!(driver.turn().await, Turn::Done(1, None)));
        driver.scheduler().request(&1, Lane::Refresh, Instant::now());
        assert!(matches!(driver.turn().await, Turn::Due(1, Lane::Refresh)));
    }
}
