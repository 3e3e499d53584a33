//! A case as it stands in `tests/parity`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::compare::Exception;

/// Manifests, remote state, and what happens step by step.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) title: String,
    body: Value,
}

/// What must be there after a step.
pub(crate) enum Expected {
    /// All of this.
    State(Value),
    /// These parts, by their paths: `secrets/NAME`, `secrets/NAME/FIELD`, `externalsecrets/NAME/FIELD`, `ready/NAME` (a reason); `null` for what must not be
    /// there; `~1` stands for a slash in a name.
    Parts(Value),
}

/// Every case, in the order of the files: those that were recorded, then our own.
pub(crate) fn all() -> Vec<Case> {
    let files = |name: &str| fs::read_dir(folder().join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files("cases").chain(files("own")).collect();
    files.sort();
    let cases = |file: &PathBuf| -> Vec<Value> {
        let mut cases: serde_yaml::Value = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        write_json(&mut cases);
        serde_yaml::from_value(cases).unwrap()
    };
    files.iter().flat_map(cases).map(Case::new).collect()
}

/// Turns each `{json: {…}}` of a remote value into `{string: TEXT}`, as the recorder wrote it: keys in their order, blanks after separators.
fn write_json(value: &mut serde_yaml::Value) {
    match value {
        serde_yaml::Value::Mapping(members) => {
            for service in ["sm", "ssm"] {
                let values = members.get_mut(service).and_then(serde_yaml::Value::as_mapping_mut);
                let values = values.into_iter().flat_map(serde_yaml::Mapping::values_mut);
                for value in values.filter_map(serde_yaml::Value::as_mapping_mut) {
                    if let Some(json) = value.remove("json") {
                        value.insert("string".into(), json_text(&json).into());
                    }
                }
            }
            members.values_mut().for_each(write_json);
        }
        serde_yaml::Value::Sequence(items) => items.iter_mut().for_each(write_json),
        _ => {}
    }
}

fn json_text(value: &serde_yaml::Value) -> String {
    match value {
        serde_yaml::Value::Mapping(members) => {
            let members: Vec<_> =
                members.iter().map(|(key, value)| format!("{}: {}", json_text(key), json_text(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        serde_yaml::Value::Sequence(items) => {
            format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(", "))
        }
        scalar => serde_json::to_string(scalar).unwrap(),
    }
}

/// Tokens of the fixtures and their texts: `@FX_CA@` and so on.
pub(crate) fn fixtures() -> Vec<(String, String)> {
    let texts: Map<String, Value> =
        serde_json::from_str(&fs::read_to_string(folder().join("fixtures/pki.json")).unwrap()).unwrap();
    texts.into_iter().map(|(name, text)| (format!("@FX_{name}@"), text.as_str().unwrap().to_owned())).collect()
}

/// External Secrets Operator's kinds, without what we add to them.
pub(crate) fn crds() -> String {
    fs::read_to_string(folder().join("crds.yaml")).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity")
}

impl Case {
    fn new(body: Value) -> Self {
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        Self { id: text("id"), title: text("title"), body }
    }

    /// Whether it is about what only a program shows that stays and keeps a status.
    pub(crate) fn needs_to_stay(&self) -> bool {
        self.body["stays"] == true
    }

    /// The steps: their names, and what must be there after each.
    pub(crate) fn steps(&self) -> Vec<(String, Expected)> {
        if self.body["expect"].is_null() {
            let golden = self.golden();
            let steps = golden["steps"].as_array().unwrap().iter();
            let state = |step: &Value| {
                let mut state = step["state"].clone();
                // What a schema refuses is nobody's to show: the scene sees that it is refused.
                state.as_object_mut().unwrap().remove("rejected");
                for (name, said) in state["externalsecrets"].as_object_mut().into_iter().flatten() {
                    let messages = &step["info"]["messages"][format!("es {name}")];
                    said["message"] = messages["Ready"].as_str().unwrap_or_default().into();
                }
                Expected::State(state)
            };
            return steps.map(|step| (step["name"].as_str().unwrap().to_owned(), state(step))).collect();
        }
        let start = ("start".to_owned(), Expected::Parts(self.body["expect"].clone()));
        let later = self.body["then"].as_array().into_iter().flatten();
        let later =
            later.map(|step| (step["name"].as_str().unwrap().to_owned(), Expected::Parts(step["expect"].clone())));
        std::iter::once(start).chain(later).collect()
    }

    /// What External Secrets Operator made of it.
    fn golden(&self) -> Value {
        let path = folder().join("golden").join(format!("{}.json", self.id));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    /// A member of the case; `null` without it.
    pub(crate) fn get(&self, field: &str) -> &Value {
        &self.body[field]
    }

    /// The refresh interval of an ExternalSecret that names none: in cases of our own, every step is about sources that changed.
    pub(crate) fn interval(&self) -> &'static str {
        if self.body["expect"].is_null() { "1h" } else { "1s" }
    }

    /// Names of the ready-made stores that it uses.
    pub(crate) fn stores(&self) -> Vec<&str> {
        let named = self.body["stores"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
        named.unwrap_or_else(|| vec!["store"])
    }

    /// What happens before a step; the first one that has something is 0.
    pub(crate) fn acts(&self, step: usize) -> impl Iterator<Item = &Value> {
        self.body["then"][step]["do"].as_array().into_iter().flatten()
    }

    /// Whether External Secrets Operator's schemas refuse an object.
    pub(crate) fn is_rejected(&self, object: &str) -> bool {
        self.body["expect"].is_null()
            && self.golden()["steps"]
                .as_array()
                .unwrap()
                .iter()
                .any(|step| step["state"]["rejected"].get(object).is_some())
    }

    /// Whether it uses what we add to the manifests.
    pub(crate) fn has_additions(&self) -> bool {
        self.body["additions"] == true
    }

    /// Where better behaviour is allowed.
    pub(crate) fn lenient(&self) -> impl Iterator<Item = Exception<'_>> {
        self.body["lenient"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| Exception { at: entry["at"].as_str().unwrap(), why: entry["why"].as_str().unwrap() })
    }
}
