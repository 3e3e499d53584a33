//! How the data key of one document is found among the keys of a store.

use std::sync::Arc;

use secretsync_core::error::{self as core, Retry};
use zeroize::Zeroizing;

use super::KeyRing;
use super::age::NoFit;
use super::service::Declined;
use crate::document::{DataKey, KeyGroups, KeyKind, MasterKey, PART, combine};
use crate::error::{Error, shortened};

/// The search for a data key: what was unwrapped so far, and why each other key did not serve.
///
/// It has two halves, because the cheap keys come first: identities in memory, then, only if these do not suffice, services over the network, one
/// after the other in the order of the configuration. A document selects among them and has no other say.
pub(crate) struct Unwrapping {
    groups: Arc<KeyGroups>,
    /// What each group gave: the data key itself, or a part of it.
    parts: Vec<Option<Zeroizing<Vec<u8>>>>,
    /// Why a key did not serve, for each key in the order of the document.
    reasons: Vec<Vec<String>>,
    /// The failure of a service that decides about trying again: the first that may pass, else the first.
    failure: Option<core::Error>,
    /// How often services may still be asked.
    questions: usize,
}

impl Unwrapping {
    /// Tries every key that needs nobody else.
    pub(crate) fn offline(groups: &Arc<KeyGroups>, ring: &KeyRing) -> Self {
        let mut search = Self {
            groups: Arc::clone(groups),
            parts: Vec::with_capacity(groups.groups.len()),
            reasons: groups.groups.iter().map(|keys| vec![String::new(); keys.len()]).collect(),
            failure: None,
            questions: MOST_QUESTIONS,
        };
        for (keys, reasons) in groups.groups.iter().zip(&mut search.reasons) {
            let mut part = None;
            for (key, reason) in keys.iter().zip(reasons).filter(|(key, _)| key.kind == KeyKind::Age) {
                match ring.age.unwrap(&key.wrapped) {
                    Ok(bytes) if bytes.len() == length(groups) => {
                        part = Some(bytes);
                        break;
                    }
                    Ok(_) | Err(NoFit::Damaged) => "its entry in the document is damaged".clone_into(reason),
                    Err(NoFit::NoIdentity) => {
                        key.unsupported_recipient().unwrap_or("no identity for it is configured").clone_into(reason);
                    }
                }
            }
            search.parts.push(part);
        }
        search
    }

    /// Asks the services for what is still missing, and nobody once it is enough.
    pub(crate) async fn online(&mut self, ring: &KeyRing) {
        let groups = Arc::clone(&self.groups);
        for (group, keys) in groups.groups.iter().enumerate() {
            if self.enough() {
                return;
            }
            if self.parts[group].is_none() {
                self.parts[group] = self.ask(group, keys, ring).await;
            }
        }
    }

    async fn ask(&mut self, group: usize, keys: &[MasterKey], ring: &KeyRing) -> Option<Zeroizing<Vec<u8>>> {
        for service in ring.services.iter() {
            for (index, key) in keys.iter().enumerate() {
                let Some(wrapped) = key.for_service().filter(|wrapped| wrapped.kind == service.kind) else { continue };
                let declined = match service.unwrap(&wrapped, &mut self.questions).await {
                    Ok(part) if part.len() == length(&self.groups) => return Some(part),
                    Ok(_) => "its entry in the document is damaged".to_owned(),
                    Err(declined) => {
                        let told = declined.told(&service.place);
                        if let Declined::Failed(error) = declined {
                            self.failed(error);
                        }
                        told
                    }
                };
                let reason = &mut self.reasons[group][index];
                if !reason.is_empty() {
                    reason.push_str(", ");
                }
                reason.push_str(&declined);
            }
        }
        None
    }

    fn failed(&mut self, error: core::Error) {
        let passes = |error: &core::Error| error.retry() != Retry::Never;
        if self.failure.as_ref().is_none_or(|known| passes(&error) && !passes(known)) {
            self.failure = Some(error);
        }
    }

    /// Whether nothing more need be unwrapped. A document that does not say how many parts it needs needs them all.
    fn enough(&self) -> bool {
        let needed = self.groups.needed().unwrap_or(1);
        self.unwrapped() >= needed
    }

    fn unwrapped(&self) -> usize {
        self.parts.iter().flatten().count()
    }

    /// The data key, if what was unwrapped is enough.
    pub(crate) fn found(&self) -> Option<Result<DataKey, Error>> {
        self.enough().then(|| self.data_key())
    }

    /// The data key, or the reasons why there is none. As sops does it, a document that does not say how many parts it needs is tried with what
    /// there is.
    pub(crate) fn finish(self, ring: &KeyRing) -> Result<DataKey, Error> {
        if self.enough() || (self.groups.split() && self.groups.threshold.is_none() && self.unwrapped() > 1) {
            return self.data_key();
        }
        Err(self.refusal(ring))
    }

    fn data_key(&self) -> Result<DataKey, Error> {
        let parts: Vec<_> = self.parts.iter().flatten().cloned().collect();
        if self.groups.split() {
            return combine(&parts).ok_or_else(|| Error::metadata("has key groups that hold no parts of one key"));
        }
        let key = parts.first().and_then(|part| part.as_slice().try_into().ok());
        key.map(Zeroizing::new).ok_or_else(|| Error::metadata("has a key that is no data key"))
    }

    fn refusal(self, ring: &KeyRing) -> Error {
        let split = self.groups.split();
        let mut tried = Vec::new();
        for ((group, key), reason) in self.groups.keys().zip(self.reasons.iter().flatten()) {
            if self.parts[group].is_some() {
                continue;
            }
            let place = if split { format!("group {}: ", group + 1) } else { String::new() };
            let why = if reason.is_empty() { never(key) } else { shortened(reason, 400) };
            tried.push(format!("{place}{}: {why}", key.told()));
        }
        let more = tried.len().saturating_sub(SHOWN);
        tried.truncate(SHOWN);
        if more > 0 {
            tried.push(format!("{more} more"));
        }
        let keys = tried.len();
        tried.extend(ring.unusable().map(str::to_owned));
        let missing = match self.groups.needed() {
            Some(needed) => format!(
                "its data key is split, and the configured keys open {} of the {needed} key groups that it takes",
                self.unwrapped()
            ),
            None => "none of the configured keys opens it".to_owned(),
        };
        let only_unsupported = self.groups.only_unsupported();
        let cause = self.failure.filter(|error| error.retry() != Retry::Never || keys == 1);
        Error::NoKey { missing, tried, only_unsupported, cause }
    }
}

/// How long an unwrapped key is in bytes.
fn length(groups: &KeyGroups) -> usize {
    if groups.split() { PART } else { PART - 1 }
}

/// Why a key was not even tried.
fn never(key: &MasterKey) -> String {
    match key.kind {
        KeyKind::Age => "no identity for it is configured".to_owned(),
        KeyKind::AwsKms => "the store configures no `awsKms` key".to_owned(),
        KeyKind::VaultTransit => "the store configures no `vaultTransit` key".to_owned(),
        _ => "keys of this kind are not supported".to_owned(),
    }
}

/// How often services are asked for one document: whoever writes it must not make us send hundreds of requests, which cost money.
const MOST_QUESTIONS: usize = 16;

/// How many keys of a document a message lists.
const SHOWN: usize = 100;
