//! The program on real servers and real documents: all sources, all four targets.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "e2e/access.rs"]
mod access;
#[path = "e2e/aws.rs"]
mod aws;
#[path = "e2e/bad_input.rs"]
mod bad_input;
#[path = "e2e/canary.rs"]
mod canary;
#[path = "e2e/crd.rs"]
mod crd;
#[path = "e2e/dynamic.rs"]
mod dynamic;
#[path = "e2e/example_sops.rs"]
mod example_sops;
#[path = "e2e/hostile.rs"]
mod hostile;
#[path = "e2e/kubernetes.rs"]
mod kubernetes;
#[path = "e2e/missing.rs"]
mod missing;
#[path = "e2e/parity.rs"]
mod parity;
#[path = "e2e/quickstart.rs"]
mod quickstart;
#[path = "e2e/render.rs"]
mod render;
#[path = "e2e/sandbox.rs"]
mod sandbox;
#[path = "e2e/sops.rs"]
mod sops;
#[path = "e2e/sops_kms.rs"]
mod sops_kms;
#[path = "e2e/sops_services.rs"]
mod sops_services;
#[path = "e2e/sops_verbs.rs"]
mod sops_verbs;
#[path = "e2e/spread.rs"]
mod spread;
#[path = "e2e/targets.rs"]
mod targets;
#[path = "e2e/templates.rs"]
mod templates;
#[path = "e2e/vault.rs"]
mod vault;
#[path = "e2e/watch.rs"]
mod watch;
