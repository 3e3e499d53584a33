//! The manifests of the documentation.

use std::collections::BTreeMap;
use std::sync::Arc;

use secretsync_core::provider::{BuildContext, ProviderFactory, RawConfig, StoreOrigin};
use secretsync_core::yaml::{Limits, parse_documents};
use secretsync_provider_vault::{OpenBaoFactory, VaultFactory};
use serde_json::{Value, json};

use crate::methods::signed;
use crate::store::{Secrets, content, read};
use crate::{app_role, count, enable, server};

const PAGE: &str = include_str!("../../../../docs/providers/vault.md");

/// The configuration of a store of the page, but for its server.
pub(crate) fn store(name: &str, server: &str, path: &str) -> Value {
    let manifests = manifests(PAGE, "SecretStore");
    let mut config = manifests[name]["spec"]["provider"]["vault"].clone();
    (config["server"], config["path"]) = (json!(server), json!(path));
    config
}

/// Every manifest of a kind on a page, by its name.
fn manifests(page: &str, kind: &str) -> BTreeMap<String, Value> {
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let documents = blocks.flat_map(|block| parse_documents(block.as_bytes(), &Limits::default()).unwrap());
    let manifests = documents.map(|document| document.to_json()).filter(|manifest| manifest["kind"] == kind);
    manifests.map(|manifest| (manifest["metadata"]["name"].as_str().unwrap().to_owned(), manifest)).collect()
}

fn context(secrets: &Arc<Secrets>) -> BuildContext {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    BuildContext::new(StoreOrigin::namespaced("shop", "documented"), Arc::clone(secrets) as _)
}

#[tokio::test]
async fn every_method_of_the_page_is_accepted_and_those_of_open_bao_log_in() {
    let bao = server();
    bao.write("sys/mounts/kv", &json!({"type": "kv", "options": {"version": "1"}})).unwrap();
    bao.write("kv/app", &json!({"a": "b"})).unwrap();
    bao.write("sys/policies/acl/reader", &json!({"policy": "path \"kv/*\" { capabilities = [\"read\"] }"})).unwrap();
    let (role, secret) = app_role(&bao, &json!({}));
    enable(&bao, "userpass", "userpass");
    bao.write("auth/userpass/users/shop", &json!({"password": "pw", "token_policies": "reader"})).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    enable(&bao, "jwt", "jwt");
    bao.write("auth/jwt/config", &json!({"jwt_validation_pubkeys": [key.public_key_pem()]})).unwrap();
    let jwt =
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": "reader"});
    bao.write("auth/jwt/role/shop", &jwt).unwrap();
    let secrets = Secrets::new(&[
        ("vault-token/token", bao.token()),
        ("vault-approle/role-id", &role),
        ("vault-approle/secret-id", &secret),
        ("vault-user/password", "pw"),
        ("shop-app", &signed(&key, "vault")),
    ]);

    let manifests = manifests(PAGE, "SecretStore");
    let here = ["with-token", "with-approle", "with-password", "with-jwt"];
    // Those need more than a plain server: other tests log in with them.
    let elsewhere = ["with-kubernetes", "with-ldap", "with-certificate", "with-aws", "vault"];
    let names: Vec<_> = manifests.keys().map(String::as_str).collect();
    let mut expected = [&here[..], &elsewhere[..]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected, "every manifest is tried here");
    for (name, manifest) in &manifests {
        let mut config = manifest["spec"]["provider"]["vault"].clone();
        config["server"] = json!(bao.address());
        // What the pages read is of version 2; the server of this test answers sooner with version 1.
        config["version"] = json!("v1");
        let config = RawConfig::from_json(config.to_string());
        let provider = VaultFactory::new().build(&config, context(&secrets)).await.unwrap();
        if here.contains(&name.as_str()) {
            assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}), "{name}");
            provider.close().await;
        }
    }
    assert_eq!(count(&bao, "auth/token/revoke-self"), 3, "each login but the given token");
}

#[tokio::test]
async fn every_generator_of_the_page_is_accepted() {
    let generators = manifests(PAGE, "VaultDynamicSecret");
    assert_eq!(generators.keys().collect::<Vec<_>>(), ["web-certificate"]);
    for manifest in generators.values() {
        let context = context(&Secrets::new(&[("vault-token/token", "t")]));
        let factory = VaultFactory::new().dynamic_secrets();
        factory.build(&RawConfig::from_json(manifest["spec"].to_string()), context).await.unwrap();
    }
}

#[tokio::test]
async fn the_manifest_of_open_bao_is_accepted() {
    for manifest in manifests(include_str!("../../../../docs/providers/openBao.md"), "SecretStore").values() {
        let config = RawConfig::from_json(manifest["spec"]["provider"]["openBao"].to_string());
        OpenBaoFactory::new().build(&config, context(&Secrets::new(&[]))).await.unwrap();
    }
}
