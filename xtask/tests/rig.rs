//! The rig on itself: each server starts, answers, and is gone afterwards.

use std::net::TcpStream;
use std::sync::LazyLock;

use age::secrecy::ExposeSecret as _;
use anyhow::Result;
use serde_json::json;
use xtask::rig::cluster::{Cluster, GUESTS};
use xtask::rig::moto::Moto;
use xtask::rig::openbao::OpenBao;
use xtask::rig::sops::{Format, Sops};

fn answers(address: &str) -> bool {
    TcpStream::connect(address.trim_start_matches("http://")).is_ok()
}

#[test]
fn openbao_stores_and_is_gone_after_drop() -> Result<()> {
    let bao = OpenBao::start()?;
    bao.write("secret/data/app", &json!({ "data": { "user": "ada" } }))?;
    bao.write("kv1/app", &json!({ "user": "grace" }))?;
    assert_eq!(bao.read("secret/data/app")?.pointer("/data/data/user"), Some(&json!("ada")));
    assert_eq!(bao.read("kv1/app")?.pointer("/data/user"), Some(&json!("grace")));
    assert_eq!(bao.request("GET", "secret/data/missing", None)?.status(), 404);

    let address = bao.address().to_owned();
    assert!(answers(&address));
    drop(bao);
    assert!(!answers(&address));
    Ok(())
}

#[test]
fn moto_stores_counts_and_is_gone_after_drop() -> Result<()> {
    let moto = Moto::start()?;
    let arn = moto.secret("eu-west-1", "app/db", "s3cr3t")?;
    assert!(arn.starts_with("arn:aws:secretsmanager:eu-west-1:"), "{arn}");
    moto.parameter("eu-west-1", "/app/db", "SecureString", "s3cr3t")?;
    let body = json!({ "SecretId": "app/db" });
    let found = moto.call("eu-west-1", "secretsmanager.GetSecretValue", &body)?;
    assert_eq!(found["SecretString"], "s3cr3t");
    moto.call("eu-west-2", "secretsmanager.GetSecretValue", &body).unwrap_err();
    let requests = moto.requests()?;
    assert_eq!(requests.iter().filter(|request| *request == "secretsmanager.GetSecretValue").count(), 2);

    let address = moto.address().to_owned();
    drop(moto);
    assert!(!answers(&address));
    Ok(())
}

#[test]
fn the_audit_log_counts_each_request_once() -> Result<()> {
    let bao = OpenBao::start()?;
    bao.write("secret/data/app", &json!({ "data": { "user": "ada" } }))?;
    let before = bao.audit_requests()?.len();
    for _ in 0..7 {
        bao.read("secret/data/app")?;
    }
    bao.read("kv1/absent").unwrap_err();

    let requests = bao.audit_requests()?.split_off(before);

    let read = |path: &str| requests.iter().filter(|r| r.operation == "read" && r.path == path).count();
    assert_eq!((read("secret/data/app"), read("kv1/absent"), requests.len()), (7, 1, 8));
    assert!(requests.iter().all(|request| request.display_name == "root"));
    Ok(())
}

#[test]
fn a_sealed_server_refuses_until_it_is_unsealed() -> Result<()> {
    let mut bao = OpenBao::start()?;
    bao.seal()?;
    assert_eq!(bao.request("GET", "secret/data/app", None)?.status(), 503);
    bao.unseal()?;
    assert_eq!(bao.request("GET", "secret/data/app", None)?.status(), 404);
    Ok(())
}

#[test]
fn a_restarted_server_has_its_address_token_and_data() -> Result<()> {
    let mut bao = OpenBao::start_persistent()?;
    bao.write("secret/data/app", &json!({ "data": { "user": "ada" } }))?;
    bao.stop();
    assert!(!answers(bao.address()));
    bao.restart()?;
    assert_eq!(bao.read("secret/data/app")?.pointer("/data/data/user"), Some(&json!("ada")));
    Ok(())
}

