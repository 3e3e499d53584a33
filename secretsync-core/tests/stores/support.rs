//! What the tests of all stores share.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use secretsync_core::error::{Error, Result, chain};
use secretsync_core::secret::{SecretKey, SecretMap, SecretValue};
use secretsync_core::store::{Applied, Desired, Observed, OwnerId, Present, Store, TargetMeta, TargetRef, Write};
use secretsync_core::sync::CreationPolicy;

/// A sync called `owner` in namespace `shop` that writes `target` there.
pub(crate) struct Case {
    pub(crate) target: TargetRef,
    pub(crate) owner: OwnerId,
    pub(crate) desired: Desired,
    pub(crate) remove: Vec<SecretKey>,
    pub(crate) creation: CreationPolicy,
}

impl Case {
    pub(crate) fn new(target: &str, owner: &str, data: &[(&str, &str)]) -> Self {
        Self::bytes(target, owner, data.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())))
    }

    pub(crate) fn bytes(target: &str, owner: &str, data: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let data: SecretMap =
            data.into_iter().map(|(k, v)| (SecretKey::new(k).unwrap(), SecretValue::new(v))).collect();
        Self {
            target: TargetRef::new("shop", target),
            owner: OwnerId::new("shop", owner),
            desired: Desired::new(data, TargetMeta::default()),
            remove: Vec::new(),
            creation: CreationPolicy::Owner,
        }
    }

    pub(crate) fn removing(mut self, keys: &[&str]) -> Self {
        self.remove = keys.iter().map(|key| SecretKey::new(*key).unwrap()).collect();
        self
    }

    pub(crate) fn under(mut self, creation: CreationPolicy) -> Self {
        self.creation = creation;
        self
    }

    pub(crate) fn write(&self) -> Write<'_> {
        Write::new(&self.target, &self.owner, &self.desired).removing(&self.remove).under(self.creation)
    }

    /// Admits and applies, without the flush.
    pub(crate) async fn apply(&self, store: &impl Store) -> Result<Applied> {
        store.admit(&self.write()).await?;
        store.apply(&self.write()).await
    }

    /// One whole run.
    pub(crate) async fn sync(&self, store: &impl Store) -> Result<Applied> {
        let _pass = store.begin().await;
        let applied = self.apply(store).await;
        store.flush().await?;
        applied
    }

    pub(crate) async fn observe(&self, store: &impl Store) -> Result<Option<Present>> {
        Ok(match store.observe(&self.target, &self.owner).await? {
            Observed::Present(present) => Some(present),
            _ => None,
        })
    }
}

/// The keys that a sync may decide about: no bystanders.
pub(crate) fn names(present: &Present) -> Vec<&str> {
    present.keys.iter().filter(|(_, state)| state.removable).map(|(key, _)| key.as_str()).collect()
}

pub(crate) fn text(error: &Error) -> String {
    chain(error)
}

pub(crate) fn code(error: &Error) -> &'static str {
    error.hint().map_or("", |hint| hint.code().as_str())
}

pub(crate) fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Each path below `root` with everything that a write would change, and the content.
pub(crate) fn picture(root: &Path) -> BTreeMap<String, (u64, i64, i64, u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder.clone()]) {
            let stat = fs::symlink_metadata(&path).unwrap();
            let content = if stat.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            all.insert(name, (stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.mode(), content));
            if stat.is_dir() && path != folder {
                folders.push(path);
            }
        }
    }
    all
}

/// Runs one test of this very program again in `folder`, inside `sh`, after `setup`: a umask or a limit is that of a whole process.
pub(crate) fn again_in(folder: &Path, setup: &str, test: &str) -> Output {
    fs::write(folder.join(MARK), "").unwrap();
    let program = std::env::current_exe().unwrap();
    let script = format!("{setup} \"$0\" --exact {test} --nocapture");
    Command::new("sh").arg("-c").arg(script).arg(program).current_dir(folder).output().unwrap()
}

/// Whether this process was started by [`again_in`]; its folder is the current one.
pub(crate) fn is_again() -> bool {
    Path::new(MARK).exists()
}

const MARK: &str = "started-by-another-test";
