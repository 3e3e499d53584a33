//! Exact requests, and faults that a real API server shows rarely.

#![expect(clippy::unwrap_used, reason = "a failure of the test's own steps ends the test")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use secretsync_core::error::{Code, ErrorKind, Retry, chain};
use secretsync_core::provider::{CredentialRef, CredentialSource as _, StoreOrigin, TokenRequest};
use secretsync_core::secret::{SecretKey, SecretMap};
use secretsync_core::store::{
    Applied, Desired, Holder, Observed, OwnerId, Removed, Store as _, TargetMeta, TargetRef, Write,
};
use secretsync_core::sync::CreationPolicy;
use secretsync_k8s::{CredentialScope, KubeCredentials, KubeStore, KubeTemplates};
use serde_json::{Value, json};

const MANAGER: &str = "externalsecrets.external-secrets.io/db";
const SECRET: &str = "/api/v1/namespaces/shop/secrets/db";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A scripted API server: it gives its answers in order and keeps what it was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone, Debug)]
struct Asked {
    line: String,
    accept: String,
    content_type: String,
    body: Value,
}

impl Script {
    fn new(answers: &[(u16, Value)]) -> Self {
        let script = Self::default();
        script.answers.lock().unwrap().extend(answers.iter().cloned());
        script
    }

    fn client(&self) -> Client {
        let script = self.clone();
        Client::new(tower::service_fn(move |request| script.clone().answer(request)), "default")
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header =
            |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        self.asked.lock().unwrap().push(Asked {
            line: format!("{} {}", parts.method, parts.uri),
            accept: header("accept"),
            content_type: header("content-type"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let next = self.answers.lock().unwrap().pop_front();
        let Some((status, answer)) = next else {
            return Err(std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused"));
        };
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Response::builder().status(status).body(Body::from(answer.to_string().into_bytes())).unwrap())
    }

    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }

    fn asked(&self, index: usize) -> Asked {
        self.asked.lock().unwrap()[index].clone()
    }
}

fn names() -> (TargetRef, OwnerId) {
    (TargetRef::new("shop", "db"), OwnerId::new("shop", "db"))
}

fn desired(pairs: &[(&str, &str)]) -> Desired {
    let data: SecretMap = pairs.iter().map(|(key, value)| (SecretKey::new(*key).unwrap(), (*value).into())).collect();
    Desired::new(data, TargetMeta::default())
}

fn absent() -> (u16, Value) {
    (404, json!({"reason": "NotFound", "details": {"kind": "secrets"}}))
}

fn stale() -> (u16, Value) {
    (409, json!({"reason": "Conflict", "details": {"kind": "secrets"}}))
}

fn conflict(field: &str, manager: &str) -> (u16, Value) {
    let message = format!("conflict with \"{manager}\" using v1");
    (
        409,
        json!({"reason": "Conflict", "details": {"causes": [{"reason": "FieldManagerConflict", "field": field, "message": message}]}}),
    )
}

fn written(version: &str) -> (u16, Value) {
    (200, json!({"kind": "PartialObjectMetadata", "metadata": {"uid": "s-1", "resourceVersion": version}}))
}

/// A Secret that we wrote, with one key.
fn ours(version: &str) -> (u16, Value) {
    let fields =
        json!({"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:reconcile.external-secrets.io/managed": {}}}});
    let record = json!([{"manager": MANAGER, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}]);
    let labels = json!({"reconcile.external-secrets.io/managed": "true"});
    let metadata = json!({"uid": "s-1", "resourceVersion": version, "labels": labels, "managedFields": record});
    (200, json!({"metadata": metadata, "type": "Opaque", "data": {"a": "b2xk"}}))
}

async fn apply(store: &KubeStore, creation: CreationPolicy, data: &Desired) -> secretsync_core::Result<Applied> {
    let (target, owner) = names();
    store.apply(&Write::new(&target, &owner, data).under(creation)).await
}

