//! The API server's refusals and what they mean: the one table.

use std::time::Duration;

use http::StatusCode;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Retry};
use serde::Deserialize;

use super::{Target, Verb};
use crate::problems::plain;

/// A refusal: its status, and what of its text names fields and managers. Messages are dropped, because they quote values.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: String,
    retry_after: Option<Duration>,
    causes: Vec<Cause>,
}

#[derive(Debug)]
struct Cause {
    reason: String,
    field: String,
    manager: Option<String>,
}

/// A field that another manager holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Conflict {
    /// Where it is: `.data.password`.
    pub(crate) field: String,
    /// Who holds it.
    pub(crate) manager: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, body: &[u8]) -> Self {
        let wire: Wire = serde_json::from_slice(body).unwrap_or_default();
        let Details { kind, retry_after_seconds, causes } = wire.details.unwrap_or_default();
        let causes = causes.into_iter().map(|cause| Cause {
            manager: (cause.reason == "FieldManagerConflict").then(|| quoted(&cause.message)).flatten(),
            reason: cause.reason,
            field: cause.field,
        });
        let retry_after = (retry_after_seconds > 0).then(|| Duration::from_secs(retry_after_seconds));
        Self { status, kind, retry_after, causes: causes.collect() }
    }

    /// Whether the object is not there. A namespace that is not there says so itself.
    pub(crate) fn is_absent(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.kind != "namespaces"
    }

    /// Whether the request must not be seen at all by this identity.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    /// The fields that other managers hold, where the refusal is about such.
    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        let conflict = |cause: &Cause| Some(Conflict { field: cause.field.clone(), manager: cause.manager.clone()? });
        self.causes.iter().filter_map(conflict).collect()
    }

    /// Whether the object is not what it was when it was looked at.
    pub(crate) fn is_stale(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.conflicts().is_empty()
    }

    /// Whether the API server has too much to do.
    pub(super) fn is_throttling(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// How long it wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The error that the user sees.
    pub(crate) fn into_error(self, verb: Verb, target: &Target<'_>) -> Error {
        let error = |kind| Error::new(kind, verb.word()).on(target);
        let namespace = plain(target.namespace);
        match self.status {
            StatusCode::UNAUTHORIZED => error(ErrorKind::Unauthenticated)
                .because("the API server does not accept the credentials")
                .with_hint(Hint::new(Code::KubernetesDenied, "log in again, or check the credentials in the kubeconfig")),
            StatusCode::FORBIDDEN if self.names("NamespaceTerminating") => error(ErrorKind::NotFound)
                .because(format!("namespace `{namespace}` is being deleted"))
                .with_hint(Hint::new(Code::TargetUnwritable, "wait until it is gone and create it again")),
            StatusCode::FORBIDDEN => error(ErrorKind::PermissionDenied).because("the API server does not allow it").with_hint(Hint::new(
                Code::KubernetesDenied,
                format!(
                    "grant `{}` on `{}` in namespace `{namespace}`, unless a quota or an admission policy is in the way",
                    verb.right(),
                    target.resource
                ),
            )),
            StatusCode::NOT_FOUND if self.kind == "namespaces" || verb == Verb::Patch => error(ErrorKind::NotFound)
                .because(format!("there is no namespace `{namespace}`"))
                .with_hint(Hint::new(Code::TargetUnwritable, format!("create it first: `kubectl create namespace {namespace}`"))),
            StatusCode::NOT_FOUND => error(ErrorKind::NotFound).because("there is no such object"),
            StatusCode::CONFLICT => error(ErrorKind::Unavailable)
                .because("somebody else keeps changing it at the same time")
                .with_hint(Hint::new(Code::TargetUnwritable, "run again; if it happens again, find out who writes it with `--show-managed-fields`")),
            StatusCode::UNPROCESSABLE_ENTITY => self.invalid(error(ErrorKind::InvalidConfig)),
            StatusCode::PAYLOAD_TOO_LARGE => error(ErrorKind::InvalidData)
                .because("it is larger than the API server takes")
                .with_hint(Hint::new(Code::TargetUnwritable, "split it: a Secret holds at most 1 MiB")),
            StatusCode::TOO_MANY_REQUESTS => error(ErrorKind::RateLimited)
                .because("the API server asks to slow down")
                .with_retry(self.retry_after.map_or(Retry::Backoff, Retry::After))
                .with_hint(Hint::new(Code::KubernetesUnavailable, "run again later")),
            status if status.is_server_error() => error(ErrorKind::Unavailable)
                .because(format!("the API server answered {}", status.as_u16()))
                .with_hint(Hint::new(Code::KubernetesUnavailable, "run again; if it happens again, look at the API server's log")),
            status => error(ErrorKind::InvalidConfig)
                .because(format!("the API server answered {}", status.as_u16()))
                .with_hint(Hint::new(Code::TargetUnwritable, "look at the API server's audit log for the reason")),
        }
    }

    /// What the API server found invalid, by field: its messages quote values.
    fn invalid(&self, error: Error) -> Error {
        let field = |name: &str| self.causes.iter().any(|cause| cause.field == name);
        if self
            .causes
            .iter()
            .any(|cause| cause.reason == "FieldValueForbidden" && matches!(cause.field.as_str(), "data" | "immutable"))
        {
            return error.because("it is immutable and would change").with_hint(Hint::new(
                Code::TargetImmutable,
                "delete the Secret so that it is made anew, or set `target.immutable: true` to keep it as it is",
            ));
        }
        if field("type") {
            return error.because("the type of a Secret cannot be changed").with_hint(Hint::new(
                Code::TargetUnwritable,
                "delete the Secret so that it is made anew, or remove `target.template.type`",
            ));
        }
        if self.causes.iter().any(|cause| cause.reason == "FieldValueTooLong" && cause.field == "data") {
            return error.because("its values are larger than the 1 MiB that a Secret holds").with_hint(Hint::new(
                Code::TargetUnwritable,
                "let the Secret have fewer or smaller keys, or divide it between several ExternalSecrets",
            ));
        }
        let mut fields: Vec<_> = self.causes.iter().map(|cause| format!("`{}`", plain(&cause.field))).collect();
        fields.dedup();
        let detail = if fields.is_empty() {
            "the API server found it invalid".to_owned()
        } else {
            format!("the API server found {} invalid", fields.join(", "))
        };
        error
            .because(detail)
            .with_hint(Hint::new(Code::TargetUnwritable, "correct the template or the labels that make this field"))
    }

    fn names(&self, reason: &str) -> bool {
        self.causes.iter().any(|cause| cause.reason == reason)
    }
}

