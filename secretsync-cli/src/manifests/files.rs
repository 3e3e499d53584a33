//! Which files are read, and reading them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};

/// Every file that `-f` means, folders expanded in order of the names.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        if is_standard_input(path) {
            files.push(path.clone());
            continue;
        }
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if !metadata.is_dir() {
            files.push(path.clone());
            continue;
        }
        files.extend(folder(path)?);
    }
    // A file that is named beside its folder is the same manifest, not a second one.
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    Ok(files)
}

/// The manifests of a folder: its own files only, so that a folder of documents or of another environment below it is not applied by accident.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, error))? {
        let file = entry.map_err(|error| unreadable(path, error))?.path();
        let wanted =
            file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json");
        if wanted && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::new(ErrorKind::InvalidConfig, "read")
            .on(format!("folder `{}`", path.display()))
            .because("it has no .yaml, .yml or .json files of its own")
            .with_hint(Hint::new(
                Code::ManifestUnreadable,
                "name the folder that holds the manifests; sub-folders are not searched",
            )));
    }
    Ok(files)
}

/// The text of a file, `-` being standard input. More than the limit is not even read.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let count = if is_standard_input(file) {
        io::stdin().lock().take(LIMIT + 1).read_to_end(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut text))
    };
    let count = count.map_err(|error| unreadable(file, error))?;
    if count as u64 > LIMIT {
        return Err(Error::new(ErrorKind::InvalidConfig, "read")
            .on(format!("`{}`", file.display()))
            .because(format!("it is larger than {} MiB", LIMIT >> 20))
            .with_hint(Hint::new(Code::ManifestUnreadable, "split the file")));
    }
    Ok(text)
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The error of a path that cannot be read.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "correct the path",
        io::ErrorKind::PermissionDenied => "give yourself the right to read it",
        _ => "check the path",
    };
    Error::new(ErrorKind::InvalidConfig, "read")
        .on(format!("`{}`", path.display()))
        .with_source(error)
        .with_hint(Hint::new(Code::ManifestUnreadable, advice))
}

/// As much as the YAML reader takes. A SOPS document of 10,000 values beside the manifests has 3 MiB; nobody writes this much by hand.
const LIMIT: u64 = 8 << 20;
