//! Opens files below a folder and nowhere else.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::Content;
use crate::document::MAX_BYTES;

/// What a path leads to.
pub(crate) enum Entry {
    Folder(OwnedFd),
    File(OwnedFd),
}

/// Why a path leads to nothing that may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Obstacle {
    /// The folder is there and has no such entry.
    Absent,
    /// Something on the way was removed or exchanged while it was looked at, which says nothing about what is there.
    Changed,
    /// A link leads to nothing.
    Dangling,
    /// A link leads out of the folder, or is absolute.
    Leaves,
    /// A device, fifo or socket.
    NotRegular,
    Io(Errno),
}

/// Goes down `path` from `root`, one folder at a time through open handles, so nothing that is renamed meanwhile can lead out. Links are
/// followed as long as they stay below `root`.
pub(crate) fn walk(root: BorrowedFd<'_>, path: &Path) -> Result<Entry, Obstacle> {
    let mut folders: Vec<OwnedFd> = Vec::new();
    let mut steps: VecDeque<Step> =
        path.components().map(|component| Step { name: component.as_os_str().to_owned(), linked: false }).collect();
    let mut links = 0;
    while let Some(Step { name, linked }) = steps.pop_front() {
        if name == "." {
            continue;
        }
        if name == ".." {
            drop(folders.pop().ok_or(Obstacle::Leaves)?);
            continue;
        }
        let folder = folders.last().map_or(root, AsFd::as_fd);
        let missing = if linked { Obstacle::Dangling } else { Obstacle::Absent };
        let found = match statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) if is_removed(folder) => return Err(Obstacle::Changed),
            Err(Errno::NOENT) => return Err(missing),
            Err(error) => return Err(Obstacle::Io(error)),
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => folders.push(open(folder, &name, OFlags::DIRECTORY)?),
            FileType::RegularFile if !steps.is_empty() => return Err(missing),
            FileType::RegularFile => return regular(open(folder, &name, OFlags::NONBLOCK | OFlags::NOCTTY)?),
            FileType::Symlink => {
                links += 1;
                let target = readlinkat(folder, &name, Vec::new()).map_err(since_seen)?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                if links > MOST_LINKS || target.is_absolute() {
                    return Err(Obstacle::Leaves);
                }
                for component in target.components().rev() {
                    steps.push_front(Step { name: link_step(component), linked: true });
                }
            }
            _ => return Err(Obstacle::NotRegular),
        }
    }
    match folders.pop() {
        Some(folder) => Ok(Entry::Folder(folder)),
        None => root.try_clone_to_owned().map(Entry::Folder).map_err(|_| Obstacle::Io(Errno::MFILE)),
    }
}

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

struct Step {
    name: OsString,
    /// Whether a link named it, not the caller.
    linked: bool,
}

fn link_step(component: Component<'_>) -> OsString {
    component.as_os_str().to_owned()
}

/// A folder that was deleted while it was open says that everything in it is missing, which proves nothing.
fn is_removed(folder: BorrowedFd<'_>) -> bool {
    fstat(folder).is_ok_and(|found| found.st_nlink == 0)
}

fn open(folder: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Obstacle> {
    openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags, Mode::empty()).map_err(since_seen)
}

/// The failure of a call on an entry that was seen a moment ago: missing now, or of another kind, it was exchanged.
fn since_seen(error: Errno) -> Obstacle {
    match error {
        Errno::INVAL | Errno::LOOP | Errno::NOENT | Errno::NOTDIR => Obstacle::Changed,
        error => Obstacle::Io(error),
    }
}

/// What was looked at may have been replaced before it was opened.
fn regular(file: OwnedFd) -> Result<Entry, Obstacle> {
    let found = fstat(&file).map_err(Obstacle::Io)?;
    if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile {
        Ok(Entry::File(file))
    } else {
        Err(Obstacle::NotRegular)
    }
}

/// The bytes of a file, and at most one more than a document may have.
pub(crate) fn read(file: OwnedFd) -> io::Result<Content> {
    let file = File::from(file);
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut content = Zeroizing::new(Vec::with_capacity(size.min(MAX_BYTES) + 1));
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    file.take(limit + 1).read_to_end(&mut content)?;
    Ok(content)
}
