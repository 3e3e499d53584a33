//! The configuration, checked once: a `Settings` cannot be wrong in itself.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{BuildContext, CredentialRef, StoreOrigin};

use super::{CaProvider, CaProviderKind, ClientTls, KvVersion, SecretKeySelector, VaultAuth, VaultConfig};
use crate::auth::Method;
use crate::{KIND, address, client};

/// What a provider needs to know; credentials are names only, resolved at each login.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The store, for messages.
    pub(crate) origin: StoreOrigin,
    pub(crate) server: Url,
    /// The mount in canonical form.
    pub(crate) mount: Option<String>,
    pub(crate) version: KvVersion,
    pub(crate) namespace: Option<HeaderValue>,
    /// The namespace of the identity: logins and look-ups of the own token go there.
    pub(crate) auth_namespace: Option<HeaderValue>,
    pub(crate) headers: HeaderMap,
    pub(crate) method: Method,
    pub(crate) authorities: Authorities,
    pub(crate) identity: Option<Identity>,
    /// Whether the newest state of the server is sent along.
    pub(crate) keep_state: bool,
    /// Whether a node that lags behind is asked to forward.
    pub(crate) forward_inconsistent: bool,
    /// Whether `http://` may leave this machine.
    pub(crate) allow_plain_http: bool,
}

/// Whom a server certificate must come from.
#[derive(Debug)]
pub(crate) enum Authorities {
    /// Certificates in a Secret or ConfigMap.
    Reference(CredentialRef),
    /// Certificates in the configuration, as PEM.
    Pem(Vec<u8>),
    /// The system's.
    System,
}

/// A client certificate and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: CredentialRef,
    pub(crate) key: CredentialRef,
}

impl Settings {
    pub(crate) fn new(config: &VaultConfig, context: &BuildContext) -> Result<Self> {
        let origin = &context.origin;
        let allow_plain_http = false;
        let namespace = namespace(origin, "namespace", config.namespace.as_deref())?;
        let auth = config.auth.as_ref();
        let auth_namespace =
            self::namespace(origin, "auth.namespace", auth.and_then(|auth| auth.namespace.as_deref()))?;
        let version = config.version.unwrap_or_default();
        if version == KvVersion::V1 && config.check_and_set.as_ref().is_some_and(|check| check.required == Some(true)) {
            return Err(invalid(origin, "checkAndSet.required", "KV version v1 has no versions to check", "remove it"));
        }
        let read_your_writes = config.read_your_writes.unwrap_or_default();
        let forward = config.forward_inconsistent.unwrap_or_default();
        Ok(Self {
            origin: origin.clone(),
            server: server(origin, &config.server, allow_plain_http)?,
            mount: mount(origin, config.path.as_deref())?,
            version,
            auth_namespace: auth_namespace.or_else(|| namespace.clone()),
            namespace,
            headers: headers(config, origin)?,
            method: match &context.ambient {
                Some(ambient) => Method::Ambient(ambient.clone()),
                None => method(origin, auth)?,
            },
            authorities: authorities(origin, config)?,
            identity: config.tls.as_ref().map(|tls| identity(origin, tls)).transpose()?.flatten(),
            keep_state: read_your_writes || forward,
            forward_inconsistent: read_your_writes && forward,
            allow_plain_http,
        })
    }
}

/// The Secrets and ConfigMaps that a configuration reads, as far as it names them: a wrong one is refused when a provider is built.
pub(crate) fn references(config: &VaultConfig) -> Vec<CredentialRef> {
    let token = config.auth.as_ref().and_then(|auth| auth.token_secret_ref.as_ref());
    let tls = config.tls.as_ref();
    let found = [
        token.and_then(|token| secret(token, None)),
        bundle(config).is_none().then(|| config.ca_provider.as_ref().and_then(ca_reference)).flatten(),
        tls.and_then(|tls| secret(tls.cert_secret_ref.as_ref()?, Some(CERTIFICATE_KEY))),
        tls.and_then(|tls| secret(tls.key_secret_ref.as_ref()?, Some(KEY_KEY))),
    ];
    found.into_iter().flatten().collect()
}

