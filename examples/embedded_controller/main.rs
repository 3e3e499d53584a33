//! A controller of somebody else, with secretsync inside: each namespace with the label `example.com/team` gets the credentials of the database.
//!
//! Its own work is an ExternalSecret for each team; from there on the embedded operator sees to the Secret, with this program's client, in this process.
//! A real program would end at a signal. This one ends when the Secret of a team is there, so that a check of the example ends as well.
// ci: run in a cluster
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::wait::await_condition;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use secretsync_core::provider::ProviderRegistry;
use secretsync_k8s::operator::{Operator, OperatorSettings};
use serde_json::json;

const TEAM: &str = "example.com/team";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let client = Client::try_default().await.context("failed to find a cluster")?;
    let (ended, stop) = tokio::sync::oneshot::channel::<()>();
    let stop = stop.map(drop).shared();

    // secretsync: providers, settings, and the operator that runs until the same end as everything else.
    let mut registry = ProviderRegistry::new();
    secretsync_providers::register_all(&mut registry);
    let mut settings = OperatorSettings::default();
    settings.class = "teams".into();
    settings.sops_root = Some("examples/quickstart".into());
    let secretsync = tokio::spawn(Operator::new(client.clone(), registry, settings).run(stop.clone()));

    let teams = Controller::new(Api::<Namespace>::all(client.clone()), watcher::Config::default().labels(TEAM))
        .graceful_shutdown_on(stop)
        .run(reconcile, error_policy, Arc::new(client.clone()))
        .for_each(|_| std::future::ready(()));
    let teams = tokio::spawn(teams);

    let shown = tokio::time::timeout(Duration::from_mins(1), show(client)).await;
    drop(ended);
    teams.await?;
    secretsync.await??;
    shown.context("the Secret did not come in time")?
}

/// The controller's own work: what a team's namespace has to have.
async fn reconcile(namespace: Arc<Namespace>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let wanted = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "database"},
        "spec": {
            "secretStoreRef": {"name": "platform", "kind": "ClusterSecretStore"},
            "dataFrom": [{"extract": {"key": "secrets.enc.yaml", "property": "database"}}],
        },
    });
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret"));
    let objects = Api::<DynamicObject>::namespaced_with((*client).clone(), &namespace.name_any(), &kind);
    objects.patch("database", &PatchParams::apply("teams"), &Patch::Apply(wanted)).await?;
    Ok(Action::await_change())
}

fn error_policy(_: Arc<Namespace>, _: &kube::Error, _: Arc<Client>) -> Action {
    Action::requeue(Duration::from_secs(5))
}

/// Adds a team, waits for its Secret, tells what it holds but no value, and takes the team away again.
async fn show(client: Client) -> anyhow::Result<()> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let team = serde_json::from_value(json!({"metadata": {"generateName": "team-", "labels": {TEAM: "orders"}}}))?;
    let team = namespaces.create(&PostParams::default(), &team).await?.name_any();
    let secrets = Api::<Secret>::namespaced(client, &team);
    let secret = await_condition(secrets, "database", |secret: Option<&Secret>| secret.is_some()).await?;
    let keys: Vec<_> = secret.and_then(|secret| secret.data).unwrap_or_default().into_keys().collect();
    println!("Secret database of {team}: {}", keys.join(", "));
    namespaces.delete(&team, &DeleteParams::background()).await?;
    anyhow::ensure!(keys == ["host", "password", "port", "user"], "the Secret has other keys");
    Ok(())
}
