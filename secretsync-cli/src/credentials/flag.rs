//! `--credential [NAMESPACE/]NAME/KEY=env:VARIABLE|file:PATH`.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::CredentialRef;
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

/// One `--credential`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CredentialFlag {
    namespace: Option<String>,
    name: String,
    key: String,
    source: Source,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Source {
    Variable(String),
    File(PathBuf),
}

impl FromStr for CredentialFlag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "write [NAMESPACE/]NAME/KEY=env:VARIABLE or [NAMESPACE/]NAME/KEY=file:PATH";
        let (reference, source) = text.split_once('=').ok_or(FORM)?;
        let source = match source.split_once(':') {
            Some(("env", name)) if is_variable(name) => Source::Variable(name.to_owned()),
            Some(("file", path)) if !path.is_empty() => Source::File(path.into()),
            _ => return Err(FORM),
        };
        let parts: Vec<_> = reference.split('/').collect();
        let (namespace, name, key) = match parts.as_slice() {
            [name, key] => (None, *name, *key),
            [namespace, name, key] if !namespace.is_empty() => (Some((*namespace).to_owned()), *name, *key),
            _ => return Err(FORM),
        };
        if name.is_empty() || key.is_empty() {
            return Err(FORM);
        }
        Ok(Self { namespace, name: name.to_owned(), key: key.to_owned(), source })
    }
}

impl CredentialFlag {
    /// Whether both answer the same reference, so that one of them would be ignored.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.name == other.name && self.key == other.key
    }

    /// Whether it gives what a reference asks for in a namespace.
    pub(super) fn answers(&self, reference: &CredentialRef, namespace: &str) -> bool {
        self.key_of(reference, namespace) == Some(reference.key())
    }

    /// The key that it gives of the object that a reference names, if it gives any.
    pub(super) fn key_of(&self, object: &CredentialRef, namespace: &str) -> Option<&str> {
        let named = self.name == object.name() && self.namespace.as_deref().is_none_or(|named| named == namespace);
        named.then_some(&*self.key)
    }

    /// The value. Read when it is asked for, so that a file that is renewed while we run is seen.
    pub(super) fn value(&self) -> Result<SecretValue> {
        match &self.source {
            Source::Variable(name) => {
                #[expect(clippy::disallowed_methods, reason = "the user named this variable on the command line")]
                let value = std::env::var_os(name).map(OsString::into_encoded_bytes);
                let value = value.map(|bytes| SecretValue::from(Zeroizing::new(bytes)));
                // Not the variable's name: it could be the credential, typed in the wrong place.
                value.ok_or_else(|| {
                    self.failure("the variable that `--credential` names is not set".to_owned(), "set the variable")
                })
            }
            Source::File(path) => read(path).map(|bytes| SecretValue::from(Zeroizing::new(bytes))).map_err(|error| {
                let shown = path.display();
                self.failure(
                    format!("`{shown}` cannot be read"),
                    format!("correct the path `{shown}`, or give yourself the right to read it"),
                )
                .with_source(error)
            }),
        }
    }

    fn failure(&self, why: String, advice: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::NotFound, "read the credential")
            .on(format!("`{}/{}`", self.name, self.key))
            .because(why)
            .with_hint(Hint::new(Code::CredentialMissing, advice))
    }
}

/// Reads a credential. The bound keeps a device or a wrong file from filling the memory.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if count as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// As much as a Secret can hold.
const LIMIT: u64 = 1 << 20;

/// Whether a text can be the name of a variable: whoever writes the credential itself there is told the form, and not quoted.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_others_are_refused() {
        let flag: CredentialFlag = "shop/vault/token=env:A_B".parse().unwrap();
        assert_eq!(flag.source, Source::Variable("A_B".to_owned()));
        assert!(flag.answers(&CredentialRef::secret("vault", "token"), "shop"));
        assert!(!flag.answers(&CredentialRef::secret("vault", "token"), "other"));
        let anywhere: CredentialFlag = "vault/token=file:/run/token".parse().unwrap();
        assert!(anywhere.answers(&CredentialRef::secret("vault", "token"), "other"));
        for wrong in [
            "",
            "a",
            "a=env:B",
            "a/b=B",
            "a/b=env:",
            "a/b=env:hvs.token",
            "a/b=file:",
            "/b=env:C",
            "a/=env:C",
            "/a/b=env:C",
            "a/b/c/d=env:E",
            "a/b=http:x",
        ] {
            assert!(wrong.parse::<CredentialFlag>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_without_an_end_is_refused() {
        let flag: CredentialFlag = "vault/token=file:/dev/zero".parse().unwrap();
        let error = flag.value().unwrap_err();
        assert!(secretsync_core::error::chain(&error).ends_with("it is larger than 1 MiB"), "{error:?}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let flag: CredentialFlag = "vault/token=file:/nonexistent/token".parse().unwrap();
        assert!(flag.value().unwrap_err().to_string().contains("`/nonexistent/token` cannot be read"));
    }
}
