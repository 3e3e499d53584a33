//! From answers to the data of the target: `dataFrom` in order, then `data`. Pure.

mod convert;
mod decode;
pub(crate) mod keep;
mod path;
mod property;
mod rewrite;

use std::time::SystemTime;

pub(crate) use decode::decode;
pub(crate) use keep::Keep;
pub(crate) use property::members;

use super::fetch::Answers;
use super::reads::{Members, Reads, at};
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::object::{ObjectRef, Part, Read};
use crate::provider::{Absence, Fetched};
use crate::secret::{Secret, SecretKey, SecretMap, SecretValue};
use crate::sync::{
    DataEntry, DataFrom, DeletionPolicy, NullBytePolicy, OnMissing, Origin, ProviderKey, Selection, SyncSpec,
    ValueRules,
};

/// The data of a target, before templates.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    /// Keys and values.
    pub(crate) data: SecretMap,
    /// Entries that are missing and may be.
    pub(crate) missing: Vec<Missing>,
    /// What they leave as it is.
    pub(crate) keep: Keep,
    /// When the first of the objects ends.
    pub(crate) expires_at: Option<SystemTime>,
    /// Why nothing may be taken away: a search that may not see everything found nothing.
    pub(crate) blind: Option<Error>,
}

/// An entry whose object or property is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Missing {
    pub(crate) origin: Origin,
    /// Whether the target keeps what it has of it.
    pub(crate) kept: bool,
}

impl Assembled {
    /// Puts back what stays, out of the values that the target has from this sync.
    pub(crate) fn keep(&mut self, own: &SecretMap) {
        for (key, value) in own.iter().filter(|(key, _)| self.keep.holds(key)) {
            self.data.insert(key.clone(), value.duplicate());
        }
    }

    /// Whether something is left out because it is not there.
    pub(crate) fn lacks(&self) -> bool {
        self.missing.iter().any(|missing| !missing.kept) || self.data.is_empty() && !self.keep.any()
    }

    /// Tells that an entry is missing. Says whether the target keeps what it has of it.
    fn miss(&mut self, origin: &Origin, on_missing: Option<OnMissing>) -> bool {
        let kept = on_missing == Some(OnMissing::Keep);
        self.missing.push(Missing { origin: origin.clone(), kept });
        kept
    }
}

