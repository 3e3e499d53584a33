//! The property rule of each payload kind.

use zeroize::Zeroizing;

use super::path;
use crate::error::{Code, Error, ErrorKind, Hint};
use crate::json::{Json, raw_members};
use crate::secret::{Payload, SecretValue};

/// Members of an object under their remote names.
pub(crate) type Members = Vec<(String, SecretValue)>;

/// The value of a payload, or of a property of it.
///
/// An object (Vault, SOPS): a member of exactly that name first, dots and all, then a path; without a property the whole object as compact JSON
/// (`eso-compat.md` 4.6). Bytes (AWS): a path with every dot escaped first, then the path as written; without a property the bytes (5.3).
pub(crate) fn value(payload: &Payload, property: Option<&str>) -> Result<SecretValue, Error> {
    let Some(property) = property.filter(|property| !property.is_empty()) else {
        return Ok(match payload {
            Payload::Bytes(bytes) => bytes.duplicate(),
            Payload::Object(object) => object.compact().into(),
        });
    };
    let found = match payload {
        Payload::Object(object) => match object.expose().get(property) {
            Some(member) => Some(member.to_bytes()),
            None => follow(object.compact(), property, property)?,
        },
        Payload::Bytes(bytes) => match follow(bytes.expose(), &path::escape_dots(property), property)? {
            Some(member) => Some(member),
            None => follow(bytes.expose(), property, property)?,
        },
    };
    found.map(SecretValue::from).ok_or_else(|| missing(payload, property))
}

fn follow(json: &[u8], path: &str, property: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    path::evaluate(json, path).map_err(|error| {
        Error::new(ErrorKind::InvalidData, "read")
            .on(format!("property `{}`", printable(property)))
            .with_source(error)
            .with_hint(Hint::new(Code::DataInvalid, "write a simpler `property`, and let a template do the rest"))
    })
}

/// The members of a payload, or of a property of it that is an object or holds the text of one.
pub(crate) fn members(payload: &Payload, property: Option<&str>) -> Result<Members, Error> {
    let property = property.filter(|property| !property.is_empty());
    match (payload, property) {
        (Payload::Object(object), None) => of_object(object.expose()),
        (Payload::Object(_), Some(_)) => {
            let text = value(payload, property)?;
            of_object(&Json::parse(text.expose()).map_err(|_| not_an_object())?)
        }
        (Payload::Bytes(_), _) => {
            let text = value(payload, property)?;
            let members = raw_members(text.expose()).map_err(|_| not_an_object())?;
            Ok(members.into_iter().map(|(name, bytes)| (name, SecretValue::from(bytes))).collect())
        }
    }
}

fn of_object(json: &Json) -> Result<Members, Error> {
    let members = json.as_object().ok_or_else(not_an_object)?;
    Ok(members.iter().map(|(name, member)| (name.clone(), member.to_bytes().into())).collect())
}

/// Without the parser's own words: the place at which a value stops being JSON tells its length.
fn not_an_object() -> Error {
    Error::new(ErrorKind::InvalidData, "take the members of the object")
        .because("its value is no JSON object")
        .with_hint(Hint::new(Code::DataInvalid, "use `data` with a `secretKey` for a value that is a plain text"))
}

fn missing(payload: &Payload, property: &str) -> Error {
    let error = Error::new(ErrorKind::InvalidData, "read").on(format!("property `{}`", printable(property)));
    let names = names(payload);
    let advice = match names.as_slice() {
        [] => "the object has no properties; leave `property` out to take its value".to_owned(),
        names => format!("use one of its properties: {}", names.join(", ")),
    };
    error.because("the object exists, but has no such property").with_hint(Hint::new(Code::PropertyMissing, advice))
}

/// Whether an object was there and lacked the property, and nothing else was wrong.
pub(crate) fn is_missing(error: &Error) -> bool {
    error.hint().is_some_and(|hint| hint.code() == Code::PropertyMissing)
}

/// The first names of a payload's top level. Names are no secrets: they are in the manifests.
fn names(payload: &Payload) -> Vec<String> {
    const SHOWN: usize = 12;
    let names: Vec<String> = match payload {
        Payload::Object(object) => {
            object.expose().as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
        }
        Payload::Bytes(bytes) => {
            raw_members(bytes.expose()).map(|members| members.into_keys().collect()).unwrap_or_default()
        }
    };
    let more = names.len().saturating_sub(SHOWN);
    let mut shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{}`", printable(name))).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}

fn printable(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}
