//! The status of an ExternalSecret (`eso-compat.md` 1.3). Pure.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use secretsync_core::error::{Code, one_line};
use secretsync_core::sync::{Outcome, Reason, SyncReport};
use serde_json::{Value, json};

use super::lease::Issuances;

/// What the status says, as far as it matters here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Status {
    pub(super) refresh_time: Option<SystemTime>,
    pub(super) synced_revision: Option<String>,
    pub(super) ready: Option<Condition>,
    pub(super) binding: Option<String>,
    /// What was issued for the target.
    pub(super) issued: Issuances,
}

/// A condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Condition {
    pub(super) holds: bool,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) since: SystemTime,
}

/// What a status is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) report: &'a SyncReport,
    /// The manifest's revision that was synced.
    pub(super) revision: &'a str,
    pub(super) started: SystemTime,
}

impl Status {
    /// Reads the status of an object. What makes no sense counts as absent: it is written anew then.
    pub(super) fn read(status: &Value) -> Self {
        let text = |value: &Value, name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            refresh_time: time(&status["refreshTime"]),
            synced_revision: text(status, "syncedResourceVersion"),
            ready: Condition::read(status, READY),
            binding: text(&status["binding"], "name"),
            issued: Issuances::read(status),
        }
    }

    /// The status after a run.
    pub(super) fn after(&self, run: Run<'_>) -> Self {
        let Run { report, revision, started } = run;
        let mut after = self.clone();
        after.ready = Some(Condition::of(report).since_before(self.ready.as_ref(), started));
        if report.outcome != Outcome::Failed {
            after.refresh_time = Some(started);
            after.synced_revision = Some(revision.to_owned());
        }
        // A target that is there is bound before anything is tried with it, one that is not when it is made (`eso-compat.md` 0).
        let bound = match (report.outcome, report.reason) {
            (Outcome::Failed, Reason::NotOwned | Reason::TemplateFailed | Reason::WriteFailed) => report.found,
            (Outcome::Failed, _) => false,
            (_, reason) => matches!(reason, Reason::Synced | Reason::Immutable),
        };
        if bound {
            after.binding = Some(report.target.name().to_owned());
        }
        match (report.outcome, report.reason) {
            (Outcome::Failed, _) => {}
            (_, Reason::Synced) => after.issued = self.issued.followed_by(&report.issued, started),
            (_, Reason::Deleted) => after.issued = Issuances::default(),
            _ => {}
        }
        after
    }

    /// Whether it must be written in the place of `before`: at each transition, and when the time of the last refresh has become too old.
    pub(super) fn is_news(&self, before: &Self, heartbeat: Duration) -> bool {
        let same = self.ready == before.ready
            && self.synced_revision == before.synced_revision
            && self.binding == before.binding
            && !self.issued.is_news(&before.issued, SystemTime::now());
        if !same {
            return true;
        }
        match (self.refresh_time, before.refresh_time) {
            (Some(now), Some(then)) => now != then && now.duration_since(then).unwrap_or(Duration::MAX) >= heartbeat,
            (now, then) => now != then,
        }
    }

    /// A merge patch that writes it, to the object with this uid only.
    pub(super) fn patch(&self, uid: &str) -> Value {
        let ready = self.ready.as_ref().map(|ready| ready.to_json(READY));
        let conditions: Vec<_> = ready.into_iter().chain(self.issued.to_condition()).collect();
        let mut status = json!({"conditions": conditions});
        if let Some(at) = self.refresh_time {
            status["refreshTime"] = text_of(at).into();
        }
        if let Some(revision) = &self.synced_revision {
            status["syncedResourceVersion"] = revision.as_str().into();
        }
        if let Some(name) = &self.binding {
            status["binding"] = json!({"name": name});
        }
        json!({"metadata": {"uid": uid}, "status": status})
    }
}

impl Condition {
    /// A condition that holds or not from `since` on.
    pub(super) fn new(holds: bool, reason: &str, message: impl Into<String>, since: SystemTime) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        Self { holds, reason: reason.to_owned(), message, since }
    }

    /// The condition of a type among those of a status.
    pub(super) fn read(status: &Value, kind: &str) -> Option<Self> {
        let found = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)?;
        let text = |name: &str| found[name].as_str().unwrap_or_default();
        let since = time(&found["lastTransitionTime"])?;
        Some(Self::new(text("status") == "True", text("reason"), text("message"), since))
    }

    fn of(report: &SyncReport) -> Self {
        let holds = report.outcome != Outcome::Failed;
        let reason = report.reason.condition_reason();
        let mut message = told(report).to_owned();
        if let Some(error) = &report.error {
            message = format!("{message}: {}", one_line(error));
            if let Some(hint) = error.hint() {
                message = format!("{message}; {} [{}]", hint.advice(), hint.code());
            }
        }
        Self::new(holds, reason, message, SystemTime::UNIX_EPOCH)
    }

    /// The same, since when it has been so: the time of a transition is that of its `status`.
    pub(super) fn since_before(mut self, before: Option<&Self>, now: SystemTime) -> Self {
        self.since = before.filter(|before| before.holds == self.holds).map_or(now, |before| before.since);
        self
    }

    pub(super) fn to_json(&self, kind: &str) -> Value {
        json!({
            "type": kind,
            "status": if self.holds { "True" } else { "False" },
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": text_of(self.since),
        })
    }
}

/// The type of the condition that everybody looks at.
pub(super) const READY: &str = "Ready";
/// The type of the condition of a store that has lost too many secrets at once.
pub(super) const DELETION_PAUSED: &str = "DeletionPaused";

