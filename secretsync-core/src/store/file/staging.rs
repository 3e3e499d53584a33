//! Writing files so that nobody ever sees half of one.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Folder, NO_LINK, PRIVATE_FILE, failed};
use crate::error::Result;

/// How names of temporary files begin: no key of a Secret and no namespace contains a `~`.
const TEMPORARY: &str = "~secretsync.";

/// From this many on, files are brought to the disk together: measured with 10,000 files, that is ten times as fast as one by one.
const MANY: usize = 32;

/// Files of one folder, written beside those that they will replace. What is not committed vanishes.
#[derive(Debug)]
pub(in crate::store) struct Staging<'a> {
    folder: &'a Folder,
    waiting: Vec<(String, String)>,
    /// Whether some are written and not yet on the disk.
    unsynced: bool,
}

impl<'a> Staging<'a> {
    pub(in crate::store) fn new(folder: &'a Folder) -> Self {
        Self { folder, waiting: Vec::new(), unsynced: false }
    }

    /// Writes a file under a temporary name.
    pub(in crate::store) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let temporary = format!("{TEMPORARY}{}", suffix());
        self.waiting.push((temporary, name.to_owned()));
        let (temporary, _) = &self.waiting[self.waiting.len() - 1];
        let file = write_new(self.folder, temporary, name, bytes)?;
        if cfg!(target_os = "linux") && self.waiting.len() > MANY {
            self.unsynced = true;
            return Ok(());
        }
        sync(self.folder, &file, name)
    }

    /// Gives all files their names. Only now anything that was there changes.
    pub(in crate::store) fn commit(mut self) -> Result<()> {
        if self.unsynced {
            self.folder.sync_everything()?;
        }
        while let Some((temporary, name)) = self.waiting.last() {
            rename(self.folder, temporary, name)?;
            self.waiting.pop();
        }
        self.folder.sync()
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        for (temporary, _) in &self.waiting {
            // Nothing more can be done here: the next run tidies up.
            drop(self.folder.remove_file(temporary));
        }
    }
}

/// Temporary files in `folder` that a killed run left. Another process that is staging there now looks the same, so remove them only
/// while there is none.
pub(in crate::store) fn leftovers(folder: &Folder) -> Result<Vec<String>> {
    let mine = format!("{TEMPORARY}{}.", run());
    let mut names = folder.names_with(TEMPORARY)?;
    names.retain(|name| !name.starts_with(&mine));
    Ok(names)
}

/// Writes one file of a folder that others use too, and tidies up what killed runs left of this very file.
pub(in crate::store) fn replace(folder: &Folder, name: &str, bytes: &[u8]) -> Result<()> {
    write_as(folder, name, bytes)?;
    folder.sync()
}

/// The same, but for the folder: after a power cut the file may still be the one before.
pub(in crate::store) fn write_as(folder: &Folder, name: &str, bytes: &[u8]) -> Result<()> {
    let prefix = format!("{name}{TEMPORARY}");
    for leftover in folder.names_with(&prefix)? {
        remove_unlocked(folder, &leftover);
    }
    let temporary = format!("{prefix}{}", suffix());
    let done = write_new(folder, &temporary, name, bytes).and_then(|file| {
        sync(folder, &file, name)?;
        rename(folder, &temporary, name)?;
        drop(file);
        Ok(())
    });
    if done.is_err() {
        // After the rename there is nothing of this name any more, and before it nothing else can be done.
        drop(folder.remove_file(&temporary));
    }
    done
}

/// A file that only this user can read from its first moment on, locked while the handle lives.
fn write_new(folder: &Folder, temporary: &str, name: &str, bytes: &[u8]) -> Result<File> {
    let fail = |errno| failed("write", &folder.path.join(name), errno);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | NO_LINK;
    let fd = rustix::fs::openat(&folder.fd, temporary, flags, PRIVATE_FILE).map_err(fail)?;
    // Only tells others that this run is alive; where locks do not work, `replace` removes nothing.
    let _ = rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive);
    // The umask may have taken bits away.
    rustix::fs::fchmod(&fd, PRIVATE_FILE).map_err(fail)?;
    let mut file = File::from(fd);
    file.write_all(bytes).map_err(|error| fail(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    Ok(file)
}

fn sync(folder: &Folder, file: &File, name: &str) -> Result<()> {
    rustix::fs::fsync(file).map_err(|errno| failed("write", &folder.path.join(name), errno))
}

fn rename(folder: &Folder, temporary: &str, name: &str) -> Result<()> {
    rustix::fs::renameat(&folder.fd, temporary, &folder.fd, name)
        .map_err(|errno| failed("write", &folder.path.join(name), errno))
}

fn remove_unlocked(folder: &Folder, name: &str) {
    let Ok(fd) = rustix::fs::openat(&folder.fd, name, OFlags::RDONLY | OFlags::NONBLOCK | NO_LINK, Mode::empty())
    else {
        return;
    };
    if rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).is_ok() {
        // If it cannot be removed now, the next run tries again.
        drop(folder.remove_file(name));
    }
}

fn suffix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}.{}", run(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Tells the temporary files of this process from those of others.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system's random source works");
        format!("{:016x}", u64::from_le_bytes(bytes))
    })
}
