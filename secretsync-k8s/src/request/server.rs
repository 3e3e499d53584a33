//! The API server as requests reach it.

use std::sync::Arc;

use kube::Client;

use super::gate::{Gate, Pass, Priority};

/// A client, and where there is one, the gate before it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server {
    client: Client,
    gate: Option<Arc<Gate>>,
}

impl Server {
    /// With a gate that everything goes through.
    pub(crate) fn gated(client: Client, gate: Arc<Gate>) -> Self {
        Self { client, gate: Some(gate) }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for the turn of a request.
    pub(crate) async fn enter(&self, priority: Priority) -> Option<Pass> {
        match &self.gate {
            Some(gate) => Some(gate.enter(priority).await),
            None => None,
        }
    }
}

/// Without a gate: for programs that send few requests.
impl From<Client> for Server {
    fn from(client: Client) -> Self {
        Self { client, gate: None }
    }
}
