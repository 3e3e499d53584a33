//! Whether an answer of "not there" can be believed: what is mounted where.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secretsync_core::json::Json;
use secretsync_core::object::{ObjectRef, Read};
use tokio::time::Instant;

use crate::client::{Answer, url};
use crate::config::KvVersion;
use crate::error::{Failure, Grant, MountProblem};
use crate::session::Session;

/// What the server said about its mounts. One question a mount where it must be known what reading there does; where something was not found, one a
/// minute.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    known: Mutex<Vec<(Mount, Instant)>>,
    /// Paths whose mount the token may not know, and since when.
    hidden: Mutex<HashMap<String, Instant>>,
    /// Held while it is asked what reading does, so that many who ask at once cause one question.
    asking: tokio::sync::Mutex<()>,
}

/// A secrets engine.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Mount {
    /// Where it is, without slashes around.
    path: String,
    kind: String,
    version: Option<KvVersion>,
}

impl Mounts {
    /// What reading an object of a version 1 store does: repeatable where the engine is KV, else it must be taken for one that issues something.
    pub(crate) async fn reading(&self, session: &Session, object: &ObjectRef) -> Result<Read, Failure> {
        let path = plain(object);
        let place = object.container().or_else(|| path.split('/').next()).unwrap_or_default();
        let _turn = self.asking.lock().await;
        let mount = match self.known(&path, None) {
            Some(mount) => Some(mount),
            None if self.is_hidden(place) => None,
            None => {
                // A refusal of a dead token would be taken for one that may not know.
                let answer = match session.get(&question(&path), None, &question(&path)).await {
                    // A proxy in front may let nothing but the secrets through.
                    Err(Failure::NotVault(400..=499) | Failure::Status { status: 400 | 405, .. }) => {
                        Err(Failure::Forbidden)
                    }
                    answer => answer,
                };
                let found = self.learn(answer)?;
                if found.is_none() {
                    self.hidden().insert(place.to_owned(), Instant::now());
                }
                found
            }
        };
        Ok(match mount {
            Some(Mount { version: Some(_), .. }) => Read::Repeatable,
            _ => Read::Issuing,
        })
    }

    /// Forgets what is mounted where an object is: it was seen to be something else.
    pub(crate) fn forget(&self, object: &ObjectRef) {
        let path = plain(object);
        self.mounts().retain(|(mount, _)| !mount.holds(&path));
    }

    /// Succeeds if an engine as the store describes it is mounted where the object was looked for. Everything else is a failure: a missing engine is
    /// no absent object, and neither is one of the other KV version, which looks in other places.
    pub(crate) async fn confirm(&self, session: &Session, object: &ObjectRef, tried: &str) -> Result<(), Failure> {
        let settings = session.settings();
        let mount = match self.known(&plain(object), Some(MEMORY)) {
            Some(mount) => Some(mount),
            None => self.learn(session.glance(&question(&plain(object))).await)?,
        };
        match problem(mount, object.container(), settings.version) {
            None => Ok(()),
            Some(problem) => Err(Failure::Mount { problem, url: url(&settings.account.server, tried).to_string() }),
        }
    }

    /// Who is to blame for a refusal although the token lives: the mount, if it turns out to be another one, else the policies.
    pub(crate) async fn blame(
        &self,
        session: &Session,
        object: &ObjectRef,
        path: String,
        capability: &'static str,
    ) -> Failure {
        match self.confirm(session, object, &path).await {
            Err(Failure::Mount { problem: MountProblem::Missing, .. }) => {}
            Err(failure @ Failure::Mount { .. }) => return failure,
            _ => {}
        }
        let namespace = session.settings().namespace.as_ref().and_then(|name| name.to_str().ok()).map(str::to_owned);
        Failure::Denied(Grant { path, capability, namespace })
    }

    /// The mount that holds a path, if it was asked for, and not longer ago than that.
    fn known(&self, path: &str, memory: Option<Duration>) -> Option<Mount> {
        let recent = |at: &Instant| memory.is_none_or(|memory| at.elapsed() < memory);
        let mounts = self.mounts();
        mounts.iter().find(|(mount, at)| mount.holds(path) && recent(at)).map(|(mount, _)| mount.clone())
    }

    fn is_hidden(&self, place: &str) -> bool {
        let mut hidden = self.hidden();
        hidden.retain(|_, since| since.elapsed() < MEMORY);
        hidden.contains_key(place)
    }

