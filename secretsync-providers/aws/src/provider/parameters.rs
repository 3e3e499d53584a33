//! Parameter Store.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{Parameter, ResourceTypeForTagging};
use secretsync_core::object::{ObjectRef, Part};
use secretsync_core::provider::Fetched;

use super::together::{Alone, Answer, Together};
use super::{or_absent, tags_as_json, taken};
use crate::address;
use crate::client::{Call, Clients};
use crate::config::Region;
use crate::error::{Failure, MISSING, Meaning};

/// The parameters of one region, and those elsewhere that ARNs name.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) clients: Clients<Client>,
    pub(crate) region: Region,
    alone: Alone,
}

/// How many parameters one `GetParameters` takes.
pub(super) const AT_ONCE: NonZeroUsize = NonZeroUsize::new(10).expect("ten is not zero");

impl Parameters {
    pub(super) fn new(clients: Clients<Client>, region: Region) -> Self {
        Self { clients, region, alone: Alone::default() }
    }

    /// Asks for a parameter that nobody has: whatever AWS answers to a name, it has accepted who asks.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let asked =
            self.clients.send(&self.region, Call::GetParameter, |client| client.get_parameter().name(NOBODYS).send());
        match asked.await {
            Err(failure) if !matches!(failure.meaning(), Some(Meaning::Missing | Meaning::Denied)) => Err(failure),
            _ => Ok(()),
        }
    }

    async fn value(&self, region: &Region, object: &ObjectRef) -> Result<Fetched, Failure> {
        let asked = self.clients.send(region, Call::GetParameter, |client| {
            client.get_parameter().name(address::parameter(object)).with_decryption(true).send()
        });
        match asked.await {
            Ok(answer) => payload(object, answer.parameter),
            Err(failure) => or_absent(failure),
        }
    }

    async fn metadata(&self, region: &Region, object: &ObjectRef) -> Result<Fetched, Failure> {
        let name = self.own_name(region, object).await?;
        let asked = self.clients.send(region, Call::ListTagsForResource, |client| {
            let call = client.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
            call.resource_id(&*name).send()
        });
        match asked.await {
            Ok(answer) => {
                let tags = answer.tag_list.ok_or(Failure::Malformed("it has no list of tags"))?.into_iter();
                tags_as_json(&tags.map(|tag| (tag.key, tag.value)).collect())
            }
            // Only a missing value is an answer, as External Secrets Operator has it.
            Err(failure) => Err(failure),
        }
    }

    /// The name that AWS knows tags by, which is no ARN. One of our own account must not stand for that of another.
    async fn own_name<'a>(&self, region: &Region, object: &'a ObjectRef) -> Result<Cow<'a, str>, Failure> {
        let Some(name) = address::arn_name(object.name()) else { return Ok(object.name().into()) };
        let asked = self.clients.send(region, Call::GetParameter, |client| client.get_parameter().name(&name).send());
        let arn = asked.await?.parameter.and_then(|parameter| parameter.arn);
        if arn.as_deref() == Some(object.name()) { Ok(name.into()) } else { Err(Failure::OtherAccount) }
    }

    async fn batch(&self, region: &Region, objects: &[&ObjectRef]) -> Result<Vec<Answer>, Failure> {
        let names: Vec<_> = objects.iter().map(|object| address::parameter(object)).collect();
        let asked = self.clients.send(region, Call::GetParameters, |client| {
            client.get_parameters().set_names(Some(names.clone())).with_decryption(true).send()
        });
        let answer = asked.await?;
        let mut places: HashMap<_, _> = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let mut answers: Vec<Answer> = objects.iter().map(|_| None).collect();
        for parameter in answer.parameters.unwrap_or_default() {
            let selector = parameter.selector.as_deref().unwrap_or_default();
            let asked_by = |id: Option<&str>| objects.iter().filter(|object| Some(object.name()) == id).count();
            // A parameter that was asked for by ARN may lie in another account, and must not stand for ours of the same name.
            let by_arn = asked_by(parameter.arn.as_deref()) > 0;
            let id = if by_arn { parameter.arn.as_deref() } else { parameter.name.as_deref() };
            if selector.is_empty() && asked_by(id) > 1 {
                // It does not say which of the versions it is.
                continue;
            }
            let id = format!("{}{selector}", id.unwrap_or_default());
            if let Some(index) = places.remove(id.as_str()) {
                answers[index] = Some(payload(objects[index], Some(parameter)));
            }
        }
        for name in answer.invalid_parameters.unwrap_or_default() {
            // AWS also counts names that no parameter can have among these, and versions that a parameter does not have; those are told apart alone.
            if let Some(index) = places.remove(name.as_str())
                && objects[index].version().is_none()
                && is_plain(&name)
            {
                answers[index] = Some(Ok(Fetched::Absent(MISSING)));
            }
        }
        Ok(answers)
    }
}

impl Together for Parameters {
    fn at_once(&self) -> NonZeroUsize {
        AT_ONCE
    }

    fn region(&self) -> &Region {
        &self.region
    }

    fn fits(&self, _object: &ObjectRef) -> bool {
        true
    }

    fn call_for_many(&self) -> Call {
        Call::GetParameters
    }

    fn calls_for_one(&self, object: &ObjectRef) -> &'static [Call] {
        match (object.part(), address::arn_name(object.name())) {
            (Part::Metadata, None) => &[Call::ListTagsForResource],
            // The ARN is compared first.
            (Part::Metadata, Some(_)) => &[Call::GetParameter, Call::ListTagsForResource],
            _ => &[Call::GetParameter],
        }
    }

    async fn read_many(&self, region: &Region, objects: &[&ObjectRef]) -> Vec<Answer> {
        let alone = || objects.iter().map(|_| None).collect();
        if self.alone.holds() {
            return alone();
        }
        match self.batch(region, objects).await {
            Ok(answers) => answers,
            Err(failure) => match (&failure, failure.meaning()) {
                (Failure::Refused(refusal), Some(Meaning::Denied)) => {
                    // Either the right is missing for one of them only, or for all.
                    if refusal.lacks("ssm:GetParameters") {
                        self.alone.begin("ssm:GetParameters");
                    }
                    alone()
                }
                (_, Some(Meaning::Invalid | Meaning::Missing | Meaning::KeyDenied | Meaning::KeyUnusable)) => alone(),
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

fn payload(object: &ObjectRef, parameter: Option<Parameter>) -> Result<Fetched, Failure> {
    let parameter = parameter.ok_or(Failure::Malformed("there is no parameter"))?;
    if !address::is_meant(object, parameter.name.as_deref()) {
        return Err(Failure::OtherName);
    }
    let value = parameter.value.ok_or(Failure::Malformed("the parameter has no value"))?;
    Ok(taken(value.into_bytes(), Some(parameter.version.to_string())))
}

/// Whether a name, with or without a version, is one that a parameter can have: its letters, and a slash before the first step of a hierarchy.
fn is_plain(name: &str) -> bool {
    let rooted = name.starts_with('/') || name.starts_with("arn:") || !name.contains('/');
    rooted && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/:".contains(&byte))
}

const NOBODYS: &str = "/secretsync/check";
