//! What an operator tells of itself, for a program that has pages of its own.

use std::sync::Arc;

use super::metrics::Metrics;

/// What an operator tells of itself. Cheap to clone; it stays when the operator has ended, and says then what was last.
#[derive(Clone, Debug)]
pub struct OperatorView(Arc<Metrics>);

impl OperatorView {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }

    /// Whether the cluster is known, so that work goes on: what `/readyz` tells.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// All figures in Prometheus' text format, under External Secrets Operator's names: what `/metrics` tells.
    pub fn metrics(&self) -> String {
        self.0.render()
    }
}
