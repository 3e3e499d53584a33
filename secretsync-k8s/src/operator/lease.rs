//! What was issued for an ExternalSecret, as its status tells it: without values, so that another process looks after it.
//!
//! It is the message of a condition of its own, `Issued`: that is kept by every schema of the kind, and people see it where they look. The other member that a
//! status could have, a list of our own, would be dropped by External Secrets Operator's CRDs.

use std::time::{Duration, SystemTime};

use secretsync_core::secret::Lease;
use secretsync_core::sync::{Issued, ProviderKey, SyncSpec};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Context;
use super::object::FINALIZER;
use super::status::{text_of, time};
use super::store::Needed;
use super::watch::Id;
use crate::api::{API_VERSION, ExternalSecret, Manifest as _};
use crate::request::{Call, Failure, Target, Verb, View};

/// Everything that was issued for one target.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Issuances {
    all: Vec<Issuance>,
    /// Since when the target has something of that kind.
    since: Option<SystemTime>,
}

/// Something that was issued.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Issuance {
    provider: String,
    object: String,
    /// The lease, and whether it can be renewed.
    lease: Option<(String, bool)>,
    expires_at: SystemTime,
    /// When the login ends that it hangs on, unless the process that made it extends it.
    bound_until: Option<SystemTime>,
}

impl Issuances {
    /// Reads a status. What makes no sense counts as absent: it is issued anew then.
    pub(super) fn read(status: &Value) -> Self {
        let condition = status["conditions"].as_array().into_iter().flatten().find(|it| it["type"] == CONDITION);
        let Some(condition) = condition else { return Self::default() };
        let message = condition["message"].as_str().unwrap_or_default();
        let told: Vec<Value> = serde_json::from_str(message).unwrap_or_default();
        let all: Vec<_> = told.iter().filter_map(Issuance::read).collect();
        Self { since: time(&condition["lastTransitionTime"]).filter(|_| !all.is_empty()), all }
    }

    /// What is there after a run that left these.
    pub(super) fn followed_by(&self, issued: &[Issued], now: SystemTime) -> Self {
        let mut all: Vec<_> = issued.iter().map(Issuance::of).collect();
        all.sort_by(|one, other| (&one.provider, &one.object).cmp(&(&other.provider, &other.object)));
        let since = self.since.or(Some(now)).filter(|_| !all.is_empty());
        Self { all, since }
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether there is something that must be given back when it is no longer wanted.
    pub(super) fn has_leases(&self) -> bool {
        self.all.iter().any(|issuance| issuance.lease.is_some())
    }

    /// As the engine takes it over.
    pub(super) fn to_issued(&self) -> Vec<Issued> {
        self.all.iter().map(Issuance::to_issued).collect()
    }

    /// Whether it must be written in the place of what the status says: something else was issued, or the end that the status says comes much too early.
    pub(super) fn is_news(&self, before: &Self, now: SystemTime) -> bool {
        let left = |at: SystemTime| at.duration_since(now).unwrap_or_default();
        let same = |one: &Issuance, other: &Issuance| {
            (&one.provider, &one.object, &one.lease) == (&other.provider, &other.object, &other.lease)
                && left(other.ends_at()) >= left(one.ends_at()) / 2
                && left(one.ends_at()) >= left(other.ends_at()) / 2
        };
        self.all.len() != before.all.len() || !self.all.iter().zip(&before.all).all(|(one, other)| same(one, other))
    }

    /// When the first of them ends.
    pub(super) fn first_end(&self) -> Option<SystemTime> {
        self.all.iter().map(Issuance::ends_at).min()
    }

    /// When to look whether what the status says is still so: renewals move ends.
    pub(super) fn next_look(&self, now: SystemTime) -> Option<SystemTime> {
        let left = self.first_end()?.duration_since(now).unwrap_or_default();
        Some(now + (left / 2).max(SHORTEST_LOOK))
    }

    /// The condition that tells it.
    pub(super) fn to_condition(&self) -> Option<Value> {
        let since = self.since.filter(|_| !self.all.is_empty())?;
        let mut told = Vec::new();
        let mut length = 0;
        for issuance in self.all.iter().map(Issuance::to_json) {
            length += issuance.to_string().len() + 1;
            if length > LONGEST {
                tracing::warn!(
                    "more was issued for one target than its status can say: the rest is not taken over after a restart"
                );
                break;
            }
            told.push(issuance);
        }
        Some(json!({
            "type": CONDITION,
            "status": "True",
            "reason": "CredentialsIssued",
            "message": Value::Array(told).to_string(),
            "lastTransitionTime": text_of(since),
        }))
    }
}

/// Takes over what an earlier process was issued. Says whether that could be done: the providers are known.
pub(super) async fn adopt(context: &Context, spec: &SyncSpec, needed: &[Needed], issued: &Issuances) -> bool {
    for provider in needed {
        drop(context.providers.ensure(&context.engine, provider).await);
    }
    match context.engine.adopt(spec.clone(), &issued.to_issued()).await {
        Ok(()) => true,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(sync = %spec.owner, error, "what was issued by an earlier process is not looked after yet");
            false
        }
    }
}

