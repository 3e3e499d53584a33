//! A provider of your own: secrets that a program already has, one variable for each object, checked by the conformance suite and used by the engine.
// ci: run
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::conformance::{ProviderFixture, check_provider};
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::memory::MemoryStore;
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    Absence, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, find_unsupported,
};
use secretsync_core::secret::{Secret, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataEntry, Outcome, ProviderKey, Sync as _, SyncSpec};

/// Names and values, taken over at the start.
#[derive(Debug)]
struct Variables {
    info: ProviderInfo,
    values: BTreeMap<String, SecretValue>,
}

impl Variables {
    fn new(pairs: &[(&str, &str)]) -> Self {
        let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretValue::from(*value))).collect();
        Self { info: ProviderInfo::new("variables", "variables"), values }
    }
}

#[async_trait]
impl Provider for Variables {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        let usable = !reference.key.is_empty() && !reference.key.contains(['=', '\0']);
        if usable && reference.version.is_none() && !reference.metadata {
            return Ok(ObjectRef::new(&*reference.key));
        }
        Err(Error::new(ErrorKind::InvalidConfig, "address")
            .on(format!("variable `{}`", reference.key.escape_debug()))
            .because("it can be no variable's name, or asks for a version or metadata")
            .with_hint(Hint::new(Code::ManifestInvalid, "correct `remoteRef`")))
    }

    async fn fetch(&self, objects: &[ObjectRef], _: &FetchOptions) -> Vec<Result<Fetched>> {
        let answer = |object: &ObjectRef| match self.values.get(object.name()) {
            Some(value) => Fetched::Found(Secret::bytes(value.duplicate())),
            None => Fetched::Absent(Absence::default()),
        };
        objects.iter().map(|object| Ok(answer(object))).collect()
    }

    async fn find(&self, _: &Query) -> Result<Vec<Found>> {
        Err(find_unsupported(&self.info))
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {}
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = Variables::new(&[("DATABASE_PASSWORD", "s3cr3t")]);
    let fixture = ProviderFixture::new("DATABASE_PASSWORD", "", "s3cr3t").with_absent("NOPE").with_refused("A=B");
    check_provider(&provider, &fixture).await?;

    let store = Arc::new(MemoryStore::new());
    let engine =
        Engine::builder(Arc::clone(&store) as _).provider(ProviderKey::new("variables"), Arc::new(provider)).build();
    let spec = SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db")).with_data(DataEntry::new(
        "password",
        ProviderKey::new("variables"),
        RemoteRef::new("DATABASE_PASSWORD"),
    ));
    let report = engine.sync(&spec).await;
    anyhow::ensure!(report.outcome == Outcome::Created, "the sync failed: {:?}", report.error);
    anyhow::ensure!(
        store.value("shop", "db", "password").is_some_and(|value| value.expose() == b"s3cr3t"),
        "the store has another value"
    );
    println!("{} {}: {}", report.outcome.as_str(), report.target, report.reason);
    Ok(())
}
