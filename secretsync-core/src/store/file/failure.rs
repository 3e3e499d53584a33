//! Errors of files and folders, and the one way to do file work from async code.

use std::io;
use std::path::Path;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::error::{Code, Error, ErrorKind, Hint, Result, Retry};

/// The operating system refused `operation` on `path`.
pub(in crate::store) fn failed(operation: &'static str, path: &Path, errno: Errno) -> Error {
    let (kind, advice) = match errno {
        Errno::ACCESS | Errno::PERM => {
            (ErrorKind::PermissionDenied, "let this user write there, or choose another place")
        }
        Errno::ROFS => (ErrorKind::PermissionDenied, "choose a place on a file system that can be written"),
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => (
            ErrorKind::Unavailable,
            "make room and run again: nothing that was there is damaged, and the next run finishes",
        ),
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => {
            (ErrorKind::InvalidConfig, "check the path: each part of it must be a folder that exists")
        }
        _ => (ErrorKind::Unavailable, "check the path and run again: nothing that was there is damaged"),
    };
    Error::new(kind, operation)
        .on(format!("`{}`", path.display()))
        .with_retry(Retry::Never)
        .with_source(io::Error::from(errno))
        .with_hint(Hint::new(Code::TargetUnwritable, advice))
}

/// Something else is in the place of a file or folder, and stays there.
pub(in crate::store) fn refused(path: &Path, wanted: &str, found: FileType) -> Error {
    let found = match found {
        FileType::Directory => "a folder",
        FileType::RegularFile => "a file",
        FileType::Symlink => "a symbolic link, which could lead out of the target",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("`{}` as {wanted}", path.display()))
        .because(format!("it is {found}"))
        .with_hint(Hint::new(Code::TargetUnwritable, "move it away and run again: it was left as it is"))
}

/// Another run has taken a folder.
pub(in crate::store) fn busy(path: &Path) -> Error {
    Error::new(ErrorKind::Unavailable, "write")
        .on(format!("`{}`", path.display()))
        .because("another run is writing there")
        .with_hint(Hint::new(Code::TargetUnwritable, "wait until it has ended, and run again"))
}

/// Runs file work where it may block. It runs to its end even if nobody waits for it any more.
pub(in crate::store) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(gone) => Err(Error::new(ErrorKind::Internal, "do file work")
            .because(if gone.is_panic() { "it panicked" } else { "the runtime is shutting down" })
            .with_hint(Hint::new(Code::InternalDefect, "run again, and report this if it stays"))),
    }
}
