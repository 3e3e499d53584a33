//! What was issued: kept for one sync, renewed, replaced and given back, on a paused clock.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod issuer;
mod life;
mod trouble;
