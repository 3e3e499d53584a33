//! Passes over a store, one after the other.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// A pass over a store, until it is dropped. See [`Store::begin`](super::Store::begin).
///
/// The default is one that goes on beside others.
#[derive(Debug, Default)]
pub struct Pass {
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Lets passes over a store begin one after the other.
#[derive(Debug, Default)]
pub struct Passes(Arc<Mutex<()>>);

impl Passes {
    /// Waits until all earlier passes were dropped. First come, first served; a caller that goes away gives up its turn.
    pub async fn next(&self) -> Pass {
        Pass { _turn: Some(Arc::clone(&self.0).lock_owned().await) }
    }
}
