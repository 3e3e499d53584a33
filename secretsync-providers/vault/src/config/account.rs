//! Where and as whom a store logs in, checked once: an `Account` cannot be wrong in itself.

use std::fmt;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secretsync_core::error::Result;
use secretsync_core::provider::{BuildContext, CredentialRef, CredentialSource};

use super::place::Place;
use super::{CaProvider, CaProviderKind, ClientTls, VaultAuth, VaultConfig};
use crate::auth::Method;
use crate::client;

/// Everything that decides who logs in where. Credentials are names only, resolved at each login.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) server: Url,
    /// The namespace of the identity: logins and look-ups of the own token go there.
    pub(crate) namespace: Option<HeaderValue>,
    pub(crate) headers: HeaderMap,
    pub(crate) method: Method,
    pub(crate) authorities: Authorities,
    certificate: Option<ClientCertificate>,
    /// Whether the newest state of the server is sent along.
    pub(crate) keep_state: bool,
    /// Whether a node that lags behind is asked to forward.
    pub(crate) forward_inconsistent: bool,
    /// Whether `http://` may leave this machine.
    pub(crate) allow_plain_http: bool,
}

/// Whom a server certificate must come from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Authorities {
    /// Certificates in a Secret or ConfigMap.
    Reference(CredentialRef),
    /// Certificates in the configuration, as PEM.
    Pem(Vec<u8>),
    /// The system's.
    System,
}

/// A client certificate and its key.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate: CredentialRef,
    pub(crate) key: CredentialRef,
}

/// Two accounts with equal keys are one: the same server seen in the same way, and the same credentials, wherever they are named.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct AccountKey {
    server: Url,
    namespace: Option<HeaderValue>,
    headers: Vec<(HeaderName, HeaderValue)>,
    method: Method,
    authorities: Authorities,
    certificate: Option<ClientCertificate>,
    switches: [bool; 3],
    /// What is behind each reference above.
    credentials: Vec<String>,
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials.
        f.debug_struct("AccountKey").finish_non_exhaustive()
    }
}

impl Account {
    /// `namespace` is that of the secrets: the identity's too, unless `auth` says otherwise.
    pub(super) fn new(
        config: &VaultConfig,
        place: &Place<'_>,
        context: Option<&BuildContext>,
        namespace: Option<HeaderValue>,
    ) -> Result<Self> {
        let allow_plain_http = false;
        let auth = config.auth.as_ref();
        let own = self::namespace(place, "auth.namespace", auth.and_then(|auth| auth.namespace.as_deref()))?;
        let read_your_writes = config.read_your_writes.unwrap_or_default();
        let forward = config.forward_inconsistent.unwrap_or_default();
        Ok(Self {
            server: server(place, &config.server, allow_plain_http)?,
            namespace: own.or(namespace),
            headers: headers(config, place)?,
            method: match context.and_then(|context| context.ambient.as_ref()) {
                Some(ambient) => Method::Ambient(ambient.clone()),
                None => method(place, auth, context)?,
            },
            authorities: authorities(place, config)?,
            certificate: config.tls.as_ref().map(|tls| certificate(place, tls)).transpose()?.flatten(),
            keep_state: read_your_writes || forward,
            forward_inconsistent: read_your_writes && forward,
            allow_plain_http,
        })
    }

    /// The client certificate that each connection offers: that of the login where it is one.
    pub(crate) fn certificate(&self) -> Option<&ClientCertificate> {
        match &self.method {
            Method::Cert { certificate, .. } => Some(certificate),
            _ => self.certificate.as_ref(),
        }
    }

    /// Everything that is read from outside.
    pub(crate) fn references(&self) -> Vec<CredentialRef> {
        let mut references = self.method.references();
        if let Authorities::Reference(authorities) = &self.authorities {
            references.push(authorities.clone());
        }
        if let Some(ClientCertificate { certificate, key }) = &self.certificate {
            references.extend([certificate.clone(), key.clone()]);
        }
        references
    }

    /// What two stores must have in common to share a login; `None` where it is not known what a reference means elsewhere.
    pub(crate) fn key(&self, credentials: &dyn CredentialSource) -> Option<AccountKey> {
        let identities: Option<_> = self.references().iter().map(|reference| credentials.identity(reference)).collect();
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Some(AccountKey {
            server: self.server.clone(),
            namespace: self.namespace.clone(),
            headers,
            method: self.method.clone(),
            authorities: self.authorities.clone(),
            certificate: self.certificate.clone(),
            switches: [self.keep_state, self.forward_inconsistent, self.allow_plain_http],
            credentials: identities?,
        })
    }
}

/// Where somebody logs in and how: `https://vault:8200 with tokenSecretRef`.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.server)?;
        match self.method.name() {
            Some(name) => write!(f, " with `{name}`"),
            None => Ok(()),
        }
    }
}