/// Sees to it that an object stays until its leases are given back, once it has some.
pub(super) async fn hold(context: &Context, id: &Id, uid: &str, wanted: bool) {
    // By an apply, which adds to what others have there, and takes away only what is ours; the uid keeps it from making an object that is gone.
    let finalizers = if wanted { vec![FINALIZER] } else { Vec::new() };
    let body = json!({
        "apiVersion": API_VERSION, "kind": ExternalSecret::KIND,
        "metadata": {"name": id.name, "namespace": id.namespace, "uid": uid, "finalizers": finalizers},
    });
    let target = Target::external_secret(&id.namespace, &id.name);
    let call = Call::new(Verb::Patch, target, View::Metadata)
        .with_query(format!("fieldManager={MANAGER}&force=true"))
        .with_body("application/apply-patch+yaml", Zeroizing::new(body.to_string().into_bytes()));
    match call.send(&context.server).await {
        Ok(_) => {}
        Err(Failure::Refused(refusal)) if refusal.is_absent() || refusal.is_stale() => {}
        Err(failure) => {
            let error = failure.into_error(Verb::Patch, &target);
            tracing::warn!(sync = %id, error = &error as &dyn std::error::Error, "leases may outlive their ExternalSecret: it has no finalizer");
        }
    }
}

/// Gives back what was issued for an ExternalSecret that is no longer wanted, or writes to another target now.
pub(super) async fn release(context: &Context, spec: &SyncSpec, needed: &[Needed], issued: &Issuances) {
    if !issued.is_empty() {
        adopt(context, spec, needed, issued).await;
    }
    context.engine.release(&spec.owner, &spec.target).await;
}

impl Issuance {
    fn read(told: &Value) -> Option<Self> {
        let text = |name: &str| told[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            provider: text("provider")?,
            object: text("object")?,
            lease: text("lease").map(|lease| (lease, told["renewable"] == true)),
            expires_at: time(&told["expiresAt"])?,
            bound_until: time(&told["loginEndsAt"]),
        })
    }

    fn of(issued: &Issued) -> Self {
        // An id that is a value of the target is written nowhere else: such a lease is not renewed after a restart, but replaced before its end.
        let lease = issued.lease.as_ref().filter(|lease| !lease.is_hidden());
        Self {
            provider: issued.provider.to_string(),
            object: issued.object.clone(),
            lease: lease.map(|lease| (lease.id().to_owned(), lease.renewable())),
            expires_at: issued.expires_at,
            bound_until: issued.bound_until,
        }
    }

    fn to_issued(&self) -> Issued {
        let lease = self.lease.as_ref().map(|(id, renewable)| Lease::new(id, *renewable));
        Issued::new(ProviderKey::new(&self.provider), &self.object, lease, self.expires_at).with_bound(self.bound_until)
    }

    fn ends_at(&self) -> SystemTime {
        self.bound_until.map_or(self.expires_at, |until| until.min(self.expires_at))
    }

    fn to_json(&self) -> Value {
        let mut told = json!({
            "provider": self.provider, "object": self.object, "expiresAt": text_of(self.expires_at),
        });
        if let Some((lease, renewable)) = &self.lease {
            told["lease"] = lease.as_str().into();
            told["renewable"] = (*renewable).into();
        }
        if let Some(until) = self.bound_until {
            told["loginEndsAt"] = text_of(until).into();
        }
        told
    }
}

