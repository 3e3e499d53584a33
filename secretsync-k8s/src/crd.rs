//! The CustomResourceDefinitions of the kinds that are read here, made from their types.
//!
//! For these backends they are a superset of External Secrets Operator's: whatever it stores is stored, and comes back with the same defaults.

mod kinds;
mod status;
mod structural;

use secretsync_core::provider::ProviderRegistry;
use serde_json::{Map, Value, json};

use kinds::{KINDS, Kind, Spec};

/// The definition of one kind.
#[derive(Clone, Debug)]
pub struct Definition {
    kind: &'static Kind,
    manifest: Value,
}

impl Definition {
    /// The kind: `ExternalSecret`.
    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// The name of the definition: `externalsecrets.external-secrets.io`.
    pub fn name(&self) -> String {
        self.kind.full_name()
    }

    /// Whether a word means this kind, as `kubectl get` would take it: `externalsecrets`, `externalsecret`, `es`, or the full name, in any letter case.
    pub fn is_meant_by(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let Kind { name, plural, short_names, .. } = self.kind;
        word == *plural || word == name.to_lowercase() || word == self.name() || short_names.contains(&word.as_str())
    }

    /// The definition as an object of `apiextensions.k8s.io/v1`, ready to be applied.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }
}

/// The definitions of all kinds. The schema of a store's `provider` is put together from the factories of `registry`; configurations of other
/// providers are stored as they are, so that they can be reported.
///
/// ```
/// use secretsync_core::provider::ProviderRegistry;
/// use secretsync_k8s::crd;
///
/// let definitions = crd::definitions(&ProviderRegistry::new());
/// assert_eq!(definitions[0].name(), "clusterexternalsecrets.external-secrets.io");
/// ```
pub fn definitions(registry: &ProviderRegistry) -> Vec<Definition> {
    KINDS.iter().map(|kind| Definition { kind, manifest: manifest(kind, registry) }).collect()
}

fn manifest(kind: &Kind, registry: &ProviderRegistry) -> Value {
    let Kind { name, plural, short_names, group, .. } = kind;
    let singular = name.to_lowercase();
    let mut names = json!({
        "categories": kind.categories,
        "kind": name,
        "listKind": format!("{name}List"),
        "plural": plural,
        "singular": singular,
    });
    if !short_names.is_empty() {
        names["shortNames"] = json!(short_names);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": kind.full_name(),
            "labels": {"external-secrets.io/component": "controller"},
        },
        "spec": {
            "group": group,
            "names": names,
            "scope": if kind.cluster_scoped { "Cluster" } else { "Namespaced" },
            "versions": versions(kind, registry),
        },
    })
}

fn versions(kind: &Kind, registry: &ProviderRegistry) -> Vec<Value> {
    let columns: Vec<_> = kind.columns.iter().map(kinds::Column::to_json).collect();
    let mut current = json!({
        "name": kind.version,
        "served": true,
        "storage": true,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema(kind, registry)},
    });
    if !columns.is_empty() {
        current["additionalPrinterColumns"] = json!(columns);
    }
    if !kind.selectable.is_empty() {
        current["selectableFields"] = kind.selectable.iter().map(|path| json!({"jsonPath": path})).collect();
    }
    let old = kind.old_version.map(|version| {
        json!({
            "name": version,
            "served": false,
            "storage": false,
            "deprecated": true,
            "additionalPrinterColumns": columns,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        })
    });
    [current].into_iter().chain(old).collect()
}

fn schema(kind: &Kind, registry: &ProviderRegistry) -> Value {
    let mut spec = match kind.spec {
        Spec::Type(schema) => schema(),
        Spec::Store(schema) => with_providers(schema(), registry),
        Spec::Generator => {
            registry.generator(kind.name).and_then(|factory| factory.schema()).unwrap_or(Value::Bool(true))
        }
    };
    structural::rewrite(&mut spec);
    json!({
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": (kind.status)(),
        },
    })
}

/// Puts the schemas of the providers' configurations into that of a store.
fn with_providers(mut spec: Value, registry: &ProviderRegistry) -> Value {
    let known: Map<_, _> = registry
        .kinds()
        .filter_map(|kind| Some((kind.to_owned(), registry.factory(kind)?.schema().unwrap_or(Value::Bool(true)))))
        .collect();
    spec["properties"]["provider"]["properties"] = Value::Object(known);
    spec
}

#[cfg(test)]
mod tests;
