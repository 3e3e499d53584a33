//! Secrets as files: `PATH/<namespace>/<name>/<key>`.

mod read;
mod record;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;

use self::record::{RECORD, Record};
use super::file::{Durability, Folder, Stamp, blocking, leftovers, replace, write_as};
use super::share::Shares;
use super::{Applied, Observed, OwnerId, Pass, Passes, Removed, Store, TargetRef, Write};
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretMap;
use crate::sync::CreationPolicy;

/// A folder that holds each target as a folder and each key as a file: `PATH/<namespace>/<name>/<key>`.
///
/// Files get mode 0600 and folders that it creates 0700, whatever the umask. `PATH` may be a symbolic link; nothing below it may, and a folder,
/// pipe or device in the place of a key is an error and stays. Type, labels and annotations of a target have no place here and are dropped.
///
/// # Ownership
///
/// `PATH/.secretsync` names the keys that were written, with target and owner: no values, digests or lengths. Only files that it names are ever
/// removed. A file that it does not name is left alone, except that one with the name of a wanted key is overwritten, as a Secret that
/// nobody owns is adopted in a cluster. As there, `creationPolicy: Owner` holds a target alone and other policies share it; a key
/// that another owner wrote is never overwritten. What was deleted from the folder gives nobody a claim.
///
/// # Guarantees
///
/// - A file is never seen half-written: all files of a target are first written and synced under names that no key can have, then renamed.
/// - The record names a file before the file exists, so a killed run forgets nothing. What it left is finished, and tidied up, by the next.
/// - Where nothing changed, nothing is written, not even the record.
/// - From the first write until [`flush`](Store::flush) other processes are kept out, by a lock on `PATH`.
///
/// # Cancellation
///
/// File work runs on blocking threads and is not cut short when its future is dropped. It gets copies of the values, wiped when it ends.
#[derive(Clone)]
pub struct DirectoryStore(Arc<Inner>);

struct Inner {
    root: PathBuf,
    passes: Passes,
    state: Mutex<State>,
    /// Writers share it and a removal takes it alone, so that no folder vanishes under a writer.
    gate: RwLock<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The record as it was read, and during a session as it should be.
    record: Record,
    /// Which file it was read from.
    read_from: Option<Stamp>,
    session: Option<Session>,
    /// What was admitted in this pass.
    claims: BTreeMap<TargetRef, Shares>,
}

/// From the first write until the flush.
#[derive(Debug)]
struct Session {
    root: Arc<Folder>,
    /// The record's lines of this session as they are in the file; none of what changed without being written yet.
    lines: BTreeMap<(TargetRef, String), String>,
    /// Whether the record lost something, which no further line can tell.
    shrunk: bool,
    /// Whether lines can be added to the file: it exists and its last line is whole.
    appendable: bool,
    /// The size of the file in bytes.
    size: usize,
    /// Whether the file has its name for sure, also after a power cut.
    named: bool,
}

impl DirectoryStore {
    /// A store below `path`. Nothing is read or created yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (passes, state, gate) = (Passes::default(), Mutex::default(), RwLock::default());
        Self(Arc::new(Inner { root: path.into(), passes, state, gate }))
    }
}

impl fmt::Debug for DirectoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryStore").field("path", &self.0.root).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for DirectoryStore {
    fn kind(&self) -> &'static str {
        "directory"
    }

    async fn begin(&self) -> Pass {
        let pass = self.0.passes.next().await;
        self.0.state().claims.clear();
        pass
    }

    fn stages(&self) -> bool {
        false
    }

    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let (inner, target, owner) = (Arc::clone(&self.0), target.clone(), owner.clone());
        blocking(move || inner.observe(&target, &owner)).await
    }

    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        let (inner, target, owner) = (Arc::clone(&self.0), target.clone(), owner.clone());
        blocking(move || inner.own_values(&target, &owner)).await
    }

    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        let (inner, work) = (Arc::clone(&self.0), write::Work::names_of(write));
        blocking(move || inner.admit(&work)).await
    }

    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        let (inner, work) = (Arc::clone(&self.0), write::Work::of(write));
        blocking(move || inner.apply(&work)).await
    }

    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        let (inner, target, owner) = (Arc::clone(&self.0), target.clone(), owner.clone());
        blocking(move || inner.remove(&target, &owner)).await
    }

    async fn verify(&self) -> Result<()> {
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.flush()).await
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self) -> Result<()> {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        let State { record, read_from, session, .. } = &mut *state;
        if let Some(session) = session {
            session.finish(record)?;
            *read_from = session.root.stamp(RECORD)?;
        }
        *session = None;
        Ok(())
    }

    /// The folder that the user named, if it exists. A link in its place could lead anywhere; with a slash behind its name it is meant.
    fn folder(&self) -> Result<Option<Folder>> {
        Folder::open_itself(&self.root)
    }

    /// What messages call a target.
    fn place(&self, target: &TargetRef) -> String {
        format!("folder `{}`", self.root.join(target.namespace()).join(target.name()).display())
    }
}

