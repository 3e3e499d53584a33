//! Files and folders that stores read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secretsync_core::path_watch::PathWatch;
use secretsync_core::provider::StoreOrigin;

/// The files and folders that stores read, and their watch.
#[derive(Debug, Default)]
pub(in crate::operator) struct Files {
    readers: BTreeMap<PathBuf, BTreeSet<StoreOrigin>>,
    watch: PathWatch,
    /// Whether other paths are read than are watched.
    outdated: bool,
}

impl Files {
    /// Takes note of all that a store reads.
    pub(in crate::operator) fn set(&mut self, origin: &StoreOrigin, paths: Vec<PathBuf>) {
        let known = self.readers.iter().filter(|(_, readers)| readers.contains(origin)).map(|(path, _)| path);
        if known.eq(&paths.iter().cloned().collect::<BTreeSet<_>>()) {
            return;
        }
        self.outdated = true;
        self.readers.retain(|_, readers| {
            readers.remove(origin);
            !readers.is_empty()
        });
        for path in paths {
            self.readers.entry(path).or_default().insert(origin.clone());
        }
    }

    /// Watches what is read now, as it is now. A file system that does not answer is waited for a moment only.
    pub(in crate::operator) async fn follow(&mut self) {
        if std::mem::take(&mut self.outdated) {
            let set = self.watch.set(self.readers.keys().cloned());
            if tokio::time::timeout(PATIENCE, set).await.is_err() {
                tracing::warn!("the documents of stores are looked at slowly: changes may be seen late");
            }
        }
    }

    /// The next path whose content changed.
    pub(in crate::operator) async fn changed(&mut self) -> PathBuf {
        self.watch.changed().await
    }

    /// Who reads a path.
    pub(in crate::operator) fn readers(&self, path: &Path) -> Vec<StoreOrigin> {
        self.readers.get(path).into_iter().flatten().cloned().collect()
    }
}

/// How long a look at the paths may hold up everything else.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_watched_as_long_as_a_store_reads_it() {
        let mut files = Files::default();
        let (one, other) = (StoreOrigin::namespaced("shop", "a"), StoreOrigin::cluster("b"));
        let path = Path::new("/docs");
        files.set(&one, vec![path.to_owned()]);
        files.set(&other, vec![path.to_owned()]);
        assert_eq!((files.readers(path).len(), files.outdated), (2, true));
        files.outdated = false;
        files.set(&one, vec![path.to_owned()]);
        assert!(!files.outdated, "nothing is new");
        files.set(&other, Vec::new());
        assert_eq!((files.readers(path), files.outdated), (vec![one.clone()], true));
        files.set(&one, Vec::new());
        assert!(files.readers.is_empty());
    }
}