/// The first text in double quotes: `conflict with "kubectl-edit" using v1`.
fn quoted(message: &str) -> Option<String> {
    message.split('"').nth(1).map(str::to_owned)
}

#[derive(Default, Deserialize)]
struct Wire {
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    kind: String,
    retry_after_seconds: u64,
    causes: Vec<WireCause>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireCause {
    reason: String,
    message: String,
    field: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(status: u16, details: &Value) -> Error {
        let body = json!({"kind": "Status", "message": "canary", "details": details}).to_string();
        let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        refusal.into_error(Verb::Patch, &Target::secret("shop", "db"))
    }

    fn assert_means(status: u16, details: &Value, kind: ErrorKind, code: Code, detail: &str) {
        let error = error(status, details);
        assert_eq!(error.to_string(), format!("failed to write Secret `shop/db`: {detail}"));
        assert_eq!((error.kind(), error.hint().unwrap().code()), (kind, code), "{status}");
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn each_status_says_what_it_means() {
        use Code::{KubernetesDenied, KubernetesUnavailable, TargetUnwritable};
        for (status, kind, code, detail) in [
            (401, ErrorKind::Unauthenticated, KubernetesDenied, "the API server does not accept the credentials"),
            (403, ErrorKind::PermissionDenied, KubernetesDenied, "the API server does not allow it"),
            (404, ErrorKind::NotFound, TargetUnwritable, "there is no namespace `shop`"),
            (409, ErrorKind::Unavailable, TargetUnwritable, "somebody else keeps changing it at the same time"),
            (413, ErrorKind::InvalidData, TargetUnwritable, "it is larger than the API server takes"),
            (418, ErrorKind::InvalidConfig, TargetUnwritable, "the API server answered 418"),
            (422, ErrorKind::InvalidConfig, TargetUnwritable, "the API server found it invalid"),
            (429, ErrorKind::RateLimited, KubernetesUnavailable, "the API server asks to slow down"),
            (503, ErrorKind::Unavailable, KubernetesUnavailable, "the API server answered 503"),
        ] {
            assert_means(status, &json!({}), kind, code, detail);
        }
    }

    #[test]
    fn causes_say_more() {
        for (status, reason, field, kind, code, detail) in [
            (
                403,
                "NamespaceTerminating",
                "",
                ErrorKind::NotFound,
                Code::TargetUnwritable,
                "namespace `shop` is being deleted",
            ),
            (
                422,
                "FieldValueForbidden",
                "data",
                ErrorKind::InvalidConfig,
                Code::TargetImmutable,
                "it is immutable and would change",
            ),
            (
                422,
                "FieldValueInvalid",
                "type",
                ErrorKind::InvalidConfig,
                Code::TargetUnwritable,
                "the type of a Secret cannot be changed",
            ),
            (
                422,
                "FieldValueTooLong",
                "data",
                ErrorKind::InvalidConfig,
                Code::TargetUnwritable,
                "its values are larger than the 1 MiB that a Secret holds",
            ),
            (
                422,
                "FieldValueInvalid",
                "metadata.labels",
                ErrorKind::InvalidConfig,
                Code::TargetUnwritable,
                "the API server found `metadata.labels` invalid",
            ),
        ] {
            let causes = json!({"causes": [{"reason": reason, "field": field, "message": "canary"}]});
            assert_means(status, &causes, kind, code, detail);
        }
    }

    #[test]
    fn a_missing_right_is_named() {
        assert_eq!(
            error(403, &json!({})).hint().unwrap().advice(),
            "grant `patch` on `secrets` in namespace `shop`, unless a quota or an admission policy is in the way"
        );
    }

    #[test]
    fn the_wait_that_the_server_asks_for_is_kept() {
        assert_eq!(error(429, &json!({"retryAfterSeconds": 7})).retry(), Retry::After(Duration::from_secs(7)));
    }

    #[test]
    fn conflicts_name_field_and_manager() {
        let body = json!({"details": {"causes": [
            {"reason": "FieldManagerConflict", "field": ".data.tls.crt", "message": "conflict with \"kubectl-edit\" using v1"},
        ]}});
        let refusal = Refusal::new(StatusCode::CONFLICT, body.to_string().as_bytes());
        assert_eq!(refusal.conflicts(), [Conflict { field: ".data.tls.crt".into(), manager: "kubectl-edit".into() }]);
        assert!(!refusal.is_stale());
        assert!(Refusal::new(StatusCode::CONFLICT, b"{}").is_stale());
    }

    #[test]
    fn an_answer_that_is_no_status_is_still_a_refusal() {
        let refusal = Refusal::new(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(refusal.into_error(Verb::Get, &Target::secret("a", "b")).kind(), ErrorKind::Unavailable);
    }
}
