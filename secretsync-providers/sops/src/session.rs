//! What one store keeps between reads: its keys, the data keys of documents, and decrypted documents.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use secretsync_core::secret::Secret;
use sha2::{Digest as _, Sha256};

use crate::auth::{KeyRing, Keys, Unwrapping};
use crate::client::{Content, blocking};
use crate::document::{DataKey, Document, Format};
use crate::error::Error;

/// The state of one store.
#[derive(Debug)]
pub(crate) struct Session {
    keys: Keys,
    /// The namespace that every document must be bound to.
    namespace: Option<String>,
    ring: Mutex<Option<Arc<KeyRing>>>,
    kept: Arc<Mutex<Kept>>,
    turns: Turns,
}

/// What names a document: the digest of its encrypted bytes, and how they are read.
type Name = ([u8; 32], Format);

/// What is kept by document, so that each change of a document is decrypted once, and its key asked for once.
struct Kept {
    data_keys: Recent<Arc<DataKey>>,
    documents: Recent<Secret>,
}

impl Session {
    pub(crate) fn new(keys: Keys, namespace: Option<String>) -> Self {
        let kept = Kept { data_keys: Recent::new(MOST_DATA_KEYS), documents: Recent::new(MOST_DOCUMENT_BYTES) };
        Self { keys, namespace, ring: Mutex::new(None), kept: Arc::new(Mutex::new(kept)), turns: Turns::default() }
    }

    /// The document in the clear; `subject` is what messages call it.
    pub(crate) async fn decrypt(&self, subject: &str, format: Format, content: Content) -> Result<Secret, Error> {
        let name = (Sha256::digest(&*content).into(), format);
        if let Some(secret) = self.known(&name) {
            return Ok(secret);
        }
        let task = Task {
            subject: subject.to_owned(),
            name,
            content: Arc::new(content),
            namespace: self.namespace.clone(),
            kept: Arc::clone(&self.kept),
        };
        if let Some(ring) = self.ring()
            && let Step::Opened(secret) = task.clone().offline(ring).await?
        {
            return Ok(secret);
        }
        // The keys may have been changed since they were read.
        let ring = self.load().await?;
        let mut search = match task.clone().offline(Arc::clone(&ring)).await? {
            Step::Opened(secret) => return Ok(secret),
            Step::Locked(search) => search,
        };
        let turn = self.turns.of(&name.0);
        let _turn = turn.lock().await;
        let data_key = if let Some(data_key) = task.data_key() {
            data_key
        } else {
            search.online(&ring).await;
            task.keep(search.finish(&ring)?)
        };
        blocking(move || task.decrypt(&Document::parse(format, &task.content)?, &data_key)).await
    }

    /// Reads the keys anew.
    pub(crate) async fn load(&self) -> Result<Arc<KeyRing>, Error> {
        let ring = Arc::new(self.keys.load().await?);
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ring));
        Ok(ring)
    }

    /// Forgets keys and documents, and ends the sessions of services.
    pub(crate) async fn close(&self) {
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = None;
        {
            let mut kept = lock(&self.kept);
            kept.data_keys.clear();
            kept.documents.clear();
        }
        self.keys.close().await;
    }

    fn ring(&self) -> Option<Arc<KeyRing>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn known(&self, name: &Name) -> Option<Secret> {
        lock(&self.kept).documents.get(name)
    }
}

/// One document to open.
#[derive(Clone)]
struct Task {
    subject: String,
    name: Name,
    content: Arc<Content>,
    namespace: Option<String>,
    kept: Arc<Mutex<Kept>>,
}

/// How far a document was opened without asking anybody.
enum Step {
    Opened(Secret),
    Locked(Unwrapping),
}

impl Task {
    async fn offline(self, ring: Arc<KeyRing>) -> Result<Step, Error> {
        blocking(move || self.open(&ring)).await
    }

    /// Decrypts the document, if its data key is known or comes out of a key in memory.
    fn open(&self, ring: &KeyRing) -> Result<Step, Error> {
        let document = Document::parse(self.name.1, &self.content)?;
        let data_key = if let Some(data_key) = self.data_key() {
            data_key
        } else {
            let search = Unwrapping::offline(&document.metadata().groups, ring);
            match search.found() {
                Some(found) => self.keep(found?),
                None => return Ok(Step::Locked(search)),
            }
        };
        self.decrypt(&document, &data_key).map(Step::Opened)
    }

    fn decrypt(&self, document: &Document<'_>, data_key: &DataKey) -> Result<Secret, Error> {
        let (digest, format) = self.name;
        let verified = document.decrypt(data_key)?;
        if let Some(namespace) = &self.namespace {
            verified.check_binding(namespace)?;
        }
        if document.metadata().is_ahead_of(Timestamp::now()) {
            tracing::warn!(
                "`lastmodified` of {} is in the future: the clock of whoever encrypted it, or of this machine, is wrong",
                self.subject
            );
        }
        let secret = verified.into_secret(format)?.with_version(hex(&digest));
        lock(&self.kept).documents.put(self.name, self.content.len(), secret.clone());
        Ok(secret)
    }

    fn data_key(&self) -> Option<Arc<DataKey>> {
        lock(&self.kept).data_keys.get(&self.name)
    }

    /// Keeps a data key, and gives it for use now: what is kept can be given up at any time.
    fn keep(&self, data_key: DataKey) -> Arc<DataKey> {
        let data_key = Arc::new(data_key);
        lock(&self.kept).data_keys.put(self.name, 1, Arc::clone(&data_key));
        data_key
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One at a time for each document: whoever comes second finds the data key that the first one asked for.
#[derive(Debug, Default)]
struct Turns(Mutex<HashMap<[u8; 32], Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    fn of(&self, digest: &[u8; 32]) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(digest).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(*digest, Arc::downgrade(&turn));
        turn
    }
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

impl<V: Clone> Recent<V> {
    fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), weight: 0, limit }
    }

    /// A value, which becomes the most recent.
    fn get(&mut self, name: &Name) -> Option<V> {
        let (weight, value) = self.take(name)?;
        self.put(*name, weight, value.clone());
        Some(value)
    }

    fn take(&mut self, name: &Name) -> Option<(usize, V)> {
        let index = self.entries.iter().position(|(kept, ..)| kept == name)?;
        let (_, weight, value) = self.entries.remove(index)?;
        self.weight -= weight;
        Some((weight, value))
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
        assert_eq!(recent.get(&name(1)), Some('a'));
        recent.put(name(3), 4, 'c');
        assert_eq!((recent.get(&name(2)), recent.weight), (None, 8));
        recent.put(name(4), 11, 'd');
        assert!(recent.entries.is_empty(), "what is too large is not kept");
        assert_eq!(recent.weight, 0);
    }

    #[test]
    fn debug_shows_nothing_of_what_is_kept() {
        let keys = Keys {
            ambient: None,
            references: Vec::new(),
            credentials: Arc::new(secretsync_core::provider::NoCredentials::default()),
            services: Arc::default(),
        };
        let session = Session::new(keys, None);
        assert!(format!("{session:?}").contains("Kept(0 documents)"));
    }
}