/// Fails with the first entry whose object could not be read, among those that can be read repeatably: nothing is issued for a sync that fails anyway.
pub(crate) fn check(spec: &SyncSpec, reads: &Reads, answers: &Answers) -> Result<()> {
    let mut step = Assembly { spec, answers, result: Assembled::default() };
    for (index, (entry, members)) in spec.data_from.iter().zip(&reads.data_from).enumerate() {
        let origin = Origin::data_from(index, entry);
        if let Members::Of(object) = members
            && object.read() == Read::Repeatable
        {
            step.secret(&entry.provider, object, entry.on_missing).map_err(|error| at(&origin, error))?;
        }
    }
    for (index, (entry, object)) in spec.data.iter().zip(&reads.data).enumerate() {
        if object.read() == Read::Repeatable {
            let origin = Origin::data(index, entry);
            step.secret(&entry.provider, object, entry.on_missing).map_err(|error| at(&origin, error))?;
        }
    }
    Ok(())
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
        let value = step.value(entry, object).map_err(|error| at(&origin, error))?;
        step.result.keep.decide(&key);
        if let Some(value) = value {
            step.result.data.insert(key, value);
        } else if step.result.miss(&origin, entry.on_missing) {
            step.result.keep.key(key);
        }
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
                if let Some(members) = self.members(entry, object)? {
                    values = members;
                } else if self.result.miss(origin, entry.on_missing) {
                    self.result.keep.all();
                }
            }
            Members::Found(found) => {
                let access = self.spec.access_to(&entry.provider);
                if found.is_empty() && access.is_limited() {
                    self.result.blind = Some(at(origin, access.blind()));
                }
                for one in found {
                    match self.answer(&entry.provider, &one.object)? {
                        Fetched::Found(secret) => {
                            values.push((one.name.clone(), property::value(&secret.payload, None)?));
                        }
                        // Listed, but gone: a deleted version is listed on. It is left out, and told.
                        Fetched::Absent(_) => drop(self.result.miss(&origin.naming(&one.name), None)),
                    }
                }
                if values.is_empty() && entry.on_missing == Some(OnMissing::Fail) {
                    return Err(nothing_found());
                }
            }
        }
        let keyed = values.into_iter().collect();
        let mut keyed = match (&entry.selection, entry.rewrites.is_empty()) {
            (_, false) => rewrite::rewrite(&entry.rewrites, keyed)?,
            (Selection::Generate { .. }, true) => keyed,
            (_, true) => convert::convert_keys(entry.conversion, keyed).map_err(names)?,
        };
        convert::validate_keys(&mut keyed).map_err(names)?;
        for (name, value) in keyed {
            let value = finish(&name, value, entry.rules)?;
            let key = SecretKey::new(name).map_err(key_error)?;
            self.result.keep.decide(&key);
            self.result.data.insert(key, value);
        }
        Ok(())
    }

    /// The value of an entry, or `None` when it is missing and may be.
    fn value(&mut self, entry: &DataEntry, object: &ObjectRef) -> Result<Option<SecretValue>> {
        let Some(secret) = self.secret(&entry.provider, object, entry.on_missing)? else { return Ok(None) };
        let value = property::value(&secret.payload, entry.property.as_deref());
        let Some(value) = optional(value, entry.on_missing)? else { return Ok(None) };
        finish(&entry.secret_key, value, entry.rules).map(Some)
    }

    /// The members of an entry's object, or `None` when it is missing and may be.
    fn members(&mut self, entry: &DataFrom, object: &ObjectRef) -> Result<Option<property::Members>> {
        let Some(secret) = self.secret(&entry.provider, object, entry.on_missing)? else { return Ok(None) };
        optional(members(&secret.payload, entry.selection.property()), entry.on_missing)
    }

    /// The object, or `None` when it is absent and may be.
    fn secret(
        &mut self,
        provider: &ProviderKey,
        object: &ObjectRef,
        on_missing: Option<OnMissing>,
    ) -> Result<Option<Secret>> {
        let absence = match self.answer(provider, object)? {
            Fetched::Found(secret) => return Ok(Some(secret)),
            Fetched::Absent(absence) => absence,
        };
        let may_be_absent = match on_missing {
            Some(on_missing) => on_missing != OnMissing::Fail,
            // Metadata of an object that is not there is a mistake in the manifest, whatever may be deleted (`eso-compat.md` 4.6).
            None => self.spec.deletion != DeletionPolicy::Retain && object.part() != Part::Metadata,
        };
        if may_be_absent { Ok(None) } else { Err(absent(provider, object, absence)) }
    }

    fn answer(&mut self, provider: &ProviderKey, object: &ObjectRef) -> Result<Fetched> {
        match self.answers.get(provider, object) {
            Some(Ok(Fetched::Found(secret))) => {
                self.result.expires_at = [self.result.expires_at, secret.expires_at].into_iter().flatten().min();
                Ok(Fetched::Found(secret.clone()))
            }
            Some(answer) => answer.clone(),
            None => {
                Err(Error::new(ErrorKind::Internal, "read").on(format!("`{object}`")).because("it was never asked for"))
            }
        }
    }
}

/// What was taken of an object, or `None` where the property is missing and may be.
fn optional<T>(taken: Result<T>, on_missing: Option<OnMissing>) -> Result<Option<T>> {
    match taken {
        Err(error) if matches!(on_missing, Some(OnMissing::Keep | OnMissing::Skip)) && property::is_missing(&error) => {
            Ok(None)
        }
        taken => taken.map(Some),
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

/// The failure of an object that is not there and must be.
pub(crate) fn absent(provider: &ProviderKey, object: &ObjectRef, absence: Absence) -> Error {
    let Absence { reason, advice } = absence;
    Error::new(ErrorKind::NotFound, "read").on(format!("`{object}` from {provider}")).because(reason).with_hint(
        Hint::new(
            Code::SecretMissing,
            format!(
                "{advice}; with `onMissing: Skip`, or `deletionPolicy: Delete` or `Merge`, a missing object is no error"
            ),
        ),
    )
}

fn nothing_found() -> Error {
    Error::new(ErrorKind::NotFound, "find objects").because("there is none that matches").with_hint(Hint::new(
        Code::SecretMissing,
        "create one or correct `find`; without `onMissing: Fail` a search may find nothing",
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
