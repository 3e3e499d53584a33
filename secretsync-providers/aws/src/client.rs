//! Clients of AWS's services: one HTTP stack, bounded in time, without retries of its own.

mod calls;
mod cap;
mod endpoint;
mod http;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use secretsync_core::error::Error;
use secretsync_core::provider::Ambient;

use crate::config::Region;
use crate::error::Failure;
use crate::session::Session;

pub(crate) use calls::{Call, Calls};
pub(crate) use cap::is_too_big;
pub(crate) use endpoint::{
    Api, Endpoints, host as endpoint_host, is_loopback as endpoint_is_loopback, text as endpoint_text,
};
pub(crate) use http::{Fetcher, nearby};

/// The connections and endpoints of a program.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    environment: Ambient,
    /// Made when the first is needed: most programs that could connect to AWS do not, and reading the authorities takes a good part of a small sync.
    http: Arc<OnceLock<SharedHttpClient>>,
    endpoints: Arc<Endpoints>,
}

impl Network {
    /// The connections and endpoints that an environment names.
    pub(crate) fn new(environment: &Ambient) -> Self {
        Self {
            environment: environment.clone(),
            http: Arc::default(),
            endpoints: Arc::new(Endpoints::new(environment)),
        }
    }

    /// The same connections, to the endpoints that a profile names, too.
    pub(crate) fn led_by_profile(&self, found: impl Fn(&'static str) -> Option<String>) -> Self {
        Self { endpoints: Arc::new(self.endpoints.or_of_profile(found)), ..self.clone() }
    }

    /// The connections, for those who send by themselves. What is wrong with the environment may be mended meanwhile, so it is looked at again each time.
    pub(crate) fn http(&self) -> Result<SharedHttpClient, Error> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        let http = http::guarded(&self.environment)?;
        Ok(self.http.get_or_init(|| http).clone())
    }

    /// The settings of a client: an API in a region, with somebody's credentials or none.
    pub(crate) fn config(
        &self,
        api: Api,
        region: &Region,
        credentials: Option<SharedCredentialsProvider>,
    ) -> Result<SdkConfig, Failure> {
        let endpoint = self.endpoints.of(api).map_err(Failure::Endpoint)?;
        let http = self.http().map_err(Failure::Endpoint)?;
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new(region.name.clone()))
            .http_client(http)
            .timeout_config(timeouts())
            // The session is the cache.
            .identity_cache(IdentityCache::no_cache())
            // The engine's own layer tries again.
            .retry_config(RetryConfig::disabled());
        config.set_credentials_provider(credentials);
        if let Some(url) = endpoint {
            config.set_endpoint_url(Some(url.to_owned()));
        } else {
            config.set_use_fips(Some(region.fips || self.endpoints.fips));
            config.set_use_dual_stack(Some(self.endpoints.dual_stack));
        }
        Ok(config.build())
    }
}

/// Sends one request. The client corrects its clock by a refusal that blames it, so that a second try may do better.
pub(crate) async fn in_time<T, E, F>(ask: impl Fn() -> F + Send) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
{
    match ask().await.map_err(|error| Failure::of(&error)) {
        Err(failure) if failure.blames_clock() => ask().await.map_err(|error| Failure::of(&error)),
        answer => answer,
    }
}

/// The bounds of each request.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(ATTEMPT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(ATTEMPT)
        .build()
}

/// One API, seen through one identity: a client for each region that is asked for.
#[derive(Debug)]
pub(crate) struct Clients<C> {
    api: Api,
    network: Network,
    session: Arc<Session>,
    make: fn(&SdkConfig) -> C,
    made: Mutex<HashMap<Region, C>>,
    calls: Arc<Calls>,
}

impl<C: Clone + Send + Sync> Clients<C> {
    /// Ends what is held.
    pub(crate) async fn close(&self) {
        self.session.close().await;
    }

    pub(crate) fn new(
        api: Api,
        network: Network,
        session: Arc<Session>,
        make: fn(&SdkConfig) -> C,
        calls: Arc<Calls>,
    ) -> Self {
        Self { api, network, session, make, made: Mutex::default(), calls }
    }

    /// Sends one call. Credentials that AWS does not accept any more are replaced once.
    pub(crate) async fn send<T, E, F>(
        &self,
        region: &Region,
        call: Call,
        operation: impl Fn(C) -> F + Send + Sync,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        let client = self.client(region)?;
        // Asked for here, so that a failure is told in our own words; the SDK finds it ready then.
        let used = self.session.login().await.map_err(Failure::Credential)?;
        let ask = || {
            self.calls.count(call);
            operation(client.clone())
        };
        match in_time(&ask).await {
            Err(failure) if failure.blames_credentials() => {
                let others = self.session.replace(&used).await.map_err(Failure::Credential)?;
                if others { in_time(&ask).await } else { Err(failure) }
            }
            answer => answer,
        }
    }

    fn client(&self, region: &Region) -> Result<C, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(region) {
            return Ok(client.clone());
        }
        let credentials = SharedCredentialsProvider::new(Arc::clone(&self.session) as Arc<dyn ProvideCredentials>);
        let client = (self.make)(&self.network.config(self.api, region, Some(credentials))?);
        made.insert(region.clone(), client.clone());
        Ok(client)
    }
}

const CONNECT: Duration = Duration::from_secs(5);
/// The bound of one request, below that of the engine, so that the words are ours.
const ATTEMPT: Duration = Duration::from_secs(20);
