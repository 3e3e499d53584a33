//! The same manifests from AWS, whose part a real moto plays.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use xtask::rig::moto::{Moto, Recorded};

use crate::kubernetes;
use crate::sandbox::{Sandbox, data, external_secret, store};

/// One moto for all tests of this file; each has a region of its own, and starts counting when it begins.
pub(crate) fn moto() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(|| Moto::start().unwrap())
}

/// What a region was asked since the last look, by operation: tests run at the same time.
pub(crate) struct Log {
    region: &'static str,
    seen: usize,
}

impl Log {
    pub(crate) fn start(region: &'static str) -> Self {
        Self { region, seen: moto().recorded().unwrap().len() }
    }

    fn since(&mut self) -> Vec<Recorded> {
        let all = moto().recorded().unwrap();
        let fresh = all[self.seen..].iter().filter(|request| request.region.as_deref() == Some(self.region));
        let fresh = fresh.cloned().collect();
        self.seen = all.len();
        fresh
    }

    pub(crate) fn operations(&mut self) -> Vec<String> {
        self.since().into_iter().map(|request| request.operation).collect()
    }
}

fn provider(service: &str, region: &str) -> String {
    format!(
        "    aws:\n      service: {service}\n      region: {region}\n      auth:\n        secretRef:\n          \
         accessKeyIDSecretRef: {{name: aws, key: id}}\n          secretAccessKeySecretRef: {{name: aws, key: secret}}"
    )
}

/// A sandbox with the stores `sm` and `ssm` of a region, and their keys.
fn setup(region: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set("AWS_ENDPOINT_URL", moto().address()).set("ID", "AKIATEST").set("SECRET", "s3cr3t");
    let stores = [store("sm", &provider("SecretsManager", region)), store("ssm", &provider("ParameterStore", region))];
    sandbox.file("stores.yaml", &stores.join("---\n"));
    sandbox
}

const FILES: &str = "-f stores.yaml -f es.yaml";
const TO: &str = "--to dir=out --credential aws/id=env:ID --credential aws/secret=env:SECRET";

