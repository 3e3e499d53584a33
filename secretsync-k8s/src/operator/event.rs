//! Events, as External Secrets Operator records them (`eso-compat.md` 1.3), on transitions only.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;
use kube::api::PostParams;
use secretsync_core::error::one_line;
use secretsync_core::sync::{Outcome, SyncReport};

use super::watch::Id;
use crate::api::{API_VERSION, ClusterSecretStore, Manifest as _, SecretStore};
use crate::request::{Priority, Server};

/// Records events. A failure is logged only: an event is a courtesy.
pub(super) struct Events {
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
        Self { server }
    }

    pub(super) async fn note(&self, kind: &str, id: &Id, uid: &str, note: Note) {
        let event = event(kind, id, uid, &note);
        let place = event.metadata.namespace.as_deref().unwrap_or_default();
        let _pass = self.server.enter(Priority::Event).await;
        let api: Api<Event> = Api::namespaced(self.server.client().clone(), place);
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(%id, reason = note.reason, error, "an event was not recorded");
        }
    }
}

/// An event as client-go writes it, in the group that has a source: these are transitions, each of which is told once, so nothing is counted up.
fn event(kind: &str, id: &Id, uid: &str, note: &Note) -> Event {
    let now = Time(Timestamp::now());
    let namespace = Some(id.namespace.clone()).filter(|namespace| !namespace.is_empty());
    let component = match kind {
        SecretStore::KIND => "secret-store",
        ClusterSecretStore::KIND => "cluster-secret-store",
        _ => "external-secrets",
    };
    let text = &note.text[..note.text.floor_char_boundary(LONGEST_NOTE)];
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}.", id.name)),
            namespace: Some(namespace.clone().unwrap_or_else(|| "default".to_owned())),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(id.name.clone()),
            namespace,
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        },
        type_: Some(if note.warns { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(note.reason.to_owned()),
        message: Some(text.to_owned()),
        source: Some(EventSource { component: Some(component.to_owned()), host: None }),
        reporting_component: Some(component.to_owned()),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        count: Some(1),
        ..Event::default()
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
    fn an_event_has_the_source_that_people_select_by() {
        for (kind, namespace, source, place) in [
            ("ExternalSecret", "shop", "external-secrets", "shop"),
            ("SecretStore", "shop", "secret-store", "shop"),
            ("ClusterSecretStore", "", "cluster-secret-store", "default"),
        ] {
            let id = Id { namespace: namespace.to_owned(), name: "db".to_owned() };
            let event = event(kind, &id, "u-1", &Note::warning("UpdateFailed", "é".repeat(LONGEST_NOTE)));
            assert_eq!(event.source.unwrap().component.as_deref(), Some(source));
            assert_eq!(event.metadata.namespace.as_deref(), Some(place));
            assert_eq!(event.involved_object.namespace.unwrap_or_default(), namespace);
            assert_eq!((event.type_.as_deref(), event.reason.as_deref()), (Some("Warning"), Some("UpdateFailed")));
            assert_eq!(event.message.unwrap().len(), LONGEST_NOTE);
        }
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
