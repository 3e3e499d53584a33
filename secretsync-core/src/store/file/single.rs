//! One file that a user named.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{Content, Folder, Stamp, failed, replace};
use crate::error::{Code, Error, ErrorKind, Hint, Result};

/// A file by its path. The folder that it lies in must exist when it is written; the file may not be a symbolic link.
#[derive(Debug)]
pub(in crate::store) struct SingleFile(PathBuf);

impl SingleFile {
    pub(in crate::store) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.0
    }

    /// Its content, or `None` if it does not exist.
    pub(in crate::store) fn read(&self) -> Result<Option<Content>> {
        let name = self.name()?;
        Ok(self.folder()?.map(|folder| folder.read(name)).transpose()?.flatten())
    }

    /// Which file it is now, or `None` if it does not exist.
    pub(in crate::store) fn stamp(&self) -> Result<Option<Stamp>> {
        let name = self.name()?;
        Ok(self.folder()?.map(|folder| folder.stamp(name)).transpose()?.flatten())
    }

    /// Replaces it by what `change` makes of it, unless that is the same already and nobody else can read it. Nobody else changes it meanwhile.
    pub(in crate::store) fn update(
        &self,
        change: impl FnOnce(Option<&[u8]>) -> Result<Zeroizing<String>>,
    ) -> Result<()> {
        let folder = self.folder_to_write()?;
        folder.lock(PATIENCE)?;
        let before = folder.read(self.name()?)?;
        let text = change(before.as_ref().map(|before| before.bytes.as_slice()))?;
        if before.is_some_and(|before| before.private && before.bytes.as_slice() == text.as_bytes()) {
            return Ok(());
        }
        replace(&folder, self.name()?, text.as_bytes())
    }

    /// Fails where [`update`](Self::update) would, as far as can be told without writing.
    pub(in crate::store) fn check(
        &self,
        change: impl FnOnce(Option<&[u8]>) -> Result<Zeroizing<String>>,
    ) -> Result<()> {
        let before = self.folder_to_write()?.read(self.name()?)?;
        change(before.as_ref().map(|before| before.bytes.as_slice())).map(drop)
    }

    /// Its content cannot be understood.
    pub(in crate::store) fn damaged(&self, line: usize, what: &str) -> Error {
        Error::new(ErrorKind::InvalidData, "read")
            .on(format!("`{}`", self.0.display()))
            .because(format!("line {line}: {what}"))
            .with_hint(Hint::new(Code::TargetUnwritable, "mend the file, or choose another one: nothing was changed"))
    }

    fn folder(&self) -> Result<Option<Folder>> {
        Folder::open(self.0.parent().unwrap_or(&self.0))
    }

    fn folder_to_write(&self) -> Result<Folder> {
        self.folder()?.ok_or_else(|| failed("write", &self.0, Errno::NOENT))
    }

    fn name(&self) -> Result<&str> {
        self.0.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "use")
                .on(format!("`{}` as a file", self.0.display()))
                .because("it does not end in the name of a file, in UTF-8")
                .with_hint(Hint::new(Code::TargetUnwritable, "give the path of a file"))
        })
    }
}

/// How long to wait for others, who have the folder only while they replace a file.
const PATIENCE: Duration = Duration::from_secs(10);
