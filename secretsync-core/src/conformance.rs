//! Contract checks that any [`Provider`](crate::provider::Provider) or [`Store`](crate::store::Store) can run against its real other side.
//!
//! Each check returns what is wrong in one sentence, so that it works in any test harness:
//!
//! ```
//! use secretsync_core::conformance::{ProviderFixture, check_provider};
//! use secretsync_core::memory::MemoryProvider;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let provider = MemoryProvider::new("demo").with_json("app/db", r#"{"user": "ann"}"#);
//! let fixture = ProviderFixture::new("app/db", "user", "ann").with_alias("/app//db").with_absent("app/none").with_refused("../x");
//! check_provider(&provider, &fixture).await.unwrap();
//! # });
//! ```

mod provider;
mod store;

pub use provider::{ProviderFixture, check_provider};
pub use store::check_store;

/// What is wrong, in one sentence.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(otherwise.into())) }
}