impl State {
    /// Reads the record again if another run wrote it, except during a session: then nobody else writes.
    fn refresh(&mut self, root: Option<&Folder>) -> Result<()> {
        if self.session.is_some() {
            return Ok(());
        }
        let stamp = root.map(|root| root.stamp(RECORD)).transpose()?.flatten();
        if stamp != self.read_from {
            self.load(root)?;
        }
        Ok(())
    }

    /// Takes the folder for this run, creates it if need be, and reads what is true now.
    fn open_session(&mut self, path: &std::path::Path) -> Result<Arc<Folder>> {
        if let Some(session) = &self.session {
            return Ok(Arc::clone(&session.root));
        }
        let root = Arc::new(Folder::create_itself(path)?);
        root.lock(PATIENCE)?;
        for leftover in leftovers(&root)? {
            root.remove_file(&leftover)?;
        }
        let (appendable, size) = self.load(Some(&root))?;
        let lines = BTreeMap::new();
        self.session = Some(Session { root: Arc::clone(&root), lines, shrunk: false, appendable, size, named: true });
        Ok(root)
    }

    /// Returns whether lines can be added to the file, and its size in bytes.
    fn load(&mut self, root: Option<&Folder>) -> Result<(bool, usize)> {
        let content = root.map(|root| root.read(RECORD)).transpose()?.flatten();
        self.record = match (root, &content) {
            (Some(root), Some(content)) => Record::parse(root.path(), &content.bytes)?,
            _ => Record::default(),
        };
        self.read_from = content.as_ref().map(|content| content.stamp);
        Ok(content.map_or((false, 0), |content| (content.bytes.ends_with(b"\n"), content.bytes.len())))
    }

    /// Writes down what is about to be written, before the first file is; [`Session::name`] comes between.
    fn note(&mut self, target: &TargetRef, owners: &[String]) -> Result<()> {
        let Self { record, session: Some(session), .. } = self else { return Ok(()) };
        let lines = owners.iter().map(|owner| ((target.clone(), owner.clone()), record.line(target, owner)));
        let lines: BTreeMap<_, _> = lines.collect();
        // Until it is known what is in the file.
        session.lines.extend(lines.keys().map(|entry| (entry.clone(), String::new())));
        if std::mem::take(&mut session.appendable) {
            let text: String = lines.values().map(String::as_str).collect();
            session.root.append(RECORD, text.as_bytes(), Durability::Certain)?;
            session.size += text.len();
        } else {
            let text = record.text();
            session.named = false;
            write_as(&session.root, RECORD, text.as_bytes())?;
            session.size = text.len();
        }
        session.appendable = true;
        session.lines.extend(lines);
        Ok(())
    }
}

impl Session {
    /// Makes sure that the record is found after a power cut, before a file that it tells of is there.
    fn name(&mut self) -> Result<()> {
        if !self.named {
            self.root.sync()?;
            self.named = true;
        }
        Ok(())
    }

    /// Writes what was settled since it was noted, if anything was.
    ///
    /// That need not survive a power cut: the record then says still that a write is unfinished, and the next run finishes it. So lines are added, which costs no wait
    /// for the disk, until the file has grown to more than twice of what is in it.
    fn finish(&self, record: &Record) -> Result<()> {
        let mut news = String::new();
        let mut shrunk = self.shrunk;
        for ((target, owner), written) in &self.lines {
            let line = record.line(target, owner);
            shrunk |= line.is_empty();
            if line != *written {
                news.push_str(&line);
            }
        }
        let text = record.text();
        if shrunk || (!news.is_empty() && !self.appendable) || self.size + news.len() > 2 * text.len() + SLACK {
            replace(&self.root, RECORD, text.as_bytes())?;
        } else if !news.is_empty() {
            self.root.append(RECORD, news.as_bytes(), Durability::Eventual)?;
        }
        Ok(())
    }
}

/// The folders of a target, if its names can be those of folders: no name that leaves its folder, hides in it, or is the record's.
fn folders_of(target: &TargetRef) -> Result<(&str, &str)> {
    let (namespace, name) = (target.namespace(), target.name());
    let good = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        !text.is_empty() && text.len() <= 253 && text.chars().all(allowed) && !text.starts_with('.')
    };
    if good(namespace) && good(name) {
        return Ok((namespace, name));
    }
    let shown: String = target.to_string().chars().take(160).flat_map(char::escape_debug).collect();
    Err(Error::new(ErrorKind::InvalidConfig, "write")
        .on(format!("target `{shown}`"))
        .because(if good(namespace) {
            "its name cannot be that of a folder"
        } else {
            "its namespace cannot be the name of a folder"
        })
        .with_hint(Hint::new(
            Code::TargetUnwritable,
            "use 1 to 253 of the characters A-Z a-z 0-9 - . _, not beginning with a dot",
        )))
}

/// How many bytes more than it needs a record may have in any case.
const SLACK: usize = 4096;

/// Another run has the folder until it ends, so there is no point in waiting for it; a child that was just started may have it for a moment.
const PATIENCE: Duration = Duration::from_millis(300);
