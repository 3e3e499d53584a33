//! Values with methods or fields: moments in time, versions, certificates with their keys.

use std::fmt;
use std::sync::Arc;

use crate::function::Function;
use crate::time::Time;
use crate::value::{Bytes, Value};
use crate::version::Version;

/// A Go struct that templates can print, compare and call methods of. `Debug` shows its type only.
#[derive(Clone)]
pub struct Object(Arc<Kind>);

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    #[cfg(feature = "crypto")]
    Certificate(Issued),
    Time(Time),
    Version(Version),
}

/// A certificate and its private key, both as PEM text.
#[cfg(feature = "crypto")]
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Issued {
    pub(crate) certificate: Bytes,
    pub(crate) key: Bytes,
}

impl Object {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Arc::new(kind))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Go's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => "sprig.certificate",
            Kind::Time(_) => "time.Time",
            Kind::Version(_) => "*semver.Version",
        }
    }

    /// Go's name of the kind of type.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => "struct",
            Kind::Time(_) => "struct",
            Kind::Version(_) => "ptr",
        }
    }

    /// Go's `==`: versions are pointers, so only the same one is equal.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => self.kind() == other.kind(),
            Kind::Time(_) => self.kind() == other.kind(),
            Kind::Version(_) => Arc::ptr_eq(&self.0, &other.0),
        }
    }

    /// The fields that `printf` shows. Those of a moment in time hold addresses in Go, so it has none here.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Value)> {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(issued) => {
                vec![("Cert", Value::Bytes(issued.certificate.clone())), ("Key", Value::Bytes(issued.key.clone()))]
            }
            Kind::Time(_) => Vec::new(),
            Kind::Version(version) => {
                let Version { major, minor, patch, prerelease, metadata, original } = version;
                vec![
                    ("major", Value::Uint(*major)),
                    ("minor", Value::Uint(*minor)),
                    ("patch", Value::Uint(*patch)),
                    ("pre", Value::text(prerelease.as_str())),
                    ("metadata", Value::text(metadata.as_str())),
                    ("original", Value::text(original.as_str())),
                ]
            }
        }
    }

    /// Whether it has a `String` method.
    pub(crate) fn prints_text(&self) -> bool {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => false,
            Kind::Time(_) | Kind::Version(_) => true,
        }
    }

    /// Its `String` method.
    pub(crate) fn text(&self) -> String {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => String::new(),
            Kind::Time(time) => time.to_string(),
            Kind::Version(version) => version.to_string(),
        }
    }

    /// What its JSON text says.
    pub(crate) fn json_text(&self) -> String {
        match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => String::new(),
            Kind::Time(time) => time.to_rfc3339(),
            Kind::Version(version) => version.to_string(),
        }
    }

    /// A method; its first argument is the object.
    pub(crate) fn method(&self, name: &[u8]) -> Option<&'static Function> {
        let methods = match self.kind() {
            #[cfg(feature = "crypto")]
            Kind::Certificate(_) => crate::function::CERTIFICATE_FIELDS,
            Kind::Time(_) => crate::function::TIME_METHODS,
            Kind::Version(_) => crate::function::VERSION_METHODS,
        };
        methods.iter().find(|method| method.name.as_bytes() == name)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}
