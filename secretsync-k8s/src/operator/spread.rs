//! ClusterExternalSecrets: each is spread over the namespaces that it selects, as one ExternalSecret in each (`eso-compat.md` 1.5).
//!
//! What is known is kept in [`Spreads`](known::Spreads), from which [`Plan`](plan::Plan) is worked out without asking anybody; [`job`] does it. The
//! ExternalSecrets have a controller reference to their ClusterExternalSecret, so the garbage collector removes them with it: no finalizer is set, and
//! those that External Secrets Operator set are taken off.

pub(super) mod job;
pub(super) mod known;
pub(super) mod object;
pub(super) mod plan;
pub(super) mod status;