#[tokio::test]
async fn a_new_secret_costs_a_look_and_one_write_that_brings_no_value_back() {
    let script = Script::new(&[absent(), (201, written("1").1)]);
    let store = KubeStore::new(script.client());
    let (target, owner) = names();
    assert!(matches!(store.observe(&target, &owner).await.unwrap(), Observed::Absent));
    assert_eq!(apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap(), Applied::Created);
    assert_eq!(script.lines(), [format!("GET {SECRET}"), format!("PATCH {SECRET}?fieldManager={MANAGER}&force=false")]);
    assert_eq!(script.asked(0).accept, "application/json");
    let write = script.asked(1);
    assert_eq!((write.accept.as_str(), write.content_type.as_str()), (METADATA, "application/apply-patch+yaml"));
    assert_eq!(write.body["data"], json!({"a": "bmV3"}));
    assert_eq!(write.body["metadata"]["resourceVersion"], "1", "no object has this version, so there must be none");
}

#[tokio::test]
async fn an_owner_is_looked_up_once() {
    let owner = (200, json!({"metadata": {"uid": "u-1"}}));
    let script = Script::new(&[absent(), owner, (201, written("1").1), ours("1"), written("2")]);
    let store = KubeStore::new(script.client());
    for value in ["1", "2"] {
        apply(&store, CreationPolicy::Owner, &desired(&[("a", value)])).await.unwrap();
    }
    let looks = script.lines().iter().filter(|line| line.contains("externalsecrets/db")).count();
    assert_eq!(looks, 1);
    assert_eq!(script.asked(1).accept, METADATA);
    assert_eq!(script.asked(2).body["metadata"]["ownerReferences"][0]["uid"], "u-1");
}

/// Whoever has run for long may know an ExternalSecret that is gone: a reference to it would be the end of the Secret.
#[tokio::test]
async fn the_owner_that_lives_keeps_its_secret_whoever_writes() {
    let of = |uid: &str| (200, json!({"metadata": {"uid": uid}}));
    let theirs = || {
        let mut secret = ours("7");
        secret.1["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "db", "uid": "u-2", "controller": true,
        }]);
        secret
    };
    let value = desired(&[("a", "2")]);
    let script = Script::new(&[absent(), of("u-1"), (201, written("1").1), theirs(), of("u-2"), written("8")]);
    let store = KubeStore::new(script.client());
    apply(&store, CreationPolicy::Owner, &desired(&[("a", "1")])).await.unwrap();
    assert_eq!(apply(&store, CreationPolicy::Owner, &value).await.unwrap(), Applied::Updated);
    assert_eq!(script.asked(5).body["metadata"]["ownerReferences"][0]["uid"], "u-2");

    // A program that is told the uids does not write for one that is gone.
    let (target, gone) = (names().0, names().1.with_uid("u-1"));
    let script = Script::new(&[theirs(), of("u-2")]);
    let store = KubeStore::metadata_only(script.client());
    let error = store.apply(&Write::new(&target, &gone, &value).under(CreationPolicy::Owner)).await.unwrap_err();
    assert_eq!((error.kind(), script.lines().len()), (ErrorKind::NotOwned, 2), "{error}");
}

#[tokio::test]
async fn an_existing_secret_is_written_in_the_version_that_was_seen() {
    let script = Script::new(&[ours("7"), written("8")]);
    let store = KubeStore::new(script.client());
    assert_eq!(apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap(), Applied::Updated);
    let body = script.asked(1).body;
    assert_eq!((&body["metadata"]["resourceVersion"], &body["metadata"]["uid"]), (&json!("7"), &json!("s-1")));

    let script = Script::new(&[ours("7"), written("7")]);
    let store = KubeStore::new(script.client());
    assert_eq!(apply(&store, CreationPolicy::Orphan, &desired(&[("a", "old")])).await.unwrap(), Applied::Unchanged);
}

