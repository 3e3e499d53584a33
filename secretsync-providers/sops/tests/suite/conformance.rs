//! The contract of every provider, on documents that the real sops made.

use secretsync_core::conformance::{ProviderFixture, check_provider};
use xtask::rig::sops::{Format, Sops};

use crate::support::{RECIPIENT, Store};

#[tokio::test]
async fn the_provider_keeps_the_contract_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let sops = Sops::new().unwrap();
    for (format, plain) in [
        (Format::Yaml, "user: ann-77ab\nn: {a: 1}\n"),
        (Format::Json, r#"{"user": "ann-77ab", "n": {"a": 1}}"#),
        (Format::Dotenv, "user=ann-77ab\n"),
        // A property of bytes is looked for in the JSON that they hold.
        (Format::Binary, r#"{"user": "ann-77ab"}"#),
    ] {
        let name = format!("app.{}", if format == Format::Dotenv { "env" } else { format.name() });
        std::fs::write(folder.path().join(&name), sops.encrypt(plain, format, &[RECIPIENT], &[]).unwrap()).unwrap();
        let provider = Store::path(folder.path(), ".").build().await.unwrap();
        let fixture = ProviderFixture::new(&name, "user", "ann-77ab")
            .with_alias(format!("/{name}"))
            .with_alias(format!("{name}/"))
            .with_absent("none.yaml")
            .with_refused("../app.yaml")
            .with_refused("a\nb.yaml")
            .with_refused("");
        check_provider(&*provider, &fixture).await.unwrap();
    }
}
