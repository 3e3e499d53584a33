//! Finding objects by path, name and tags: lists folder after folder.

use futures::stream::{self, FuturesUnordered, StreamExt};
use secretsync_core::access::KeyAccess;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::json::Json;
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{Found, Query};
use secretsync_core::regex::GoRegex;

use crate::address;
use crate::client::Answer;
use crate::config::{KvVersion, Settings};
use crate::error::Failure;
use crate::mounts::{Mounts, plain, question};
use crate::session::Session;

/// What is looked for, checked.
#[derive(Debug)]
pub(crate) struct Search {
    mount: String,
    /// The folder to begin in, below the mount; empty for its root.
    folder: String,
    /// Whether that folder must be there.
    must_exist: bool,
    filter: Filter,
    access: KeyAccess,
}

/// Which of the objects below the folder match.
#[derive(Debug)]
enum Filter {
    All,
    Name(GoRegex),
    /// Names and values of custom metadata that all must be equal.
    Tags(Vec<(String, String)>),
}

impl Search {
    /// Reads a query as External Secrets Operator does: with a name, tags are not looked at.
    pub(crate) fn new(settings: &Settings, query: &Query) -> Result<Self> {
        let path = query.path.as_deref().unwrap_or_default();
        let all = address::segments(path)
            .map_err(|reason| invalid(reason, "write `find.path` as a path of plain segments"))?;
        let (mount, folder) = match (&settings.mount, settings.version) {
            (Some(mount), _) => (mount.clone(), all.join("/")),
            (None, KvVersion::V2) if !all.is_empty() => {
                let (mount, folder) = address::split(&all).unwrap_or((&all, &[]));
                (mount.join("/"), folder.join("/"))
            }
            _ => return Err(invalid("it is not known in which mount", "set `path` in the store")),
        };
        let filter = match &query.name {
            Some(name) => Filter::Name(GoRegex::new(name).map_err(|error| {
                invalid("could not compile `find.name.regexp`", "correct the regular expression").with_source(error)
            })?),
            None if query.tags.is_empty() => Filter::All,
            None if settings.version == KvVersion::V1 => {
                let reason = "cannot perform find by tag operations with kv version v1";
                return Err(invalid(reason, "find by name, or use a KV version 2 mount"));
            }
            None => Filter::Tags(query.tags.clone().into_iter().collect()),
        };
        query.access.check_folder(&ObjectRef::new(&folder).within(&mount))?;
        Ok(Self { mount, folder, must_exist: query.must_exist, filter, access: query.access.clone() })
    }
}

impl Search {
    fn may_enter(&self, folder: &str) -> bool {
        !self.access.is_limited() || self.access.reaches(&ObjectRef::new(folder).within(&self.mount))
    }

    fn may_read(&self, name: &str) -> bool {
        !self.access.is_limited() || self.access.admits(&ObjectRef::new(name).within(&self.mount))
    }
}

/// Looks for objects through one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finder<'a> {
    pub(crate) session: &'a Session,
    pub(crate) mounts: &'a Mounts,
    /// How many requests are under way at once.
    pub(crate) concurrent: usize,
}

