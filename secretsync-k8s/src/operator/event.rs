//! Events, as External Secrets Operator records them (`eso-compat.md` 1.3), on transitions only.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::watch::Id;
use crate::api::API_VERSION;

/// Records events. A failure is logged only: an event is a courtesy.
pub(super) struct Events(Recorder);

impl Events {
    pub(super) fn new(client: Client) -> Self {
        Self(Recorder::new(client, Reporter { controller: "external-secrets".to_owned(), instance: None }))
    }

    pub(super) async fn normal(&self, kind: &str, id: &Id, uid: &str, reason: &str, note: String) {
        self.record(EventType::Normal, kind, id, uid, reason, note).await;
    }

    pub(super) async fn warning(&self, kind: &str, id: &Id, uid: &str, reason: &str, note: String) {
        self.record(EventType::Warning, kind, id, uid, reason, note).await;
    }

    async fn record(&self, type_: EventType, kind: &str, id: &Id, uid: &str, reason: &str, mut note: String) {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE));
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let object = ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(id.name.clone()),
            namespace: Some(id.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        if let Err(error) = self.0.publish(&event, &object).await {
            tracing::debug!(%id, reason, error = &error as &dyn std::error::Error, "an event was not recorded");
        }
    }
}

/// The API server takes 1,024 bytes.
const LONGEST_NOTE: usize = 1000;