/// Who puts the finalizer on.
const MANAGER: &str = "secretsync-operator";
/// The type of the condition.
const CONDITION: &str = "Issued";
/// The API server takes 32,768 characters.
const LONGEST: usize = 30_000;
const SHORTEST_LOOK: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn issued(id: &str, ends: u64, bound: Option<u64>) -> Vec<Issued> {
        let lease = Lease::new(id, true);
        let key = ProviderKey::new("SecretStore/shop/vault");
        vec![Issued::new(key, "database/creds/app", Some(lease), at(ends)).with_bound(bound.map(at))]
    }

    #[test]
    fn what_is_written_is_read_back_and_taken_over() {
        let told = Issuances::default().followed_by(&issued("database/creds/app/x", 7200, Some(3600)), at(60));
        let condition = told.to_condition().unwrap();
        assert_eq!(
            condition["message"],
            r#"[{"expiresAt":"1970-01-01T02:00:00Z","lease":"database/creds/app/x","loginEndsAt":"1970-01-01T01:00:00Z","object":"database/creds/app","provider":"SecretStore/shop/vault","renewable":true}]"#
        );
        assert_eq!(
            (&condition["status"], &condition["lastTransitionTime"]),
            (&json!("True"), &json!("1970-01-01T00:01:00Z"))
        );
        let read = Issuances::read(&json!({"conditions": [{"type": "Ready"}, condition]}));
        assert_eq!(read, told);
        let back = &read.to_issued()[0];
        assert_eq!((back.ends_at(), back.lease.as_ref().unwrap().id()), (at(3600), "database/creds/app/x"));
        assert!(read.has_leases() && read.first_end() == Some(at(3600)));
        assert_eq!(read.followed_by(&[], at(90)), Issuances::default());
    }

    #[test]
    fn an_id_that_is_a_value_is_not_written() {
        let mut told = issued("auth/token/accessor/abc", 7200, None);
        told[0].lease = told[0].lease.take().map(|lease| lease.hidden_as("token #1 of auth/token/create"));
        let told = Issuances::default().followed_by(&told, at(0));
        assert!(!told.to_condition().unwrap().to_string().contains("abc"));
        assert!(told.to_issued()[0].lease.is_none() && told.first_end() == Some(at(7200)));
    }

    #[test]
    fn what_makes_no_sense_counts_as_absent() {
        for message in ["", "nothing", "{}", "[1, null]", r#"[{"provider": "p", "object": 1, "expiresAt": "soon"}]"#] {
            let status = json!({"conditions": [{"type": "Issued", "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
            assert_eq!(Issuances::read(&status), Issuances::default(), "{message}");
        }
        assert_eq!(Issuances::read(&json!({"conditions": 3})), Issuances::default());
    }

    #[test]
    fn another_lease_is_news_and_an_end_only_when_it_has_moved_far() {
        let told = |id: &str, ends, bound| Issuances::default().followed_by(&issued(id, ends, bound), at(0));
        let before = told("a", 3600, None);
        assert!(!told("a", 3600, None).is_news(&before, at(3000)));
        assert!(told("b", 3600, None).is_news(&before, at(0)));
        assert!(!told("a", 5000, None).is_news(&before, at(0)));
        assert!(told("a", 6000, None).is_news(&before, at(2400)), "it was renewed");
        assert!(told("a", 3600, Some(600)).is_news(&before, at(0)), "it ends with its login");
        assert!(Issuances::default().is_news(&before, at(0)));
        assert_eq!(before.next_look(at(0)), Some(at(0) + HOUR / 2));
        assert_eq!(before.next_look(at(9000)), Some(at(9010)));
    }

    #[test]
    fn a_status_stays_within_what_the_api_server_takes() {
        let many: Vec<_> = (0..2000).flat_map(|n| issued(&format!("database/creds/app/{n}"), 3600, None)).collect();
        let condition = Issuances::default().followed_by(&many, at(0)).to_condition().unwrap();
        assert!(condition["message"].as_str().unwrap().len() < 32_768);
    }
}
