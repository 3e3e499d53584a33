//! A provider whose calls are counted, under the names that External Secrets Operator gives them (`eso-compat.md` 6.3).

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::error::Result;
use secretsync_core::object::{ObjectRef, Read};
use secretsync_core::provider::{
    Asked, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request,
};

use super::metrics::Metrics;

/// A provider whose calls are counted: what it says it sends, as often as it is asked, tries again included. Logins are its own affair.
#[derive(Debug)]
pub(super) struct Counted {
    provider: Arc<dyn Provider>,
    metrics: Arc<Metrics>,
}

impl Counted {
    pub(super) fn new(provider: Arc<dyn Provider>, metrics: Arc<Metrics>) -> Self {
        Self { provider, metrics }
    }

    /// Counts the calls that some questions took: each failed whose own answer is a failure, and one for all where all are.
    fn count(&self, calls: &[Request], holds: &[bool]) {
        let kind = self.provider.info().kind;
        let each = calls.len() == holds.len();
        let any = holds.contains(&true);
        for (index, call) in calls.iter().enumerate() {
            let (provider, call) = named(kind, call.kind);
            self.metrics.count_call(provider, call, if each { holds[index] } else { any });
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Counted {
    fn info(&self) -> &ProviderInfo {
        self.provider.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.provider.address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        self.provider.reading(object).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let answers = self.provider.fetch(objects, options).await;
        let holds: Vec<_> = answers.iter().map(Result::is_ok).collect();
        self.count(&self.provider.requests(Asked::Fetch(objects)), &holds);
        answers
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let found = self.provider.find(query).await;
        self.count(&self.provider.requests(Asked::Find(query)), &[found.is_ok()]);
        found
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        self.provider.requests(asked)
    }

    async fn check(&self) -> Result<()> {
        self.provider.check().await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.provider.leases()
    }

    async fn close(&self) {
        self.provider.close().await;
    }
}

/// What External Secrets Operator calls a provider and a call. What it does not know keeps its name.
fn named<'a>(kind: &'a str, call: &'a str) -> (&'a str, &'a str) {
    let provider = match kind {
        "vault" => "HashiCorp/Vault",
        "aws" if call.contains("Parameter") => "AWS/ParameterStore",
        "aws" => "AWS/SecretsManager",
        other => other,
    };
    let call = match (kind, call) {
        ("vault", "read") => "ReadSecretData",
        ("vault", "find") => "ListSecrets",
        (_, other) => other,
    };
    (provider, call)
}

#[cfg(test)]
mod tests {
    use secretsync_core::memory::MemoryProvider;
    use secretsync_core::provider::ProviderExt as _;

    use super::*;

    #[tokio::test]
    async fn each_call_is_counted_with_its_end() {
        let metrics = Arc::new(Metrics::default());
        let memory = MemoryProvider::new("m").with_json("app", "{}");
        let counted = Counted::new(Arc::new(memory), Arc::clone(&metrics));
        for _ in 0..2 {
            assert!(counted.fetch_key("app").await.unwrap().is_some());
        }
        assert!(counted.find(&Query::default()).await.is_ok());
        let text = metrics.render();
        let name = "externalsecret_provider_api_calls_count";
        for line in [
            format!("{name}{{provider=\"memory\",call=\"read\",status=\"success\"}} 2"),
            format!("{name}{{provider=\"memory\",call=\"find\",status=\"success\"}} 1"),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
        counted.count(&[Request::new("read"), Request::new("read")], &[true, false]);
        counted.count(&[Request::new("batch")], &[false, false]);
        let text = metrics.render();
        assert!(
            text.contains("call=\"read\",status=\"error\"} 1") && text.contains("call=\"read\",status=\"success\"} 3")
        );
        assert!(text.contains("call=\"batch\",status=\"error\"} 1"));
    }

    #[test]
    fn calls_bear_the_names_that_dashboards_know() {
        for (kind, call, expected) in [
            ("vault", "read", ("HashiCorp/Vault", "ReadSecretData")),
            ("vault", "find", ("HashiCorp/Vault", "ListSecrets")),
            ("aws", "GetSecretValue", ("AWS/SecretsManager", "GetSecretValue")),
            ("aws", "GetParameters", ("AWS/ParameterStore", "GetParameters")),
            ("sops", "read", ("sops", "read")),
        ] {
            assert_eq!(named(kind, call), expected);
        }
    }
}