impl Finder<'_> {
    /// The objects that match, in order of their names: the paths below the mount.
    pub(crate) async fn run(self, search: &Search) -> Result<Vec<Found>, Failure> {
        let mut names = self.names(search).await?;
        match &search.filter {
            Filter::All => {}
            Filter::Name(pattern) => names.retain(|name| pattern.is_match(name.as_str().as_ref())),
            Filter::Tags(tags) => names = self.tagged(&search.mount, names, tags).await?,
        }
        names.sort_unstable();
        let read = address::reading(self.session.settings().version);
        let object = |name: &str| ObjectRef::new(name).within(&search.mount).with_read(read);
        Ok(names.into_iter().map(|name| Found::new(object(&name), name)).collect())
    }

    /// Every name below the folder.
    async fn names(self, search: &Search) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        let mut folders = vec![search.folder.clone()];
        let mut listings = FuturesUnordered::new();
        let mut met = 0;
        let mut begun = false;
        loop {
            while listings.len() < self.concurrent
                && let Some(folder) = folders.pop()
            {
                listings.push(self.list(&search.mount, folder));
            }
            let Some(listing) = listings.next().await else { return Ok(names) };
            let listing = match listing? {
                Some(listing) => listing,
                None if search.must_exist && !begun => return Err(Failure::NoFolder),
                None => Vec::new(),
            };
            begun = true;
            met += listing.len();
            if met > LIMIT {
                return Err(Failure::TooMany);
            }
            for name in listing {
                match name.strip_suffix('/') {
                    Some(folder) if search.may_enter(folder) => folders.push(folder.to_owned()),
                    None if search.may_read(&name) => names.push(name),
                    _ => {}
                }
            }
        }
    }

    /// What is directly in a folder; folders end in a slash. `None` for a folder that is not there in a mount that is.
    async fn list(self, mount: &str, folder: String) -> Result<Option<Vec<String>>, Failure> {
        let object = ObjectRef::new(folder).within(mount);
        let path = match self.session.settings().version {
            KvVersion::V1 => plain(&object),
            KvVersion::V2 => format!("{mount}/metadata/{}", object.name()),
        };
        let path = path.trim_end_matches('/');
        let witness = question(mount);
        let body = match self.session.get(path, Some(("list", "true")), &witness).await {
            Ok(Answer::Found(body)) => body,
            Ok(_) => {
                self.mounts.confirm(self.session, &object, path).await?;
                return Ok(None);
            }
            // Policies see a list as a path that ends in a slash.
            Err(Failure::Forbidden) => {
                return Err(self.mounts.blame(self.session, &object, format!("{path}/"), "list").await);
            }
            Err(failure) => return Err(failure),
        };
        let malformed =
            || Failure::Malformed { version: self.session.settings().version, found: "it has no `data.keys`" };
        let Some(Json::Array(keys)) = body.get("data").and_then(|data| data.get("keys")) else {
            return Err(malformed());
        };
        let mut names = Vec::with_capacity(keys.len());
        for key in keys {
            let Json::String(key) = key else { return Err(malformed()) };
            // A name that no key can mean cannot be read either.
            if address::segments(key.expose()).is_ok_and(|segments| segments.len() == 1) {
                names.push(join(object.name(), key.expose()));
            }
        }
        Ok(Some(names))
    }

    /// The names whose custom metadata have all tags.
    async fn tagged(self, mount: &str, names: Vec<String>, tags: &[(String, String)]) -> Result<Vec<String>, Failure> {
        let checks: Vec<_> = names.into_iter().map(|name| self.has_tags(mount, name, tags)).collect();
        let mut checks = stream::iter(checks).buffer_unordered(self.concurrent);
        let mut matching = Vec::new();
        while let Some(checked) = checks.next().await {
            matching.extend(checked?);
        }
        Ok(matching)
    }

    async fn has_tags(self, mount: &str, name: String, tags: &[(String, String)]) -> Result<Option<String>, Failure> {
        let object = ObjectRef::new(&name).within(mount);
        let path = format!("{mount}/metadata/{name}");
        let body = match self.session.get(&path, None, &question(mount)).await {
            Ok(Answer::Found(body)) => body,
            // Deleted since it was listed.
            Ok(_) => return Ok(None),
            Err(Failure::Forbidden) => return Err(self.mounts.blame(self.session, &object, path, "read").await),
            Err(failure) => return Err(failure),
        };
        let custom = body.get("data").and_then(|data| data.get("custom_metadata"));
        let has = |name: &str, value: &str| matches!(custom.and_then(|custom| custom.get(name)), Some(Json::String(text)) if text.expose() == value);
        Ok(tags.iter().all(|(name, value)| has(name, value)).then_some(name))
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn invalid(reason: &'static str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "find objects")
        .because(reason)
        .with_hint(Hint::new(Code::ManifestInvalid, advice))
}

/// How many names, those of folders too, one query may meet; more is a mistake, and memory and time stay bounded.
const LIMIT: usize = 100_000;
