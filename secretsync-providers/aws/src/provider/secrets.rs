//! Secrets Manager.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::SecretValueEntry;
use secretsync_core::object::{ObjectRef, Part};
use secretsync_core::provider::Fetched;

use super::together::{Alone, Answer, Together};
use super::{or_absent, tags_as_json, taken};
use crate::address::{self, Pin};
use crate::client::{Call, Clients};
use crate::config::Region;
use crate::error::{Failure, Meaning, Refusal};

/// The secrets of one region, and those elsewhere that ARNs name.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) clients: Clients<Client>,
    pub(crate) region: Region,
    alone: Alone,
}

/// How many secrets one `BatchGetSecretValue` takes.
pub(super) const AT_ONCE: NonZeroUsize = NonZeroUsize::new(20).expect("twenty is not zero");

impl Secrets {
    pub(super) fn new(clients: Clients<Client>, region: Region) -> Self {
        Self { clients, region, alone: Alone::default() }
    }

    /// Asks for a secret that nobody has: whatever AWS answers to a name, it has accepted who asks.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let asked = self
            .clients
            .send(&self.region, Call::DescribeSecret, |client| client.describe_secret().secret_id(NOBODYS).send());
        match asked.await {
            Err(failure) if !matches!(failure.meaning(), Some(Meaning::Missing | Meaning::Denied)) => Err(failure),
            _ => Ok(()),
        }
    }

    async fn value(&self, region: &Region, object: &ObjectRef) -> Result<Fetched, Failure> {
        let (version_id, stage) = match address::pin(object) {
            None => (None, None),
            Some(Pin::Id(id)) => (Some(id), None),
            Some(Pin::Stage(stage)) => (None, Some(stage)),
        };
        let asked = self.clients.send(region, Call::GetSecretValue, |client| {
            let call = client.get_secret_value().secret_id(object.name());
            call.set_version_id(version_id.map(str::to_owned)).set_version_stage(stage.map(str::to_owned)).send()
        });
        match asked.await {
            Ok(answer) if !address::is_meant(object, answer.name()) => Err(Failure::OtherName),
            Ok(answer) => payload(answer.secret_string, answer.secret_binary, answer.version_id),
            Err(failure) if failure.meaning() == Some(Meaning::Denied) => self.explain(region, object, failure).await,
            Err(failure) => or_absent(failure),
        }
    }

    /// Whether a secret that may not be read exists at all: describing is another right.
    async fn explain(&self, region: &Region, object: &ObjectRef, denied: Failure) -> Result<Fetched, Failure> {
        match self.describe(region, object).await {
            Err(failure) => match or_absent(failure) {
                Ok(absent) => Ok(absent),
                Err(_) => Err(denied),
            },
            Ok(_) => Err(denied),
        }
    }

    async fn describe(
        &self,
        region: &Region,
        object: &ObjectRef,
    ) -> Result<aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput, Failure> {
        let asked = self
            .clients
            .send(region, Call::DescribeSecret, |client| client.describe_secret().secret_id(object.name()).send());
        asked.await
    }

    async fn metadata(&self, region: &Region, object: &ObjectRef) -> Result<Fetched, Failure> {
        // Only a missing value is an answer, as External Secrets Operator has it.
        let found = self.describe(region, object).await?;
        if found.name().is_none() {
            return Err(Failure::Malformed("it has no name"));
        }
        if !address::is_meant(object, found.name()) {
            return Err(Failure::OtherName);
        }
        if found.deleted_date.is_some() {
            // It can still be described, but is as good as gone.
            return Err(Failure::MarkedDeleted);
        }
        let tags = found.tags.unwrap_or_default().into_iter();
        tags_as_json(&tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect())
    }

    /// Reads many; the failure is of the whole request.
    async fn batch(&self, region: &Region, objects: &[&ObjectRef]) -> Result<Vec<Answer>, Failure> {
        let mut answers: Vec<Answer> = objects.iter().map(|_| None).collect();
        let mut places = Places::new(objects);
        let ids = places.ids();
        let mut next = None;
        // A page may be empty and still not be the last.
        for _ in 0..objects.len() {
            let page = self.clients.send(region, Call::BatchGetSecretValue, |client| {
                let call = client.batch_get_secret_value().set_secret_id_list(Some(ids.clone()));
                call.set_next_token(next.clone()).send()
            });
            let page = page.await?;
            for entry in page.secret_values.unwrap_or_default() {
                let found = places.of(&entry);
                let answer = payload(entry.secret_string, entry.secret_binary, entry.version_id);
                for index in found {
                    // One of another name is asked for on its own: the right one may be among the answers, too.
                    let meant = address::is_meant(objects[index], entry.name.as_deref());
                    answers[index] = meant.then(|| answer.clone());
                }
            }
            for error in page.errors.unwrap_or_default() {
                let (Some(id), Some(code)) = (error.secret_id, error.error_code) else { continue };
                let failure = Failure::Refused(Refusal::new(&code, error.message.as_deref().unwrap_or_default(), None));
                for index in places.take(&id) {
                    // A denial is looked at more closely on its own.
                    answers[index] = if failure.meaning() == Some(Meaning::Denied) {
                        None
                    } else {
                        Some(or_absent(failure.clone()))
                    };
                }
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(answers)
    }
}

impl Together for Secrets {
    fn at_once(&self) -> NonZeroUsize {
        AT_ONCE
    }

    fn region(&self) -> &Region {
        &self.region
    }

    /// Only current values come in batches.
    fn fits(&self, object: &ObjectRef) -> bool {
        object.version().is_none()
    }

    fn call_for_many(&self) -> Call {
        Call::BatchGetSecretValue
    }

    fn calls_for_one(&self, object: &ObjectRef) -> &'static [Call] {
        if object.part() == Part::Metadata { &[Call::DescribeSecret] } else { &[Call::GetSecretValue] }
    }

    async fn read_many(&self, region: &Region, objects: &[&ObjectRef]) -> Vec<Answer> {
        let alone = || objects.iter().map(|_| None).collect();
        if self.alone.holds() {
            return alone();
        }
        match self.batch(region, objects).await {
            Ok(answers) => answers,
            Err(failure) => match failure.meaning() {
                Some(Meaning::Denied) => {
                    self.alone.begin("secretsmanager:BatchGetSecretValue");
                    alone()
                }
                // One id spoilt it for all: alone, only that one fails.
                Some(
                    Meaning::Invalid
                    | Meaning::Missing
                    | Meaning::ValueMissing
                    | Meaning::MarkedDeleted
                    | Meaning::KeyDenied
                    | Meaning::KeyUnusable,
                ) => alone(),
                _ => objects.iter().map(|_| Some(Err(failure.clone()))).collect(),
            },
        }
    }

    async fn read_one(&self, region: &Region, object: &ObjectRef) -> Result<Fetched, Failure> {
        match object.part() {
            Part::Metadata => self.metadata(region, object).await,
            _ => self.value(region, object).await,
        }
    }
}

