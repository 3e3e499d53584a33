//! The manifests of the documentation.

use std::collections::BTreeMap;
use std::sync::Arc;

use secretsync_core::provider::{BuildContext, RemoteRef, StoreOrigin};
use secretsync_core::yaml::{Limits, parse_documents};
use serde_json::{Value, json};

use crate::support::{Cluster, MOTO, build, environment, factory, fetch, text};

/// Every manifest of the page.
fn manifests() -> Vec<Value> {
    let page = include_str!("../../../../docs/providers/aws.md");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let documents = blocks.flat_map(|block| parse_documents(block.as_bytes(), &Limits::default()).unwrap());
    documents.map(|document| document.to_json()).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    manifests().into_iter().filter(|manifest| manifest["kind"] == kind).collect()
}

#[test]
fn there_are_no_other_manifests_than_those_that_are_tried_here() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for manifest in manifests() {
        *kinds.entry(manifest["kind"].as_str().unwrap_or("part of a store").to_owned()).or_default() += 1;
    }
    let known = [
        ("ClusterSecretStore", 1),
        ("ExternalSecret", 1),
        ("SecretStore", 2),
        ("ServiceAccount", 2),
        ("part of a store", 1),
    ];
    assert_eq!(kinds, known.map(|(kind, count)| (kind.to_owned(), count)).into());
}

#[tokio::test]
async fn every_store_of_the_page_reads_what_its_external_secret_names() {
    let region = "eu-central-1";
    let entry = of_kind("ExternalSecret")[0]["spec"]["data"][0]["remoteRef"].clone();
    let key = entry["key"].as_str().unwrap();
    MOTO.secret(region, key, "documented").unwrap();
    let account = &of_kind("ServiceAccount")[0]["metadata"];
    let annotations = account["annotations"].as_object().unwrap();
    let mut stores = of_kind("SecretStore");
    stores.extend(of_kind("ClusterSecretStore"));
    for store in stores {
        let config = &store["spec"]["provider"]["aws"];
        let name = store["metadata"]["name"].as_str().unwrap();
        let (role, arn) = annotations.iter().next().unwrap();
        let credentials = Arc::new(Cluster::new().annotated(role, arn.as_str().unwrap()));
        let mut origin = StoreOrigin::namespaced("shop", name);
        if store["kind"] == "ClusterSecretStore" {
            origin = StoreOrigin::cluster(name);
        }
        let context = BuildContext::new(origin, Arc::clone(&credentials) as _);
        let own = environment(&[("AWS_ACCESS_KEY_ID", "AKIAOWN"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")]);
        let provider = build(&factory(MOTO.address()), config, context.with_own_identity(Some(own))).await.unwrap();
        let object = provider.address(&RemoteRef::new(key)).unwrap();
        assert_eq!(text(&fetch(&*provider, &[object]).await[0]), "documented", "{store}");
        let asked = credentials.asked();
        match (config["auth"]["jwt"].is_null(), config["auth"].is_null()) {
            (false, _) => assert_eq!(asked, ["token of service account `shop-secrets` for sts.amazonaws.com"]),
            (true, false) => assert_eq!(asked.len(), 2, "{asked:?}"),
            (true, true) => assert_eq!(asked, [""; 0], "the process's own identity needs no reference"),
        }
    }
}

#[cfg(feature = "kms")]
#[tokio::test]
async fn the_keys_of_a_sops_store_are_accepted() {
    use secretsync_core::provider::{KeyServiceFactory as _, RawConfig};
    let part = manifests().into_iter().find(|manifest| manifest["kind"].is_null()).unwrap();
    let keys = part["spec"]["provider"]["sops"]["keys"][0]["awsKms"].clone();
    let kms = secretsync_provider_aws::KmsFactory::beside(&factory(MOTO.address()));
    let own = environment(&[("AWS_ACCESS_KEY_ID", "AKIAOWN"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")]);
    let context = BuildContext::new(StoreOrigin::namespaced("shop", "sops"), Arc::new(Cluster::new()));
    let context = context.with_own_identity(Some(own));
    kms.build(&RawConfig::from_json(json!(keys).to_string()), context).await.unwrap();
}