/// External Secrets Operator's message for how a sync ended.
fn told(report: &SyncReport) -> &'static str {
    let code = report.error.as_ref().and_then(|error| error.hint()).map(secretsync_core::error::Hint::code);
    match code {
        Some(Code::GenericTarget) => "invalid generic target",
        Some(Code::TargetControlled) => "failed to take ownership of target secret",
        Some(Code::TargetImmutable) => "could not update secret, target is immutable",
        _ => report.reason.condition_message(),
    }
}

/// Times have whole seconds in Kubernetes.
pub(super) fn text_of(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn time(value: &Value) -> Option<SystemTime> {
    value.as_str()?.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// The API server takes 32,768 characters; nobody reads that many.
const LONGEST_MESSAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use secretsync_core::error::{Error, ErrorKind, Hint};
    use secretsync_core::store::{OwnerId, TargetRef};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn report(outcome: Outcome, reason: Reason) -> SyncReport {
        SyncReport::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "target"), outcome, reason)
    }

    fn after(before: &Status, report: &SyncReport, started: u64) -> Status {
        before.after(Run { report, revision: "1-a", started: at(started) })
    }

    #[test]
    fn a_success_is_told_as_external_secrets_operator_does_and_read_back_the_same() {
        let status = after(&Status::default(), &report(Outcome::Created, Reason::Synced), 90_061);
        let patch = status.patch("u-1");
        assert_eq!(
            patch,
            json!({
                "metadata": {"uid": "u-1"},
                "status": {
                    "conditions": [{
                        "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced",
                        "lastTransitionTime": "1970-01-02T01:01:01Z",
                    }],
                    "refreshTime": "1970-01-02T01:01:01Z",
                    "syncedResourceVersion": "1-a",
                    "binding": {"name": "target"},
                },
            })
        );
        assert_eq!(Status::read(&patch["status"]), status);
        assert_eq!(Status::read(&json!({"conditions": 3, "refreshTime": "soon", "binding": []})), Status::default());
    }

    #[test]
    fn a_failure_keeps_what_was_synced_and_says_what_to_do() {
        let synced = after(&Status::default(), &report(Outcome::Created, Reason::Synced), 10);
        let error = Error::new(ErrorKind::NotFound, "read")
            .on("`kv/app`")
            .with_hint(Hint::new(Code::SecretMissing, "create it"));
        let failure = SyncReport::failed(
            OwnerId::new("shop", "db"),
            TargetRef::new("shop", "target"),
            Reason::SourceFailed,
            error,
        );
        let failed = after(&synced, &failure, 20);
        assert_eq!((failed.refresh_time, &failed.synced_revision), (synced.refresh_time, &synced.synced_revision));
        let ready = failed.ready.as_ref().unwrap();
        assert_eq!(
            ready.message,
            "could not get secret data from provider: failed to read `kv/app`; create it [secret-missing]"
        );
        assert_eq!((ready.reason.as_str(), ready.since), ("SecretSyncedError", at(20)));
        let again = after(&failed, &failure, 30);
        assert!(!again.is_news(&failed, Duration::from_secs(1)), "a failure that goes on is told once");
    }

    #[test]
    fn a_target_that_is_there_is_bound_where_a_write_fails_and_only_there() {
        let bound = |reason, found| {
            let error = Error::new(ErrorKind::NotOwned, "write");
            let (owner, target) = (OwnerId::new("shop", "db"), TargetRef::new("shop", "target"));
            let mut report = SyncReport::failed(owner, target, reason, error);
            report.found = found;
            after(&Status::default(), &report, 1).binding.is_some()
        };
        for reason in [Reason::NotOwned, Reason::TemplateFailed, Reason::WriteFailed] {
            assert!(bound(reason, true) && !bound(reason, false), "{reason:?}");
        }
        for reason in [Reason::DeletionFailed, Reason::SourceFailed, Reason::SpecInvalid] {
            assert!(!bound(reason, true), "{reason:?}");
        }
    }

    #[test]
    fn failures_are_told_in_the_words_that_people_look_for() {
        let told = |reason, code| {
            let error = Error::new(ErrorKind::NotOwned, "write").with_hint(Hint::new(code, "do something"));
            told(&SyncReport::failed(OwnerId::new("shop", "db"), TargetRef::new("shop", "target"), reason, error))
        };
        for (reason, code, expected) in [
            (Reason::NotOwned, Code::NotOwned, "target is owned by another ExternalSecret"),
            (Reason::NotOwned, Code::TargetControlled, "failed to take ownership of target secret"),
            (Reason::WriteFailed, Code::TargetImmutable, "could not update secret, target is immutable"),
            (Reason::WriteFailed, Code::KubernetesDenied, "could not update secret"),
            (Reason::DeletionFailed, Code::ManifestInvalid, "could not delete secret"),
            (Reason::SpecInvalid, Code::GenericTarget, "invalid generic target"),
            (Reason::SpecInvalid, Code::ManifestInvalid, "could not update secret"),
            (Reason::SourceFailed, Code::StoreMissing, "could not get secret data from provider"),
        ] {
            assert_eq!(told(reason, code), expected);
        }
    }

    #[test]
    fn a_refresh_that_changed_nothing_is_written_by_heartbeat_only() {
        let synced = after(&Status::default(), &report(Outcome::Created, Reason::Synced), 100);
        let again = |started| after(&synced, &report(Outcome::Unchanged, Reason::Synced), started);
        assert!(!again(399).is_news(&synced, Duration::from_mins(5)));
        assert!(again(400).is_news(&synced, Duration::from_mins(5)));
        assert!(again(101).is_news(&synced, Duration::ZERO), "zero writes each time");
        assert!(again(50).is_news(&synced, Duration::from_mins(5)), "a clock that was set back");
    }
}
