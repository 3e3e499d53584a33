//! From answers to the data of the target: `dataFrom` in order, then `data`. Pure.

mod convert;
mod decode;
mod path;
mod property;
mod rewrite;

use std::time::SystemTime;

pub(crate) use decode::decode;
pub(crate) use property::members;

use super::fetch::Answers;
use super::reads::{Members, Reads, at};
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::object::{ObjectRef, Part};
use crate::provider::Fetched;
use crate::secret::{Secret, SecretKey, SecretMap, SecretValue};
use crate::sync::{DataFrom, DeletionPolicy, NullBytePolicy, Origin, ProviderKey, SyncSpec, ValueRules};

/// The data of a target, before templates.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    /// Keys and values.
    pub(crate) data: SecretMap,
    /// Entries whose object is absent, where the deletion policy allows it.
    pub(crate) missing: Vec<Origin>,
    /// When the first of the objects ends.
    pub(crate) expires_at: Option<SystemTime>,
    /// Why nothing may be taken away: a search that may not see everything found nothing.
    pub(crate) blind: Option<Error>,
}

/// Puts the data together. Fails with the first entry that cannot be used; nothing of the others counts then.
pub(crate) fn assemble(spec: &SyncSpec, reads: &Reads, answers: &Answers) -> Result<Assembled> {
    let mut step = Assembly { spec, answers, result: Assembled::default() };
    for (index, (entry, members)) in spec.data_from.iter().zip(&reads.data_from).enumerate() {
        let origin = Origin::data_from(index, entry);
        step.add_members(entry, members, &origin).map_err(|error| at(&origin, error))?;
    }
    for (index, (entry, object)) in spec.data.iter().zip(&reads.data).enumerate() {
        let origin = Origin::data(index, entry);
        let key = SecretKey::new(&*entry.secret_key).map_err(|error| at(&origin, key_error(error)))?;
        let Some(secret) = step.secret(&entry.provider, object, &origin).map_err(|error| at(&origin, error))? else {
            continue;
        };
        let value = property::value(&secret.payload, entry.property.as_deref())
            .and_then(|value| finish(&entry.secret_key, value, entry.rules))
            .map_err(|error| at(&origin, error))?;
        step.result.data.insert(key, value);
    }
    Ok(step.result)
}

struct Assembly<'a> {
    spec: &'a SyncSpec,
    answers: &'a Answers,
    result: Assembled,
}

impl Assembly<'_> {
    fn add_members(&mut self, entry: &DataFrom, members: &Members, origin: &Origin) -> Result<()> {
        let mut values = Vec::new();
        match members {
            Members::Of(object) => {
                if let Some(secret) = self.secret(&entry.provider, object, origin)? {
                    values = property::members(&secret.payload, entry.selection.property())?;
                }
            }
            Members::Found(found) => {
                let access = self.spec.access_to(&entry.provider);
                if found.is_empty() && access.is_limited() {
                    self.result.blind = Some(at(origin, access.blind()));
                }
                for one in found {
                    match self.answer(&entry.provider, &one.object)? {
                        Some(secret) => values.push((one.name.clone(), property::value(&secret.payload, None)?)),
                        // Listed, but gone: a deleted version is listed on. It is left out, and told.
                        None => self.result.missing.push(origin.naming(&one.name)),
                    }
                }
            }
        }
        let keyed = values.into_iter().collect();
        let mut keyed = if entry.rewrites.is_empty() {
            convert::convert_keys(entry.conversion, keyed).map_err(names)?
        } else {
            rewrite::rewrite(&entry.rewrites, keyed)?
        };
        convert::validate_keys(&mut keyed).map_err(names)?;
        for (name, value) in keyed {
            let value = finish(&name, value, entry.rules)?;
            self.result.data.insert(SecretKey::new(name).map_err(key_error)?, value);
        }
        Ok(())
    }

    /// The object, or `None` when it is absent and may be.
    fn secret(&mut self, provider: &ProviderKey, object: &ObjectRef, origin: &Origin) -> Result<Option<Secret>> {
        if let Some(secret) = self.answer(provider, object)? {
            return Ok(Some(secret));
        }
        // Metadata of an object that is not there is a mistake in the manifest, whatever may be deleted (`eso-compat.md` 4.6).
        if self.spec.deletion == DeletionPolicy::Retain || object.part() == Part::Metadata {
            return Err(absent(provider, object));
        }
        self.result.missing.push(origin.clone());
        Ok(None)
    }

    fn answer(&mut self, provider: &ProviderKey, object: &ObjectRef) -> Result<Option<Secret>> {
        match self.answers.get(provider, object) {
            Some(Ok(Fetched::Found(secret))) => {
                self.result.expires_at = [self.result.expires_at, secret.expires_at].into_iter().flatten().min();
                Ok(Some(secret.clone()))
            }
            Some(Ok(Fetched::Absent)) => Ok(None),
            Some(Err(error)) => Err(error.clone()),
            None => {
                Err(Error::new(ErrorKind::Internal, "read").on(format!("`{object}`")).because("it was never asked for"))
            }
        }
    }
}

/// Decodes a value and applies the NUL rule.
fn finish(key: &str, value: SecretValue, rules: ValueRules) -> Result<SecretValue> {
    let value = decode(value, rules.decoding).map_err(|error| {
        Error::new(ErrorKind::InvalidData, "decode")
            .on(format!("the value for key `{key}`"))
            .with_source(error)
            .with_hint(Hint::new(
                Code::DataInvalid,
                "set `decodingStrategy: None`, or store the value in the encoding that it names",
            ))
    })?;
    if rules.null_bytes == NullBytePolicy::Fail && value.expose().contains(&0) {
        return Err(Error::new(ErrorKind::InvalidData, "accept")
            .on(format!("the value for key `{key}`"))
            .because("it contains NUL bytes and `nullBytePolicy` is Fail")
            .with_hint(Hint::new(
                Code::DataInvalid,
                "decode the value with `decodingStrategy`, or allow NUL bytes with `nullBytePolicy: Ignore`",
            )));
    }
    Ok(value)
}

fn absent(provider: &ProviderKey, object: &ObjectRef) -> Error {
    Error::new(ErrorKind::NotFound, "read")
        .on(format!("`{object}` from {provider}"))
        .because("it does not exist")
        .with_hint(Hint::new(
            Code::SecretMissing,
            "create it or correct the key; with `deletionPolicy: Delete` or `Merge` a missing object is no error",
        ))
}

fn names(error: convert::KeyError) -> Error {
    Error::new(ErrorKind::InvalidData, "make keys from the remote names").with_source(error).with_hint(Hint::new(
        Code::KeyInvalid,
        "set `conversionStrategy: Unicode` or change the keys with `rewrite`, or name the values one by one with `data`",
    ))
}

fn key_error(error: crate::secret::InvalidKey) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use the key")
        .with_source(error)
        .with_hint(Hint::new(Code::KeyInvalid, "choose another `secretKey`"))
}
