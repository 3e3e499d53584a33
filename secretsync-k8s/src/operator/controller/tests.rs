//! What the controller makes of changes, before an API server that never answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{Request, Response};
use kube::Client;
use kube::api::DynamicObject;
use kube::client::Body;
use secretsync_core::error::Result;
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::MemoryProvider;
use secretsync_core::provider::{
    BuildContext, CredentialRef, Provider, ProviderFactory, ProviderRegistry, RawConfig, StoreOrigin,
};
use secretsync_core::schedule::Lane;
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{Issued, Outcome, ProviderKey, Reason, SyncReport};
use serde_json::{Value, json};

use super::*;
use crate::api::names::{MANAGED_LABEL, field_manager, synced_revision};
use crate::convert;
use crate::operator::job::Ended;
use crate::operator::object::{FINALIZER, StoreObject};
use crate::operator::spread::status::SpreadStatus;
use crate::operator::status::{Condition, text_of};
use crate::operator::{Operator, OperatorSettings};

/// Makes providers of the kind `fake`.
#[derive(Debug)]
struct Memory;

#[async_trait]
impl ProviderFactory for Memory {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn references(&self, _config: &RawConfig, _origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        Ok(Vec::new())
    }

    async fn build(&self, _config: &RawConfig, _context: BuildContext) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(MemoryProvider::new("fake")))
    }
}

/// A controller that knows the cluster, in which there is nothing yet.
fn controller(settings: OperatorSettings) -> Controller {
    let silent = |_: Request<Body>| std::future::pending::<std::result::Result<Response<Body>, std::io::Error>>();
    let mut registry = ProviderRegistry::new();
    registry.register(Memory);
    let client = Client::new(tower::service_fn(silent), "default");
    let Operator { context, replacements } = Operator::new(client, registry, settings);
    let mut controller = Controller::new(context, replacements);
    controller.complete.extend(Kind::ALL);
    controller
}

fn put(controller: &mut Controller, kind: Kind, object: Value) {
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    controller.change(Change::Put(kind, Box::new(object)));
}

/// The ExternalSecret `shop/db`, with this beside what every one has; one that was `synced` was so a moment ago.
fn sync(more: Value, synced: bool) -> Value {
    let mut object = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"namespace": "shop", "name": "db", "uid": "u", "generation": 2},
        "spec": {
            "secretStoreRef": {"name": "main", "kind": "SecretStore"},
            "target": {"creationPolicy": "Orphan"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "app"}}],
        },
    });
    if synced {
        object["status"] = json!({"syncedResourceVersion": revision(2), "refreshTime": text_of(SystemTime::now())});
    }
    merge(&mut object, more);
    object
}

fn revision(generation: i64) -> String {
    let nothing = BTreeMap::new();
    synced_revision(generation, &nothing, &nothing)
}

fn store(kind: &str, name: &str, generation: i64, class: &str) -> Value {
    let metadata = match kind {
        "ClusterSecretStore" => json!({"name": name, "uid": name, "generation": generation}),
        _ => json!({"namespace": "shop", "name": name, "uid": name, "generation": generation}),
    };
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {"controller": class, "provider": {"fake": {}}},
        "status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    })
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            more.into_iter().for_each(|(name, value)| merge(into.entry(name).or_insert(Value::Null), value));
        }
        (into, more) => *into = more,
    }
}

fn id() -> Id {
    Id { namespace: "shop".to_owned(), name: "db".to_owned() }
}

fn report() -> SyncReport {
    SyncReport::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"), Outcome::Unchanged, Reason::Synced)
}

/// Tells the controller how a run of the ExternalSecret ended.
fn run_ended(controller: &mut Controller, report: SyncReport) {
    let done = Done {
        id: id(),
        uid: "u".to_owned(),
        revision: revision(2),
        started: SystemTime::now(),
        took: Duration::ZERO,
        ended: Ended::Synced(report),
        objects: None,
        notes: Vec::new(),
    };
    controller.finished(&Key::Sync(id()), Some(Finished::Sync(Box::new(done))));
}

