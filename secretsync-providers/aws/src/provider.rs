//! Objects of AWS as secrets.

mod parameters;
mod price;
mod secrets;
mod together;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::Result;
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    Asked, BuildContext, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request,
};
use secretsync_core::secret::{Secret, SecretValue};
use zeroize::Zeroizing;

use crate::client::{Api, Call, Calls, Clients};
use crate::config::{AwsConfig, Service, Settings};
use crate::error::Failure;
use crate::factory::Shared;
use crate::find::Search;
use crate::{KIND, address};

pub(crate) use parameters::Parameters;
pub(crate) use secrets::Secrets;

/// Secrets Manager or Parameter Store, seen through one store.
///
/// # Secrets
///
/// Values are moved into wiped memory as soon as the SDK hands them out; the copies that its HTTP and JSON parts made are out of reach.
#[derive(Debug)]
pub struct AwsProvider {
    info: ProviderInfo,
    settings: Settings,
    service: Backend,
    calls: Arc<Calls>,
}

#[derive(Debug)]
enum Backend {
    Parameters(Parameters),
    Secrets(Secrets),
}

impl AwsProvider {
    /// Checks a configuration. Nothing is sent and no credential is resolved before the first use; a profile of the process is read for its endpoints.
    pub(crate) async fn new(config: &AwsConfig, context: &BuildContext, shared: &Shared) -> Result<Self> {
        let settings = Settings::new(config, &context.origin)?;
        let (network, session) = shared.connect(config, &settings.region, context).await?;
        let calls = Arc::new(Calls::default());
        let (service, many) = if settings.service == Service::ParameterStore {
            let clients = Clients::new(Api::Ssm, network, session, aws_sdk_ssm::Client::new, Arc::clone(&calls));
            (Backend::Parameters(Parameters::new(clients, settings.region.clone())), parameters::AT_ONCE)
        } else {
            let make = aws_sdk_secretsmanager::Client::new;
            let clients = Clients::new(Api::SecretsManager, network, session, make, Arc::clone(&calls));
            (Backend::Secrets(Secrets::new(clients, settings.region.clone())), secrets::AT_ONCE)
        };
        let info =
            ProviderInfo::new(KIND, context.origin.to_string()).with_per_request(many).with_versions().with_find();
        Ok(Self { info, settings, service, calls })
    }

    /// How often AWS was called so far, by AWS's names of the calls. Each is billed, also one that failed; those to STS are free and not among them.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.calls.by_kind()
    }

    fn told(&self, object: &ObjectRef, answer: Result<Fetched, Failure>) -> Result<Fetched> {
        answer.map_err(|failure| failure.into_error("read", format!("`{object}` from {}", self.info.name)))
    }
}

#[async_trait]
impl Provider for AwsProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        address::object(&self.settings, reference)
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let answers = match &self.service {
            Backend::Parameters(parameters) => together::fetch(parameters, objects, options.timeout).await,
            Backend::Secrets(secrets) => together::fetch(secrets, objects, options.timeout).await,
        };
        objects.iter().zip(answers).map(|(object, answer)| self.told(object, answer)).collect()
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let search = Search::new(query, self.settings.service)?;
        let found = match &self.service {
            Backend::Parameters(parameters) => crate::find::parameters(parameters, &search).await,
            Backend::Secrets(secrets) => crate::find::secrets(secrets, &search).await,
        };
        found.map_err(|failure| crate::find::failed(failure, format!("in {}", self.info.name)))
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        let calls = match (asked, &self.service) {
            (Asked::Fetch(objects), Backend::Parameters(parameters)) => together::requests(parameters, objects),
            (Asked::Fetch(objects), Backend::Secrets(secrets)) => together::requests(secrets, objects),
            (Asked::Find(query), service) => match (Search::new(query, self.settings.service), service) {
                // It is refused before anything is sent.
                (Err(_), _) => Vec::new(),
                (Ok(_), Backend::Secrets(_)) => vec![(Call::ListSecrets, 1)],
                (Ok(search), Backend::Parameters(_)) if search.goes_by_path() => vec![(Call::GetParametersByPath, 1)],
                (Ok(_), Backend::Parameters(_)) => vec![(Call::DescribeParameters, 1)],
            },
            _ => return asked.one_by_one(),
        };
        calls.into_iter().map(|(call, objects)| price::request(call, objects)).collect()
    }

    async fn check(&self) -> Result<()> {
        let checked = match &self.service {
            Backend::Parameters(parameters) => parameters.check().await,
            Backend::Secrets(secrets) => secrets.check().await,
        };
        checked.map_err(|failure| failure.into_error("check", format!("the credentials of {}", self.info.name)))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {
        match &self.service {
            Backend::Parameters(parameters) => parameters.clients.close().await,
            Backend::Secrets(secrets) => secrets.clients.close().await,
        }
        let calls = self.calls.by_kind();
        if !calls.is_empty() {
            tracing::info!(store = %self.info.name, ?calls, "calls to AWS");
        }
    }
}

/// A value that the SDK handed out, in wiped memory.
fn taken(bytes: Vec<u8>, version: Option<String>) -> Fetched {
    let secret = Secret::bytes(SecretValue::from(Zeroizing::new(bytes)));
    Fetched::Found(match version {
        Some(version) => secret.with_version(version),
        None => secret,
    })
}

/// Tags as the JSON object that `metadataPolicy: Fetch` gives, its keys sorted.
fn tags_as_json(tags: &BTreeMap<String, String>) -> Result<Fetched, Failure> {
    let text = serde_json::to_vec(tags).map_err(|_| Failure::Malformed("its tags are no texts"))?;
    Ok(taken(text, None))
}

/// A missing object is an answer.
fn or_absent(failure: Failure) -> Result<Fetched, Failure> {
    failure.absence().map(Fetched::Absent).ok_or(failure)
}