    fn mounts(&self) -> MutexGuard<'_, Vec<(Mount, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hidden(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an answer to a question tells. No mount and no right to know are answered alike.
    fn learn(&self, answer: Result<Answer, Failure>) -> Result<Option<Mount>, Failure> {
        let answer = match answer {
            Err(Failure::Forbidden) => return Ok(None),
            answer => answer?,
        };
        let Answer::Found(body) = answer else { return Ok(None) };
        let Some(mount) = Mount::read(&body) else { return Ok(None) };
        let mut mounts = self.mounts();
        mounts.retain(|(known, _)| known.path != mount.path);
        if mounts.len() < REMEMBERED {
            mounts.push((mount.clone(), Instant::now()));
        }
        Ok(Some(mount))
    }
}

impl Mount {
    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('/'))
    }

    fn read(body: &Json) -> Option<Self> {
        let text = |json: &Json, name: &str| match json.get(name) {
            Some(Json::String(text)) => Some(text.expose().to_owned()),
            _ => None,
        };
        let data = body.get("data")?;
        let kind = text(data, "type")?;
        let version = match (kind.as_str(), data.get("options").and_then(|options| text(options, "version")).as_deref())
        {
            ("kv" | "generic", Some("2")) => Some(KvVersion::V2),
            ("kv" | "generic", _) => Some(KvVersion::V1),
            _ => None,
        };
        Some(Self { path: text(data, "path")?.trim_matches('/').to_owned(), kind, version })
    }
}

/// What is wrong with a mount. A version 1 store may read any engine.
fn problem(mount: Option<Mount>, expected: Option<&str>, configured: KvVersion) -> Option<MountProblem> {
    let Some(Mount { path, kind, version }) = mount else { return Some(MountProblem::Missing) };
    match (version, configured) {
        (None, KvVersion::V2) => Some(MountProblem::NotKv { mount: path, kind }),
        (Some(found), configured) if found != configured => {
            Some(MountProblem::Version { mount: path, found, configured })
        }
        _ if expected.is_some_and(|expected| expected != path) => Some(MountProblem::Elsewhere { mount: path }),
        _ => None,
    }
}

/// The path that tells what is mounted at or above another path. A token may read it if it may do anything in that mount.
pub(crate) fn question(path: &str) -> String {
    format!("sys/internal/ui/mounts/{path}")
}

/// The path as users name it, without what a KV version puts between.
pub(crate) fn plain(object: &ObjectRef) -> String {
    match object.container() {
        Some(mount) => format!("{mount}/{}", object.name()),
        None => object.name().to_owned(),
    }
}

/// How long "not there" is believed: long enough for one run over a store, short enough for a mount that is replaced.
const MEMORY: Duration = Duration::from_mins(1);
/// A server with more mounts is asked again; memory stays bounded.
const REMEMBERED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, version: &str) -> Option<Mount> {
        let text = format!(r#"{{"data":{{"path":"{path}/","type":"kv","options":{{"version":"{version}"}}}}}}"#);
        Mount::read(&Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn only_the_engine_that_the_store_describes_is_believed() {
        use KvVersion::{V1, V2};
        assert!(problem(mount("kv", "2"), Some("kv"), V2).is_none());
        assert!(problem(mount("kv", "1"), Some("kv"), V1).is_none());
        assert!(problem(mount("kv", "1"), None, V1).is_none());
        assert!(matches!(problem(None, Some("kv"), V2), Some(MountProblem::Missing)));
        assert!(matches!(problem(mount("kv", "1"), Some("kv"), V2), Some(MountProblem::Version { found: V1, .. })));
        assert!(matches!(problem(mount("kv", "2"), None, V1), Some(MountProblem::Version { found: V2, .. })));
        assert!(matches!(problem(mount("team/kv", "2"), Some("team"), V2), Some(MountProblem::Elsewhere { .. })));
    }

    #[test]
    fn other_engines_are_told_from_kv() {
        let body = Json::parse(br#"{"data":{"path":"pki/","type":"pki","options":null}}"#).unwrap();
        let pki = Mount::read(&body);
        assert!(matches!(problem(pki.clone(), Some("pki"), KvVersion::V2), Some(MountProblem::NotKv { .. })));
        assert!(problem(pki, None, KvVersion::V1).is_none());
    }
}