fn is_forced(controller: &Controller) -> bool {
    controller.world.syncs[&id()].forced
}

fn of_class(class: &str) -> OperatorSettings {
    OperatorSettings { class: class.to_owned(), ..OperatorSettings::default() }
}

/// Within an operator that validates no store, so that a change of one counts at once.
fn without_validation() -> OperatorSettings {
    OperatorSettings { stores: false, ..OperatorSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_manifest_that_was_edited_meanwhile_is_no_drift() {
    for (spec, generation, repaired) in [
        (json!({"refreshPolicy": "CreatedOnce"}), 1, false),
        (json!({"refreshPolicy": "CreatedOnce"}), 2, true),
        (json!({"refreshInterval": "0"}), 1, false),
        (json!({"refreshInterval": "0"}), 2, true),
    ] {
        let mut controller = controller(OperatorSettings::default());
        let fields = json!({"f:data": {"f:b": {}}});
        let wrote = json!({"manager": field_manager("db"), "operation": "Apply", "fieldsV1": fields});
        let labels = json!({MANAGED_LABEL: "true"});
        let metadata =
            json!({"namespace": "shop", "name": "db", "uid": "t", "labels": labels, "managedFields": [wrote]});
        put(&mut controller, Kind::Target, json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}));
        let mut object = sync(json!({"spec": spec, "status": {"syncedResourceVersion": revision(generation)}}), true);
        object["spec"]["target"] = json!({"creationPolicy": "Owner"});
        put(&mut controller, Kind::ExternalSecret, object);
        assert_eq!(is_forced(&controller), repaired, "{spec} {generation}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_once_is_not_read_again_when_its_source_ends_but_what_was_issued_is() {
    let soon = SystemTime::now() + Duration::from_mins(10);
    let lease = Issued::new(ProviderKey::new("p"), "creds", None, soon);
    for (policy, issued, again) in
        [("OnChange", Vec::new(), true), ("CreatedOnce", Vec::new(), false), ("CreatedOnce", vec![lease], true)]
    {
        let mut controller = controller(OperatorSettings::default());
        put(&mut controller, Kind::ExternalSecret, sync(json!({"spec": {"refreshPolicy": policy}}), true));
        let mut report = report();
        (report.expires_at, report.issued) = (Some(soon), issued);
        run_ended(&mut controller, report);
        assert_eq!(controller.world.syncs[&id()].ends_at.is_some(), again, "{policy}");
        assert_eq!(controller.driver.scheduler().wake().is_some(), again, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_noted_is_forgotten_when_the_manifest_wants_one_read_only() {
    let mut controller = controller(OperatorSettings::default());
    put(&mut controller, Kind::ExternalSecret, sync(json!({"spec": {"refreshPolicy": "OnChange"}}), true));
    let mut report = report();
    report.expires_at = Some(SystemTime::now() + Duration::from_mins(10));
    run_ended(&mut controller, report);
    let once = json!({"spec": {"refreshPolicy": "CreatedOnce"}, "metadata": {"generation": 3}});
    put(&mut controller, Kind::ExternalSecret, sync(once, true));
    assert_eq!(controller.world.syncs[&id()].ends_at, None);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_far_away_is_not_lost_when_it_is_planned_anew() {
    let mut controller = controller(OperatorSettings::default());
    put(&mut controller, Kind::ExternalSecret, sync(json!({"spec": {"refreshPolicy": "OnChange"}}), true));
    controller.start(Key::Sync(id()), Lane::Refresh);
    assert_eq!(controller.driver.scheduler().wake(), None, "nothing ends");
    let state = controller.world.syncs.get_mut(&id()).unwrap();
    state.ends_at = Some(SystemTime::now() + Duration::from_hours(30));
    controller.start(Key::Sync(id()), Lane::Refresh);
    let wake = controller.driver.scheduler().wake().unwrap();
    assert_eq!(wake - Instant::now(), Duration::from_hours(24));
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_loses_its_finalizer_unless_another_class_sees_to_it() {
    let deleted = json!({
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [FINALIZER]},
        "spec": {"secretStoreRef": {"kind": "ClusterSecretStore"}},
    });
    let without = OperatorSettings { cluster_stores: false, ..OperatorSettings::default() };
    for (settings, released) in [(without, true), (of_class("default"), true), (of_class("other"), false)] {
        let mut controller = controller(settings.clone());
        if settings.cluster_stores {
            put(&mut controller, Kind::ClusterSecretStore, store("ClusterSecretStore", "main", 1, "default"));
        }
        put(&mut controller, Kind::ExternalSecret, sync(deleted.clone(), true));
        assert_eq!(controller.departing.contains("u"), released, "{settings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_refused_a_target_is_tried_when_its_rival_is_gone_and_not_while_it_is_being_deleted() {
    let mut controller = controller(OperatorSettings::default());
    let rival = Id { name: "rival".to_owned(), ..id() };
    let finalizers = json!({"metadata": {"finalizers": ["foregroundDeletion"]}});
    put(&mut controller, Kind::ExternalSecret, sync(finalizers.clone(), true));
    let second = json!({"metadata": {"name": "rival", "uid": "v"}, "spec": {"target": {"name": "db"}}});
    put(&mut controller, Kind::ExternalSecret, sync(second, true));
    controller.world.syncs.get_mut(&rival).unwrap().last = Some(Reason::NotOwned);
    let wakes_now = |controller: &mut Controller| controller.driver.scheduler().wake() == Some(Instant::now());
    let mut leaving = finalizers;
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    put(&mut controller, Kind::ExternalSecret, sync(leaving, true));
    assert!(!wakes_now(&mut controller));
    controller.change(Change::Gone(Kind::ExternalSecret, id()));
    assert!(wakes_now(&mut controller));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_handed_to_another_class_is_not_validated_any_more() {
    let mut controller = controller(OperatorSettings::default());
    let (of, key) = (Id { name: "main".to_owned(), ..id() }, |of: &Id| Key::Store(Kind::SecretStore, of.clone()));
    for (generation, class, validates) in [(1, "default", true), (2, "other", false)] {
        put(&mut controller, Kind::SecretStore, store("SecretStore", "main", generation, class));
        controller.driver.scheduler().request(&key(&of), Lane::Refresh, Instant::now());
        let Turn::Due(due, lane) = controller.driver.turn().await else { panic!("it is due") };
        controller.start(due, lane);
        assert_eq!(!controller.driver.scheduler().is_idle(&key(&of)), validates, "{class}");
        controller.driver.skip(&key(&of));
    }
    let object: DynamicObject = serde_json::from_value(store("SecretStore", "main", 2, "other")).unwrap();
    let mut tried = StoreObject::read(Kind::SecretStore, &object);
    tried.version.push_str("/0");
    let ready = Condition::new(true, "Valid", "store validated", SystemTime::now());
    let validated = Validated { store: tried, ready, paused: None, took: Duration::ZERO };
    controller.finished(&key(&of), Some(Finished::Store(Box::new(validated))));
    assert_eq!(controller.driver.scheduler().wake(), None);
    assert!(!controller.context.metrics.render().contains("name=\"main\""));
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_a_store_and_of_its_users_end_when_it_is_handed_to_another_class() {
    let mut controller = controller(OperatorSettings::default());
    let main = Id { name: "main".to_owned(), ..id() };
    put(&mut controller, Kind::ExternalSecret, sync(json!({}), true));
    for (generation, class, told) in [(1, "default", true), (2, "other", false)] {
        run_ended(&mut controller, report());
        controller.context.metrics.count(Kind::SecretStore, &main, true, Duration::ZERO);
        put(&mut controller, Kind::SecretStore, store("SecretStore", "main", generation, class));
        assert_eq!(controller.context.metrics.render().contains("namespace=\"shop\""), told, "{class}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_ends_after_its_object_is_gone_leaves_no_figures() {
    let mut controller = controller(OperatorSettings::default());
    let of = Id { namespace: String::new(), name: "all".to_owned() };
    let done = || {
        let (name, uid) = ("all".to_owned(), "c".to_owned());
        let done = spread::Done {
            name,
            uid,
            status: SpreadStatus::default(),
            again: false,
            holds: true,
            took: Duration::ZERO,
        };
        Some(Finished::Spread(Box::new(done)))
    };
    let object = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterExternalSecret",
        "metadata": {"name": "all", "uid": "c", "generation": 1},
        "spec": {"externalSecretSpec": sync(json!({}), false)["spec"]},
    });
    put(&mut controller, Kind::ClusterExternalSecret, object);
    controller.finished(&Key::Spread("all".to_owned()), done());
    assert!(controller.context.metrics.render().contains("name=\"all\""));
    controller.change(Change::Gone(Kind::ClusterExternalSecret, of));
    controller.finished(&Key::Spread("all".to_owned()), done());
    assert!(!controller.context.metrics.render().contains("name=\"all\""));
}

#[tokio::test(start_paused = true)]
async fn a_generator_that_becomes_ours_wakes_who_was_never_synced() {
    let generator = |generation, class: &str| {
        json!({
            "apiVersion": "generators.external-secrets.io/v1alpha1",
            "kind": "VaultDynamicSecret",
            "metadata": {"namespace": "shop", "name": "g", "uid": "g", "generation": generation},
            "spec": {"controller": class, "path": "creds/app", "provider": {"server": "http://vault"}},
        })
    };
    for (synced, woken) in [(false, true), (true, false)] {
        let mut controller = controller(OperatorSettings::default());
        put(&mut controller, Kind::Generator, generator(1, "other"));
        let from = json!([{"sourceRef": {"generatorRef": {"kind": "VaultDynamicSecret", "name": "g"}}}]);
        let spec = json!({"refreshPolicy": "CreatedOnce", "data": [], "dataFrom": from});
        put(&mut controller, Kind::ExternalSecret, sync(json!({"spec": spec}), synced));
        put(&mut controller, Kind::Generator, generator(2, "default"));
        assert_eq!(is_forced(&controller), woken, "synced: {synced}");
    }
}

#[tokio::test(start_paused = true)]
async fn runs_are_counted_only_for_what_is_still_there() {
    let mut controller = controller(OperatorSettings::default());
    let counted = |controller: &Controller| controller.context.metrics.render().contains("name=\"db\"");
    put(&mut controller, Kind::ExternalSecret, sync(json!({}), true));
    run_ended(&mut controller, report());
    assert!(counted(&controller));
    controller.change(Change::Gone(Kind::ExternalSecret, id()));
    assert!(!counted(&controller));
    run_ended(&mut controller, report());
    assert!(!counted(&controller), "its run was still under way");
}

#[tokio::test(start_paused = true)]
async fn what_another_class_reads_is_not_read_along() {
    for (class, read) in [("default", 1), ("other", 0)] {
        let mut controller = controller(OperatorSettings::default());
        let provider: Arc<dyn Provider> = Arc::new(MemoryProvider::new("fake"));
        let key = convert::provider_key(&StoreOrigin::namespaced("shop", "main"));
        controller.context.engine.provide(key, Ok(provider), &LayerSettings::default());
        put(&mut controller, Kind::SecretStore, store("SecretStore", "main", 1, class));
        put(&mut controller, Kind::ExternalSecret, sync(json!({}), true));
        assert_eq!(controller.dependents.of(&id()).len(), read, "{class}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_named_and_not_used_makes_nobody_due() {
    let own = json!([{"secretKey": "a", "remoteRef": {"key": "app"}, "sourceRef": {"storeRef": {"name": "own"}}}]);
    for (changed, due) in [("own", true), ("main", false)] {
        let mut controller = controller(without_validation());
        for name in ["main", "own"] {
            put(&mut controller, Kind::SecretStore, store("SecretStore", name, 1, "default"));
        }
        put(&mut controller, Kind::ExternalSecret, sync(json!({"spec": {"refreshInterval": "1h", "data": own}}), true));
        put(&mut controller, Kind::SecretStore, store("SecretStore", changed, 2, "default"));
        assert_eq!(is_forced(&controller), due, "{changed}");
    }
}
