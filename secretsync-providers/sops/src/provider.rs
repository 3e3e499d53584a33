//! Documents as objects: address, read, decrypt.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secretsync_core::error::Result;
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    Absence, BuildContext, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef,
};

use crate::auth::{Keys, Services};
use crate::client::Client;
use crate::config::{Key, Settings, SopsBind};
use crate::error::Error;
use crate::session::Session;
use crate::{KIND, address, find};

/// SOPS documents of one store.
///
/// An object is a document, called by its file name in the store's folder, by its key in a `ConfigMap` or Secret, or `inline`. Its version is the
/// SHA-256 of the encrypted document. Nothing is handed out before the document's MAC was verified.
#[derive(Debug)]
pub struct SopsProvider {
    info: ProviderInfo,
    client: Client,
    session: Session,
}

impl SopsProvider {
    /// A provider for a store. Fails if the configuration cannot work; nothing is read yet.
    pub(crate) fn new(settings: Settings, services: Services, context: BuildContext) -> Result<Self, Error> {
        let Settings { source, keys, bind } = settings;
        if keys.is_empty() && context.ambient.is_none() {
            return Err(Error::settings("has no `keys`", "name the Secret with the age key in `keys[].age.secretRef`"));
        }
        let namespace = match bind {
            SopsBind::None => None,
            SopsBind::Namespace => Some(consumer(&context)?),
        };
        let references = keys.into_iter().filter_map(|key| match key {
            Key::Age(reference) => Some(reference),
            Key::Service { .. } => None,
        });
        let keys = Keys {
            ambient: context.ambient,
            references: references.collect(),
            credentials: Arc::clone(&context.credentials),
            services,
        };
        let client = Client::new(source, context.base, context.credentials)?;
        let info = ProviderInfo::new(KIND, context.origin.to_string()).with_find();
        Ok(Self { info, client, session: Session::new(keys, namespace) })
    }

    async fn fetch_one(&self, object: &ObjectRef) -> Result<Fetched, Error> {
        // Whoever made the reference by hand gets the checks of `address` too.
        let name = address::name(object.name())?;
        // Read first: a document that does not exist is absent, whatever format its name would have.
        let Some(content) = self.client.read(&name).await? else { return Ok(Fetched::Absent(Absence::default())) };
        let subject = format!("document `{name}` of {}", self.info.name);
        self.session.decrypt(&subject, self.client.format(&name), content).await.map(Fetched::Found)
    }

    async fn fetch_in_time(&self, object: &ObjectRef, timeout: Option<Duration>) -> Result<Fetched> {
        let answer = match timeout {
            Some(timeout) => {
                tokio::time::timeout(timeout, self.fetch_one(object)).await.unwrap_or(Err(Error::TimedOut))
            }
            None => self.fetch_one(object).await,
        };
        answer.map_err(|error| error.into_core("decrypt", format!("document `{object}` of {}", self.info.name)))
    }
}

/// The namespace that documents must be bound to: the store's own, or that of the ExternalSecrets which use a store of the cluster.
fn consumer(context: &BuildContext) -> Result<String, Error> {
    let namespace = context.origin.namespace().or(context.consumer.as_deref());
    namespace.map(str::to_owned).ok_or_else(|| {
        Error::settings(
            "has `bind: Namespace`, but this program does not say which namespace it serves",
            "build the provider with `BuildContext::for_consumer`",
        )
    })
}

#[async_trait]
impl Provider for SopsProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        address::object(reference)
            .map_err(|error| error.into_core("address", format!("a document of {}", self.info.name)))
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let mut answers = Vec::with_capacity(objects.len());
        for object in objects {
            answers.push(self.fetch_in_time(object, options.timeout).await);
        }
        answers
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let names = self.client.names().await;
        names
            .and_then(|names| find::matching(names, query))
            .map_err(|error| error.into_core("find documents", format!("of {}", self.info.name)))
    }

    async fn check(&self) -> Result<()> {
        let outcome = match self.client.check().await {
            Ok(()) => self.session.load().await.map(drop),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| error.into_core("check", &self.info.name))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {
        self.session.close().await;
    }
}
