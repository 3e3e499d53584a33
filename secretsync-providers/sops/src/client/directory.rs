//! Documents in a folder of the file system, or in one file of it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Content;
use super::file::{self, Entry, Obstacle};
use crate::document::Format;
use crate::error::{Error, quoted};

/// A file or folder below the folder that paths start from.
#[derive(Debug)]
pub(crate) struct Folder {
    base: PathBuf,
    inside: PathBuf,
    /// As the configuration has it, for messages.
    written: String,
}

impl Folder {
    pub(crate) fn new(inside: PathBuf, base: PathBuf, written: String) -> Self {
        Self { base, inside, written }
    }

    /// A document; nothing only if the folder is there and has no such entry.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Content>, Error> {
        settled(|| self.look(name))
    }

    fn look(&self, name: &str) -> Result<Option<Content>, Error> {
        let file = match self.open()? {
            Entry::File(file) => {
                let only = self.file_name();
                if name != only {
                    return Err(Error::OtherName { only });
                }
                file
            }
            Entry::Folder(folder) => match file::walk(folder.as_fd(), Path::new(name)) {
                Ok(Entry::File(file)) => file,
                Ok(Entry::Folder(_)) => {
                    return Err(Error::PathRefused { what: format!("`{}` is a folder, not a document", quoted(name)) });
                }
                Err(Obstacle::Absent) => return Ok(None),
                Err(obstacle) => return Err(refusal(name, obstacle)),
            },
        };
        file::read(file).map(Some).map_err(|error| Error::io(name, &error))
    }

    /// Fails if there is neither a file nor a folder.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.open().map(drop)
    }

    /// The names of the documents, sorted: files with the ending of a format, and others that sops encrypted. Hidden files and folders are left
    /// out, and links to folders are not followed. What cannot be looked at is an error: whoever counts on a complete list deletes what is not in it.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        settled(|| self.look_for_all())
    }

    fn look_for_all(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        match self.open()? {
            Entry::File(_) => names.push(self.file_name()),
            Entry::Folder(folder) => self.list(&folder, "", 0, &mut names)?,
        }
        names.sort_unstable();
        Ok(names)
    }

    fn list(&self, folder: &OwnedFd, below: &str, depth: usize, names: &mut Vec<String>) -> Result<(), Error> {
        let failed = |error: Errno| Error::io(&self.written, &error.into());
        for entry in Dir::read_from(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(file_name) = entry.file_name().to_str() else { continue };
            if file_name.starts_with('.') || file_name.chars().any(char::is_control) {
                continue;
            }
            let name = if below.is_empty() { file_name.to_owned() } else { format!("{below}/{file_name}") };
            let refused = |obstacle| refusal(&name, obstacle);
            if is_document(folder.as_fd(), file_name, entry.file_type()).map_err(refused)? {
                if names.len() == MOST_DOCUMENTS {
                    return Err(Error::TooLarge {
                        what: format!("the folder has more than {MOST_DOCUMENTS} documents"),
                    });
                }
                names.push(name);
            } else if depth < DEEPEST
                && entry.file_type() != FileType::Symlink
                && let Some(Entry::Folder(inner)) = entered(folder.as_fd(), file_name).map_err(refused)?
            {
                self.list(&inner, &name, depth + 1, names)?;
            }
        }
        Ok(())
    }

    fn open(&self) -> Result<Entry, Error> {
        let base = if self.base.as_os_str().is_empty() { Path::new(".") } else { &self.base };
        let base = rustix::fs::open(base, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let opened = base.map_err(|error| if error == Errno::NOENT { Obstacle::Absent } else { Obstacle::Io(error) });
        opened.and_then(|base| file::walk(base.as_fd(), &self.inside)).map_err(|obstacle| match obstacle {
            Obstacle::Absent => Error::SourceMissing { path: quoted(&self.written) },
            obstacle => refusal(&self.written, obstacle),
        })
    }

    fn file_name(&self) -> String {
        self.inside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// How many documents a folder may have when all are listed.
const MOST_DOCUMENTS: usize = 10_000;

/// How deep folders are searched when all documents are listed.
const DEEPEST: usize = 16;

/// Whether an entry is a file or a link, which is looked at when it is fetched, and has the ending of a format. A file of another name is one only
/// if it is a binary document: a folder may have a README beside its documents.
fn is_document(folder: BorrowedFd<'_>, name: &str, kind: FileType) -> Result<bool, Obstacle> {
    if !matches!(kind, FileType::RegularFile | FileType::Symlink | FileType::Unknown) {
        return Ok(false);
    }
    let named = Format::of(name) != Format::Binary;
    // Some file systems do not tell the kind while listing.
    if named && kind != FileType::Unknown {
        return Ok(true);
    }
    let Some(Entry::File(file)) = entered(folder, name)? else { return Ok(false) };
    if named {
        return Ok(true);
    }
    let content = file::read(file).map_err(|error| Obstacle::Io(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    Ok(Format::is_binary_document(&content))
}

/// What an entry of a list leads to; nothing if it is certainly no document: gone since, a link that leaves the folder, or a device.
fn entered(folder: BorrowedFd<'_>, name: &str) -> Result<Option<Entry>, Obstacle> {
    match file::walk(folder, Path::new(name)) {
        Ok(entry) => Ok(Some(entry)),
        Err(Obstacle::Absent | Obstacle::Leaves | Obstacle::NotRegular) => Ok(None),
        Err(obstacle) => Err(obstacle),
    }
}

/// Looks again where something was exchanged meanwhile: the links of a mounted `ConfigMap` are with each change of it, and a look in that moment finds half of
/// either.
fn settled<T>(look: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    const LOOKS: usize = 3;
    for _ in 1..LOOKS {
        match look() {
            Err(error) if error.is_fleeting() => {}
            settled => return settled,
        }
    }
    look()
}

fn refusal(name: &str, obstacle: Obstacle) -> Error {
    let refused = |why: &str| Error::PathRefused { what: format!("`{}` {why}", quoted(name)) };
    match obstacle {
        Obstacle::Absent | Obstacle::Dangling => Error::Dangling { path: quoted(name) },
        Obstacle::Changed => Error::io(name, &Errno::STALE.into()),
        Obstacle::Io(error) => Error::io(name, &error.into()),
        Obstacle::Leaves => refused("is or lies behind a link that leaves the folder"),
        Obstacle::NotRegular => refused("is no regular file"),
    }
}
