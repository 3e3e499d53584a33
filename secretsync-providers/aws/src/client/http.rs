//! The HTTP stack below the SDK, and the few requests that the SDK does not send for us.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpClient};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::net::{AddressGuard, Cause, Transport};
use secretsync_core::provider::Ambient;
use zeroize::Zeroizing;

use crate::error::connector;

/// Connections to AWS: one pool for TLS, one for plain http to this machine.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    secure: SharedHttpClient,
    plain: SharedHttpClient,
}

impl Http {
    /// Connections that trust the authorities of the system, or those in the file that `AWS_CA_BUNDLE` names.
    pub(crate) fn new(environment: &Ambient) -> Result<Self> {
        let trusted = authorities(environment)?;
        let client = |guard| {
            let client = Builder::new().tls_provider(TLS).tls_context(trusted.clone());
            client.build_with_resolver(Guard(guard))
        };
        Ok(Self { secure: client(AddressGuard::new()), plain: client(AddressGuard::new().loopback_only(true)) })
    }

    pub(crate) fn client(&self, plain: bool) -> SharedHttpClient {
        if plain { self.plain.clone() } else { self.secure.clone() }
    }
}

/// Whom to trust. Every certificate is looked at here, because the SDK panics at one that it cannot use.
fn authorities(environment: &Ambient) -> Result<TlsContext> {
    let Some(path) = environment.path(BUNDLE) else { return Ok(TlsContext::default()) };
    let pem = std::fs::read(&path).map_err(|_| unusable("its file cannot be read"))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| unusable("its file is no list of PEM certificates"))?;
    if certificates.is_empty() {
        return Err(unusable("its file holds no PEM certificate"));
    }
    let mut parsed = RootCertStore::empty();
    for certificate in certificates {
        parsed.add(certificate).map_err(|_| unusable("one of its certificates cannot be used"))?;
    }
    let store = TrustStore::empty().with_pem_certificate(pem);
    TlsContext::builder().with_trust_store(store).build().map_err(|_| unusable("it cannot be used"))
}

fn unusable(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("the variable {BUNDLE}"))
        .because(reason)
        .with_hint(Hint::new(Code::StoreInvalid, "name a file of PEM certificates, or remove the variable"))
}

/// Resolves names, and refuses those that lead to an address we must not talk to. It runs at each connect, so a name that changes is caught.
#[derive(Clone, Copy, Debug)]
struct Guard(AddressGuard);

impl ResolveDns for Guard {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        let Self(guard) = *self;
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let addresses: Vec<_> = found.map(|address| address.ip()).collect();
            guard.check(&addresses).map_err(ResolveDnsError::new)?;
            Ok(addresses)
        })
    }
}

/// Asks the credential endpoints of containers: the only place where link-local addresses are meant.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher(Arc<Connector>);

/// An answer, whatever its status.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Fetcher {
    pub(crate) fn new() -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(NEARBY).read_timeout(NEARBY).build();
        let connector =
            Connector::builder().connector_settings(settings).sleep_impl(TokioSleep::new()).tls_provider(TLS);
        Self(Arc::new(connector.build()))
    }

    /// Fetches a URL.
    pub(crate) async fn get(&self, url: &str, authorization: Option<&str>) -> std::result::Result<Fetched, Transport> {
        let unsent = || Transport::from(Cause::Other);
        let mut request = HttpRequest::get(url).map_err(|_| unsent())?;
        request.headers_mut().insert("accept", "application/json");
        if let Some(token) = authorization {
            request.headers_mut().try_insert("authorization", token.to_owned()).map_err(|_| unsent())?;
        }
        let answer = tokio::time::timeout(NEARBY, async {
            let response = self.0.call(request).await.map_err(|error| connector(&error))?;
            let status = response.status().as_u16();
            let body =
                ByteStream::new(response.into_body()).collect().await.map_err(|_| Transport::from(Cause::Closed))?;
            Ok(Fetched { status, body: Zeroizing::new(body.to_vec()) })
        });
        answer.await.unwrap_or_else(|_| Err(Cause::TimedOut.into()))
    }
}

/// The variable in which AWS's own tools look for authorities.
const BUNDLE: &str = "AWS_CA_BUNDLE";
const TLS: Provider = Provider::Rustls(CryptoMode::AwsLc);
/// These endpoints are on the machine or beside it.
const NEARBY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_to_a_refused_address_is_not_connected_to() {
        let guard = Guard(AddressGuard::new());
        assert!(guard.resolve_dns("localhost").await.is_ok());
        assert!(guard.resolve_dns("169.254.169.254").await.is_err());
        assert!(Guard(AddressGuard::new().loopback_only(true)).resolve_dns("10.0.0.1").await.is_err());
    }
}