/// Which questions an answer belongs to: answers come in any order, and say full ARN and name whatever the question was.
struct Places<'a> {
    by_id: HashMap<&'a str, Vec<usize>>,
    /// The ids that are ARNs, whole or partial.
    arns: HashSet<&'a str>,
}

impl<'a> Places<'a> {
    fn new(objects: &[&'a ObjectRef]) -> Self {
        let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
        for (index, object) in objects.iter().enumerate() {
            by_id.entry(object.name()).or_default().push(index);
        }
        let arns = by_id.keys().copied().filter(|id| id.starts_with("arn:")).collect();
        Self { by_id, arns }
    }

    /// Each id once, as AWS wants it.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.by_id.keys().map(|id| (*id).to_owned()).collect();
        ids.sort_unstable();
        ids
    }

    fn of(&mut self, entry: &SecretValueEntry) -> Vec<usize> {
        let arn = entry.arn.as_deref().unwrap_or_default();
        // A partial ARN lacks the hyphen and six letters at the end.
        let partial = arn.rsplit_once('-').filter(|(_, random)| random.len() == 6).map_or("", |(partial, _)| partial);
        // A secret that was asked for by ARN may lie in another account, and must not stand for ours of the same name.
        if self.arns.contains(arn) || self.arns.contains(partial) {
            return [arn, partial].into_iter().flat_map(|id| self.take(id)).collect();
        }
        self.take(entry.name.as_deref().unwrap_or_default())
    }

    fn take(&mut self, id: &str) -> Vec<usize> {
        self.by_id.remove(id).unwrap_or_default()
    }
}

fn payload(
    text: Option<String>,
    binary: Option<aws_sdk_secretsmanager::primitives::Blob>,
    version: Option<String>,
) -> Result<Fetched, Failure> {
    match (text, binary) {
        (Some(text), _) => Ok(taken(text.into_bytes(), version)),
        (None, Some(binary)) => Ok(taken(binary.into_inner(), version)),
        (None, None) => Err(Failure::Malformed("there is neither a string nor a binary")),
    }
}

/// A name that nobody gives a secret.
const NOBODYS: &str = "secretsync/check";
