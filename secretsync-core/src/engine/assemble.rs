//! Placeholder.
pub(crate) mod convert;
pub(crate) mod decode;
pub(crate) mod path;
