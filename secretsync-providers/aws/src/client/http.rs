//! The HTTP stack below the SDK, and the few requests that the SDK does not send for us.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::byte_stream::ByteStream;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::net::{AddressGuard, Cause};
use secretsync_core::provider::Ambient;
use zeroize::Zeroizing;

use super::cap::{Capped, is_too_big};
use super::endpoint::{host, is_plain, text};
use crate::error::{Failure, connector};

/// Connections to AWS that trust the authorities of the system, or those in the file that `AWS_CA_BUNDLE` names, and go through the proxy that `HTTPS_PROXY` names. They
/// lead nowhere where we must not go.
pub(super) fn guarded(environment: &Ambient) -> Result<SharedHttpClient> {
    let client = |guard, trusted: TlsContext, proxy: ProxyConfig| {
        Builder::new().build_with_connector_fn(move |settings, parts| {
            let connector = Connector::builder().tls_provider(TLS).tls_context(trusted.clone());
            let mut connector = connector.proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(parts.and_then(RuntimeComponents::sleep_impl));
            connector.build_with_resolver(Guard(guard))
        })
    };
    let secure = client(SECURE, authorities(environment)?, proxy(environment)?);
    // Who trusts nobody reads no authorities for connections that need none.
    let plain = client(PLAIN, trusting(TrustStore::empty())?, ProxyConfig::disabled());
    Ok(SharedHttpClient::new(Capped(Ways { secure, plain })))
}

/// The proxy for https, and who is reached without it. To a proxy the address of AWS goes by name: what that leads to, the proxy decides.
fn proxy(environment: &Ambient) -> Result<ProxyConfig> {
    let find = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, text(environment, name)?)));
    let Some((name, url)) = find(["HTTPS_PROXY", "https_proxy"]) else { return Ok(ProxyConfig::disabled()) };
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let proxy = ProxyConfig::https(url).map_err(|_| {
        Error::new(ErrorKind::InvalidConfig, "use")
            .on(format!("the variable {name}"))
            .because("it is no http or https URL of a proxy")
            .with_hint(Hint::new(Code::StoreInvalid, "write it as `http://host:port`, or remove the variable"))
    })?;
    let direct = find(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, names)| direct(&names));
    Ok(proxy.no_proxy(direct + "localhost,127.0.0.0/8,::1"))
}

/// The names of `NO_PROXY` in the form of the library: without the star and the port that Go's programs know as well. An entry for another port than that of
/// https says nothing about us.
fn direct(names: &str) -> String {
    let mut direct = String::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let (host, port) = match name.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
            _ => (name, "443"),
        };
        if port == "443" {
            let host = host.trim_matches(['[', ']']);
            direct += host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
            direct.push(',');
        }
    }
    direct
}

/// Connections for the SDK's client of the instance's metadata service, a link-local address.
pub(crate) fn nearby() -> SharedHttpClient {
    SharedHttpClient::new(Capped(Builder::new().tls_provider(TLS).build_https()))
}

/// One pool for TLS, one for plain http to this machine.
#[derive(Debug)]
struct Ways<T> {
    secure: T,
    plain: T,
}

impl HttpClient for Ways<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, parts);
        SharedHttpConnector::new(Ways { secure: connector(&self.secure), plain: connector(&self.plain) })
    }
}

impl HttpConnector for Ways<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (guard, way) = if is_plain(request.uri()) { (PLAIN, &self.plain) } else { (SECURE, &self.secure) };
        // A name is judged when it is resolved, and what is an address already never is.
        let address: Option<IpAddr> = host(request.uri()).and_then(|host| host.parse().ok());
        match guard.check(address.as_slice()) {
            Ok(()) => way.call(request),
            Err(refused) => HttpConnectorFuture::ready(Err(ConnectorError::other(refused.into(), None))),
        }
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
    trusting(TrustStore::empty().with_pem_certificate(pem))
}

fn trusting(store: TrustStore) -> Result<TlsContext> {
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
pub(crate) struct Fetcher(Arc<Capped<Connector>>);

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
        Self(Arc::new(Capped(connector.build())))
    }

    /// Fetches a URL.
    pub(crate) async fn get(&self, url: &str, authorization: Option<&str>) -> std::result::Result<Fetched, Failure> {
        let failed = |cause: Cause| Failure::Transport(cause.into());
        let unsent = || failed(Cause::Other);
        let mut request = HttpRequest::get(url).map_err(|_| unsent())?;
        request.headers_mut().insert("accept", "application/json");
        if let Some(token) = authorization {
            request.headers_mut().try_insert("authorization", token.to_owned()).map_err(|_| unsent())?;
        }
        let answer = tokio::time::timeout(NEARBY, async {
            let response = self.0.call(request).await.map_err(|error| Failure::Transport(connector(&error)))?;
            let status = response.status().as_u16();
            let body = ByteStream::new(response.into_body()).collect().await;
            let body =
                body.map_err(|error| if is_too_big(&error) { Failure::TooBig } else { failed(Cause::Closed) })?;
            Ok(Fetched { status, body: Zeroizing::new(body.to_vec()) })
        });
        answer.await.unwrap_or_else(|_| Err(failed(Cause::TimedOut)))
    }
}

/// The variable in which AWS's own tools look for authorities.
const BUNDLE: &str = "AWS_CA_BUNDLE";
const SECURE: AddressGuard = AddressGuard::new();
const PLAIN: AddressGuard = SECURE.loopback_only(true);
const TLS: Provider = Provider::Rustls(CryptoMode::AwsLc);
/// These endpoints are on the machine or beside it.
const NEARBY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_reached_without_a_proxy_may_have_a_star_or_a_port() {
        assert_eq!(
            direct(
                " *.amazonaws.com, vpce-1.example.com:443,10.0.0.1:443,other:8443,*,::1,[fd00::1]:443, .x,10.0.0.0/8,"
            ),
            ".amazonaws.com,vpce-1.example.com,10.0.0.1,*,::1,fd00::1,.x,10.0.0.0/8,"
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_refused_address_is_not_connected_to() {
        let guard = Guard(AddressGuard::new());
        assert!(guard.resolve_dns("localhost").await.is_ok());
        assert!(guard.resolve_dns("169.254.169.254").await.is_err());
        assert!(Guard(AddressGuard::new().loopback_only(true)).resolve_dns("10.0.0.1").await.is_err());
    }
}
