//! What happens to the folder of a group at its end: logs stay when a test failed while it was alive.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use crate::rig::note;

/// Its presence in a group's folder means: keep the logs. A file, because the watchdog outlives this process and must know too.
pub(super) const MARKER: &str = "failed";

static ALIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
static HOOK: Once = Once::new();

/// Marks `folder` when a thread panics from now on.
///
/// A shared server lives in a static and is never dropped, so a look at `thread::panicking` on drop would not do.
pub(super) fn register(folder: &Path) {
    HOOK.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            next(panic);
            mark_all();
        }));
    });
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_path_buf());
}

/// Removes the folder, but for the logs if it was marked.
pub(super) fn clean(folder: &Path) {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
    let doomed = if folder.join(MARKER).exists() { folder.join("data") } else { folder.to_path_buf() };
    if let Err(error) = fs::remove_dir_all(&doomed) {
        note(format_args!("failed to remove {}: {error}", doomed.display()));
    }
}

fn mark_all() {
    for folder in ALIVE.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let marker = folder.join(MARKER);
        if !marker.exists() && fs::write(&marker, "").is_ok() {
            note(format_args!("server logs stay in {}", folder.join("logs").display()));
        }
    }
}
