//! Whose definitions of the kinds a cluster has: ours, or External Secrets Operator's, which cannot store our additions. It is asked once, and only told.

use std::collections::BTreeMap;

use kube::Client;
use serde::Deserialize;

/// What the API server publishes of the kinds' fields: names only. Everybody who is logged in may read it.
#[derive(Debug, Deserialize)]
struct Document {
    components: Components,
}

#[derive(Debug, Deserialize)]
struct Components {
    schemas: BTreeMap<String, Field>,
}

/// A field, as far as the fields below it are concerned.
#[derive(Debug, Default, Deserialize)]
struct Field {
    #[serde(default)]
    properties: BTreeMap<String, Self>,
    items: Option<Box<Self>>,
    #[serde(default, rename = "x-kubernetes-preserve-unknown-fields")]
    keeps_everything: bool,
}

/// Says what was found. What cannot be found out is left open.
pub(super) async fn tell(client: &Client) {
    match read(client).await {
        Some(missing) if missing.is_empty() => {
            tracing::info!("the cluster's definitions of the kinds are ours, or store our additions as well");
        }
        Some(missing) => tracing::info!(
            missing = missing.join(", "),
            "the cluster's definitions of the kinds are External Secrets Operator's, or old ones: these additions cannot be stored"
        ),
        None => tracing::debug!("the API server does not tell what its definitions of the kinds can store"),
    }
}

async fn read(client: &Client) -> Option<Vec<&'static str>> {
    let request = http::Request::get(PAGE).header(http::header::ACCEPT, "application/json").body(Vec::new()).ok()?;
    let text = client.request_text(request).await.ok()?;
    missing(&serde_json::from_str(&text).ok()?)
}

/// The additions that the schemas have no place for; `None` where they do not know the kinds at all.
fn missing(document: &Document) -> Option<Vec<&'static str>> {
    let schemas = &document.components.schemas;
    let kind = |name: &str| schemas.get(&format!("{PREFIX}{name}"));
    let (sync, store) = (kind("ExternalSecret")?, kind("ClusterSecretStore")?);
    let has = |schema: &Field, path: &[&str]| {
        let mut place = schema;
        for name in path {
            if place.keeps_everything {
                return true;
            }
            let inner = place.items.as_deref().unwrap_or(place);
            let Some(next) = inner.properties.get(*name) else { return inner.keeps_everything };
            place = next;
        }
        true
    };
    let additions = [
        ("spec.suspend", has(sync, &["spec", "suspend"])),
        ("spec.data[].onMissing", has(sync, &["spec", "data", "onMissing"])),
        ("spec.dataFrom[].onMissing", has(sync, &["spec", "dataFrom", "onMissing"])),
        ("spec.provider.sops", has(store, &["spec", "provider", "sops"])),
        ("spec.conditions[].keys", has(store, &["spec", "conditions", "keys"])),
    ];
    Some(additions.into_iter().filter(|(_, has)| !has).map(|(name, _)| name).collect())
}

const PAGE: &str = "/openapi/v3/apis/external-secrets.io/v1";

/// How the page names the kinds.
const PREFIX: &str = "io.external-secrets.v1.";

#[cfg(test)]
mod tests {
    use secretsync_core::provider::ProviderRegistry;
    use serde_json::{Value, json};

    use super::*;
    use crate::crd;

    fn found(schema: impl Fn(&str) -> Value) -> Option<Vec<&'static str>> {
        let kinds = ["ExternalSecret", "ClusterSecretStore"];
        let schemas: serde_json::Map<_, _> =
            kinds.iter().map(|kind| (format!("{PREFIX}{kind}"), schema(kind))).collect();
        missing(&serde_json::from_value(json!({"components": {"schemas": schemas}})).unwrap())
    }

    #[test]
    fn our_definitions_lack_nothing_but_providers_that_a_program_does_not_know() {
        let definitions = crd::definitions(&ProviderRegistry::new());
        let schema = |kind: &str| {
            let definition = definitions.iter().find(|definition| definition.kind() == kind).unwrap();
            definition.manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
        };
        assert_eq!(found(schema), Some(Vec::new()), "unknown providers are kept");
    }

    #[test]
    fn definitions_without_our_additions_are_told_by_what_they_lack() {
        let schema = json!({"properties": {"spec": {"properties": {
            "data": {"items": {"properties": {"secretKey": {}}}}, "dataFrom": {"items": {"properties": {"onMissing": {}}}},
            "provider": {"properties": {"vault": {}}}, "conditions": {"items": {"properties": {"namespaces": {}}}},
        }}}});
        let lacks = ["spec.suspend", "spec.data[].onMissing", "spec.provider.sops", "spec.conditions[].keys"];
        assert_eq!(found(|_| schema.clone()), Some(lacks.to_vec()));
        assert_eq!(found(|_| json!({"x-kubernetes-preserve-unknown-fields": true})), Some(Vec::new()));
        assert_eq!(missing(&serde_json::from_value(json!({"components": {"schemas": {}}})).unwrap()), None);
    }
}
