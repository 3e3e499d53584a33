//! The credentials that a process finds in its environment.

use std::ffi::OsString;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use crate::secret::SecretValue;

/// A look at the environment, handed to factories instead of letting them look themselves: a namespaced store must never use the identity of the
/// process by accident (design 9.2).
#[derive(Clone)]
pub struct Ambient(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

impl Ambient {
    /// The environment of this process.
    pub fn from_env() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the function named from_env")]
        Self::new(|name| std::env::var_os(name))
    }

    /// Any look-up of variables: a test's, an embedder's.
    pub fn new(lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// A variable that holds a secret; empty ones count as absent.
    pub fn secret(&self, name: &str) -> Option<SecretValue> {
        let text = (self.0)(name)?.into_string().ok()?;
        let text = zeroize::Zeroizing::new(text);
        (!text.is_empty()).then(|| SecretValue::from(text.as_str()))
    }

    /// A variable that holds a path; empty ones count as absent.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|text| !text.is_empty()).map(PathBuf::from)
    }
}

/// The same look, not the same answers.
impl PartialEq for Ambient {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Ambient {}

impl Hash for Ambient {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambient(..)")
    }
}
