//! What one store keeps between reads: its keys, the data keys of documents, and decrypted documents.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use secretsync_core::secret::{Secret, SecretObject};
use sha2::{Digest as _, Sha256};

use crate::auth::{KeyRing, Keys};
use crate::client::{Content, blocking};
use crate::document::{DataKey, Document, Format};
use crate::error::Error;

/// The state of one store.
#[derive(Debug)]
pub(crate) struct Session {
    keys: Keys,
    ring: Mutex<Option<Arc<KeyRing>>>,
    kept: Arc<Mutex<Kept>>,
}

/// What names a document: the digest of its encrypted bytes, and how they are read.
type Name = ([u8; 32], Format);

/// What is kept by document, so that each change of a document is decrypted once, and its key asked for once.
struct Kept {
    data_keys: Recent<DataKey>,
    documents: Recent<Secret>,
}

impl Session {
    pub(crate) fn new(keys: Keys) -> Self {
        let kept = Kept { data_keys: Recent::new(MOST_DATA_KEYS), documents: Recent::new(MOST_DOCUMENT_BYTES) };
        Self { keys, ring: Mutex::new(None), kept: Arc::new(Mutex::new(kept)) }
    }

    /// The document in the clear.
    pub(crate) async fn decrypt(&self, format: Format, content: Content) -> Result<Secret, Error> {
        let content = Arc::new(content);
        let (ring, fresh) = match self.ring() {
            Some(ring) => (ring, false),
            None => (self.load().await?, true),
        };
        match self.attempt(format, Arc::clone(&content), ring).await {
            // The keys may have been rotated since they were read.
            Err(Error::NoKey { .. }) if !fresh => self.attempt(format, content, self.load().await?).await,
            outcome => outcome,
        }
    }

    /// Reads the keys anew.
    pub(crate) async fn load(&self) -> Result<Arc<KeyRing>, Error> {
        let ring = Arc::new(self.keys.load().await?);
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ring));
        Ok(ring)
    }

    /// Forgets keys and documents.
    pub(crate) fn clear(&self) {
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.data_keys.clear();
        kept.documents.clear();
    }

    fn ring(&self) -> Option<Arc<KeyRing>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn attempt(&self, format: Format, content: Arc<Content>, ring: Arc<KeyRing>) -> Result<Secret, Error> {
        let kept = Arc::clone(&self.kept);
        blocking(move || open(format, &content, &ring, &kept)).await
    }
}

/// Decrypts a document, unless that was done before.
fn open(format: Format, content: &[u8], ring: &KeyRing, kept: &Mutex<Kept>) -> Result<Secret, Error> {
    let kept = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    let digest = Sha256::digest(content);
    let name = (digest.into(), format);
    let known = kept().documents.take(&name);
    if let Some(secret) = known {
        kept().documents.put(name, content.len(), secret.clone());
        return Ok(secret);
    }
    let document = Document::parse(format, content)?;
    let known = kept().data_keys.take(&name);
    let data_key = match known {
        Some(data_key) => data_key,
        None => ring.unwrap(document.metadata())?,
    };
    let outcome = document.decrypt(&data_key);
    kept().data_keys.put(name, 1, data_key);
    let secret = Secret::object(SecretObject::new(outcome?.into_json())).with_version(hex(&digest));
    kept().documents.put(name, content.len(), secret.clone());
    Ok(secret)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Values by document, the least recently used given up first.
struct Recent<V> {
    entries: VecDeque<(Name, usize, V)>,
    weight: usize,
    limit: usize,
}

impl<V> Recent<V> {
    fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), weight: 0, limit }
    }

    /// Takes a value out; whoever uses it puts it back as the most recent.
    fn take(&mut self, name: &Name) -> Option<V> {
        let index = self.entries.iter().position(|(kept, ..)| kept == name)?;
        let (_, weight, value) = self.entries.remove(index)?;
        self.weight -= weight;
        Some(value)
    }

    fn put(&mut self, name: Name, weight: usize, value: V) {
        drop(self.take(&name));
        self.weight += weight;
        self.entries.push_back((name, weight, value));
        while self.weight > self.limit || self.entries.len() > MOST_DATA_KEYS {
            let Some((_, weight, _)) = self.entries.pop_front() else { break };
            self.weight -= weight;
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.weight = 0;
    }
}

/// How many data keys are kept; also how many documents at most.
const MOST_DATA_KEYS: usize = 1024;

/// How many bytes of encrypted text the kept documents have together.
const MOST_DOCUMENT_BYTES: usize = 32 << 20;

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} documents)", self.documents.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_given_up_last_and_the_weight_is_bounded() {
        let name = |n: u8| ([n; 32], Format::Yaml);
        let mut recent = Recent::new(10);
        recent.put(name(1), 4, 'a');
        recent.put(name(2), 4, 'b');
        let a = recent.take(&name(1)).unwrap();
        recent.put(name(1), 4, a);
        recent.put(name(3), 4, 'c');
        assert_eq!((recent.take(&name(2)), recent.weight), (None, 8));
        recent.put(name(4), 11, 'd');
        assert!(recent.entries.is_empty(), "what is too large is not kept");
        assert_eq!(recent.weight, 0);
    }

    #[test]
    fn debug_shows_nothing_of_what_is_kept() {
        let session = Session::new(Keys::Ambient(secretsync_core::provider::Ambient::new(|_| None)));
        assert!(format!("{session:?}").contains("Kept(0 documents)"));
    }
}
