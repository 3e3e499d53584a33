//! Files and folders whose changes are noticed: paths in, those that changed out.
//!
//! File events only say *when* to look. Whether something changed is told by what is there, so an event too many costs a look and no sync, and an event that
//! never comes (a network file system, a limit of the system) costs time and no change: a slow look without events is the safety net.

mod eyes;
mod look;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::eyes::Eyes;

/// Tells which of its paths changed.
///
/// A path is a file, a folder with all that is below it, or nothing yet. Links on the way to it are followed, and the folders that hold them are watched too: a
/// mounted `ConfigMap`, whose files are links into a folder that is exchanged as a whole, and a checkout behind a link that is moved to the next
/// revision, are noticed like a file that is written.
///
/// Nothing happens in the background but the waiting for events: what is due is done by whoever polls [`changed`](Self::changed).
///
/// ```no_run
/// # async fn example() {
/// use secretsync_core::path_watch::PathWatch;
///
/// let mut watch = PathWatch::new();
/// watch.set(["/etc/secretsync/docs".into()]).await;
/// loop {
///     let path = watch.changed().await;
///     // whoever reads it should do so again
/// #   drop(path);
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct PathWatch {
    /// What each path looked like; `None` before the first look.
    paths: BTreeMap<PathBuf, Option<u64>>,
    changed: VecDeque<PathBuf>,
    eyes: Arc<Mutex<Eyes>>,
    /// Something happened in a folder.
    signal: Arc<Notify>,
    /// A look under way. It is kept here, so that a caller that stops waiting loses nothing.
    looking: Option<JoinHandle<BTreeMap<PathBuf, u64>>>,
    /// When the next look begins, and when the last one did.
    due: Instant,
    last: Instant,
    rescan: Duration,
    /// How long events are left to settle before a look.
    pause: Duration,
}

impl PathWatch {
    /// A watch of no path.
    pub fn new() -> Self {
        let signal = Arc::new(Notify::new());
        let now = Instant::now();
        Self {
            paths: BTreeMap::new(),
            changed: VecDeque::new(),
            eyes: Arc::new(Mutex::new(Eyes::new(Arc::clone(&signal)))),
            signal,
            looking: None,
            due: now + RESCAN,
            last: now,
            rescan: RESCAN,
            pause: SETTLE,
        }
    }

    /// Sets how often is looked without an event, from a second to a day. The default is one minute.
    #[must_use]
    pub fn with_rescan(mut self, every: Duration) -> Self {
        self.rescan = every.clamp(SHORTEST_RESCAN, LONGEST_RESCAN);
        self.due = self.last + self.rescan;
        self
    }

    /// Sets which paths are watched from now on. What is new counts as it is when this returns, so set a path before you read it; what was watched before stays
    /// watched without a gap.
    pub async fn set(&mut self, paths: impl IntoIterator<Item = PathBuf> + Send) {
        self.end_look().await;
        let paths = paths.into_iter().map(|path| {
            let known = self.paths.get(&path).copied().flatten();
            (path, known)
        });
        self.paths = paths.collect();
        self.changed.retain(|path| self.paths.contains_key(path));
        self.start_look();
        self.end_look().await;
    }

    /// The next path that changed, as it was set. Several changes of a path before somebody asks are one. Cancelling loses nothing; without paths it waits for ever.
    pub async fn changed(&mut self) -> PathBuf {
        loop {
            if let Some(path) = self.changed.pop_front() {
                return path;
            }
            if self.looking.is_some() {
                self.end_look().await;
                continue;
            }
            tokio::select! {
                () = self.signal.notified() => self.due = self.due.min(Instant::now() + self.pause()),
                () = tokio::time::sleep_until(self.due) => self.start_look(),
            }
        }
    }

    /// A folder in which much happens that is none of our business is looked at less and less often, but for its first event after a while.
    fn pause(&self) -> Duration {
        if self.last.elapsed() > CALM { SETTLE } else { self.pause }
    }

    fn start_look(&mut self) {
        self.last = Instant::now();
        self.due = self.last + self.rescan;
        if self.paths.is_empty() && lock(&self.eyes).is_closed() {
            return;
        }
        let (eyes, paths) = (Arc::clone(&self.eyes), self.paths.keys().cloned().collect::<Vec<_>>());
        self.looking = Some(tokio::task::spawn_blocking(move || lock(&eyes).look(&paths)));
    }

    /// Waits for the look under way, if there is one, and takes in what it saw.
    async fn end_look(&mut self) {
        let Some(looking) = &mut self.looking else { return };
        // A look that failed saw nothing; the next one sees what it missed.
        let seen = looking.await.unwrap_or_default();
        self.looking = None;
        let mut news = false;
        for (path, state) in seen {
            let Some(known) = self.paths.get_mut(&path) else { continue };
            if known.replace(state).is_some_and(|known| known != state) {
                news = true;
                if !self.changed.contains(&path) {
                    self.changed.push_back(path);
                }
            }
        }
        self.pause = if news { SETTLE } else { (self.pause * 2).min(LONGEST_PAUSE) };
    }
}

impl Default for PathWatch {
    fn default() -> Self {
        Self::new()
    }
}

fn lock(eyes: &Mutex<Eyes>) -> std::sync::MutexGuard<'_, Eyes> {
    eyes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often is looked without an event.
const RESCAN: Duration = Duration::from_mins(1);
const SHORTEST_RESCAN: Duration = Duration::from_secs(1);
const LONGEST_RESCAN: Duration = Duration::from_hours(24);
/// Whoever writes a file does so in several steps.
const SETTLE: Duration = Duration::from_millis(50);
/// The longest pause before a look, where looks find nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After so long without a look, an event is looked at soon.
const CALM: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