#[tokio::test]
async fn a_field_of_a_plain_manager_is_taken_and_one_of_a_sync_is_not() {
    let script = Script::new(&[ours("7"), conflict(".data.a", "kubectl-edit"), written("8")]);
    let store = KubeStore::new(script.client());
    assert_eq!(apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap(), Applied::Updated);
    assert_eq!(script.lines()[2], format!("PATCH {SECRET}?fieldManager={MANAGER}&force=true"));
    assert_eq!(script.asked(2).body["metadata"]["resourceVersion"], "7");

    let other = "externalsecrets.external-secrets.io/other";
    let script = Script::new(&[ours("7"), conflict(".data.tls.crt", other), (404, json!({}))]);
    let store = KubeStore::new(script.client());
    let error = apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap_err();
    assert_eq!(
        chain(&error),
        "failed to write key `tls.crt` of Secret `shop/db`: ExternalSecret `shop/other` and ExternalSecret `shop/db` both want it"
    );
    assert_eq!(error.kind(), ErrorKind::NotOwned);
}

#[tokio::test]
async fn a_label_that_another_sync_holds_is_left_to_it() {
    let other = "externalsecrets.external-secrets.io/other";
    let script = Script::new(&[ours("7"), conflict(".metadata.labels.app", other), (404, json!({})), written("7")]);
    let store = KubeStore::new(script.client());
    let mut data = desired(&[("a", "old")]);
    data.meta.labels.insert("app".to_owned(), "ours".to_owned());
    assert_eq!(apply(&store, CreationPolicy::Orphan, &data).await.unwrap(), Applied::Unchanged);
    let last = script.asked(3);
    assert!(last.line.ends_with("force=false"));
    assert_eq!(last.body["metadata"]["labels"].get("app"), None);
}

#[tokio::test]
async fn what_changed_meanwhile_is_looked_at_again_and_not_for_ever() {
    let script = Script::new(&[ours("7"), stale(), ours("8"), written("9")]);
    let store = KubeStore::new(script.client());
    assert_eq!(apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap(), Applied::Updated);
    assert_eq!(script.asked(3).body["metadata"]["resourceVersion"], "8");

    let script = Script::new(&[ours("1"), stale(), ours("2"), stale(), ours("3"), stale()]);
    let store = KubeStore::new(script.client());
    let error = apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Backoff));
}

#[tokio::test]
async fn a_secret_that_appears_between_look_and_write_is_judged_anew() {
    let controller =
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true}]);
    let theirs = (
        200,
        json!({"metadata": {"uid": "s-2", "resourceVersion": "3", "ownerReferences": controller}, "type": "Opaque"}),
    );
    let script = Script::new(&[absent(), conflict(".data.a", "web"), theirs]);
    let store = KubeStore::new(script.client());
    let error = apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap_err();
    assert_eq!(chain(&error), "failed to write Secret `shop/db`: it belongs to Deployment `web`");
    assert_eq!(script.lines().len(), 3, "nothing is forced");
}

#[tokio::test]
async fn a_deletion_names_the_object_that_was_seen() {
    let (target, owner) = names();
    let label = secretsync_k8s::api::names::created_by(&owner);
    let labels = json!({"reconcile.external-secrets.io/created-by": label});
    let labelled =
        |version: &str| (200, json!({"metadata": {"uid": "s-1", "resourceVersion": version, "labels": labels}}));
    let script = Script::new(&[labelled("7"), stale(), labelled("8"), (200, json!({"kind": "Status"}))]);
    let store = KubeStore::new(script.client());
    assert_eq!(store.remove(&target, &owner).await.unwrap(), Removed::Removed);
    assert!(script.lines()[3].starts_with("DELETE "));
    assert_eq!(script.asked(3).body["preconditions"], json!({"uid": "s-1", "resourceVersion": "8"}));
    assert!((0..4).all(|index| script.asked(index).accept == METADATA), "no value comes back");
}

