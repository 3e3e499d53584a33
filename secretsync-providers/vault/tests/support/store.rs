//! A store for tests: its configuration, and a Secret with its token that a test can rotate.
#![allow(
    dead_code,
    clippy::needless_pass_by_value,
    reason = "each test file uses its part; answers are handed over whole"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, chain};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    AccountToken, BuildContext, CredentialRef, CredentialSource, FetchOptions, Fetched, Provider, ProviderFactory,
    RawConfig, RemoteRef, StoreOrigin, TokenRequest,
};
use secretsync_core::secret::{Payload, Secret, SecretValue};
use secretsync_provider_vault::VaultFactory;
use serde_json::{Value, json};

/// The Secret `token` of the store's namespace.
#[derive(Debug, Default)]
pub(crate) struct Token {
    text: Mutex<String>,
    asked: Mutex<usize>,
}

impl Token {
    pub(crate) fn new(text: &str) -> Arc<Self> {
        Arc::new(Self { text: Mutex::new(text.to_owned()), asked: Mutex::default() })
    }

    pub(crate) fn rotate(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
    }

    /// How often it was resolved.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

#[async_trait]
impl CredentialSource for Token {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        *self.asked.lock().unwrap() += 1;
        if reference.name() == "token" {
            return Ok(SecretValue::from(self.text.lock().unwrap().as_str()));
        }
        Err(Error::new(ErrorKind::NotFound, "resolve").on(reference))
    }
}

/// The Secrets, ConfigMaps and service accounts of a namespace, by name and key; a test changes them.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    texts: Mutex<BTreeMap<String, String>>,
    requests: Mutex<Vec<(String, TokenRequest)>>,
}

impl Secrets {
    pub(crate) fn new(texts: &[(&str, &str)]) -> Arc<Self> {
        let secrets = Self::default();
        for (name, text) in texts {
            secrets.set(name, text);
        }
        Arc::new(secrets)
    }

    /// Sets `NAME/KEY`, the token of a service account `NAME`, or an annotation of it, `NAME@ANNOTATION`.
    pub(crate) fn set(&self, name: &str, text: &str) {
        self.texts.lock().unwrap().insert(name.to_owned(), text.to_owned());
    }

    /// The tokens that were asked for.
    pub(crate) fn requests(&self) -> Vec<(String, TokenRequest)> {
        self.requests.lock().unwrap().clone()
    }

    fn text(&self, name: &str) -> Option<SecretValue> {
        self.texts.lock().unwrap().get(name).map(|text| SecretValue::from(text.as_str()))
    }

    fn record(&self, account: &CredentialRef, request: &TokenRequest) {
        self.requests.lock().unwrap().push((account.name().to_owned(), request.clone()));
    }
}

fn missing(reference: &CredentialRef) -> Error {
    Error::new(ErrorKind::NotFound, "resolve").on(reference).with_hint(Hint::new(Code::CredentialMissing, "create it"))
}

#[async_trait]
impl CredentialSource for Secrets {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        self.text(&format!("{}/{}", reference.name(), reference.key())).ok_or_else(|| missing(reference))
    }

    fn identity(&self, reference: &CredentialRef) -> Option<String> {
        Some(reference.to_string())
    }

    async fn token(&self, account: &CredentialRef, request: &TokenRequest) -> Result<AccountToken> {
        self.record(account, request);
        self.text(account.name()).map(|token| AccountToken::new(token, None)).ok_or_else(|| missing(account))
    }

    async fn annotations(&self, account: &CredentialRef) -> Result<BTreeMap<String, String>> {
        let texts = self.texts.lock().expect("no test panics in here");
        let own = texts.iter().filter_map(|(name, text)| Some((name.split_once('@')?, text)));
        let own = own.filter(|((name, _), _)| *name == account.name());
        Ok(own.map(|((_, annotation), text)| (annotation.to_owned(), text.clone())).collect())
    }
}

/// The provider of a store with token auth; `more` are further fields of its configuration.
pub(crate) async fn provider(server: &str, token: &Arc<Token>, more: Value) -> Arc<dyn Provider> {
    let mut config = json!({"server": server, "auth": {"tokenSecretRef": {"name": "token", "key": "token"}}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    build(&config, Arc::clone(token) as Arc<dyn CredentialSource>).await
}

pub(crate) async fn build(config: &Value, credentials: Arc<dyn CredentialSource>) -> Arc<dyn Provider> {
    built(&VaultFactory::new(), config, credentials).await
}

/// As [`build`], by a factory whose providers share logins.
pub(crate) async fn built(
    factory: &VaultFactory,
    config: &Value,
    credentials: Arc<dyn CredentialSource>,
) -> Arc<dyn Provider> {
    // What the binaries do first.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let context = BuildContext::new(StoreOrigin::namespaced("shop", "vault"), credentials);
    factory.build(&RawConfig::from_json(config.to_string()), context).await.unwrap()
}

/// Reads what a key means.
pub(crate) async fn read(provider: &dyn Provider, key: &str) -> Result<Fetched> {
    read_ref(provider, &RemoteRef::new(key)).await
}

pub(crate) async fn read_ref(provider: &dyn Provider, reference: &RemoteRef) -> Result<Fetched> {
    let object = provider.address(reference)?;
    let reading = provider.reading(&object).await?;
    fetch(provider, &object.with_read(reading)).await
}

pub(crate) async fn fetch(provider: &dyn Provider, object: &ObjectRef) -> Result<Fetched> {
    let answers = provider.fetch(std::slice::from_ref(object), &FetchOptions::default()).await;
    assert_eq!(answers.len(), 1);
    answers.into_iter().next().unwrap()
}

/// The object as JSON.
pub(crate) fn content(answer: Result<Fetched>) -> Value {
    match secret(answer).payload.as_ref() {
        Payload::Object(object) => serde_json::from_slice(&object.expose().compact()).unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn secret(answer: Result<Fetched>) -> Secret {
    match answer {
        Ok(Fetched::Found(secret)) => secret,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_absent(answer: Result<Fetched>) {
    assert!(matches!(answer, Ok(Fetched::Absent(_))), "{answer:?}");
}

/// The failure, after checking its kind and code.
#[track_caller]
pub(crate) fn failure(answer: Result<Fetched>, kind: ErrorKind, code: Code) -> (String, String) {
    let error = answer.expect_err("this must fail");
    let advice = error.hint().expect("a hint");
    assert_eq!((error.kind(), advice.code()), (kind, code), "{error:?}");
    (chain(&error), advice.advice().to_owned())
}
