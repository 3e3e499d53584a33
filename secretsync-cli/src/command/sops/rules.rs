//! Which creation rules a document has.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretsync_core::error::Result;
use secretsync_providers::sops::SopsRules;

use super::{files, shown};
use crate::manifests::unreadable;

/// The name of the file with the rules.
const NAME: &str = ".sops.yaml";

/// A `.sops.yaml`, and the folder from which its rules see paths.
pub(super) struct Config {
    pub(super) rules: SopsRules,
    folder: PathBuf,
}

/// The rules of all documents, each file read once.
#[derive(Default)]
pub(super) struct Configs {
    /// The one that was named for all.
    fixed: Option<Arc<Config>>,
    /// The nearest one of each folder.
    nearest: HashMap<PathBuf, Option<Arc<Config>>>,
}

impl Config {
    fn read(path: &Path, folder: &Path) -> Result<Self> {
        Ok(Self { rules: SopsRules::parse(&files::read(path)?, &shown(path))?, folder: folder.to_owned() })
    }

    /// A document's path as the rules see it.
    pub(super) fn relative(&self, document: &Path) -> String {
        shown(document.strip_prefix(&self.folder).unwrap_or(document))
    }
}

impl Configs {
    /// The rules of a named file, or else those that are found.
    pub(super) fn new(named: Option<&Path>) -> Result<Self> {
        let Some(path) = named else { return Ok(Self::default()) };
        let file = path.canonicalize().map_err(|error| unreadable(path, error))?;
        let config = Config::read(path, file.parent().unwrap_or(&file))?;
        Ok(Self { fixed: Some(Arc::new(config)), nearest: HashMap::new() })
    }

    /// The rules of a document, by its absolute path: those of the nearest folder above it that has some.
    pub(super) fn of(&mut self, document: &Path) -> Result<Option<Arc<Config>>> {
        match (&self.fixed, document.parent()) {
            (Some(config), _) => Ok(Some(Arc::clone(config))),
            (None, Some(folder)) => self.above(folder),
            (None, None) => Ok(None),
        }
    }

    fn above(&mut self, folder: &Path) -> Result<Option<Arc<Config>>> {
        if let Some(known) = self.nearest.get(folder) {
            return Ok(known.clone());
        }
        let path = folder.join(NAME);
        let config = match fs::metadata(&path) {
            Ok(_) => Some(Arc::new(Config::read(&path, folder)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => match folder.parent() {
                Some(parent) => self.above(parent)?,
                None => None,
            },
            Err(error) => return Err(unreadable(&path, error)),
        };
        self.nearest.insert(folder.to_owned(), config.clone());
        Ok(config)
    }
}
