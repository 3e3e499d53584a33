//! Stores for tests: their configuration, and the Secrets and service accounts around them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use secretsync_core::error::{Code, Error, ErrorKind, Result, chain};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    AccountToken, Ambient, BuildContext, CredentialRef, CredentialSource, FetchOptions, Fetched, Provider,
    ProviderFactory, Query, RawConfig, RemoteRef, StoreOrigin, TokenRequest,
};
use secretsync_core::secret::{Payload, Secret, SecretValue};
use secretsync_provider_aws::AwsFactory;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::{Request, Respond, ResponseTemplate};
use xtask::rig::moto::Moto;

/// One server for all tests: each takes a region or names of its own.
pub(crate) static MOTO: LazyLock<Moto> = LazyLock::new(|| Moto::start().unwrap());

/// The Secret `aws` of the store's namespace, and service accounts.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    keys: Mutex<BTreeMap<String, String>>,
    annotations: BTreeMap<String, String>,
    /// What was asked for, in order.
    asked: Mutex<Vec<String>>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let keys = [("id", "AKIATESTTESTTESTTEST"), ("secret", "s3cr3t"), ("token", "t0k3n")];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { keys: Mutex::new(keys.into()), ..Self::default() }
    }

    pub(crate) fn annotated(mut self, name: &str, text: &str) -> Self {
        self.annotations.insert(name.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn rotate(&self, key: &str, value: &str) {
        self.keys.lock().unwrap().insert(key.to_owned(), value.to_owned());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl CredentialSource for Cluster {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        self.asked.lock().unwrap().push(reference.to_string());
        let found = self.keys.lock().unwrap().get(reference.key()).map(|text| SecretValue::from(text.as_str()));
        found
            .filter(|_| reference.name() == "aws")
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "resolve").on(reference))
    }

    fn identity(&self, reference: &CredentialRef) -> Option<String> {
        Some(reference.to_string())
    }

    async fn token(&self, account: &CredentialRef, request: &TokenRequest) -> Result<AccountToken> {
        self.asked.lock().unwrap().push(format!("token of {account} for {}", request.audiences.join(",")));
        Ok(AccountToken::new(SecretValue::from("eyJ0.eyJ0.c2ln"), None))
    }

    async fn annotations(&self, _account: &CredentialRef) -> Result<BTreeMap<String, String>> {
        Ok(self.annotations.clone())
    }
}

/// An environment with these variables.
pub(crate) fn environment(pairs: &[(&str, &str)]) -> Ambient {
    let pairs: BTreeMap<String, OsString> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    Ambient::new(move |name| pairs.get(name).cloned())
}

/// A factory whose endpoints all lead to `server`.
pub(crate) fn factory(server: &str) -> AwsFactory {
    AwsFactory::with_endpoints_from(&environment(&[("AWS_ENDPOINT_URL", server)]))
}

/// A configuration with keys by reference.
pub(crate) fn config(service: &str, region: &str, more: &Value) -> Value {
    let selector = |key: &str| json!({"name": "aws", "key": key});
    let mut config = json!({
        "service": service,
        "region": region,
        "auth": {"secretRef": {"accessKeyIDSecretRef": selector("id"), "secretAccessKeySecretRef": selector("secret")}},
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// The provider of a store with keys by reference.
pub(crate) async fn provider(server: &str, service: &str, region: &str) -> Arc<dyn Provider> {
    build(&factory(server), &config(service, region, &json!({})), context(Arc::new(Cluster::new()))).await.unwrap()
}

pub(crate) fn context(credentials: Arc<Cluster>) -> BuildContext {
    BuildContext::new(StoreOrigin::namespaced("shop", "aws"), credentials)
}

pub(crate) async fn build(factory: &AwsFactory, config: &Value, context: BuildContext) -> Result<Arc<dyn Provider>> {
    factory.build(&RawConfig::from_json(config.to_string()), context).await
}

/// Reads what a key means.
pub(crate) async fn read(provider: &dyn Provider, key: &str) -> Result<Fetched> {
    read_ref(provider, &RemoteRef::new(key)).await
}

pub(crate) async fn read_ref(provider: &dyn Provider, reference: &RemoteRef) -> Result<Fetched> {
    fetch(provider, &[provider.address(reference)?]).await.pop().unwrap()
}

pub(crate) async fn read_all(provider: &dyn Provider, keys: &[&str]) -> Vec<Result<Fetched>> {
    let objects: Vec<_> = keys.iter().map(|key| provider.address(&RemoteRef::new(*key)).unwrap()).collect();
    fetch(provider, &objects).await
}

pub(crate) async fn fetch(provider: &dyn Provider, objects: &[ObjectRef]) -> Vec<Result<Fetched>> {
    let answers = provider.fetch(objects, &FetchOptions::default()).await;
    assert_eq!(answers.len(), objects.len());
    answers
}

/// The names that a query finds.
pub(crate) async fn find(
    provider: &dyn Provider,
    path: Option<&str>,
    name: Option<&str>,
    tags: &[(&str, &str)],
) -> Vec<String> {
    let mut query = Query::default();
    query.path = path.map(str::to_owned);
    query.name = name.map(str::to_owned);
    query.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let found = provider.find(&query).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    found.into_iter().map(|one| one.name).collect()
}

/// A server that gives the same bytes to everybody.
pub(crate) async fn raw(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                // Whoever gives up in the middle is no failure of the server.
                if stream.read(&mut request).await.is_ok() && stream.write_all(&answer).await.is_ok() {
                    stream.shutdown().await.ok();
                }
            });
        }
    });
    address
}

/// A server whose clock is an hour ahead: what is signed by another one it refuses.
pub(crate) fn an_hour_ahead(
    answer: ResponseTemplate,
    refusal: impl Fn() -> ResponseTemplate + Send + Sync,
) -> impl Respond {
    move |request: &Request| {
        let now = DateTime::from(SystemTime::now() + Duration::from_hours(1));
        let signed = request.headers["x-amz-date"].to_str().unwrap();
        // `20261127T134400Z`, to the minute or the one before.
        let minutes = [now.secs(), now.secs() - 60].map(|seconds| {
            let text = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap();
            text.replace(['-', ':'], "")[..13].to_owned()
        });
        let answer = if minutes.iter().any(|minute| signed.starts_with(minute)) { answer.clone() } else { refusal() };
        answer.insert_header("date", now.fmt(Format::HttpDate).unwrap().as_str())
    }
}

/// The object's text.
#[track_caller]
pub(crate) fn text(answer: &Result<Fetched>) -> String {
    String::from_utf8(bytes(answer)).unwrap()
}

#[track_caller]
pub(crate) fn bytes(answer: &Result<Fetched>) -> Vec<u8> {
    match secret(answer).payload.as_ref() {
        Payload::Bytes(value) => value.expose().to_vec(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn secret(answer: &Result<Fetched>) -> Secret {
    match answer {
        Ok(Fetched::Found(secret)) => secret.clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_absent(answer: &Result<Fetched>) {
    assert!(matches!(answer, Ok(Fetched::Absent(_))), "{answer:?}");
}

/// The failure, after checking its kind and code: what happened, and what to do.
#[track_caller]
pub(crate) fn failure(answer: Result<Fetched>, kind: ErrorKind, code: Code) -> (String, String) {
    let error = answer.expect_err("this must fail");
    let advice = error.hint().expect("a hint");
    assert_eq!((error.kind(), advice.code()), (kind, code), "{error:?}");
    (chain(&error), advice.advice().to_owned())
}
