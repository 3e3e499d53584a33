//! From a manifest's key to the one name of an object, and from that name to the path of a request. Pure.

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::object::{ObjectRef, Part, Read};
use secretsync_core::provider::RemoteRef;

use crate::config::KvVersion;

/// The object that a reference means, for a store with this mount (in canonical form) and KV version.
///
/// Every spelling that External Secrets Operator sends to one URL gives one name: with or without the mount, with or without `data/`, with leading,
/// trailing or doubled slashes. Without a mount, a version 2 key is split at its first `/data/`, else after its first segment. Only Vault knows where a
/// mount ends; the request is the same wherever such a key is split, and the first `/data/` is right for every mount whose own path has no segment `data`.
pub(crate) fn object(mount: Option<&str>, version: KvVersion, reference: &RemoteRef) -> Result<ObjectRef> {
    let RemoteRef { key, .. } = reference;
    let all = segments(key).map_err(|reason| invalid(key, reason, "write the key as a path of plain segments"))?;
    if all.is_empty() {
        return Err(invalid(key, "it is empty", "name the object"));
    }
    let object = match (mount, version) {
        (Some(mount), _) => ObjectRef::new(below(mount, &all, version).join("/")).within(mount),
        (None, KvVersion::V1) => ObjectRef::new(all.join("/")),
        (None, KvVersion::V2) => {
            let (mount, name) = split(&all).ok_or_else(|| {
                invalid(key, "it names a mount and nothing in it", "write it as MOUNT/NAME, or set `path` in the store")
            })?;
            ObjectRef::new(name.join("/")).within(mount.join("/"))
        }
    };
    select(object, version, reference)
}

/// What reading an object of a store does, as far as its name tells: a version 1 store reads any engine, and others than KV issue something.
pub(crate) fn reading(version: KvVersion) -> Read {
    match version {
        KvVersion::V1 => Read::Issuing,
        KvVersion::V2 => Read::Repeatable,
    }
}

/// The segments of a path; empty ones vanish.
pub(crate) fn segments(path: &str) -> Result<Vec<&str>, &'static str> {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err("`.` and `..` are not followed");
    }
    if path.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    Ok(segments)
}

