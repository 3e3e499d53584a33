//! One object into a map: no manifests, no Kubernetes.
// ci: run
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::sync::Arc;

use secretsync_core::engine::members;
use secretsync_core::provider::{
    Ambient, BuildContext, NoCredentials, ProviderExt as _, ProviderFactory as _, RawConfig, StoreOrigin,
};
use secretsync_providers::sops::SopsFactory;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The demo key of the quick start; a program of yours would use `Ambient::from_env()` or a `CredentialSource`.
    let key = include_str!("quickstart/1-demo-key.yaml")
        .lines()
        .find(|line| line.contains("AGE-SECRET-KEY-"))
        .unwrap_or_default()
        .trim();
    let context = BuildContext::new(StoreOrigin::cluster("demo"), Arc::new(NoCredentials::default()))
        .with_ambient(Some(Ambient::new(move |name| (name == "SOPS_AGE_KEY").then(|| key.into()))))
        .with_base(Some(concat!(env!("CARGO_MANIFEST_DIR"), "/quickstart").into()));
    let config = RawConfig::from_json(r#"{"source": {"path": "secrets.enc.yaml"}}"#);
    let provider = SopsFactory::new().build(&config, context).await?;

    let secret =
        provider.fetch_key("secrets.enc.yaml").await?.ok_or_else(|| anyhow::anyhow!("there is no such document"))?;
    let map = members(&secret)?;
    println!("the document has the parts {}", map.keys().cloned().collect::<Vec<_>>().join(" and "));
    Ok(())
}