#[tokio::test]
async fn a_store_of_metadata_never_asks_for_values() {
    let record = json!([{"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}]);
    let labels = json!({"reconcile.external-secrets.io/managed": "true"});
    let seen =
        (200, json!({"metadata": {"uid": "s-1", "resourceVersion": "7", "labels": labels, "managedFields": record}}));
    let script = Script::new(&[seen, written("8")]);
    let store = KubeStore::metadata_only(script.client());
    let (target, owner) = names();
    let Observed::Present(present) = store.observe(&target, &owner).await.unwrap() else { panic!("it is there") };
    assert_eq!((present.holder, present.intact), (Holder::Ours, true));
    assert!(present.keys["a"].owned && present.keys["a"].fingerprint.is_none());
    apply(&store, CreationPolicy::Orphan, &desired(&[("a", "new")])).await.unwrap();
    assert!((0..2).all(|index| script.asked(index).accept == METADATA));
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable() {
    let store = KubeStore::new(Script::new(&[]).client());
    let (target, owner) = names();
    let error = store.observe(&target, &owner).await.unwrap_err();
    assert_eq!(chain(&error), "failed to read Secret `shop/db`: connection refused");
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::Unavailable, Code::KubernetesUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let silent = tower::service_fn(|_: Request<Body>| async {
        tokio::time::sleep(Duration::from_hours(24)).await;
        Ok::<_, std::io::Error>(Response::new(Body::empty()))
    });
    let store = KubeStore::new(Client::new(silent, "default"));
    let (target, owner) = names();
    let error = store.observe(&target, &owner).await.unwrap_err();
    assert_eq!(chain(&error), "failed to read Secret `shop/db`: the API server did not answer within 20 s");
}

#[tokio::test]
async fn an_answer_of_something_else_is_not_quoted() {
    let script = Script::new(&[(200, json!({"metadata": "canary-7713"}))]);
    let store = KubeStore::new(script.client());
    let (target, owner) = names();
    let error = store.observe(&target, &owner).await.unwrap_err();
    assert_eq!(chain(&error), "failed to read Secret `shop/db`: the answer is none of a Kubernetes API server");
    assert!(!format!("{error:?}").contains("7713"));
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_never_sent() {
    let script = Script::new(&[]);
    let store = KubeStore::new(script.client());
    for (namespace, name) in [("shop", "../configmaps/db"), ("..", "db"), ("shop", "db?x=y"), ("shop", "")] {
        let error = store.observe(&TargetRef::new(namespace, name), &OwnerId::new("shop", "db")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{namespace}/{name}");
    }
    let (target, _) = names();
    let data = desired(&[("a", "new")]);
    let owner = OwnerId::new("shop", "db&force=true");
    let write = Write::new(&target, &owner, &data).under(CreationPolicy::Orphan);
    assert_eq!(store.apply(&write).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert_eq!(script.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn own_values_are_those_of_our_manager_in_one_look() {
    let script = Script::new(&[ours("1"), absent()]);
    let store = KubeStore::metadata_only(script.client());
    let (target, owner) = names();
    let values = store.own_values(&target, &owner).await.unwrap();
    assert_eq!(
        values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect::<Vec<_>>(),
        [("a", &b"old"[..])]
    );
    assert!(store.own_values(&target, &owner).await.unwrap().is_empty());
    assert_eq!(script.lines(), [format!("GET {SECRET}"), format!("GET {SECRET}")]);
}

#[tokio::test]
async fn templates_are_read_in_the_namespace_of_the_reference_and_from_data_only() {
    let map = (200, json!({"data": {"a": "{{ .user }}"}, "binaryData": {"b": "eA=="}}));
    let secret = (200, json!({"data": {"a": "eA=="}}));
    let script = Script::new(&[map.clone(), map, secret.clone(), secret, absent()]);
    let templates = KubeTemplates::new(script.client());
    let (map, secret) = (CredentialRef::config_map, CredentialRef::secret);
    let mut results = Vec::new();
    for reference in [map("tpl", "a"), map("tpl", "b"), secret("tpl", "a"), secret("tpl", "b"), secret("gone", "a")] {
        let result = templates.resolve(&reference.in_namespace(Some("shop"))).await;
        results.push(result.map(|value| String::from_utf8(value.expose().to_vec()).unwrap()).map_err(|error| {
            assert_eq!(error.hint().unwrap().code(), Code::TemplateMissing);
            chain(&error).split_once(": ").unwrap().1.to_owned()
        }));
    }
    let missing = |text: &str| Err(format!("error fetching templateFrom data: {text}"));
    assert_eq!(
        results,
        [
            Ok("{{ .user }}".to_owned()),
            missing("error in configmap tpl: missing key b"),
            Ok("x".to_owned()),
            missing("error in secret tpl: missing key b"),
            missing("secrets \"gone\" not found"),
        ]
    );
    assert_eq!(script.lines()[0], "GET /api/v1/namespaces/shop/configmaps/tpl");
    assert!(templates.resolve(&map("tpl", "a")).await.is_err(), "a reference without a namespace");
    assert!(templates.resolve(&map("../x", "a").in_namespace(Some("shop"))).await.is_err());
    assert_eq!(script.lines().len(), 5);
}

#[tokio::test]
async fn a_token_is_asked_for_with_its_audience_and_a_life_that_the_server_takes() {
    let status = json!({"token": "canary", "expirationTimestamp": "2026-11-27T10:00:01Z"});
    let script = Script::new(&[
        (201, json!({"status": status})),
        (201, json!({"status": {"token": "canary"}})),
        (404, json!({"reason": "NotFound", "details": {"kind": "serviceaccounts"}})),
        (403, json!({"reason": "Forbidden", "details": {"kind": "serviceaccounts"}})),
        (201, json!({"status": {}, "canary": true})),
    ]);
    let credentials = accounts(&script);
    let account = CredentialRef::service_account("app");
    let request = TokenRequest::new(["vault"]).with_lifetime(Duration::from_secs(30));
    let issued = credentials.token(&account, &request).await.unwrap();
    assert_eq!(issued.token.expose(), b"canary");
    assert_eq!(issued.expires_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_773_601)));
    assert!(!format!("{issued:?}").contains("canary"));
    assert_eq!(credentials.token(&account, &TokenRequest::default()).await.unwrap().expires_at, None);

    let asked = script.asked(0);
    assert_eq!(asked.line, "POST /api/v1/namespaces/shop/serviceaccounts/app/token");
    assert_eq!(asked.body["spec"], json!({"audiences": ["vault"], "expirationSeconds": 600}));
    assert_eq!(script.asked(1).body["spec"], json!({"audiences": [], "expirationSeconds": null}));

    let missing = credentials.token(&account, &request).await.unwrap_err();
    let text = "failed to resolve service account `app`: there is no service account \"app\" in namespace \"shop\"";
    assert_eq!((chain(&missing).as_str(), missing.kind()), (text, ErrorKind::NotFound));
    let denied = credentials.token(&account, &request).await.unwrap_err();
    assert!(
        denied.hint().unwrap().advice().starts_with("grant `create` on `serviceaccounts/token` in namespace `shop`")
    );
    let odd = credentials.token(&account, &request).await.unwrap_err();
    assert_eq!(odd.kind(), ErrorKind::InvalidData);
    assert!(!format!("{odd:?}").contains("canary"));
}

#[tokio::test]
async fn annotations_of_an_account_cost_metadata_only() {
    let annotated = json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/a"}}});
    let script = Script::new(&[(200, annotated), (200, json!({"metadata": {}}))]);
    let credentials = accounts(&script);
    let account = CredentialRef::service_account("app");
    let annotations = credentials.annotations(&account).await.unwrap();
    assert_eq!(annotations["eks.amazonaws.com/role-arn"], "arn:aws:iam::1:role/a");
    assert!(credentials.annotations(&account).await.unwrap().is_empty());
    assert_eq!(script.asked(0).line, "GET /api/v1/namespaces/shop/serviceaccounts/app");
    assert_eq!(script.asked(0).accept, METADATA);
}

#[tokio::test]
async fn a_namespaced_store_gets_no_token_of_another_namespace() {
    let script = Script::new(&[]);
    let account = CredentialRef::service_account("app").in_namespace(Some("kube-system"));
    for foreign in [account.clone(), CredentialRef::service_account("../secrets/x")] {
        let error = accounts(&script).token(&foreign, &TokenRequest::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert_eq!(accounts(&script).annotations(&foreign).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
    assert_eq!(script.lines(), Vec::<String>::new());
}

fn accounts(script: &Script) -> KubeCredentials {
    KubeCredentials::new(script.client(), CredentialScope::new(&StoreOrigin::namespaced("shop", "vault"), "shop"))
}