#[test]
fn a_token_with_a_policy_may_do_just_that() -> Result<()> {
    let bao = OpenBao::start()?;
    bao.write("secret/data/app", &json!({ "data": { "user": "ada" } }))?;
    let token = bao.token_with_policy("reader", r#"path "secret/data/app" { capabilities = ["read"] }"#)?;
    assert_eq!(bao.request_as(&token, "GET", "secret/data/app", None)?.status(), 200);
    assert_eq!(bao.request_as(&token, "GET", "secret/data/other", None)?.status(), 403);
    Ok(())
}

#[test]
fn sops_encrypts_every_format_and_decrypts_it_with_the_key_alone() -> Result<()> {
    let sops = Sops::new()?;
    let identity = age::x25519::Identity::generate();
    let folder = tempfile::tempdir()?;
    let key_file = folder.path().join("key.txt");
    std::fs::write(&key_file, identity.to_string().expose_secret())?;
    let cases = [
        (Format::Binary, "any bytes"),
        (Format::Dotenv, "USER=ada\n"),
        (Format::Ini, "[app]\nuser = ada\n"),
        (Format::Json, "{\n\t\"user\": \"ada\"\n}\n"),
        (Format::Yaml, "user: ada\n"),
    ];
    for (format, plaintext) in cases {
        let document = sops.encrypt(plaintext, format, &[identity.to_public().to_string()], &[])?;
        assert!(document.contains("ENC[AES256_GCM,"), "{format:?}: {document}");
        assert!(!document.contains("ada"), "{format:?}: {document}");
        let file = folder.path().join("document");
        std::fs::write(&file, document)?;
        let decrypted = String::from_utf8(sops.decrypt(&file, format, &key_file)?)?;
        assert_eq!(decrypted.trim_end(), plaintext.trim_end(), "{format:?}");
        let stranger = folder.path().join("stranger.txt");
        std::fs::write(&stranger, age::x25519::Identity::generate().to_string().expose_secret())?;
        sops.decrypt(&file, format, &stranger).unwrap_err();
    }
    Ok(())
}

/// One for all tests here; never dropped, so the watchdog ends it.
#[expect(clippy::unwrap_used, reason = "a test without its cluster has failed")]
static CLUSTER: LazyLock<Cluster> =
    LazyLock::new(|| Cluster::builder().with_user("auditor", &["auditors"]).with_crds(WIDGETS).start().unwrap());

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.rig.example }
spec:
  group: rig.example
  names: { kind: Widget, plural: widgets }
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object } }
";

#[test]
fn kubectl_reads_what_the_api_server_serves() -> Result<()> {
    let version = CLUSTER.kubectl(&["version", "--output=json"])?;
    let version: serde_json::Value = serde_json::from_str(&version)?;
    assert_eq!(version.pointer("/serverVersion/gitVersion"), version.pointer("/clientVersion/gitVersion"));

    let namespace = CLUSTER.namespace("reads")?;
    let phase = CLUSTER.kubectl(&["get", "namespace", &namespace, "--output=jsonpath={.status.phase}"])?;
    assert_eq!(phase, "Active");

    let error = CLUSTER.kubectl(&["get", "namespace", "absent"]).unwrap_err().to_string();
    assert!(error.contains("not found"), "{error}");
    Ok(())
}

#[test]
fn users_have_their_groups_and_guests_may_do_nothing() -> Result<()> {
    let groups = CLUSTER.kubectl_as("auditor", &["auth", "whoami", "--output=jsonpath={.status.userInfo.groups}"])?;
    assert_eq!(groups, r#"["auditors","system:authenticated"]"#);
    for guest in GUESTS {
        let error = CLUSTER.kubectl_as(guest, &["get", "secrets"]).unwrap_err().to_string();
        assert!(error.contains("forbidden"), "{error}");
    }
    CLUSTER.user("stranger").unwrap_err();
    Ok(())
}

#[test]
fn an_owned_secret_is_collected_after_its_owner() -> Result<()> {
    let namespace = CLUSTER.namespace("collected")?;
    CLUSTER.apply(&format!(
        "{{apiVersion: rig.example/v1, kind: Widget, metadata: {{name: owner, namespace: {}}}}}",
        namespace.name()
    ))?;
    let uid = namespace.kubectl(&["get", "widget", "owner", "--output=jsonpath={.metadata.uid}"])?;
    let secret = |name: &str, owners: &str| {
        CLUSTER.apply(&format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}, namespace: {}, ownerReferences: [{owners}]}}}}",
            namespace.name()
        ))
    };
    secret("owned", &format!("{{apiVersion: rig.example/v1, kind: Widget, name: owner, uid: {uid}}}"))?;
    secret("free", "")?;

    namespace.kubectl(&["delete", "widget", "owner"])?;
    namespace.kubectl(&["wait", "--for=delete", "secret/owned", "--timeout=60s"])?;

    assert_eq!(namespace.kubectl(&["get", "secrets", "--output=name"])?, "secret/free\n");
    Ok(())
}

#[test]
fn a_cluster_is_gone_after_drop() -> Result<()> {
    let cluster = Cluster::start()?;
    let address = cluster.address().trim_start_matches("https://").to_owned();
    let kubeconfig = cluster.kubeconfig();
    assert!(answers(&address) && kubeconfig.exists());
    drop(cluster);
    assert!(!answers(&address) && !kubeconfig.exists());
    Ok(())
}
