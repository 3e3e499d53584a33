//! The operator on a real API server, with the rights of `deploy/rbac.yaml` and no others.

#[path = "operator/batches.rs"]
mod batches;
#[path = "operator/canary.rs"]
mod canary;
#[path = "operator/deletions.rs"]
mod deletions;
#[path = "operator/generators.rs"]
mod generators;
#[path = "operator/hostile.rs"]
mod hostile;
#[path = "operator/leases.rs"]
mod leases;
#[path = "operator/references.rs"]
mod references;
#[path = "operator/rivals.rs"]
mod rivals;
#[path = "operator/stage.rs"]
mod stage;
#[path = "operator/unreadable.rs"]
mod unreadable;
