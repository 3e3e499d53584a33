//! Credentials without a cluster: Secret documents among the manifests, then `--credential`, then the cluster where one was named.

mod flag;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{AccountToken, CredentialRef, CredentialSource, StoreOrigin, TokenRequest};
use secretsync_core::secret::SecretValue;
use secretsync_k8s::{CredentialScope, KubeCredentials};

pub(crate) use flag::CredentialFlag;
pub(crate) use template::TemplateTexts;

use crate::manifests::References;

/// Everything that credentials can come from in one run.
#[derive(Debug)]
pub(crate) struct CredentialPool {
    references: References,
    flags: Vec<CredentialFlag>,
    cluster: Option<Cluster>,
}

#[derive(Clone)]
struct Cluster(kube::Client);

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster(..)")
    }
}

impl CredentialPool {
    /// No credentials at all: for those who ask nobody.
    pub(crate) fn nothing() -> Arc<Self> {
        Self::new(References::default(), Vec::new(), None)
    }

    /// What the manifests and the command line gave.
    pub(crate) fn new(references: References, flags: Vec<CredentialFlag>, cluster: Option<kube::Client>) -> Arc<Self> {
        Arc::new(Self { references, flags, cluster: cluster.map(Cluster) })
    }
}

/// The credentials that one store may use, on behalf of ExternalSecrets of one namespace.
#[derive(Debug)]
pub(crate) struct StoreCredentials {
    pool: Arc<CredentialPool>,
    scope: CredentialScope,
}

impl StoreCredentials {
    /// Credentials of `origin` for ExternalSecrets of the namespace `consumer`.
    pub(crate) fn new(pool: Arc<CredentialPool>, origin: &StoreOrigin, consumer: impl Into<String>) -> Self {
        Self { pool, scope: CredentialScope::new(origin, consumer) }
    }

    /// What the cluster gives, where one was named.
    fn cluster(&self) -> Option<KubeCredentials> {
        let Cluster(client) = self.pool.cluster.as_ref()?;
        Some(KubeCredentials::new(client.clone(), self.scope.clone()))
    }

    /// The cluster that alone knows service accounts.
    fn accounts(&self, account: &CredentialRef) -> Result<KubeCredentials> {
        let namespace = self.scope.namespace(account)?;
        self.cluster().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "use")
                .on(format!("{account} (namespace `{namespace}`)"))
                .because("only a cluster issues tokens of service accounts, and `--to` names none")
                .with_hint(Hint::new(
                    Code::CredentialMissing,
                    "write to the cluster with `--to kubernetes`, or use `--ambient` with credentials of your own",
                ))
        })
    }
}

#[async_trait]
impl CredentialSource for StoreCredentials {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        let namespace = self.scope.namespace(reference)?;
        if let Some(value) = self.pool.references.value(reference, namespace) {
            return value;
        }
        if let Some(flag) = self.pool.flags.iter().find(|flag| flag.answers(reference, namespace)) {
            return flag.value();
        }
        match self.cluster() {
            Some(cluster) => cluster.resolve(reference).await,
            None => {
                Err(missing(reference, namespace, "it is neither among the manifests nor given with `--credential`"))
            }
        }
    }

    async fn keys(&self, object: &CredentialRef) -> Result<Vec<String>> {
        let namespace = self.scope.namespace(object)?;
        let flags = self.pool.flags.iter().filter_map(|flag| flag.key_of(object, namespace)).map(str::to_owned);
        let mut keys: BTreeSet<String> = flags.collect();
        match self.pool.references.keys(object, namespace) {
            Some(known) => keys.extend(known),
            None => match self.cluster() {
                Some(cluster) => keys.extend(cluster.keys(object).await?),
                None if keys.is_empty() => {
                    let why = "its object is neither among the manifests nor given with `--credential`";
                    return Err(missing(object, namespace, why));
                }
                None => {}
            },
        }
        Ok(keys.into_iter().collect())
    }

    fn identity(&self, reference: &CredentialRef) -> Option<String> {
        // One run has one set of documents, flags and clusters.
        self.scope.identity(reference)
    }

    async fn token(&self, account: &CredentialRef, request: &TokenRequest) -> Result<AccountToken> {
        self.accounts(account)?.token(account, request).await
    }

    async fn annotations(&self, account: &CredentialRef) -> Result<BTreeMap<String, String>> {
        self.accounts(account)?.annotations(account).await
    }
}

fn missing(reference: &CredentialRef, namespace: &str, why: &'static str) -> Error {
    let advice = format!(
        "give the object with -f, or `--credential {namespace}/{}/{}=env:VARIABLE` (or `=file:PATH`), or use `--ambient`",
        reference.name(),
        reference.key()
    );
    Error::new(ErrorKind::NotFound, "find the credential")
        .on(format!("{reference} (namespace `{namespace}`)"))
        .because(why)
        .with_hint(Hint::new(Code::CredentialMissing, advice))
}
