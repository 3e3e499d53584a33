//! File events, and the looks that they lead to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::look::{Folders, Found, look};

/// Looks at paths, and has itself told when something happens in one of their folders.
pub(super) struct Eyes {
    signal: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// What the watcher watches.
    folders: Folders,
    /// One of the folders itself was removed or moved: what the watcher has is no longer what is at its path, even where the system gave the number of
    /// the old one to the new one.
    moved: Arc<AtomicBool>,
    /// Whether it was told that events are missing.
    told: bool,
}

impl Eyes {
    pub(super) fn new(signal: Arc<Notify>) -> Self {
        Self { signal, watcher: None, folders: Folders::new(), moved: Arc::default(), told: false }
    }

    /// Whether nothing is watched.
    pub(super) fn is_closed(&self) -> bool {
        self.folders.is_empty()
    }

    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.folders.len()
    }

    /// Ends all events.
    #[cfg(test)]
    pub(super) fn deafen(&mut self) {
        self.watcher = None;
    }

    /// What each path looks like. On return the folders of all of them are watched: what changes after a look leads to an event.
    pub(super) fn look(&mut self, paths: &[PathBuf]) -> BTreeMap<PathBuf, u64> {
        let mut seen = BTreeMap::new();
        for _ in 0..MOST_LOOKS {
            let begun = SystemTime::now();
            let mut found = Found::default();
            seen = paths.iter().map(|path| (path.clone(), look(path, &mut found))).collect();
            let moved = self.moved.swap(false, Ordering::Relaxed);
            let settled = begun.duration_since(found.youngest).is_ok_and(|age| age >= TICK);
            if found.folders != self.folders || moved {
                // What happened in them since the look began is seen by the next one.
                self.watch(found.folders);
            } else if settled {
                break;
            } else {
                std::thread::sleep(TICK);
            }
        }
        seen
    }

    /// A new watcher each time: what an old one still has of a folder that was exchanged is hard to tell, and folders seldom change.
    fn watch(&mut self, folders: Folders) {
        let moved = Arc::new(AtomicBool::new(false));
        let watcher = if folders.is_empty() { None } else { self.watcher(&folders, Arc::clone(&moved)) };
        (self.watcher, self.folders, self.moved) = (watcher, folders, moved);
    }

    fn watcher(&mut self, folders: &Folders, moved: Arc<AtomicBool>) -> Option<RecommendedWatcher> {
        let (signal, own) = (Arc::clone(&self.signal), folders.clone());
        let told = move |event: notify::Result<Event>| {
            let Ok(event) = event else { return signal.notify_one() };
            if is_of_no_interest(event.kind) {
                return;
            }
            let leaves = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
            if leaves && event.paths.iter().any(|path| own.contains_key(path)) {
                moved.store(true, Ordering::Relaxed);
            }
            signal.notify_one();
        };
        let mut watcher = notify::recommended_watcher(told).map_err(|error| self.tell(&error)).ok()?;
        for folder in folders.keys() {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                // It went away meanwhile, which another look shows.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => self.signal.notify_one(),
                Err(error) => self.tell(&error),
            }
        }
        Some(watcher)
    }

    fn tell(&mut self, error: &notify::Error) {
        if !std::mem::replace(&mut self.told, true) {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "some changes of files are noticed late: the system gives no events for them");
        }
    }
}

/// Reading is no change, and a look reads.
fn is_of_no_interest(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

impl fmt::Debug for Eyes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eyes").field("folders", &self.folders).finish_non_exhaustive()
    }
}

/// How often is looked again at most while folders come and go.
const MOST_LOOKS: usize = 4;

/// Files change their times by the ticks of a coarse clock: one that was written just before a look could be written again with the same time.
const TICK: Duration = Duration::from_millis(20);
