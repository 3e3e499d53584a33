//! From an answer of the KV engine to a secret. Pure.

use std::time::SystemTime;

use jiff::Timestamp;
use secretsync_core::json::Json;
use secretsync_core::object::{ObjectRef, Part};
use secretsync_core::provider::{Absence, Fetched};
use secretsync_core::secret::{Lease, Secret, SecretObject};

use crate::config::KvVersion;

/// An answer that is no secret.
#[derive(Debug)]
pub(super) enum Odd {
    /// A credential was issued although nothing was to be.
    Leased(Lease),
    /// It has another form.
    Malformed(&'static str),
}

/// Reads the body of an answer.
pub(super) fn found(object: &ObjectRef, version: KvVersion, body: Json) -> Result<Fetched, Odd> {
    let mut body = body.into_object().map_err(|_| Odd::Malformed("it is no object"))?;
    if let Some(Json::String(lease)) = body.get("lease_id")
        && !lease.expose().is_empty()
    {
        return Err(Odd::Leased(Lease::new(lease.expose(), false)));
    }
    let data = body.swap_remove("data").ok_or(Odd::Malformed("it has no `data`"))?;
    if data.as_object().is_none() {
        return Err(Odd::Malformed("its `data` is no object"));
    }
    match (version, object.part()) {
        (KvVersion::V1, _) => Ok(Fetched::Found(Secret::object(SecretObject::new(data)))),
        (KvVersion::V2, Part::Metadata) => metadata(data),
        (KvVersion::V2, _) => versioned(data),
    }
}

const DELETED: Absence = Absence::new(
    "this version of it is deleted or destroyed",
    "bring it back with `vault kv undelete`, or write a new one",
);

/// One version of an object: `data` and `metadata`.
fn versioned(data: Json) -> Result<Fetched, Odd> {
    let mut data = data.into_object().map_err(|_| Odd::Malformed("its `data` is no object"))?;
    let metadata = data.swap_remove("metadata").ok_or(Odd::Malformed("it has no `data.metadata`"))?;
    let ends = text(&metadata, "deletion_time").unwrap_or_default();
    let value = data.swap_remove("data").ok_or(Odd::Malformed("it has no `data.data`"))?;
    match value {
        // Deleted (it can be brought back) or destroyed (it cannot): both say that there is nothing to read.
        Json::Null if !ends.is_empty() || matches!(metadata.get("destroyed"), Some(Json::Bool(true))) => {
            Ok(Fetched::Absent(DELETED))
        }
        Json::Object(_) => {
            let secret = Secret::object(SecretObject::new(value));
            let secret = match change_token(&metadata) {
                Some(version) => secret.with_version(version),
                None => secret,
            };
            Ok(Fetched::Found(match expiry(ends) {
                Some(at) => secret.with_expiry(at),
                None => secret,
            }))
        }
        _ => Err(Odd::Malformed("its `data.data` is no object")),
    }
}

/// What `metadataPolicy: Fetch` shows, everything as text; custom metadata win.
fn metadata(data: Json) -> Result<Fetched, Odd> {
    let mut data = data.into_object().map_err(|_| Odd::Malformed("its `data` is no object"))?;
    if !data.contains_key("current_version") {
        return Err(Odd::Malformed("it has no `data.current_version`"));
    }
    let custom = data.swap_remove("custom_metadata").and_then(|custom| custom.into_object().ok()).unwrap_or_default();
    data.retain(|name, _| matches!(name.as_str(), "created_time" | "current_version" | "delete_version_after"));
    for value in data.values_mut() {
        if let Json::Number(number) = value {
            *value = Json::text(number.expose());
        }
    }
    data.extend(custom);
    Ok(Fetched::Found(Secret::object(SecretObject::new(Json::object(data)))))
}

/// Number and birth of a version: numbers begin anew when all metadata are deleted, so the number alone would miss such a change.
fn change_token(metadata: &Json) -> Option<String> {
    let Some(Json::Number(number)) = metadata.get("version") else { return None };
    let number = number.expose();
    Some(match text(metadata, "created_time") {
        Some(created) => format!("{number}@{created}"),
        None => number.to_owned(),
    })
}

/// The end of a version that deletes itself (`delete_version_after`).
fn expiry(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match json.get(name) {
        Some(Json::String(text)) => Some(text.expose()),
        _ => None,
    }
}
