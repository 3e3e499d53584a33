//! The operator on a real API server, with the rights of `deploy/rbac.yaml` and no others.

#[path = "operator/generators.rs"]
mod generators;
#[path = "operator/stage.rs"]
mod stage;
