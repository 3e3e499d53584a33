//! A store for tests: its configuration, and a Secret with its token that a test can rotate.
#![allow(
    dead_code,
    clippy::needless_pass_by_value,
    reason = "each test file uses its part; answers are handed over whole"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Result, chain};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    BuildContext, CredentialRef, CredentialSource, FetchOptions, Fetched, Provider, ProviderFactory, RawConfig,
    RemoteRef, StoreOrigin,
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

/// The provider of a store with token auth; `more` are further fields of its configuration.
pub(crate) async fn provider(server: &str, token: &Arc<Token>, more: Value) -> Arc<dyn Provider> {
    let mut config = json!({"server": server, "auth": {"tokenSecretRef": {"name": "token", "key": "token"}}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    build(&config, Arc::clone(token) as Arc<dyn CredentialSource>).await
}

pub(crate) async fn build(config: &Value, credentials: Arc<dyn CredentialSource>) -> Arc<dyn Provider> {
    // What the binaries do first.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let context = BuildContext::new(StoreOrigin::namespaced("shop", "vault"), credentials);
    VaultFactory::new().build(&RawConfig::from_json(config.to_string()), context).await.unwrap()
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
    assert!(matches!(answer, Ok(Fetched::Absent)), "{answer:?}");
}

/// The failure, after checking its kind and code.
#[track_caller]
pub(crate) fn failure(answer: Result<Fetched>, kind: ErrorKind, code: Code) -> (String, String) {
    let error = answer.expect_err("this must fail");
    let advice = error.hint().expect("a hint");
    assert_eq!((error.kind(), advice.code()), (kind, code), "{error:?}");
    (chain(&error), advice.advice().to_owned())
}
