//! `-f`: files, folders and standard input become the objects that a run works on.

mod files;
mod reference;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::yaml::{self, Document, Step};
use secretsync_k8s::api::ObjectKind;
use serde_json::Value;

pub(crate) use files::{read as read_file, unreadable};
pub(crate) use reference::References;

/// Everything that `-f` gave.
#[derive(Default)]
pub(crate) struct Manifests {
    /// ExternalSecrets, in the order in which they were read.
    pub(crate) external_secrets: Vec<Object>,
    /// SecretStores, ClusterSecretStores and generators.
    pub(crate) stores: Vec<Object>,
    /// Labels of the namespaces that were given.
    pub(crate) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Secrets and ConfigMaps, which stores may refer to.
    pub(crate) references: References,
    /// Documents that are none of ours.
    pub(crate) skipped: usize,
}

/// One object, still as data, and where it stands. No `Debug`: a Secret's manifest holds its values.
pub(crate) struct Object {
    /// What it is.
    pub(crate) kind: ObjectKind,
    /// Its namespace: its own, else that of the command line. `None` for objects of the whole cluster.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// The manifest, its namespace filled in.
    pub(crate) manifest: Value,
    /// Where it stands.
    pub(crate) place: Place,
    /// The document that it is the whole of.
    document: Option<Arc<Document>>,
}

/// Where an object stands, and what is in it.
#[derive(Debug)]
pub(crate) struct Located {
    place: Place,
    document: Option<Arc<Document>>,
}

/// A place in a manifest file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    file: PathBuf,
    line: usize,
}

impl Place {
    /// The folder that relative paths in a manifest start from.
    pub(crate) fn folder(&self) -> PathBuf {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Located {
    /// Where the value at the end of `path` begins; for an item of a List, where the List begins.
    pub(crate) fn place_of<'a>(&self, path: impl IntoIterator<Item = Step<'a>>) -> Place {
        let mut place = self.place.clone();
        if let Some(document) = &self.document {
            place.line = document.position(path).line;
        }
        place
    }
}

impl Manifests {
    /// Reads everything. Any error means that nothing is tried: a run over half of the manifests could look like success.
    pub(crate) fn read(paths: &[PathBuf], default_namespace: &str) -> Result<Self> {
        let mut found = Self::default();
        let mut seen = BTreeMap::new();
        for file in files::expand(paths)? {
            let text = files::read(&file)?;
            let documents =
                yaml::parse_documents(&text, &yaml::Limits::default()).map_err(|error| unparsable(&file, error))?;
            for document in documents {
                let place = Place { file: file.clone(), line: document.line() };
                let manifest = document.to_json();
                let located = Located { place, document: Some(Arc::new(document)) };
                found.add(manifest, &located, default_namespace, &mut seen)?;
            }
        }
        Ok(found)
    }

    fn add(&mut self, manifest: Value, located: &Located, namespace: &str, seen: &mut Seen) -> Result<()> {
        let place = &located.place;
        let text = |field: &str| manifest.get(field).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if let Some(missing) = half_named(api_version, kind) {
            return Err(Error::new(ErrorKind::InvalidConfig, "read")
                .on(place)
                .because(format!("it looks like one of ours, but {missing}"))
                .with_hint(Hint::new(
                    Code::ManifestInvalid,
                    "write `apiVersion: external-secrets.io/v1` and the `kind`",
                )));
        }
        if api_version.is_empty() || kind.is_empty() {
            // An empty document between two separators is nothing; anything else is counted.
            self.skipped += usize::from(!manifest.is_null());
            return Ok(());
        }
        if is_list(api_version, kind) {
            let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
            let part = Located { place: place.clone(), document: None };
            let items = items(manifest, &api_version, &kind).map_err(|error| error.within("read", place))?;
            return items.into_iter().try_for_each(|item| self.add(item, &part, namespace, seen));
        }
        let kind = ObjectKind::classify(api_version, kind).map_err(|error| error.within("read", place))?;
        if kind == ObjectKind::Other {
            self.skipped += 1;
            return Ok(());
        }
        let object = Object::new(kind, manifest, located, namespace)?;
        claim(seen, &object)?;
        match kind {
            ObjectKind::ExternalSecret => self.external_secrets.push(object),
            ObjectKind::Secret | ObjectKind::ConfigMap => self.references.add(&object)?,
            ObjectKind::Namespace => {
                let labels =
                    object.manifest.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
                let labels =
                    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
                self.namespaces.insert(object.name, labels);
            }
            _ => self.stores.push(object),
        }
        Ok(())
    }
}

/// Whether a document holds others: what `kubectl get` prints, or a list of one kind as the API server gives it.
fn is_list(api_version: &str, kind: &str) -> bool {
    kind.ends_with("List") && (api_version == "v1" || api_version.starts_with("external-secrets.io/"))
}

/// The objects of a list. Those of a list of one kind need not say what they are.
fn items(mut list: Value, api_version: &str, kind: &str) -> Result<Vec<Value>> {
    let mut items = match list.get_mut("items").map(Value::take) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            return Err(Error::new(ErrorKind::InvalidConfig, "open the list")
                .because("its `items` are no list")
                .with_hint(Hint::new(Code::ManifestInvalid, "write the objects as a list under `items`")));
        }
    };
    let kind = kind.trim_end_matches("List");
    for item in items.iter_mut().filter(|_| !kind.is_empty()).filter_map(Value::as_object_mut) {
        item.entry("apiVersion").or_insert_with(|| api_version.into());
        item.entry("kind").or_insert_with(|| kind.into());
    }
    Ok(items)
}

