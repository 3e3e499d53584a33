//! Placeholder.
pub(crate) mod path;
