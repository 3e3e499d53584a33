//! Keys that a service unwraps, with a service that only remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, Retry, chain};
use secretsync_core::provider::{
    BuildContext, CredentialRef, FetchOptions, Fetched, KeyKind, KeyService, KeyServiceFactory, ProviderFactory as _,
    RawConfig, RemoteRef, StoreOrigin, WrappedKey,
};
use secretsync_core::secret::SecretValue;
use secretsync_provider_sops::SopsFactory;
use serde_json::{Value, json};
use xtask::rig::sops::Format;

use crate::matrix::{encrypt_for, one_key};
use crate::support::{Given, KEY, RECIPIENT, Store, shape};

/// A service for one ARN or key name. It "unwraps" with the identity of these tests, since nobody else can make real ciphertexts here.
#[derive(Clone, Debug)]
struct Fake {
    member: &'static str,
    kind: KeyKind,
    log: Arc<Mutex<Vec<String>>>,
    failure: Option<ErrorKind>,
}

impl Fake {
    fn new(member: &'static str, kind: KeyKind) -> Self {
        Self { member, kind, log: Arc::default(), failure: None }
    }

    fn kms() -> Self {
        Self::new("awsKms", KeyKind::AwsKms)
    }

    fn failing(mut self, kind: ErrorKind) -> Self {
        self.failure = Some(kind);
        self
    }

    fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

#[derive(Debug)]
struct Service {
    fake: Fake,
    arn: String,
}

#[async_trait]
impl KeyServiceFactory for Fake {
    fn member(&self) -> &'static str {
        self.member
    }

    fn kind(&self) -> KeyKind {
        self.kind
    }

    fn references(&self, _: &RawConfig, _: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        Ok(vec![CredentialRef::secret("login", "token")])
    }

