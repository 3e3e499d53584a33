//! Folders by handle and atomic writes: nothing below a folder that the user named is opened through a symbolic link.

mod failure;
mod single;
mod staging;

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

pub(super) use failure::{blocking, busy, failed, refused};
pub(super) use single::SingleFile;
pub(super) use staging::{Staging, leftovers, replace, write_as};

use crate::error::Result;

/// More than any Secret or list of names has: what is larger was not written by us.
const LIMIT: u64 = 256 << 20;

/// How far apart a lock is tried.
const PAUSE: Duration = Duration::from_millis(10);

const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);
const PRIVATE_FOLDER: Mode = Mode::from_raw_mode(0o700);
/// What a group and others may do.
const SHARED: u32 = 0o077;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// Whether something is to be on the disk before the next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Durability {
    /// It survives a power cut from now on.
    Certain,
    /// The system brings it there when it likes.
    Eventual,
}

/// An open folder. Its path is for messages only.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// The content of a file.
pub(super) struct Content {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether only its owner may read or write it.
    pub(super) private: bool,
    pub(super) stamp: Stamp,
}

/// Tells a file from what replaced it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    /// Moves with the mode too.
    changed: (i64, u64),
}

impl Folder {
    /// Opens a folder that the user named, which may be a symbolic link. `None` if there is nothing.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match rustix::fs::open(path, FOLDER, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("open folder", path, errno)),
        }
    }

    /// The same, but a symbolic link is refused unless a slash follows its name.
    pub(super) fn open_itself(path: &Path) -> Result<Option<Self>> {
        let followed = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode))
        {
            Ok(FileType::Symlink) if !followed => Err(refused(path, "a folder", FileType::Symlink)),
            _ => Self::open(path),
        }
    }

    /// As [`open_itself`](Self::open_itself); the folder and what is missing above it are created.
    pub(super) fn create_itself(path: &Path) -> Result<Self> {
        if let Some(folder) = Self::open_itself(path)? {
            return Ok(folder);
        }
        if let Some(parent) = path.parent() {
            Self::create(parent)?;
        }
        make_folder(CWD, path, path)?;
        Self::open_itself(path)?.ok_or_else(|| failed("open folder", path, Errno::NOENT))
    }

    fn create(path: &Path) -> Result<()> {
        if Self::open(path)?.is_some() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            Self::create(parent)?;
        }
        make_folder(CWD, path, path)
    }

    /// The folder `name` in this one, which may not be a symbolic link. `None` if there is nothing.
    pub(super) fn child(&self, name: &str) -> Result<Option<Self>> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, FOLDER | NO_LINK, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => match self.kind(name)? {
                Some(FileType::Directory) | None => Err(failed("open folder", &path, errno)),
                Some(other) => Err(refused(&path, "a folder", other)),
            },
        }
    }

    /// The same, created if there is nothing.
    pub(super) fn ensure_child(&self, name: &str) -> Result<Self> {
        if let Some(folder) = self.child(name)? {
            return Ok(folder);
        }
        let path = self.path.join(name);
        make_folder(&self.fd, Path::new(name), &path)?;
        self.child(name)?.ok_or_else(|| failed("open folder", &path, Errno::NOENT))
    }

    /// What `name` is, without following it.
    pub(super) fn kind(&self, name: &str) -> Result<Option<FileType>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("look at", &self.path.join(name), errno)),
        }
    }

    /// Whether `name` is a regular file; an error if it is anything else that exists.
    pub(super) fn has_file(&self, name: &str) -> Result<bool> {
        match self.kind(name)? {
            None => Ok(false),
            Some(FileType::RegularFile) => Ok(true),
            Some(other) => Err(refused(&self.path.join(name), "a file", other)),
        }
    }

    /// Reads a file whole. `None` if there is nothing, an error if it is no regular file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Content>> {
        let path = self.path.join(name);
        // Checked first, since to open a device can have effects; and again through the handle, since it may be another one by then.
        if !self.has_file(name)? {
            return Ok(None);
        }
        let fd = match rustix::fs::openat(&self.fd, name, OFlags::RDONLY | OFlags::NONBLOCK | NO_LINK, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed("read", &path, errno)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|errno| failed("read", &path, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            other => return Err(refused(&path, "a file", other)),
        }
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if size > LIMIT {
            return Err(failed("read", &path, Errno::FBIG));
        }
        // One allocation, so that no outgrown copy is left behind unwiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
        File::from(fd)
            .take(size)
            .read_to_end(&mut bytes)
            .map_err(|error| failed("read", &path, Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        Ok(Some(Content { bytes, private: stat.st_mode & SHARED == 0, stamp: Stamp::of(&stat) }))
    }

    /// Which file `name` is now. `None` if there is nothing.
    pub(super) fn stamp(&self, name: &str) -> Result<Option<Stamp>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Stamp::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("look at", &self.path.join(name), errno)),
        }
    }

    /// Adds to the end of a file that exists.
    pub(super) fn append(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<()> {
        let fail = |errno| failed("write", &self.path.join(name), errno);
        self.has_file(name)?;
        let fd = rustix::fs::openat(
            &self.fd,
            name,
            OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | NO_LINK,
            Mode::empty(),
        )
        .map_err(fail)?;
        let mut file = File::from(fd);
        file.write_all(bytes)
            .and_then(|()| if durability == Durability::Certain { file.sync_all() } else { Ok(()) })
            .map_err(|error| fail(Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }

    /// Removes a file. `false` if there was nothing.
    pub(super) fn remove_file(&self, name: &str) -> Result<bool> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(failed("remove", &self.path.join(name), errno)),
        }
    }

    /// Removes a folder if it is empty.
    pub(super) fn remove_if_empty(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(errno) => Err(failed("remove folder", &self.path.join(name), errno)),
        }
    }

    /// The names in this folder that begin with `prefix`.
    pub(super) fn names_with(&self, prefix: &str) -> Result<Vec<String>> {
        let fail = |errno| failed("list", &self.path, errno);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = CStr::to_str(entry.file_name()).ok().filter(|name| name.starts_with(prefix));
            names.extend(name.map(ToOwned::to_owned));
        }
        Ok(names)
    }

    /// Makes what was created, renamed and removed in this folder survive a power cut.
    pub(super) fn sync(&self) -> Result<()> {
        match rustix::fs::fsync(&self.fd) {
            // Some file systems cannot sync folders, and say so this way.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(failed("write", &self.path, errno)),
        }
    }

    /// Brings everything that was written on this file system to the disk.
    pub(super) fn sync_everything(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.fd).map_err(|errno| failed("write", &self.path, errno))?;
        Ok(())
    }

    /// Takes this folder for one run at a time, until the handle is dropped. Fails if another run has it for longer than this.
    pub(super) fn lock(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            match rustix::fs::flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
                // A file system without locks is used without them.
                Ok(()) | Err(Errno::NOLCK | Errno::NOTSUP | Errno::NOSYS) => return Ok(()),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => return Err(busy(&self.path)),
                Err(errno) => return Err(failed("lock", &self.path, errno)),
            }
        }
    }

    /// Where it is, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Stamp {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        reason = "the types of these fields differ between platforms"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as i64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }
}

fn make_folder(parent: impl std::os::fd::AsFd + Copy, name: &Path, path: &Path) -> Result<()> {
    match rustix::fs::mkdirat(parent, name, PRIVATE_FOLDER) {
        Err(Errno::EXIST) => return Ok(()),
        Err(errno) => return Err(failed("create folder", path, errno)),
        Ok(()) => {}
    }
    // The umask may have taken bits away. Through the handle where it can be had, since a name could be replaced in between.
    match rustix::fs::openat(parent, name, FOLDER | NO_LINK, Mode::empty()) {
        Ok(fd) => rustix::fs::fchmod(fd, PRIVATE_FOLDER),
        Err(_) => rustix::fs::chmodat(parent, name, PRIVATE_FOLDER, AtFlags::empty()),
    }
    .map_err(|errno| failed("create folder", path, errno))
}
