//! Placeholder.

pub mod json;