fn server(origin: &StoreOrigin, text: &str, allow_plain_http: bool) -> Result<Url> {
    const ADVICE: &str = "write it as `https://vault.example.com:8200`";
    let mut url = Url::parse(text.trim()).map_err(|_| invalid(origin, "server", "it is no URL", ADVICE))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid(origin, "server", "it is no http or https URL", ADVICE));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(origin, "server", "it has more than scheme, host, port and path", ADVICE));
    }
    if let Some(reason) = client::refused_host(&url) {
        return Err(invalid(origin, "server", reason, "name the Vault server itself"));
    }
    if url.scheme() == "http" && !allow_plain_http && !client::is_loopback(&url) {
        return Err(invalid(
            origin,
            "server",
            "plain http would send the token and the secrets unprotected over the network",
            "use https; plain http is accepted for loopback addresses only",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn mount(origin: &StoreOrigin, path: Option<&str>) -> Result<Option<String>> {
    let segments = address::segments(path.unwrap_or_default())
        .map_err(|reason| invalid(origin, "path", reason, "write the mount as `vault secrets list` shows it"))?;
    Ok(if segments.is_empty() { None } else { Some(segments.join("/")) })
}

fn namespace(origin: &StoreOrigin, field: &str, text: Option<&str>) -> Result<Option<HeaderValue>> {
    let text = text.unwrap_or_default().trim_matches('/');
    if text.is_empty() {
        return Ok(None);
    }
    HeaderValue::from_str(text)
        .map(Some)
        .map_err(|_| invalid(origin, field, "it has characters that a header cannot carry", "correct the namespace"))
}

fn headers(config: &VaultConfig, origin: &StoreOrigin) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in config.headers.iter().flatten() {
        let field = format!("headers.{name}");
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid(origin, &field, "it is no name of a header", "correct the name"))?;
        if name == client::TOKEN {
            return Err(invalid(origin, &field, "a token in a manifest is no secret", "use `auth.tokenSecretRef`"));
        }
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(invalid(origin, &field, "this header belongs to the connection", "remove it"));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            invalid(origin, &field, "it has characters that a header cannot carry", "correct the value")
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn method(origin: &StoreOrigin, auth: Option<&VaultAuth>) -> Result<Method> {
    let Some(auth) = auth else { return Ok(Method::None) };
    match (auth.method(), &auth.token_secret_ref) {
        (_, Some(token)) => Ok(Method::Token(selected(origin, "auth.tokenSecretRef", token, None)?)),
        (Some(other), None) => Err(Error::new(ErrorKind::Unsupported, "use")
            .on(format!("`spec.provider.{KIND}.auth` of {origin}"))
            .because(format!("auth method `{other}` is not supported yet"))
            .with_hint(Hint::new(
                Code::Unsupported,
                "use `tokenSecretRef`, or leave `auth` out behind a proxy that adds the token",
            ))),
        (None, None) => {
            Err(invalid(origin, "auth", "no valid auth method specified", "add `tokenSecretRef`, the supported method"))
        }
    }
}

fn authorities(origin: &StoreOrigin, config: &VaultConfig) -> Result<Authorities> {
    if let Some(bundle) = bundle(config) {
        let pem = client::pem(bundle.as_bytes());
        client::certificates(&pem)
            .map_err(|reason| invalid(origin, "caBundle", reason, "give certificates as PEM, or as base64 of PEM"))?;
        return Ok(Authorities::Pem(pem));
    }
    let Some(provider) = &config.ca_provider else { return Ok(Authorities::System) };
    let reference = ca_reference(provider).ok_or_else(|| unnamed(origin, "caProvider"))?;
    if origin.namespace().is_none() && provider.namespace.is_none() {
        return Err(invalid(origin, "caProvider", "missing namespace on caProvider secret", "add `namespace`"));
    }
    same_namespace(origin, "caProvider", provider.namespace.as_deref())?;
    Ok(Authorities::Reference(reference))
}

fn identity(origin: &StoreOrigin, tls: &ClientTls) -> Result<Option<Identity>> {
    match (&tls.cert_secret_ref, &tls.key_secret_ref) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(Identity {
            certificate: selected(origin, "tls.certSecretRef", certificate, Some(CERTIFICATE_KEY))?,
            key: selected(origin, "tls.keySecretRef", key, Some(KEY_KEY))?,
        })),
        _ => Err(invalid(
            origin,
            "tls",
            "a client certificate needs its key",
            "give both `certSecretRef` and `keySecretRef`",
        )),
    }
}

fn selected(
    origin: &StoreOrigin,
    field: &str,
    selector: &SecretKeySelector,
    default_key: Option<&str>,
) -> Result<CredentialRef> {
    same_namespace(origin, field, selector.namespace.as_deref())?;
    secret(selector, default_key).ok_or_else(|| unnamed(origin, field))
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

fn secret(selector: &SecretKeySelector, default_key: Option<&str>) -> Option<CredentialRef> {
    let SecretKeySelector { name, namespace, key, .. } = selector;
    let name = name.as_deref().filter(|name| !name.is_empty())?;
    let key = key.as_deref().filter(|key| !key.is_empty()).or(default_key)?;
    Some(CredentialRef::secret(name, key).in_namespace(namespace.as_deref()))
}

/// A namespaced store reads its own namespace only; whoever resolves references checks that too.
fn same_namespace(origin: &StoreOrigin, field: &str, namespace: Option<&str>) -> Result<()> {
    match (origin.namespace(), namespace) {
        (Some(own), Some(other)) if own != other => Err(invalid(
            origin,
            &format!("{field}.namespace"),
            "namespace should either be empty or match the namespace of the SecretStore",
            "remove `namespace`, or use a ClusterSecretStore",
        )),
        _ => Ok(()),
    }
}

fn unnamed(origin: &StoreOrigin, field: &str) -> Error {
    invalid(origin, field, "it needs a name and a key", "name the object and the key in it")
}

fn invalid(origin: &StoreOrigin, field: &str, detail: &'static str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("`spec.provider.{KIND}.{field}` of {origin}"))
        .because(detail)
        .with_hint(Hint::new(Code::StoreInvalid, advice))
}

const CERTIFICATE_KEY: &str = "tls.crt";
const KEY_KEY: &str = "tls.key";

/// Headers that decide how a request is framed or where it goes.
const OWN_HEADERS: [&str; 7] =
    ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade", "x-vault-request"];

#[cfg(test)]
mod tests;
