//! A manifest's reference to the one name of a document.

use secretsync_core::object::ObjectRef;
use secretsync_core::provider::RemoteRef;

use crate::error::{Error, quoted};

/// The document that a reference means. Slashes at the ends and doubled ones vanish; whatever could lead elsewhere is refused.
pub(crate) fn object(reference: &RemoteRef) -> Result<ObjectRef, Error> {
    if reference.version.is_some() {
        return Err(Error::unsupported(
            "documents have no versions that could be pinned",
            "remove `version`; the document's history is in its repository",
        ));
    }
    if reference.metadata {
        return Err(Error::unsupported("documents have no metadata to fetch", "remove `metadataPolicy`"));
    }
    name(&reference.key).map(ObjectRef::new)
}

/// The canonical form of a document's name.
pub(crate) fn name(key: &str) -> Result<String, Error> {
    if key.chars().any(char::is_control) {
        return Err(refused(key, "has a control character"));
    }
    let segments: Vec<&str> = key.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(refused(key, "has a segment `.` or `..`"));
    }
    if segments.is_empty() {
        return Err(refused(key, "names no document"));
    }
    Ok(segments.join("/"))
}

fn refused(key: &str, why: &str) -> Error {
    Error::PathRefused { what: format!("the key `{}` {why}", quoted(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_gives_one_name() {
        for key in ["app/db.yaml", "/app/db.yaml", "app//db.yaml/", "//app///db.yaml//"] {
            assert_eq!(object(&RemoteRef::new(key)).unwrap(), ObjectRef::new("app/db.yaml"), "{key}");
        }
        for key in ["%2e%2e", "..a", "a..", "…", "a\\b", ".hidden.yaml"] {
            assert_eq!(name(key).unwrap(), key);
        }
    }

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        for key in ["", "/", "..", "../a.yaml", "a/../b.yaml", "./a.yaml", "a/.", "a\0b", "a\nb", "a\u{7f}"] {
            assert!(matches!(name(key), Err(Error::PathRefused { .. })), "{key:?}");
        }
    }

    #[test]
    fn versions_and_metadata_are_refused() {
        assert!(matches!(object(&RemoteRef::new("a").with_version("1")), Err(Error::Unsupported { .. })));
        assert!(matches!(object(&RemoteRef::new("a").with_metadata()), Err(Error::Unsupported { .. })));
    }
}
