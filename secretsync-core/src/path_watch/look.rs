//! What a path looks like at this moment. Nothing is opened but folders.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Folders by path, and what tells each from another that takes its place.
pub(super) type Folders = BTreeMap<PathBuf, (u64, u64)>;

/// What several looks found together.
#[derive(Debug)]
pub(super) struct Found {
    /// Every folder in which a change could change one of the paths.
    pub(super) folders: Folders,
    /// When the youngest of the files was changed.
    pub(super) youngest: SystemTime,
}

impl Default for Found {
    fn default() -> Self {
        Self { folders: Folders::new(), youngest: UNIX_EPOCH }
    }
}

/// Looks at a path: gives a number that differs whenever what is there differs.
pub(super) fn look(path: &Path, found: &mut Found) -> u64 {
    let mut looker = Looker { seen: DefaultHasher::new(), found, links: MOST_LINKS, entries: MOST_ENTRIES };
    // A relative path starts where the process is; `""` is that folder itself.
    let path = std::path::absolute(path).or_else(|_| std::env::current_dir()).unwrap_or_else(|_| path.to_owned());
    looker.way(&path);
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => looker.folder(&path, 0),
        found => looker.note(found),
    }
    looker.seen.finish()
}

struct Looker<'f> {
    found: &'f mut Found,
    seen: DefaultHasher,
    /// How many links may still be followed, and how many entries looked at: others may be able to write there.
    links: usize,
    entries: usize,
}

impl Looker<'_> {
    /// Goes down to a path and notes where the links on the way lead.
    fn way(&mut self, path: &Path) {
        let mut steps: Vec<_> = path.ancestors().collect();
        steps.reverse();
        for pair in steps.windows(2) {
            let [above, step] = [pair[0], pair[1]];
            let found = fs::symlink_metadata(step);
            match &found {
                Ok(found) if found.is_symlink() => self.link(above, step),
                Ok(_) if step == path => {}
                Ok(_) => continue,
                Err(_) => {}
            }
            self.watch(above);
            if found.is_err() {
                return self.note(found);
            }
        }
    }

    fn link(&mut self, above: &Path, link: &Path) {
        let target = fs::read_link(link);
        target.as_ref().ok().hash(&mut self.seen);
        let left = self.links.checked_sub(1);
        if let (Ok(target), Some(left)) = (target, left) {
            self.links = left;
            self.way(&above.join(target));
        }
    }

    /// Notes all that is in a folder. A link in it is noted with what it leads to; a folder behind one is not entered.
    fn folder(&mut self, folder: &Path, depth: usize) {
        self.watch(folder);
        let mut names: Vec<_> = match fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()).take(self.entries).collect(),
            Err(error) => return self.note(Err(error)),
        };
        self.entries = self.entries.saturating_sub(names.len());
        names.sort_unstable();
        for name in names {
            name.hash(&mut self.seen);
            let path = folder.join(name);
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {
                    if depth < DEEPEST {
                        self.folder(&path, depth + 1);
                    }
                }
                Ok(found) if found.is_symlink() => {
                    fs::read_link(&path).ok().hash(&mut self.seen);
                    match fs::metadata(&path) {
                        Ok(behind) if behind.is_dir() => {}
                        behind => self.note(behind),
                    }
                }
                found => self.note(found),
            }
        }
        END.hash(&mut self.seen);
    }

    fn note(&mut self, found: io::Result<Metadata>) {
        match found {
            // The time of the last change of status cannot be set back by whoever writes.
            Ok(found) => {
                let file = (found.dev(), found.ino(), found.size());
                let changed = (found.ctime(), found.ctime_nsec());
                (file, found.mtime(), found.mtime_nsec(), changed).hash(&mut self.seen);
                let (seconds, nanoseconds) = (u64::try_from(changed.0), u32::try_from(changed.1));
                let changed = Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default());
                self.found.youngest = self.found.youngest.max(UNIX_EPOCH.checked_add(changed).unwrap_or(UNIX_EPOCH));
            }
            Err(error) => error.kind().hash(&mut self.seen),
        }
    }

    fn watch(&mut self, folder: &Path) {
        if let Ok(found) = fs::metadata(folder) {
            self.found.folders.insert(folder.to_owned(), (found.dev(), found.ino()));
        }
    }
}

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// How many files and folders of a path are looked at; changes of others are noticed when they are read again.
const MOST_ENTRIES: usize = 100_000;

/// How deep below a path is looked.
const DEEPEST: usize = 16;

/// Ends the entries of a folder: no name has a slash.
const END: &str = "/";