#[test]
fn secrets_and_parameters_arrive_and_a_plan_tells_what_changed() {
    let region = "eu-west-1";
    let sandbox = setup(region);
    moto().secret(region, "app/db", r#"{"user": "ann", "password": "s3cr3t", "a.b": "exact"}"#).unwrap();
    moto().secret(region, "app/ca", "certificate\n").unwrap();
    moto().parameter(region, "/app/flag", "String", "on").unwrap();
    moto().parameter(region, "/app/key", "SecureString", "k3y").unwrap();
    let found = "  dataFrom:\n    - find: {name: {regexp: ^app/}}";
    let manifests = [
        external_secret(
            "db",
            "sm",
            &data(&[("user", "app/db", "user"), ("exact", "app/db", "a.b"), ("ca", "app/ca", "")]),
        ),
        external_secret("all", "sm", found),
        external_secret("flags", "ssm", &data(&[("flag", "/app/flag", ""), ("key", "/app/key", "")])),
        external_secret("tree", "ssm", "  dataFrom:\n    - find: {path: /app, name: {regexp: flag}}"),
    ];
    sandbox.file("es.yaml", &manifests.concat());
    assert_eq!(sandbox.run(&format!("plan {FILES} {TO}")).code, 3);
    let run = sandbox.run(&format!("sync {FILES} {TO}"));
    assert_eq!(run.code, 0, "{run:?}");
    for (file, text) in [
        ("db/user", "ann"),
        ("db/exact", "exact"),
        ("db/ca", "certificate\n"),
        ("all/app_ca", "certificate\n"),
        ("flags/flag", "on"),
        ("flags/key", "k3y"),
        ("tree/_app_flag", "on"),
    ] {
        assert_eq!(sandbox.text(&format!("out/shop/{file}")), text, "{file}");
    }
    assert_eq!(sandbox.run(&format!("plan {FILES} {TO}")).code, 0);
    let changed = json!({"SecretId": "app/ca", "SecretString": "renewed\n"});
    moto().call(region, "secretsmanager.PutSecretValue", &changed).unwrap();
    let plan = sandbox.run(&format!("plan {FILES} {TO}"));
    assert!(plan.code == 3 && plan.row("shop/db").contains("updated ca"), "{plan:?}");
    assert!(!plan.stdout.contains("renewed"), "{plan:?}");
}

/// The requests of a run by kind, as `cost` counts them.
fn forecast(sandbox: &Sandbox) -> Vec<(String, f64)> {
    let run = sandbox.run(&format!("cost {FILES} --output json"));
    assert_eq!(run.code, 0, "{run:?}");
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    let requests = told["stores"].as_array().unwrap().iter().flat_map(|store| store["requests"].as_array().unwrap());
    requests.map(|all| (all["request"].as_str().unwrap().to_owned(), all["run"].as_f64().unwrap())).collect()
}

#[test]
fn a_thousand_syncs_of_a_thousand_secrets_are_fifty_requests_and_of_one_secret_one() {
    let region = "eu-west-2";
    let sandbox = setup(region);
    let (mut each, mut same) = (String::new(), String::new());
    for index in 0..1000 {
        moto().secret(region, &format!("many/{index}"), "x").unwrap();
        each += &external_secret(&format!("s{index}"), "sm", &data(&[("v", &format!("many/{index}"), "")]));
        same += &external_secret(&format!("s{index}"), "sm", &data(&[("v", "many/7", "")]));
    }
    let mut log = Log::start(region);
    sandbox.file("es.yaml", &each);
    assert_eq!(forecast(&sandbox), [("BatchGetSecretValue".to_owned(), 50.0)]);
    assert_eq!(log.operations(), [""; 0], "a forecast asks nobody");
    let run = sandbox.run(&format!("sync {FILES} {TO}"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(log.operations(), ["secretsmanager.BatchGetSecretValue"; 50]);

    sandbox.file("es.yaml", &same);
    assert_eq!(forecast(&sandbox), [("GetSecretValue".to_owned(), 1.0)]);
    let run = sandbox.run(&format!("sync {FILES} {TO}"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(log.operations(), ["secretsmanager.GetSecretValue"]);
}

#[test]
fn parameters_are_read_by_ten_and_what_is_missing_fails_alone() {
    let region = "eu-west-3";
    let sandbox = setup(region);
    let mut manifests = external_secret("gone", "ssm", &data(&[("v", "/many/none", "")]));
    for index in 0..29 {
        moto().parameter(region, &format!("/many/{index}"), "String", "x").unwrap();
        manifests += &external_secret(&format!("s{index}"), "ssm", &data(&[("v", &format!("/many/{index}"), "")]));
    }
    sandbox.file("es.yaml", &manifests);
    let mut log = Log::start(region);
    let run = sandbox.run(&format!("sync {FILES} {TO}"));
    assert!(run.code == 1 && run.stderr.contains("hint[secret-missing]"), "{run:?}");
    assert_eq!(run.rows().iter().filter(|(result, _)| result == "created").count(), 29);
    assert_eq!(log.operations(), ["AmazonSSM.GetParameters"; 3]);
}

#[test]
fn a_secret_that_waits_for_its_deletion_is_told_to_be_restored() {
    let region = "ap-south-1";
    let sandbox = setup(region);
    moto().secret(region, "gone", "x").unwrap();
    moto().call(region, "secretsmanager.DeleteSecret", &json!({"SecretId": "gone"})).unwrap();
    let manifests = [("gone", "gone"), ("none", "none")];
    sandbox
        .file("es.yaml", &manifests.map(|(name, key)| external_secret(name, "sm", &data(&[("v", key, "")]))).concat());
    let run = sandbox.run(&format!("sync {FILES} {TO}"));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.row("shop/gone").ends_with("it is marked for deletion"), "{run:?}");
    assert!(run.row("shop/none").ends_with("it does not exist"), "{run:?}");
    assert!(run.stderr.contains("restore the secret with `aws secretsmanager restore-secret`"), "{run:?}");
}

#[test]
fn a_service_account_takes_its_role_by_a_token_of_the_cluster() {
    let region = "eu-north-1";
    let namespace = kubernetes::cluster().namespace("irsa").unwrap();
    moto().secret(region, "app/db", "from aws").unwrap();
    let role = "arn:aws:iam::123456789012:role/shop";
    namespace.kubectl(&["create", "serviceaccount", "app"]).unwrap();
    let annotation = format!("eks.amazonaws.com/role-arn={role}");
    namespace.kubectl(&["annotate", "serviceaccount", "app", &annotation]).unwrap();
    let aws = format!(
        "    aws:\n      service: SecretsManager\n      region: {region}\n      auth: {{jwt: {{serviceAccountRef: {{name: app}}}}}}"
    );
    let manifests = store("irsa", &aws) + &external_secret("db", "irsa", &data(&[("v", "app/db", "")]));
    let mut sandbox = Sandbox::new();
    sandbox.set("KUBECONFIG", &kubernetes::cluster().kubeconfig().display().to_string());
    sandbox.set("AWS_ENDPOINT_URL", moto().address());
    sandbox.file("all.yaml", &manifests.replace("namespace: shop", &format!("namespace: {}", namespace.name())));
    let before = moto().recorded().unwrap().len();
    let run = sandbox.run("sync -f all.yaml --to kubernetes");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(kubernetes::secret(namespace.name(), "db")["data"]["v"], "ZnJvbSBhd3M=");

    let recorded = moto().recorded().unwrap().split_off(before);
    let exchange = recorded.iter().find(|request| request.operation == "sts.AssumeRoleWithWebIdentity").unwrap();
    assert_eq!(exchange.access_key, None, "there is no key to sign with");
    let field = |name: &str| {
        let found = exchange.body.split('&').find_map(|field| field.strip_prefix(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("no {name}: {}", exchange.body)).replace("%3A", ":").replace("%2F", "/")
    };
    assert_eq!(field("RoleArn"), role);
    let token = field("WebIdentityToken");
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], json!(["sts.amazonaws.com"]), "the API server issued it for STS and nobody else");
    assert_eq!(claims["sub"], format!("system:serviceaccount:{}:app", namespace.name()));
    let read = recorded.iter().find(|request| {
        request.region.as_deref() == Some(region) && request.operation == "secretsmanager.GetSecretValue"
    });
    let key = read.unwrap().access_key.as_deref().unwrap();
    assert!(key.starts_with("ASIA"), "the role's own temporary key reads: {key}");
}

#[test]
fn a_namespaced_store_without_keys_gets_the_identity_of_whoever_types_only_when_it_is_lent() {
    let region = "eu-south-1";
    let mut sandbox = setup(region);
    moto().secret(region, "app", "mine").unwrap();
    let aws = format!("    aws: {{service: SecretsManager, region: {region}}}");
    sandbox.file("stores.yaml", &store("sm", &aws));
    sandbox.file("es.yaml", &external_secret("app", "sm", &data(&[("v", "app", "")])));
    sandbox.set("AWS_ACCESS_KEY_ID", "AKIAMINE").set("AWS_SECRET_ACCESS_KEY", "s3cr3t");
    let refused = sandbox.run(&format!("sync {FILES} --to dir=out"));
    assert!(refused.code == 1 && refused.stderr.contains("--ambient"), "{refused:?}");
    let run = sandbox.run(&format!("sync {FILES} --to dir=out --ambient"));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.text("out/shop/app/v"), "mine");
}

#[test]
fn a_profile_gives_keys_and_endpoints() {
    let region = "eu-south-2";
    moto().secret(region, "app", "by profile").unwrap();
    moto().parameter(region, "/app", "String", "by profile, too").unwrap();
    let mut sandbox = Sandbox::new();
    let profile = format!(
        "[profile dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = s3cr3t\nendpoint_url = http://127.0.0.1:9\n\
         services = local\n[services local]\nsecrets_manager =\n  endpoint_url = {0}\nssm =\n  endpoint_url = {0}\n",
        moto().address()
    );
    sandbox.file("config", &profile);
    sandbox.set("AWS_PROFILE", "dev").set("AWS_CONFIG_FILE", "config");
    let aws = |service: &str| format!("    aws: {{service: {service}, region: {region}}}");
    let stores = [store("sm", &aws("SecretsManager")), store("ssm", &aws("ParameterStore"))];
    sandbox.file("stores.yaml", &stores.join("---\n"));
    let entries = [
        external_secret("a", "sm", &data(&[("v", "app", "")])),
        external_secret("b", "ssm", &data(&[("v", "/app", "")])),
    ];
    sandbox.file("es.yaml", &entries.concat());
    let run = sandbox.run(&format!("sync {FILES} --to dir=out --ambient"));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.text("out/shop/a/v"), "by profile");
    assert_eq!(sandbox.text("out/shop/b/v"), "by profile, too");
}
