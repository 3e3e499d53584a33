//! Services that unwrap data keys, as a store configures them.

use std::sync::Arc;

use secretsync_core::error::{Error, one_line};
use secretsync_core::provider::{KeyKind, KeyService, WrappedKey};
use zeroize::Zeroizing;

/// The services of a store, in the order in which they are asked.
pub(crate) type Services = Arc<[Service]>;

/// One service, and where the configuration has it.
#[derive(Debug)]
pub(crate) struct Service {
    /// `keys[1].awsKms`
    pub(crate) place: String,
    pub(crate) kind: KeyKind,
    pub(crate) inner: Arc<dyn KeyService>,
}

/// Why a service gave no key.
pub(crate) enum Declined {
    /// It may not be asked; nothing was sent.
    NotServed(String),
    /// It was asked and failed.
    Failed(Error),
}

impl Service {
    /// Asks for a key, if the service is configured for it and may be asked once more.
    pub(crate) async fn unwrap(&self, key: &WrappedKey, questions: &mut usize) -> Result<Zeroizing<Vec<u8>>, Declined> {
        self.inner.serves(key).map_err(Declined::NotServed)?;
        let spent = || Declined::NotServed("the document has had too many others tried".to_owned());
        *questions = questions.checked_sub(1).ok_or_else(spent)?;
        let part = self.inner.unwrap(key).await.map_err(Declined::Failed)?;
        Ok(Zeroizing::new(part.expose().to_vec()))
    }

    pub(crate) async fn close(&self) {
        self.inner.close().await;
    }
}

impl Declined {
    /// The reason in words, with the place of the service.
    pub(crate) fn told(&self, place: &str) -> String {
        match self {
            Self::NotServed(why) => format!("`{place}` may not be asked for it: {why}"),
            Self::Failed(error) => format!("`{place}` was asked and failed: {}", one_line(error)),
        }
    }
}