    fn depends_on_consumer(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<bool> {
        let config: BTreeMap<String, String> = config.read(origin, "sops")?;
        Ok(config["arn"] == "each namespace's own")
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn KeyService>> {
        let config: BTreeMap<String, String> = config.read(&context.origin, "sops")?;
        Ok(Arc::new(Service { fake: self.clone(), arn: config["arn"].clone() }))
    }
}

#[async_trait]
impl KeyService for Service {
    fn serves(&self, key: &WrappedKey) -> std::result::Result<(), String> {
        let named = key.attribute("arn").or_else(|| key.attribute("key_name")).unwrap_or_default();
        if named == self.arn { Ok(()) } else { Err("it is configured for another key".to_owned()) }
    }

    async fn unwrap(&self, key: &WrappedKey) -> Result<SecretValue> {
        self.fake.log.lock().unwrap().push(format!("{} {:?}", self.arn, key.context));
        if let Some(kind) = self.fake.failure {
            let hint = Hint::new(Code::ProviderUnavailable, "look at the service");
            return Err(Error::new(kind, "unwrap").because("as told").with_hint(hint));
        }
        let age = String::from_utf8(STANDARD.decode(&key.ciphertext).unwrap()).unwrap();
        let identity: age::x25519::Identity = KEY.parse().unwrap();
        let key = age::decrypt(&identity, age.as_bytes()).unwrap();
        Ok(SecretValue::new(key))
    }

    async fn close(&self) {
        self.fake.log.lock().unwrap().push("closed".to_owned());
    }
}

/// A document whose first age entry, for the identity of these tests, is rewritten into one of a service.
fn wrapped(document: &str, entry: impl Fn(&str) -> String) -> String {
    let start = document.find("-----BEGIN").unwrap();
    let end = document.find("-----END AGE ENCRYPTED FILE-----").unwrap();
    let lines = document[start..end].lines().map(str::trim);
    let file = lines.collect::<Vec<_>>().join("\n") + "-----END AGE ENCRYPTED FILE-----\n";
    let list = document[..start].rfind("age:").unwrap();
    let line = document[..list].rfind('\n').unwrap() + 1;
    let indent = " ".repeat(list - line);
    format!("{}{}\n{indent}ignored:{}", &document[..list], entry(&STANDARD.encode(file)), &document[list + 4..])
}

fn by_kms(arn: &str) -> String {
    let document = encrypt_for(&one_key(), b"a: b\n", Format::Yaml, &[]);
    wrapped(&document, |enc| format!("kms: [{{arn: {arn}, context: {{App: shop}}, role: hostile, enc: {enc}}}]"))
}

fn kms_key(arn: &str) -> Value {
    json!({ "awsKms": { "arn": arn } })
}

fn store(document: &str, keys: Value, fake: &Fake) -> Store {
    Store::inline(document).with_keys(keys).with_credentials(Given::key(KEY)).with_service(fake.clone())
}

#[test]
fn a_store_serves_each_namespace_apart_where_one_of_its_services_does() {
    let factory = SopsFactory::new().with_key_service(Fake::kms());
    let depends = |arn: &str| {
        let config = json!({"source": {"inline": "x"}, "keys": [kms_key("mine"), kms_key(arn)]});
        factory.depends_on_consumer(&RawConfig::from_json(config.to_string()), &StoreOrigin::cluster("docs")).unwrap()
    };
    assert!(depends("each namespace's own") && !depends("shared"));
}

#[tokio::test]
async fn a_service_is_asked_once_for_each_change_of_a_document() {
    let fake = Fake::kms();
    let provider = store(&by_kms("mine"), json!([kms_key("mine")]), &fake).build().await.unwrap();
    let objects = [provider.address(&RemoteRef::new("inline")).unwrap()];
    let options = FetchOptions::default();
    let fetch = || provider.fetch(&objects, &options);
    // At the same time, and again later.
    let (one, two) = tokio::join!(fetch(), fetch());
    for answers in [one, two, fetch().await] {
        match answers.as_slice() {
            [Ok(Fetched::Found(secret))] => assert_eq!(shape(secret), json!({ "a": "b" })),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fake.asked(), ["mine {\"App\": \"shop\"}"]);
    provider.close().await;
    assert_eq!(fake.asked().len(), 2, "closing ends the service's sessions");
    assert!(matches!(fetch().await.as_slice(), [Ok(Fetched::Found(_))]));
    assert_eq!(fake.asked().len(), 3, "nothing is kept after that");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_reads_at_once_each_gets_the_document() {
    let document = by_kms("mine");
    for _ in 0..20 {
        let fake = Fake::kms();
        let provider = store(&document, json!([kms_key("mine")]), &fake).build().await.unwrap();
        let objects = [provider.address(&RemoteRef::new("inline")).unwrap()];
        let options = FetchOptions::default();
        for answers in join_all((0..16).map(|_| provider.fetch(&objects, &options))).await {
            assert!(matches!(answers.as_slice(), [Ok(Fetched::Found(_))]), "{answers:?}");
        }
        assert_eq!(fake.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_hostile_document_causes_no_request() {
    let fake = Fake::kms();
    let text = store(&by_kms("theirs"), json!([kms_key("mine")]), &fake).complaint("inline").await;
    assert!(
        text.contains(
            "AWS KMS key `theirs`: `keys[0].awsKms` may not be asked for it: it is configured for another key"
        ),
        "{text}"
    );
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn keys_in_memory_come_before_services_and_services_in_the_order_of_the_store() {
    let fake = Fake::kms();
    let age = json!({ "age": { "secretRef": { "name": "sops-age", "key": "key.txt" } } });
    let both = by_kms("mine").replace("    ignored:", "    age:");
    assert!(store(&both, json!([kms_key("mine"), age]), &fake).read("inline").await.is_ok());
    assert!(fake.asked().is_empty());
    let document = by_kms("mine");
    assert!(store(&document, json!([kms_key("other"), kms_key("mine"), age]), &fake).read("inline").await.is_ok());
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_failing_service_leaves_the_word_to_the_next_and_is_told_when_none_helps() {
    let broken = Fake::new("vaultTransit", KeyKind::VaultTransit).failing(ErrorKind::Unavailable);
    let fake = Fake::kms();
    let document = by_kms("mine").replace(
        "    kms:",
        "    hc_vault:\n        - key_name: k\n          engine_path: transit\n          vault_address: https://v\n          enc: vault:v1:x\n    kms:",
    );
    let keys = json!([{ "vaultTransit": { "arn": "k" } }, kms_key("mine")]);
    let good = store(&document, keys.clone(), &fake).with_service(broken.clone());
    assert!(good.read("inline").await.is_ok());
    assert_eq!(broken.asked().len(), 1);

    let denied = Fake::kms().failing(ErrorKind::PermissionDenied);
    let error = store(&document, keys, &denied).with_service(broken.clone()).fetch("inline").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Backoff), "{error:?}");
    let text = chain(&error);
    assert!(text.contains("`keys[0].vaultTransit` was asked and failed: failed to unwrap: as told"), "{text}");
    assert!(text.contains("`keys[1].awsKms` was asked and failed"), "{text}");
    assert_eq!(denied.asked().len(), 1, "nobody is asked twice");

    let error = store(&by_kms("mine"), json!([kms_key("mine")]), &denied).fetch("inline").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::PermissionDenied, Retry::Never));
    assert_eq!(error.hint().unwrap().advice(), "look at the service", "the only key's own advice is the best");
}

#[tokio::test]
async fn a_failure_that_may_pass_decides_about_trying_again() {
    let denied = Fake::new("vaultTransit", KeyKind::VaultTransit).failing(ErrorKind::PermissionDenied);
    let away = Fake::kms().failing(ErrorKind::Unavailable);
    let document = by_kms("mine").replace("    kms:", "    hc_vault: [{key_name: k, enc: x}]\n    kms:");
    let keys = json!([{ "vaultTransit": { "arn": "k" } }, kms_key("mine")]);
    let error = store(&document, keys, &away).with_service(denied).fetch("inline").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Backoff), "{error:?}");
}

#[tokio::test]
async fn a_hostile_document_cannot_make_us_ask_without_end() {
    let fake = Fake::kms().failing(ErrorKind::InvalidData);
    let many = by_kms("mine").replace("    kms: [", &format!("    kms: [{}", "{arn: mine, enc: x}, ".repeat(200)));
    let text = store(&many, json!([kms_key("mine")]), &fake).complaint("inline").await;
    assert!(text.contains("the document has had too many others tried"), "{text}");
    assert_eq!(fake.asked().len(), 16);
}

#[tokio::test]
async fn services_give_parts_only_until_there_are_enough() {
    let groups =
        format!("    shamir_threshold: 2\n    key_groups:\n{}", format!("      - age: [{RECIPIENT}]\n").repeat(3));
    let document = encrypt_for(&groups, b"a: b\n", Format::Yaml, &[]);
    let by_service = |group: &str| wrapped(group, |enc| format!("kms: [{{arn: mine, enc: {enc}}}]"));
    let mixed: Vec<String> = document
        .split("- hc_vault")
        .enumerate()
        .map(|(group, text)| if group < 2 { text.to_owned() } else { by_service(text) })
        .collect();
    let mixed = mixed.join("- hc_vault");
    let fake = Fake::kms();
    let age = json!({ "age": { "secretRef": { "name": "sops-age", "key": "key.txt" } } });
    let answer = store(&mixed, json!([kms_key("mine"), age]), &fake).read("inline").await;
    assert_eq!(answer.unwrap_or_else(|error| panic!("{error:?}\n{mixed}")), json!({ "a": "b" }));
    assert_eq!(fake.asked().len(), 1, "one part came from memory, one from the service, and two were needed");
}

#[tokio::test]
async fn what_services_read_is_told_and_a_missing_one_is_refused_by_name() {
    let config = RawConfig::from_json(json!({ "source": { "path": "a" }, "keys": [kms_key("mine")] }).to_string());
    let origin = StoreOrigin::namespaced("shop", "sops");
    let with = SopsFactory::new().with_key_service(Fake::kms());
    assert_eq!(with.references(&config, &origin).unwrap(), [CredentialRef::secret("login", "token")]);
    let error = SopsFactory::new().references(&config, &origin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        chain(&error).contains("`keys[0].awsKms` needs a provider that is not part of this program"),
        "{}",
        chain(&error)
    );
}
