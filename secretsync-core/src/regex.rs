//! Go's regular expressions, as every pattern of a manifest is read: the ones of the template engine.

pub use secretsync_template::{GoRegex, RegexError};
