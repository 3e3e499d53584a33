//! The operator as subject: one process for all cases, which works by itself.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Subject;
use super::compare::Exception;
use super::scene::{Scene, name};
use super::servers::Servers;
use crate::sandbox::{Running, Sandbox, TOLD};

/// The operator at work.
pub(crate) struct Operator {
    sandbox: Sandbox,
    _running: Mutex<Running>,
}

impl Operator {
    pub(crate) fn start(servers: &Servers) -> Self {
        let mut sandbox = Sandbox::new();
        sandbox.set("KUBECONFIG", &servers.cluster.kubeconfig().display().to_string());
        servers.lead_to_aws(&mut sandbox);
        let flags = "--live-addr=0 --metrics-addr=0 --loglevel=info";
        let running = sandbox.start_program(env!("CARGO_BIN_EXE_secretsync-operator"), flags);
        Self { sandbox, _running: Mutex::new(running) }
    }

    /// What it told.
    pub(crate) fn told(&self) -> String {
        self.sandbox.text(TOLD)
    }
}

impl Subject for Operator {
    fn work(&self, scene: &Scene<'_>) -> Map<String, Value> {
        let shows_spec = *scene.case.get("observe_spec") == true;
        let said = |object: &Value| {
            let (name, mut said) = said(object);
            if shows_spec {
                said["spec"] = object["spec"].clone();
            }
            (name, said)
        };
        scene.list("ExternalSecret").iter().map(said).collect()
    }

    fn stores(&self, scene: &Scene<'_>) -> Map<String, Value> {
        let usual = scene.case.stores();
        let stores = scene.list("SecretStore").into_iter().filter(|store| !usual.contains(&name(store).as_str()));
        stores
            .map(|store| (format!("SecretStore/{}", name(&store)), json!({"conditions": conditions(&store["status"])})))
            .collect()
    }

    fn expected(&self, golden: Value) -> Value {
        golden
    }

    fn stays(&self) -> bool {
        true
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn exceptions(&self) -> &'static [(&'static str, Exception<'static>)] {
        &[]
    }
}

/// What the status of an ExternalSecret says, as the goldens show it.
fn said(object: &Value) -> (String, Value) {
    let status = &object["status"];
    let is_set = |field: &str| status[field].as_str().is_some_and(|text| !text.is_empty());
    let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let message = ready.and_then(|ready| ready["message"].as_str()).unwrap_or_default();
    let said = json!({
        "conditions": conditions(status),
        // Behind it we tell the cause.
        "message": message.split(": ").next(),
        "binding": status["binding"]["name"].as_str().unwrap_or_default(),
        "refreshTime": is_set("refreshTime"),
        "syncedResourceVersion": is_set("syncedResourceVersion"),
    });
    (name(object), said)
}

fn conditions(status: &Value) -> Vec<Value> {
    let shown = |condition: &Value| json!({"type": condition["type"], "status": condition["status"], "reason": condition["reason"]});
    status["conditions"].as_array().into_iter().flatten().map(shown).collect()
}
