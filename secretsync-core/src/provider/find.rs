//! Finding objects by name, path and tags.

use std::collections::BTreeMap;

use crate::access::KeyAccess;
use crate::object::ObjectRef;

/// What `dataFrom[].find` asks for. One without name and tags matches everything there, or is refused as an invalid configuration: External Secrets Operator does the one
/// with Vault, the other with AWS.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// Where to look; `None` for everywhere.
    pub path: Option<String>,
    /// A regular expression in Go's syntax (RE2), searched for anywhere in the name.
    pub name: Option<String>,
    /// Tags that all must be equal.
    pub tags: BTreeMap<String, String>,
    /// Whether it is a failure when the place to look in is not there. Otherwise nothing is found then, as in a place that is empty.
    pub must_exist: bool,
    /// Which objects may be found. The engine leaves out the others; a provider should not even look at them, beyond their names.
    pub access: KeyAccess,
}

/// One object that matched.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The object.
    pub object: ObjectRef,
    /// The key it has in the result, before rewriting and conversion.
    pub name: String,
}

impl Found {
    /// An object under the key that it has in the result.
    pub fn new(object: ObjectRef, name: impl Into<String>) -> Self {
        Self { object, name: name.into() }
    }
}