fn server(place: &Place<'_>, text: &str, allow_plain_http: bool) -> Result<Url> {
    const ADVICE: &str = "write it as `https://vault.example.com:8200`";
    let mut url = Url::parse(text.trim()).map_err(|_| place.invalid("server", "it is no URL", ADVICE))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(place.invalid("server", "it is no http or https URL", ADVICE));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(place.invalid("server", "it has more than scheme, host, port and path", ADVICE));
    }
    if let Some(reason) = client::refused_host(&url) {
        return Err(place.invalid("server", reason, "name the Vault server itself"));
    }
    if url.scheme() == "http" && !allow_plain_http && !client::is_loopback(&url) {
        return Err(place.invalid(
            "server",
            "plain http would send the token and the secrets unprotected over the network",
            "use https; plain http is accepted for loopback addresses only",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The method of the login. Without a `context` it is only asked what a configuration reads.
fn method(place: &Place<'_>, auth: Option<&VaultAuth>, context: Option<&BuildContext>) -> Result<Method> {
    let own = context.and_then(|context| context.own_identity.as_ref());
    let method = super::method::method(place, auth, own)?;
    if context.is_some() && method.lacks_identity() {
        return Err(place.invalid(
            &format!("auth.{}", method.name().unwrap_or_default()),
            "it names no credentials, and the identity of this process is not lent to it",
            "name a service account or a Secret: only a store that may act as this process can leave them out",
        ));
    }
    Ok(method)
}

pub(super) fn namespace(place: &Place<'_>, field: &str, text: Option<&str>) -> Result<Option<HeaderValue>> {
    let text = text.unwrap_or_default().trim_matches('/');
    if text.is_empty() {
        return Ok(None);
    }
    HeaderValue::from_str(text)
        .map(Some)
        .map_err(|_| place.invalid(field, "it has characters that a header cannot carry", "correct the namespace"))
}

fn headers(config: &VaultConfig, place: &Place<'_>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in config.headers.iter().flatten() {
        let field = format!("headers.{name}");
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| place.invalid(&field, "it is no name of a header", "correct the name"))?;
        if name == client::TOKEN {
            return Err(place.invalid(&field, "a token in a manifest is no secret", "use `auth.tokenSecretRef`"));
        }
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(place.invalid(&field, "this header belongs to the connection", "remove it"));
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| place.invalid(&field, "it has characters that a header cannot carry", "correct the value"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn authorities(place: &Place<'_>, config: &VaultConfig) -> Result<Authorities> {
    if let Some(bundle) = bundle(config) {
        let pem = client::pem(bundle.as_bytes());
        client::certificates(&pem)
            .map_err(|reason| place.invalid("caBundle", reason, "give certificates as PEM, or as base64 of PEM"))?;
        return Ok(Authorities::Pem(pem));
    }
    let Some(provider) = &config.ca_provider else { return Ok(Authorities::System) };
    let reference = ca_reference(provider).ok_or_else(|| place.unnamed("caProvider"))?;
    if place.origin.namespace().is_none() && provider.namespace.is_none() {
        return Err(place.invalid("caProvider", "missing namespace on caProvider secret", "add `namespace`"));
    }
    place.same_namespace("caProvider", provider.namespace.as_deref())?;
    Ok(Authorities::Reference(reference))
}

fn certificate(place: &Place<'_>, tls: &ClientTls) -> Result<Option<ClientCertificate>> {
    match (&tls.cert_secret_ref, &tls.key_secret_ref) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(ClientCertificate {
            certificate: place.secret("tls.certSecretRef", certificate, Some(CERTIFICATE_KEY))?,
            key: place.secret("tls.keySecretRef", key, Some(KEY_KEY))?,
        })),
        _ => Err(place.invalid(
            "tls",
            "a client certificate needs its key",
            "give both `certSecretRef` and `keySecretRef`",
        )),
    }
}

fn bundle(config: &VaultConfig) -> Option<&str> {
    config.ca_bundle.as_deref().filter(|bundle| !bundle.trim().is_empty())
}

fn ca_reference(provider: &CaProvider) -> Option<CredentialRef> {
    let CaProvider { kind, name, key, namespace } = provider;
    let key = key.as_deref().filter(|key| !key.is_empty() && !name.is_empty())?;
    let reference = match kind {
        CaProviderKind::ConfigMap => CredentialRef::config_map(name, key),
        CaProviderKind::Secret => CredentialRef::secret(name, key),
    };
    Some(reference.in_namespace(namespace.as_deref()))
}

/// Headers that decide how a request is framed or where it goes.
const OWN_HEADERS: [&str; 7] =
    ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade", "x-vault-request"];
pub(super) const CERTIFICATE_KEY: &str = "tls.crt";
pub(super) const KEY_KEY: &str = "tls.key";
