//! `VaultDynamicSecret`: one request to any path, and what its answer hands out.

mod config;
mod factory;
mod output;

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, Retry};
use secretsync_core::object::{ObjectRef, Read};
use secretsync_core::provider::{
    BuildContext, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, find_unsupported,
};
use zeroize::Zeroizing;

pub use config::{ResultType, VaultDynamicSecretConfig};
pub use factory::VaultDynamicSecretFactory;

use crate::client::{Answer, Request};
use crate::config::Settings;
use crate::error::{Failure, Grant};
use crate::lease::{Handed, SessionLeases};
use crate::mounts::question;
use crate::session::{Pool, Session};
use config::{Call, Verb};

/// The kind of the generator.
pub const GENERATOR_KIND: &str = "VaultDynamicSecret";

/// Where the configuration of the server is in the generator's `spec`.
const MEMBER: &str = "provider";

/// A `VaultDynamicSecret` as a provider with one object, each read of which sends its request.
#[derive(Debug)]
pub struct VaultDynamicSecret {
    info: ProviderInfo,
    session: Arc<Session>,
    leases: SessionLeases,
    call: Arc<Call>,
}

impl VaultDynamicSecret {
    /// Checks a configuration. Nothing is sent and no credential is resolved before the first use.
    pub fn new(config: &VaultDynamicSecretConfig, context: BuildContext) -> Result<Self> {
        Self::sharing(config, context, None)
    }

    fn sharing(config: &VaultDynamicSecretConfig, context: BuildContext, pool: Option<&Pool>) -> Result<Self> {
        let settings = Settings::new(config.provider(&context.origin)?, &context, MEMBER)?;
        let call = Arc::new(Call::new(config, &context.origin)?);
        let info = ProviderInfo::new(GENERATOR_KIND, context.origin.to_string());
        let session = Arc::new(Session::new(settings, context.credentials, pool));
        let leases = SessionLeases::new(Arc::clone(&session));
        Ok(Self { info, session, leases, call })
    }

    async fn issue(&self) -> Result<Fetched, Failure> {
        let (session, call, leases) = (Arc::clone(&self.session), Arc::clone(&self.call), self.leases.clone());
        let issued = self.leases.detached(async move {
            let asked = SystemTime::now();
            let (answer, login) =
                session.ask(|| request(&call), Some(&question(&call.path))).await.map_err(|failure| match failure {
                    Failure::Forbidden => Failure::Denied(grant(&call, &session)),
                    failure => failure,
                })?;
            let body = match answer {
                Answer::Found(body) => Some(body),
                Answer::Empty | Answer::Missing(_) => None,
            };
            let (secret, complete) = output::secret(call.result, call.allow_empty, body, asked);
            // Should the answer be of no use, its lease is given back with the drop of this.
            let handed = Handed::new(secret, &login, leases);
            complete.map(|()| handed)
        });
        issued.await.map(Fetched::Found)
    }
}

fn request(call: &Call) -> Request<'_> {
    let path = &call.path;
    match call.verb {
        Verb::Read => Request::get(path).with_pairs(&call.query),
        Verb::List => Request::get(path).with_query(Some(("list", "true"))),
        Verb::Delete => Request::delete(path),
        Verb::Write => Request::post(path, Zeroizing::new(call.body.clone())),
    }
}

fn grant(call: &Call, session: &Session) -> Grant {
    let capability = match call.verb {
        Verb::Read => "read",
        Verb::List => "list",
        Verb::Delete => "delete",
        Verb::Write => "update",
    };
    let namespace = session.settings().namespace.as_ref().and_then(|name| name.to_str().ok()).map(str::to_owned);
    Grant { path: call.path.clone(), capability, namespace }
}

#[async_trait]
impl Provider for VaultDynamicSecret {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        if reference.version.is_some() || reference.metadata {
            return Err(Error::new(ErrorKind::InvalidConfig, "use")
                .on(&self.info.name)
                .because("what it generates has neither versions nor metadata")
                .with_hint(Hint::new(Code::ManifestInvalid, "remove `version` and `metadataPolicy`")));
        }
        Ok(ObjectRef::new(&self.call.path).with_read(Read::Issuing))
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let mut answers = Vec::with_capacity(objects.len());
        for object in objects {
            let answer = crate::provider::bounded(options.timeout, self.issue()).await;
            answers.push(answer.map_err(|failure| {
                let lost = failure.may_have_been_done();
                let error = failure.into_error("read", format!("`{object}` for {}", self.info.name));
                if lost { error.with_retry(Retry::Never) } else { error }
            }));
        }
        answers
    }

    async fn find(&self, _query: &Query) -> Result<Vec<Found>> {
        Err(find_unsupported(&self.info))
    }

    async fn check(&self) -> Result<()> {
        let checked = self.session.check(None).await;
        checked.map_err(|failure| failure.into_error("check", format!("the token of {}", self.info.name)))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(&self.leases)
    }

    async fn close(&self) {
        self.leases.settle().await;
        self.session.close().await;
    }
}
