//! Events, as External Secrets Operator records them (`eso-compat.md` 1.3), on transitions only.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use secretsync_core::error::one_line;
use secretsync_core::sync::{Outcome, SyncReport};

use super::watch::Id;
use crate::api::API_VERSION;
use crate::request::{Priority, Server};

/// Records events. A failure is logged only: an event is a courtesy.
pub(super) struct Events {
    reporter: Reporter,
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
                    format!("secret does not exist at provider using {}", as_told(entry)),
                ));
            }
        }
        notes.extend(match report.outcome {
            Outcome::Created => Some(Self::normal("Created", "secret created")),
            Outcome::Updated => Some(Self::normal("Updated", "secret updated")),
            Outcome::Removed => Some(Self::normal("Deleted", "secret deleted due to DeletionPolicy=Delete")),
            _ => None,
        });
        let failure = report.error.as_ref().map(|error| one_line(error));
        notes.extend(failure.filter(|text| told != Some(text)).map(|text| Self::warning("UpdateFailed", text)));
        notes
    }
}

/// An entry as External Secrets Operator names it (`eso-compat.md` 0): all of them `dataFrom`, and those of `data` with their key.
fn as_told(entry: &str) -> String {
    let Some((place, rest)) = entry.split_once(']') else { return entry.to_owned() };
    match place.strip_prefix("spec.data[") {
        Some(index) => format!("spec.dataFrom[{index}]{}", rest.replacen("key: ", "key=", 1)),
        None => format!("{place}]"),
    }
}

impl Events {
    pub(super) fn new(server: Server) -> Self {
        let reporter = Reporter { controller: "external-secrets".to_owned(), instance: None };
        Self { reporter, server }
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
        // A recorder keeps every event for minutes, to count those that come again. These are transitions: each is told once.
        let recorder = Recorder::new(self.server.client().clone(), self.reporter.clone());
        if let Err(error) = recorder.publish(&event, &object).await {
            tracing::debug!(%id, reason, error = &error as &dyn std::error::Error, "an event was not recorded");
        }
    }
}

/// The API server takes 1,024 bytes.
const LONGEST_NOTE: usize = 1000;

#[cfg(test)]
mod tests {
    use secretsync_core::error::{Error, ErrorKind};
    use secretsync_core::store::{OwnerId, TargetRef};
    use secretsync_core::sync::Reason;

    use super::*;

    fn report(outcome: Outcome) -> SyncReport {
        SyncReport::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"), outcome, Reason::Synced)
    }

    fn texts(report: &SyncReport, told: Option<&str>) -> Vec<String> {
        Note::of(report, told)
            .into_iter()
            .map(|note| format!("{} {}: {}", note.warns, note.reason, note.text))
            .collect()
    }

    #[test]
    fn missing_entries_are_named_as_external_secrets_operator_names_them() {
        let mut updated = report(Outcome::Updated);
        updated.missing = vec![
            "spec.data[1] (key: app/db)".to_owned(),
            "spec.dataFrom[0].extract (key: app)".to_owned(),
            "spec.dataFrom[2].find".to_owned(),
        ];
        let missing = "false MissingProviderSecret: secret does not exist at provider using";
        assert_eq!(
            texts(&updated, None),
            [
                format!("{missing} spec.dataFrom[1] (key=app/db)"),
                format!("{missing} spec.dataFrom[0]"),
                format!("{missing} spec.dataFrom[2]"),
                "false Updated: secret updated".to_owned(),
            ]
        );
        updated.outcome = Outcome::Unchanged;
        assert!(texts(&updated, None).is_empty());
    }

    #[test]
    fn a_failure_is_told_once() {
        let mut failed = report(Outcome::Failed);
        failed.error = Some(Error::new(ErrorKind::Unavailable, "read").on("it"));
        let text = texts(&failed, None).pop().unwrap();
        assert!(text.starts_with("true UpdateFailed: "));
        let told = text.trim_start_matches("true UpdateFailed: ");
        assert!(texts(&failed, Some(told)).is_empty());
    }
}
