//! Data keys of SOPS documents, unwrapped by the transit engine.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::Result;
use secretsync_core::json::Json;
use secretsync_core::provider::{
    BuildContext, CredentialRef, KeyKind, KeyService, KeyServiceFactory, RawConfig, StoreOrigin, WrappedKey,
};
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

use crate::address;
use crate::auth::body;
use crate::client::Answer;
use crate::config::{Settings, TransitConfig, key_names, references};
use crate::error::{Failure, Grant};
use crate::mounts::question;
use crate::session::{Pool, Session};

/// The factory of `vaultTransit`, a kind of key in SOPS stores. Services that it builds share a login where they have the same identity at the
/// same server.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct TransitFactory {
    pool: Pool,
}

impl TransitFactory {
    /// A factory with the safe defaults: no plain http beyond this machine.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl KeyServiceFactory for TransitFactory {
    fn member(&self) -> &'static str {
        "vaultTransit"
    }

    fn kind(&self) -> KeyKind {
        KeyKind::VaultTransit
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        let config: TransitConfig = config.read(origin, KIND)?;
        references(&config.server(), origin, MEMBER)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn KeyService>> {
        let config: TransitConfig = config.read(&context.origin, KIND)?;
        Ok(Arc::new(Transit::new(&config, context, &self.pool)?))
    }
}

/// One transit engine.
#[derive(Debug)]
struct Transit {
    session: Session,
    mount: String,
    /// The keys that may be used; all if there are none.
    keys: Vec<String>,
}

impl Transit {
    fn new(config: &TransitConfig, context: BuildContext, pool: &Pool) -> Result<Self> {
        let keys = key_names(config, &context.origin, MEMBER)?;
        let mut server = config.server();
        server.path.clone_from(&config.path);
        let settings = Settings::new(&server, &context, MEMBER)?;
        let mount = settings.mount.clone().unwrap_or_else(|| MOUNT.to_owned());
        Ok(Self { session: Session::new(settings, context.credentials, Some(pool)), mount, keys })
    }

    async fn decrypt(&self, name: &str, ciphertext: &str) -> Result<SecretValue, Failure> {
        let path = format!("{}/decrypt/{name}", self.mount);
        let witness = question(&self.mount);
        let answer = match self.session.post(&path, &body(&[("ciphertext", ciphertext)]), Some(&witness)).await {
            Ok(answer) => answer,
            Err(Failure::Forbidden) => return Err(self.denied(path)),
            Err(Failure::Status { status: 400, .. }) => return Err(Failure::Undecryptable),
            Err(failure) => return Err(failure),
        };
        let Answer::Found(body) = answer else { return Err(Failure::Undecryptable) };
        let Some(Json::String(plain)) = body.get("data").and_then(|data| data.get("plaintext")) else {
            return Err(Failure::Undecryptable);
        };
        let decoded = STANDARD.decode(plain.expose()).map(Zeroizing::new).map_err(|_| Failure::Undecryptable)?;
        Ok(SecretValue::from(decoded))
    }

    fn denied(&self, path: String) -> Failure {
        let namespace = self.session.settings().namespace.as_ref();
        let namespace = namespace.and_then(|name| name.to_str().ok()).map(str::to_owned);
        Failure::Denied(Grant { path, capability: "update", namespace })
    }
}

/// The one segment of a path that a document's text is, or why it is none.
fn segments(text: Option<&str>, what: &str) -> Result<String, String> {
    let found = address::segments(text.unwrap_or_default()).map_err(|reason| format!("{what}: {reason}"))?;
    if found.is_empty() { Err(format!("{what} is empty")) } else { Ok(found.join("/")) }
}

#[async_trait]
impl KeyService for Transit {
    fn serves(&self, key: &WrappedKey) -> Result<(), String> {
        if key.kind != KeyKind::VaultTransit {
            return Err("it is no key of a transit engine".to_owned());
        }
        // `vault_address` is the document's word, and decides nothing.
        if segments(key.attribute("engine_path"), "its `engine_path`")? != self.mount {
            return Err(format!("the store is configured for the mount `{}`", self.mount));
        }
        let name = segments(key.attribute("key_name"), "its `key_name`")?;
        if name.contains('/') {
            return Err("its `key_name` is a path".to_owned());
        }
        if !self.keys.is_empty() && !self.keys.contains(&name) {
            return Err("the store does not name this key".to_owned());
        }
        Ok(())
    }

    async fn unwrap(&self, key: &WrappedKey) -> Result<SecretValue> {
        let name = segments(key.attribute("key_name"), "").unwrap_or_default();
        let plain = match self.serves(key) {
            Ok(()) => self.decrypt(&name, key.ciphertext.trim()).await,
            // Callers ask first; whoever does not must not choose the path.
            Err(_) => Err(Failure::Undecryptable),
        };
        let on = || format!("a data key with `{}/{name}` for {}", self.mount, self.session.settings().origin);
        plain.map_err(|failure| failure.into_error("unwrap", on()))
    }

    async fn close(&self) {
        self.session.close().await;
    }
}

const MOUNT: &str = "transit";
/// Where it is configured, in messages.
const KIND: &str = "sops.keys[].vaultTransit";
const MEMBER: &str = "provider.sops.keys[].vaultTransit";
