//! Which files are looked at.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secretsync_core::error::Result;

use crate::manifests::unreadable;

/// A file to look at.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// Whether it was named itself, so that it must be a document.
    pub(super) named: bool,
}

/// The files that paths mean, folders with all that is below them, in order of the names.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if metadata.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            found.push(Candidate { path: path.clone(), named: true });
        }
    }
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<Candidate>) -> Result<()> {
    const DEEPEST: usize = 64;
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        entries.push(entry.map_err(|error| unreadable(folder, error))?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), error))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() && depth < DEEPEST {
            walk(&entry.path(), depth + 1, found)?;
        } else if kind.is_file() {
            found.push(Candidate { path: entry.path(), named: false });
        }
    }
    Ok(())
}

/// The bytes of a file, and at most a few more than a document may have.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    bytes(path).map_err(|error| unreadable(path, error))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    const LIMIT: u64 = (16 << 20) + 1;
    // Opening a pipe would wait for somebody who writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut content)?;
    Ok(content)
}
