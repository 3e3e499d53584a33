//! The operator as a value inside somebody's program, with a provider of that program.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secretsync_core::error::Result;
use secretsync_core::memory::MemoryProvider;
use secretsync_core::provider::{
    BuildContext, CredentialRef, Provider, ProviderFactory, ProviderRegistry, RawConfig, StoreOrigin,
};
use secretsync_k8s::operator::{Operator, OperatorSettings, OperatorView};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{CLUSTER, World, client, pairs};

/// What the program knows, as a provider of stores.
#[derive(Debug)]
struct Accounts(&'static str);

#[async_trait]
impl ProviderFactory for Accounts {
    fn kind(&self) -> &'static str {
        "accounts"
    }

    fn references(&self, _: &RawConfig, _: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        Ok(Vec::new())
    }

    async fn build(&self, _: &RawConfig, _: BuildContext) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(MemoryProvider::new("accounts").with_json("app", self.0)))
    }
}

/// An operator of a class, until somebody ends it.
struct Embedded {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<()>>,
    view: OperatorView,
}

impl Embedded {
    async fn start(world: &World, class: &str, account: &'static str) -> Self {
        let mut registry = ProviderRegistry::new();
        registry.register(Accounts(account));
        let mut settings = OperatorSettings::default();
        settings.namespace = Some(world.namespace.name().to_owned());
        settings.class = class.to_owned();
        let operator = Operator::new(client("admin").await, registry, settings);
        let (stop, stopped) = oneshot::channel();
        let view = operator.view();
        let running = tokio::spawn(operator.run(async move { drop(stopped.await) }));
        Self { stop, running, view }
    }

    async fn end(self) -> OperatorView {
        drop(self.stop);
        self.running.await.unwrap().unwrap();
        self.view
    }
}

/// A store of a class and an ExternalSecret that uses it, both called as the class.
fn apply(world: &World, class: &str) {
    let store = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": class, "namespace": world.namespace.name()},
        "spec": {"controller": class, "provider": {"accounts": {}}},
    });
    let mut sync = world.manifest(class, &json!({}));
    sync["spec"]["secretStoreRef"]["name"] = class.into();
    for object in [store, sync] {
        CLUSTER.apply(&object.to_string()).unwrap();
    }
}

/// Waits for a Secret, a minute at most.
async fn until_there(world: &World, name: &str) -> Value {
    for _ in 0..600 {
        if let Some(secret) = world.get(name) {
            return secret;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Value::Null
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_live_beside_each_other_in_one_program_and_end_when_it_says() {
    let world = World::new().await;
    for class in ["one", "two"] {
        apply(&world, class);
    }
    let one = Embedded::start(&world, "one", r#"{"user": "first"}"#).await;
    let two = Embedded::start(&world, "two", r#"{"user": "second"}"#).await;
    for (name, user) in [("one", "first"), ("two", "second")] {
        until_there(&world, name).await;
        assert_eq!(world.data(name), pairs(&[("user", user)]));
    }
    assert!(one.view.is_ready());
    let view = one.end().await;
    let figure = format!("externalsecret_sync_calls_total{{name=\"one\",namespace=\"{}\"}}", world.namespace.name());
    assert!(view.metrics().contains(&figure) && !two.view.metrics().contains(&figure), "{}", view.metrics());

    // The one that was ended repairs nothing any more; the other one goes on.
    world.namespace.kubectl(&["delete", "secret", "one", "two"]).unwrap();
    until_there(&world, "two").await;
    assert_eq!(world.data("two"), pairs(&[("user", "second")]));
    assert_eq!(world.get("one"), None);
    two.end().await;
}