/// What keeps a document from being one of ours although it seems to be meant so: skipping it would look like success.
fn half_named(api_version: &str, kind: &str) -> Option<&'static str> {
    let ours = matches!(kind, "ExternalSecret" | "SecretStore" | "ClusterSecretStore" | "VaultDynamicSecret");
    let group = api_version.split('/').next().unwrap_or_default();
    match (group, ours) {
        ("", true) => Some("it has no `apiVersion`"),
        ("external-secrets.io", _) if kind.is_empty() => Some("it has no `kind`"),
        ("external-secrets.io", _) if group == api_version => Some("its `apiVersion` names no version"),
        ("externalsecrets.io" | "external-secret.io" | "externalsecret.io", true) => {
            Some("its group is spelt otherwise")
        }
        _ => None,
    }
}

type Seen = BTreeMap<(String, Option<String>, String), Place>;

impl Object {
    fn new(kind: ObjectKind, mut manifest: Value, located: &Located, default_namespace: &str) -> Result<Self> {
        let Located { place, document } = located;
        let invalid = |why: &'static str| {
            Error::new(ErrorKind::InvalidConfig, "read").on(format!("the object at {place}")).because(why).with_hint(
                Hint::new(
                    Code::ManifestInvalid,
                    "give the object a `metadata.name`; it and `metadata.namespace` are texts",
                ),
            )
        };
        let whole_cluster = matches!(kind, ObjectKind::ClusterSecretStore | ObjectKind::Namespace);
        let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) else {
            return Err(invalid("it has no `metadata`"));
        };
        // Taken for absent they would mean another object: the default namespace, for example.
        for (field, why) in [
            ("name", "its `metadata.name` is not a text: put quotes around it"),
            ("namespace", "its `metadata.namespace` is not a text: put quotes around it"),
        ] {
            if metadata.get(field).is_some_and(|value| !value.is_string() && !value.is_null()) {
                return Err(invalid(why));
            }
        }
        let Some(name) =
            metadata.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).map(ToOwned::to_owned)
        else {
            return Err(invalid("it has no `metadata.name`"));
        };
        let namespace = (!whole_cluster).then(|| {
            let own = metadata.get("namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty());
            own.unwrap_or(default_namespace).to_owned()
        });
        // A uid is that of another cluster, or of none: ownership is decided by what the target's cluster says.
        metadata.remove("uid");
        if let Some(namespace) = &namespace {
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        }
        Ok(Self { kind, namespace, name, manifest, place: place.clone(), document: document.clone() })
    }

    /// What is left of it when its manifest has been read.
    pub(crate) fn located(self) -> Located {
        Located { place: self.place, document: self.document }
    }

    fn kind_name(&self) -> &str {
        self.manifest.get("kind").and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Display for Object {
    /// `ExternalSecret shop/db`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind_name())?;
        match &self.namespace {
            Some(namespace) => write!(f, " {namespace}/{}", self.name.escape_debug()),
            None => write!(f, " {}", self.name.escape_debug()),
        }
    }
}

/// Two objects of one kind and name: which one counts cannot be guessed.
fn claim(seen: &mut Seen, object: &Object) -> Result<()> {
    let key = (object.kind_name().to_owned(), object.namespace.clone(), object.name.clone());
    match seen.insert(key, object.place.clone()) {
        None => Ok(()),
        Some(first) => Err(Error::new(ErrorKind::InvalidConfig, "read")
            .on(object)
            .because(format!("it is given twice, at {first} and at {}", object.place))
            .with_hint(Hint::new(Code::ManifestDuplicate, "remove one of the two, or give them different names"))),
    }
}

/// The error for a file that is no YAML.
pub(crate) fn unparsable(file: &Path, error: yaml::YamlError) -> Error {
    Error::new(ErrorKind::InvalidConfig, "parse")
        .on(format!("`{}`", file.display()))
        .with_source(error)
        .with_hint(Hint::new(Code::ManifestUnreadable, "correct the YAML at that line and column"))
}

#[cfg(test)]
mod tests;
