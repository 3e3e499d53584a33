//! How much is asked of the API server at once, and what goes first.
//!
//! Secrets go before statuses, and these before events: readers wait for Secrets. Two things bound the whole: a [`Window`] that grows while the API server
//! keeps up and shrinks when it does not, and a [`Bucket`] where a rate was asked for.

mod bucket;
mod window;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use self::bucket::Bucket;
use self::window::Window;

/// What a request is for. What stands first goes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Priority {
    Secret,
    Status,
    Event,
}

/// Lets requests through, the more important ones first.
pub(crate) struct Gate(Mutex<State>);

struct State {
    window: Window,
    /// `None` where no rate was asked for.
    bucket: Option<Bucket>,
    /// Nobody is let through before: the API server asked for it.
    closed_until: Option<Instant>,
    under_way: usize,
    waiting: [VecDeque<Waiting>; 3],
    /// Requests that were let through although others had waited for longer than [`PATIENCE`].
    favoured: u32,
    /// Whether somebody looks again when time alone lets one through.
    timed: bool,
}

struct Waiting {
    since: Instant,
    pass: oneshot::Sender<Pass>,
}

/// A request under way, until it is dropped.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    began: Instant,
    /// Whether it took the last place, so that its time tells how the API server bears a full window.
    filled: bool,
}

/// Who is let through next, or when to look again.
enum Next {
    Grant(oneshot::Sender<Pass>, bool),
    Later(Instant),
    Nobody,
}

impl Gate {
    /// A gate. `rate` is how many requests a second are let through for long, and how many at once.
    pub(crate) fn new(rate: Option<(f64, u32)>) -> Arc<Self> {
        let bucket = rate.map(|(rate, burst)| Bucket::new(rate, burst, Instant::now()));
        Arc::new(Self(Mutex::new(State {
            window: Window::new(),
            bucket,
            closed_until: None,
            under_way: 0,
            waiting: Default::default(),
            favoured: 0,
            timed: false,
        })))
    }

    /// Waits for its turn.
    pub(crate) async fn enter(self: &Arc<Self>, priority: Priority) -> Pass {
        let (pass, turn) = oneshot::channel();
        self.state().waiting[priority as usize].push_back(Waiting { since: Instant::now(), pass });
        self.pump();
        turn.await.expect("a gate keeps those who wait until it lets them through")
    }

    /// Lets through whom it can.
    fn pump(self: &Arc<Self>) {
        loop {
            let now = Instant::now();
            // Not under the lock: whoever no longer waits gives the pass back at once.
            let next = self.state().next(now);
            match next {
                Next::Grant(turn, filled) => {
                    let pass = Pass { gate: Arc::clone(self), began: now, filled };
                    drop(turn.send(pass));
                }
                Next::Later(at) => {
                    let gate = Arc::clone(self);
                    drop(tokio::spawn(async move {
                        tokio::time::sleep_until(at).await;
                        gate.state().timed = false;
                        gate.pump();
                    }));
                    return;
                }
                Next::Nobody => return,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements that hold the lock, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Takes note of an answer.
    pub(crate) fn answered(self) {
        let now = Instant::now();
        let took = now.duration_since(self.began);
        if self.filled {
            self.gate.state().window.answered(took, now);
        }
    }

    /// Takes note that the API server asked to slow down, and for how long it wants to be left alone.
    pub(crate) fn refused(self, pause: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.gate.state();
        state.window.refused(self.began, now);
        let until = now + pause.unwrap_or_default().min(LONGEST_PAUSE);
        state.closed_until = state.closed_until.max(Some(until));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.state().under_way -= 1;
        self.gate.pump();
    }
}

impl State {
    fn next(&mut self, now: Instant) -> Next {
        for lane in &mut self.waiting {
            lane.retain(|waiting| !waiting.pass.is_closed());
        }
        let limit = self.window.limit();
        if self.under_way >= limit {
            return Next::Nobody;
        }
        let Some(lane) = self.lane(now) else { return Next::Nobody };
        let opens = self.closed_until.filter(|until| *until > now);
        if let Some(at) = opens.or_else(|| self.bucket.as_mut().and_then(|bucket| bucket.take(now).err())) {
            return if std::mem::replace(&mut self.timed, true) { Next::Nobody } else { Next::Later(at) };
        }
        let Some(waiting) = self.waiting[lane].pop_front() else { return Next::Nobody };
        self.under_way += 1;
        Next::Grant(waiting.pass, self.under_way == limit)
    }

    /// The most important lane where somebody waits, but now and then one where somebody has waited for long.
    fn lane(&mut self, now: Instant) -> Option<usize> {
        let first = self.waiting.iter().position(|lane| !lane.is_empty())?;
        let tired =
            |lane: &VecDeque<Waiting>| lane.front().is_some_and(|waiting| now.duration_since(waiting.since) > PATIENCE);
        let Some(later) = (first + 1..self.waiting.len()).find(|lane| tired(&self.waiting[*lane])) else {
            self.favoured = 0;
            return Some(first);
        };
        self.favoured += 1;
        if self.favoured <= FAVOUR {
            return Some(first);
        }
        self.favoured = 0;
        Some(later)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Gate")
            .field("limit", &state.window.limit())
            .field("under_way", &state.under_way)
            .finish_non_exhaustive()
    }
}

/// How long a status or an event waits before one of eight requests is one of them, whatever else there is to do.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many more important requests go first then.
const FAVOUR: u32 = 7;
/// The longest pause that the API server can ask of everybody.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
