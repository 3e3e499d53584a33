//! `--with`: data out of a file, in place of what stores hold.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::memory::MemoryProvider;
use secretsync_core::provider::{Provider, RemoteRef};
use secretsync_core::store::OwnerId;
use secretsync_core::sync::{DataFrom, ProviderKey, SyncSpec};
use secretsync_core::yaml::{self, Document, Step};
use serde_json::{Map, Value};

use crate::manifests;

/// The data of a run: one map for every sync, or one for each.
pub(super) struct Data {
    file: PathBuf,
    provider: MemoryProvider,
    /// The syncs that have data of their own; none if the map is everybody's.
    named: Option<Vec<String>>,
}

impl Data {
    /// Reads the file. Keys of Secrets have no slash, so a key with one is the name of an ExternalSecret.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = manifests::read_file(file)?;
        let documents = yaml::parse_documents(&text, &yaml::Limits::default());
        let documents = documents.map_err(|error| manifests::unparsable(file, error))?;
        let [document] = &documents[..] else {
            return match documents.get(1) {
                None => Ok(Self::shared(file, &Map::new())),
                Some(second) => Err(unusable(file, second.line(), "a second document begins here")),
            };
        };
        let Value::Object(members) = document.to_json() else {
            return Err(unusable(file, document.line(), "it is no mapping"));
        };
        let is_name = |key: &&String| key.contains('/');
        match members.keys().find(is_name) {
            None => Ok(Self::shared(file, &members)),
            Some(_) => match members.keys().find(|key| !is_name(key)) {
                None => Self::named(file, document, &members),
                Some(key) => {
                    let why = format!("`{}` is no NAMESPACE/NAME, and other keys are", key.escape_debug());
                    Err(unusable(file, line(document, key), why))
                }
            },
        }
    }

    fn shared(file: &Path, members: &Map<String, Value>) -> Self {
        let provider = provider(file).with_json(EVERYBODY, &json(members));
        Self { file: file.to_owned(), provider, named: None }
    }

    fn named(file: &Path, document: &Document, members: &Map<String, Value>) -> Result<Self> {
        let mut provider = provider(file);
        for (name, value) in members {
            let none = Map::new();
            let data = match value {
                Value::Null => &none,
                Value::Object(data) => data,
                _ => {
                    let why = format!("the data of `{}` is no mapping", name.escape_debug());
                    return Err(unusable(file, line(document, name), why));
                }
            };
            provider = provider.with_json(name, &json(data));
        }
        Ok(Self { file: file.to_owned(), provider, named: Some(members.keys().cloned().collect()) })
    }

    /// Fails if the file names an ExternalSecret that is none of `owners`: a slip of the pen would go unseen.
    pub(super) fn check(&self, owners: &[OwnerId]) -> Result<()> {
        let known: Vec<_> = owners.iter().map(ToString::to_string).collect();
        match self.named.iter().flatten().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(stranger) => Err(Error::new(ErrorKind::InvalidConfig, "use the data")
                .on(format!("of `{}` in `{}`", stranger.escape_debug(), self.file.display()))
                .because("the manifests hold no such ExternalSecret")
                .with_hint(Hint::new(Code::UsageInvalid, format!("correct the name; there are {}", list(&known))))),
        }
    }

    /// What the engine calls the provider.
    pub(super) fn key() -> ProviderKey {
        ProviderKey::new("--with")
    }

    /// Makes a sync take this data instead of its own sources.
    pub(super) fn feed(&self, spec: &mut SyncSpec) -> Result<()> {
        let owner = spec.owner.to_string();
        let object = match &self.named {
            None => EVERYBODY,
            Some(names) if names.contains(&owner) => &owner,
            Some(names) => {
                return Err(Error::new(ErrorKind::InvalidConfig, "find the data")
                    .on(format!("of `{owner}` in `{}`", self.file.display()))
                    .because(format!("it has data of {}", list(names)))
                    .with_hint(Hint::new(Code::UsageInvalid, format!("add `{owner}` with its keys"))));
            }
        };
        spec.data.clear();
        spec.data_from = vec![DataFrom::extract(Self::key(), RemoteRef::new(object))];
        Ok(())
    }

    /// The provider that has it.
    pub(super) fn into_provider(self) -> Arc<dyn Provider> {
        Arc::new(self.provider)
    }
}

fn provider(file: &Path) -> MemoryProvider {
    MemoryProvider::new(file.display().to_string())
}

fn json(members: &Map<String, Value>) -> String {
    serde_json::to_string(members).expect("JSON values are always JSON")
}

fn line(document: &Document, key: &str) -> usize {
    document.position([Step::Key(key)]).line
}

fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
    quoted.join(", ")
}

fn unusable(file: &Path, line: usize, why: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidConfig, "read").on(format!("`{}:{line}`", file.display())).because(why).with_hint(
        Hint::new(
            Code::UsageInvalid,
            "write one mapping of keys to values, or of NAMESPACE/NAME of each ExternalSecret to such a mapping",
        ),
    )
}

/// The object with the data that serves every sync. No ExternalSecret is called so: their names have a namespace.
const EVERYBODY: &str = "data";

#[cfg(test)]
mod tests {
    use secretsync_core::store::TargetRef;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.yaml");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    fn read(text: &str) -> Result<Data> {
        let (_folder, file) = file(text);
        Data::read(&file)
    }

    fn spec(name: &str) -> SyncSpec {
        SyncSpec::new(OwnerId::new("shop", name), TargetRef::new("shop", name))
    }

    #[test]
    fn a_file_serves_every_sync_or_names_each() {
        for (text, db, web) in [
            ("user: ada\n", true, true),
            ("", true, true),
            ("shop/db: {user: ada}\nshop/web: ~\n", true, true),
            ("shop/db: {user: ada}\n", true, false),
        ] {
            let data = read(text).unwrap();
            assert_eq!([data.feed(&mut spec("db")).is_ok(), data.feed(&mut spec("web")).is_ok()], [db, web], "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line_and_without_values() {
        for (text, words) in [
            ("shop/db: {user: ada}\nuser: hunter2\n", "data.yaml:2`: `user` is no NAMESPACE/NAME"),
            ("a: 1\n---\nb: hunter2\n", "data.yaml:3`: a second document"),
            ("- hunter2\n", "data.yaml:1`: it is no mapping"),
            ("shop/web: {}\nshop/db: hunter2\n", "data.yaml:2`: the data of `shop/db` is no mapping"),
            ("a: [hunter2\n", "failed to parse"),
        ] {
            let error = secretsync_core::error::chain(&read(text).err().unwrap());
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
        let owners = [OwnerId::new("shop", "db")];
        let error = read("shop/bd: {}\n").unwrap().check(&owners).unwrap_err();
        assert!(error.hint().unwrap().advice().contains("`shop/db`"), "{error:?}");
    }
}
