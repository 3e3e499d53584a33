//! Reads documents, still encrypted, from where a store has them.

mod directory;
mod file;
mod inline;
mod reference;

use std::path::PathBuf;
use std::sync::Arc;

use secretsync_core::provider::{CredentialKind, CredentialSource};
use zeroize::Zeroizing;

use self::directory::Folder;
use self::inline::Inline;
use self::reference::Reference;
pub(crate) use self::reference::key;
use crate::config::{Source, below};
use crate::document::Format;
use crate::error::Error;

/// A document as it was read. Parts of it may be plain, so it is wiped when dropped.
pub(crate) type Content = Zeroizing<Vec<u8>>;

/// The documents of a store.
#[derive(Debug)]
pub(crate) enum Client {
    Inline(Inline),
    Path(Arc<Folder>),
    Reference(Reference),
}

impl Client {
    /// A client for a source; paths start at `base`.
    pub(crate) fn new(
        source: Source,
        base: Option<PathBuf>,
        credentials: Arc<dyn CredentialSource>,
    ) -> Result<Self, Error> {
        Ok(match source {
            Source::ConfigMap(object) => {
                Self::Reference(Reference::new(CredentialKind::ConfigMap, object, credentials))
            }
            Source::Inline(text) => Self::Inline(Inline::new(text)),
            Source::Path(path) => {
                let base = base.ok_or_else(|| {
                    Error::settings(
                        "names a path, but this program reads no files for stores",
                        "use `source.configMapRef` or `source.secretRef`; an operator reads files with the flag `--sops-root`",
                    )
                })?;
                Self::Path(Arc::new(Folder::new(below(&base, &path)?, base, path)))
            }
            Source::Secret(object) => Self::Reference(Reference::new(CredentialKind::Secret, object, credentials)),
        })
    }

    /// The format of a document of this name.
    pub(crate) fn format(&self, name: &str) -> Format {
        match self {
            Self::Inline(inline) => inline.format(),
            Self::Path(_) | Self::Reference(_) => Format::of(name),
        }
    }

    /// The document of this name; nothing only if the source is there and certainly has no such document.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Content>, Error> {
        match self {
            Self::Inline(inline) => inline.read(name).map(Some),
            Self::Path(folder) => {
                let (folder, name) = (Arc::clone(folder), name.to_owned());
                blocking(move || folder.read(&name)).await
            }
            Self::Reference(reference) => reference.read(name).await.map(Some),
        }
    }

    /// The names of all documents, sorted.
    pub(crate) async fn names(&self) -> Result<Vec<String>, Error> {
        match self {
            Self::Inline(_) => Ok(vec![inline::NAME.to_owned()]),
            Self::Path(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.names()).await
            }
            Self::Reference(reference) => reference.names().await,
        }
    }

    /// Fails if the source is not there.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        match self {
            Self::Inline(_) | Self::Reference(_) => Ok(()),
            Self::Path(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.check()).await
            }
        }
    }
}

/// Runs file access and decryption off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Interrupted)?
}
