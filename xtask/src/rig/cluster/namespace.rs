//! Throw-away namespaces, so that tests can share a cluster.

use std::ops::Deref;

use anyhow::Result;

use super::Cluster;
use crate::rig::process::random_token;

/// A namespace of its own for a test; reads as its name.
#[derive(Debug)]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Namespace<'a> {
    pub(super) fn create(cluster: &'a Cluster, prefix: &str) -> Result<Self> {
        let token = random_token()?;
        let name = format!("{prefix}-{}", &token[..8]);
        cluster.kubectl(&["create", "namespace", &name])?;
        Ok(Self { cluster, name })
    }

    /// Its name, the prefix followed by a random part.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `kubectl` in this namespace as the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[&["--namespace", &self.name], arguments].concat())
    }
}

impl Deref for Namespace<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // The cluster may be gone by design of the test, and the namespace with it.
        drop(self.cluster.kubectl(&["delete", "namespace", &self.name, "--wait=false"]));
    }
}
