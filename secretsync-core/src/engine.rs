//! Placeholder.
pub(crate) mod assemble;
