//! Leases: renewed, revoked, and given back when nobody took what came with them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, Retry};
use secretsync_core::json::Json;
use secretsync_core::provider::{Leases, Renewed};
use secretsync_core::secret::{Lease, Secret};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use zeroize::Zeroizing;

use crate::client::{Answer, Request};
use crate::error::Failure;
use crate::session::{Login, Session};

/// The leases of one session.
#[derive(Clone, Debug)]
pub(crate) struct SessionLeases {
    session: Arc<Session>,
    /// Requests that issue something, and what is given back: they come to their end although nobody waits.
    tasks: TaskTracker,
}

/// What an accessor stands for: a token that was issued has no lease, but can be renewed and revoked like one.
const ACCESSOR: &str = "auth/token/accessor/";

/// The name under which an issued token is renewed and revoked.
pub(crate) fn of_accessor(accessor: &str) -> String {
    format!("{ACCESSOR}{accessor}")
}

impl SessionLeases {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session, tasks: TaskTracker::new() }
    }

    /// Runs a request that issues something as a task of its own, so that it comes to its end although whoever asked goes away: only then is it known what
    /// must be given back.
    pub(crate) async fn detached(
        &self,
        work: impl Future<Output = Result<Handed, Failure>> + Send + 'static,
    ) -> Result<Secret, Failure> {
        // An answer that is not taken is dropped with the task's result.
        let mut handed = self.tasks.spawn(work).await.map_err(|_| Failure::Defect)??;
        handed.secret.take().ok_or(Failure::Defect)
    }

    /// Waits for what is under way.
    pub(crate) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// Writes to one of the paths that take the id of a lease, and further members.
    async fn post(&self, lease: &str, verb: &str, more: &[(&str, String)]) -> Result<Answer, Failure> {
        let (path, name, id) = match lease.strip_prefix(ACCESSOR) {
            Some(accessor) => (format!("auth/token/{verb}-accessor"), "accessor", accessor),
            None => (format!("sys/leases/{verb}"), "lease_id", lease),
        };
        let mut body = Zeroizing::new(format!(r#"{{"{name}":"#).into_bytes());
        body.extend_from_slice(&Json::text(id).compact());
        for (name, value) in more {
            body.extend_from_slice(format!(r#","{name}":{value}"#).as_bytes());
        }
        body.push(b'}');
        let (answer, _) = self.session.ask(|| Request::post(&path, body.clone()), None).await?;
        Ok(answer)
    }

    async fn end(&self, lease: &str) -> Result<(), Failure> {
        match self.post(lease, "revoke", &[("sync", "true".to_owned())]).await {
            // What is gone needs no end.
            Ok(_) | Err(Failure::Status { status: 400, .. }) => Ok(()),
            // The engine cannot do it now, its database being away for example: Vault itself goes on trying.
            Err(Failure::Status { status: 500, .. }) => self.post(lease, "revoke", &[]).await.map(drop),
            Err(failure) => Err(failure),
        }
    }

    /// Gives back what nobody uses. A failure is logged only: the lease ends by itself.
    pub(crate) async fn return_unused(&self, lease: &Lease) {
        for pause in [1, 5, 20] {
            match self.revoke(lease).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a lease was not revoked; it ends by itself"
                    );
                    if error.retry() == Retry::Never {
                        return;
                    }
                }
            }
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }

    fn odd(&self, lease: &Lease) -> Error {
        Error::new(ErrorKind::InvalidData, "renew")
            .on(format!("lease `{}` of {}", lease.id(), self.session.settings().origin))
            .because("the answer does not say how long it lasts")
            .with_hint(Hint::new(Code::ProviderUnavailable, "check `server`, and the proxy in front of it"))
    }

    fn error(&self, operation: &'static str, lease: &Lease, failure: Failure) -> Error {
        let subject = format!("lease `{}` of {}", lease.id(), self.session.settings().origin);
        if matches!(failure, Failure::Status { status: 400, .. }) {
            return Error::new(ErrorKind::NotFound, operation)
                .on(subject)
                .because("it is gone, has ended or cannot be renewed")
                .with_hint(Hint::new(Code::VaultLeaseLost, "nothing: it is replaced by a new one"));
        }
        if matches!(failure, Failure::Forbidden) {
            let capability = if operation == "renew" { "sys/leases/renew" } else { "sys/leases/revoke" };
            return Error::new(ErrorKind::PermissionDenied, operation).on(subject).with_source(failure).with_hint(
                Hint::new(
                    Code::VaultPermissionDenied,
                    format!("add to the token's policy: path \"{capability}\" {{ capabilities = [\"update\"] }}"),
                ),
            );
        }
        failure.into_error(operation, subject)
    }
}

#[async_trait]
impl Leases for SessionLeases {
    async fn renew(&self, lease: &Lease, increment: Duration) -> Result<Renewed> {
        let seconds = increment.as_secs() + u64::from(increment.subsec_millis() >= 500);
        let answer = self.post(lease.id(), "renew", &[("increment", seconds.to_string())]).await;
        let answer = answer.map_err(|failure| self.error("renew", lease, failure))?;
        let Answer::Found(body) = answer else { return Err(self.odd(lease)) };
        // That of a token is told with the token.
        let told = body.get("auth").filter(|auth| auth.as_object().is_some()).unwrap_or(&body);
        let lasts = seconds_of(told, "lease_duration").ok_or_else(|| self.odd(lease))?;
        Ok(Renewed::new(lasts, matches!(told.get("renewable"), Some(Json::Bool(true)))))
    }

    async fn revoke(&self, lease: &Lease) -> Result<()> {
        self.end(lease.id()).await.map_err(|failure| self.error("revoke", lease, failure))
    }
}

/// A number of seconds in an answer.
pub(crate) fn seconds_of(json: &Json, name: &str) -> Option<Duration> {
    let Some(Json::Number(number)) = json.get(name) else { return None };
    number.expose().parse::<u64>().ok().map(Duration::from_secs)
}

/// Something that was issued and has not reached whoever asked: its drop gives the lease back.
#[derive(Debug)]
pub(crate) struct Handed {
    secret: Option<Secret>,
    leases: SessionLeases,
    runtime: Handle,
    /// Until it is dropped, work is under way.
    _pending: TaskTrackerToken,
}

impl Handed {
    /// Something that came through a login; what ends with the login keeps it alive.
    pub(crate) fn new(mut secret: Secret, login: &Login, leases: SessionLeases) -> Self {
        secret.lease = secret.lease.map(|lease| lease.holding(login.hold()));
        let pending = leases.tasks.token();
        Self { secret: Some(secret), leases, runtime: Handle::current(), _pending: pending }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        let Some(lease) = self.secret.take().and_then(|secret| secret.lease) else { return };
        let leases = self.leases.clone();
        let tasks = leases.tasks.clone();
        drop(tasks.spawn_on(async move { leases.return_unused(&lease).await }, &self.runtime));
    }
}
