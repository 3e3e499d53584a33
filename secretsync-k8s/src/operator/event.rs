//! Events, as External Secrets Operator records them (`eso-compat.md` 1.3), on transitions only.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use secretsync_core::error::chain;
use secretsync_core::sync::{Outcome, SyncReport};

use super::watch::Id;
use crate::api::API_VERSION;
use crate::request::{Priority, Server};

/// Records events. A failure is logged only: an event is a courtesy.
pub(super) struct Events {
    recorder: Recorder,
    server: Server,
}

/// Something that happened to an ExternalSecret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Note {
    pub(super) warns: bool,
    pub(super) reason: &'static str,
    pub(super) text: String,
}

impl Note {
    pub(super) fn normal(reason: &'static str, text: impl Into<String>) -> Self {
        Self { warns: false, reason, text: text.into() }
    }

    pub(super) fn warning(reason: &'static str, text: impl Into<String>) -> Self {
        Self { warns: true, reason, text: text.into() }
    }

    /// What a run has to tell; `told` is the failure that was told last. A failure is told once.
    pub(super) fn of(report: &SyncReport, told: Option<&str>) -> Vec<Self> {
        let mut notes = Vec::new();
        if report.outcome != Outcome::Unchanged {
            for entry in &report.missing {
                notes.push(Self::normal(
                    "MissingProviderSecret",
                    format!("secret does not exist at provider using {entry}"),
                ));
            }
        }
        notes.extend(match report.outcome {
            Outcome::Created => Some(Self::normal("Created", "secret created")),
            Outcome::Updated => Some(Self::normal("Updated", "secret updated")),
            Outcome::Removed => Some(Self::normal("Deleted", "secret deleted due to DeletionPolicy=Delete")),
            _ => None,
        });
        let failure = report.error.as_ref().map(|error| chain(error));
        notes.extend(failure.filter(|text| told != Some(text)).map(|text| Self::warning("UpdateFailed", text)));
        notes
    }
}

impl Events {
    pub(super) fn new(server: Server) -> Self {
        let reporter = Reporter { controller: "external-secrets".to_owned(), instance: None };
        Self { recorder: Recorder::new(server.client().clone(), reporter), server }
    }

    pub(super) async fn note(&self, kind: &str, id: &Id, uid: &str, note: Note) {
        let type_ = if note.warns { EventType::Warning } else { EventType::Normal };
        self.record(type_, kind, id, uid, note.reason, note.text).await;
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
        let _pass = self.server.enter(Priority::Event).await;
        if let Err(error) = self.recorder.publish(&event, &object).await {
            tracing::debug!(%id, reason, error = &error as &dyn std::error::Error, "an event was not recorded");
        }
    }
}

/// The API server takes 1,024 bytes.
const LONGEST_NOTE: usize = 1000;