/// The path of the request that reads an object, below `/v1/`.
pub(crate) fn request_path(object: &ObjectRef, version: KvVersion) -> String {
    let kind = match (version, object.part()) {
        (KvVersion::V1, _) => None,
        (KvVersion::V2, Part::Metadata) => Some("metadata"),
        (KvVersion::V2, _) => Some("data"),
    };
    let parts = [object.container(), kind, Some(object.name())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// What remains of a key in a store that names its mount.
fn below<'a>(mount: &str, key: &'a [&'a str], version: KvVersion) -> &'a [&'a str] {
    let mount: Vec<_> = mount.split('/').collect();
    let mut rest = key;
    if rest.len() > mount.len() && rest.starts_with(&mount) {
        rest = &rest[mount.len()..];
    }
    match rest {
        ["data", name @ ..] if version == KvVersion::V2 && !name.is_empty() => name,
        rest => rest,
    }
}

/// Mount and name of a key in a store that names no mount.
pub(crate) fn split<'a>(key: &'a [&'a str]) -> Option<(&'a [&'a str], &'a [&'a str])> {
    let data = (1..key.len().saturating_sub(1)).find(|&at| key[at] == "data");
    match data {
        Some(at) => Some((&key[..at], &key[at + 1..])),
        None if key.len() > 1 => Some(key.split_at(1)),
        None => None,
    }
}

/// Adds version and part.
fn select(object: ObjectRef, version: KvVersion, reference: &RemoteRef) -> Result<ObjectRef> {
    let RemoteRef { key, version: pinned, metadata, .. } = reference;
    let object = object.with_read(reading(version));
    let pinned = pinned.as_deref().filter(|text| !text.is_empty());
    if version == KvVersion::V1 {
        const ADVICE: &str = "read a KV version 2 mount with `version: v2` in the store";
        if *metadata {
            return Err(invalid(key, "cannot perform metadata fetch operations with kv version v1", ADVICE));
        }
        if pinned.is_some() {
            return Err(invalid(key, "kv version v1 has no versions to pin", ADVICE));
        }
    }
    if *metadata {
        // The metadata describe all versions.
        return Ok(object.with_part(Part::Metadata));
    }
    let Some(pinned) = pinned else { return Ok(object) };
    match pinned.parse::<u64>() {
        // Vault reads version 0 as the newest.
        Ok(0) => Ok(object),
        Ok(number) => Ok(object.with_version(number.to_string())),
        Err(_) => Err(invalid(key, "its version is no number", "pin a version as `vault kv metadata get` shows it")),
    }
}

fn invalid(key: &str, reason: &'static str, advice: &'static str) -> Error {
    let shown: String = key.chars().take(200).flat_map(char::escape_debug).collect();
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("the key `{shown}`"))
        .because(reason)
        .with_hint(Hint::new(Code::ManifestInvalid, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(mount: Option<&str>, version: KvVersion, key: &str) -> String {
        request_path(&object(mount, version, &RemoteRef::new(key)).unwrap(), version)
    }

    #[test]
    fn keys_lead_to_the_paths_of_external_secrets_operator() {
        use KvVersion::{V1, V2};
        for (mount, version, key, expected) in [
            (Some("secret/path"), V2, "secret/path/data/test", "secret/path/data/test"),
            (Some("secret/path"), V2, "secret/path/test", "secret/path/data/test"),
            (Some("secret/path"), V2, "test", "secret/path/data/test"),
            (Some("secret/path"), V2, "data/test", "secret/path/data/test"),
            (Some("secret/path"), V2, "secret/pathological", "secret/path/data/secret/pathological"),
            (Some("secret/path"), V1, "secret/path/test", "secret/path/test"),
            (Some("secret/path"), V1, "test", "secret/path/test"),
            (Some("secret/path"), V1, "data/test", "secret/path/data/test"),
            (Some("secret"), V2, "secret", "secret/data/secret"),
            (Some("secret"), V2, "data", "secret/data/data"),
            (Some("secret"), V2, "secret/secret/x", "secret/data/secret/x"),
            (None, V2, "secret/test/big/path", "secret/data/test/big/path"),
            (
                None,
                V2,
                "secret/test/data/not/the/first/and/data/twice",
                "secret/test/data/not/the/first/and/data/twice",
            ),
            (None, V2, "secret/data", "secret/data/data"),
            (None, V1, "secret/test", "secret/test"),
            (None, V1, "secret", "secret"),
        ] {
            assert_eq!(path(mount, version, key), expected, "{mount:?} {version} {key}");
        }
    }

    #[test]
    fn every_alias_gives_one_name() {
        let name = |mount, key: &str| object(mount, KvVersion::V2, &RemoteRef::new(key)).unwrap();
        for alias in
            ["app/db", "/app/db", "app//db/", "kv/app/db", "kv/data/app/db", "//kv//data/app/db", "data/app/db"]
        {
            assert_eq!(name(Some("kv"), alias), name(Some("kv"), "app/db"), "{alias}");
        }
        for alias in ["kv/app/db", "kv/data/app/db", "/kv/app//db"] {
            assert_eq!(name(None, alias), name(Some("kv"), "app/db"), "{alias}");
        }
    }

    #[test]
    fn the_first_data_ends_the_mount() {
        let found = object(None, KvVersion::V2, &RemoteRef::new("team/kv/data/a/data/b")).unwrap();
        assert_eq!((found.container(), found.name()), (Some("team/kv"), "a/data/b"));
    }

    #[test]
    fn keys_that_leave_the_mount_or_hide_something_are_refused() {
        for bad in ["", "/", "a/../b", "..", "a/./b", "a/b\n", "a\u{0}b", "a\u{85}b"] {
            let error = object(Some("kv"), KvVersion::V2, &RemoteRef::new(bad)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{bad:?}");
            assert!(!error.to_string().contains(['\n', '\u{0}', '\u{85}']), "{bad:?}");
        }
        assert!(object(None, KvVersion::V2, &RemoteRef::new("kv")).is_err());
    }

    #[test]
    fn percent_signs_and_dots_are_letters() {
        for key in ["a/%2e%2e/b", "a/...", "a/.b", "a b+c?d#e", "ä/%"] {
            assert_eq!(object(Some("kv"), KvVersion::V2, &RemoteRef::new(key)).unwrap().name(), key);
        }
    }

    #[test]
    fn versions_are_numbers_in_one_spelling() {
        let version = |text: &str| {
            let found = object(Some("kv"), KvVersion::V2, &RemoteRef::new("a").with_version(text));
            found.map(|object| object.version().map(str::to_owned))
        };
        assert_eq!(version("3").unwrap().as_deref(), Some("3"));
        assert_eq!(version("03").unwrap().as_deref(), Some("3"));
        assert_eq!(version("0").unwrap(), None);
        assert_eq!(version("").unwrap(), None);
        assert_eq!(version("latest").unwrap_err().hint().unwrap().code(), Code::ManifestInvalid);
    }

    #[test]
    fn metadata_are_an_object_of_their_own_and_of_version_2_only() {
        let reference = RemoteRef::new("kv/data/a").with_metadata().with_version("2");
        let found = object(Some("kv"), KvVersion::V2, &reference).unwrap();
        assert_eq!(request_path(&found, KvVersion::V2), "kv/metadata/a");
        assert_eq!(found.version(), None);
        let error = object(Some("kv"), KvVersion::V1, &reference).unwrap_err();
        assert!(error.to_string().ends_with("cannot perform metadata fetch operations with kv version v1"));
        let pinned = RemoteRef::new("a").with_version("1");
        assert_eq!(object(None, KvVersion::V1, &pinned).unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}
