//! What every provider promises.

use super::{Violation, ensure};
use crate::error::{ErrorKind, Result, chain};
use crate::object::{ObjectRef, Read};
use crate::provider::{FetchOptions, Fetched, Provider, Query, RemoteRef};
use crate::secret::Payload;

/// What the other side holds, so that the checks know what to expect.
#[derive(Clone, Debug)]
pub struct ProviderFixture {
    key: String,
    property: String,
    value: String,
    aliases: Vec<String>,
    absent: Vec<String>,
    refused: Vec<String>,
}

impl ProviderFixture {
    /// An object at `key` whose top-level `property` is the text `value`. The value must be unique: it doubles as the canary.
    pub fn new(key: impl Into<String>, property: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, property, value) = (key.into(), property.into(), value.into());
        Self { key, property, value, aliases: Vec::new(), absent: Vec::new(), refused: Vec::new() }
    }

    /// Another way to write the object's key.
    #[must_use]
    pub fn with_alias(mut self, key: impl Into<String>) -> Self {
        self.aliases.push(key.into());
        self
    }

    /// A key without an object.
    #[must_use]
    pub fn with_absent(mut self, key: impl Into<String>) -> Self {
        self.absent.push(key.into());
        self
    }

    /// A key that can name no object.
    #[must_use]
    pub fn with_refused(mut self, key: impl Into<String>) -> Self {
        self.refused.push(key.into());
        self
    }
}

/// Checks addressing, answers, order and isolation, what is declared against what works, and that nothing printable shows the value.
pub async fn check_provider(provider: &dyn Provider, fixture: &ProviderFixture) -> Result<(), Violation> {
    check_addresses(provider, fixture)?;
    check_reading(provider, fixture).await?;
    check_answers(provider, fixture).await?;
    check_isolation(provider, fixture).await?;
    check_declarations(provider, fixture).await?;
    ensure(provider.check().await.is_ok(), "`check` fails although reads work")?;
    ensure(!format!("{provider:?}").contains(&fixture.value), "`Debug` of the provider shows a value")
}

fn address(provider: &dyn Provider, key: &str) -> Result<ObjectRef, Violation> {
    provider
        .address(&RemoteRef::new(key))
        .map_err(|error| Violation(format!("key `{key}` is refused: {}", chain(&error))))
}

/// The object as it is fetched.
async fn settled(provider: &dyn Provider, key: &str) -> Result<ObjectRef, Violation> {
    let object = address(provider, key)?;
    let reading =
        provider.reading(&object).await.map_err(|error| Violation(format!("`{object}`: {}", chain(&error))))?;
    Ok(object.with_read(reading))
}

fn check_addresses(provider: &dyn Provider, fixture: &ProviderFixture) -> Result<(), Violation> {
    let canonical = address(provider, &fixture.key)?;
    for alias in &fixture.aliases {
        let other = address(provider, alias)?;
        ensure(other == canonical, format!("alias `{alias}` is `{other}`, not `{canonical}`"))?;
    }
    for key in &fixture.refused {
        ensure(
            provider.address(&RemoteRef::new(key)).is_err(),
            format!("key `{}` is not refused", key.escape_debug()),
        )?;
    }
    Ok(())
}

/// What reading an object does is asked where its name does not say so, and the answer does not change.
async fn check_reading(provider: &dyn Provider, fixture: &ProviderFixture) -> Result<(), Violation> {
    let object = address(provider, &fixture.key)?;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = provider.reading(&object).await;
        let refused = |error| Violation(format!("it cannot be told what reading `{object}` does: {}", chain(&error)));
        answers.push(answer.map_err(refused)?);
    }
    let settled = object.read() == Read::Issuing || answers[0] == object.read();
    ensure(settled, format!("`{object}` is addressed as {:?}, but reading it is {:?}", object.read(), answers[0]))?;
    ensure(answers[0] == answers[1], format!("reading `{object}` is {:?} first and {:?} then", answers[0], answers[1]))
}

async fn check_answers(provider: &dyn Provider, fixture: &ProviderFixture) -> Result<(), Violation> {
    let object = settled(provider, &fixture.key).await?;
    let answers = provider.fetch(std::slice::from_ref(&object), &FetchOptions::default()).await;
    ensure(answers.len() == 1, format!("one question got {} answers", answers.len()))?;
    match &answers[0] {
        Ok(Fetched::Found(secret)) => {
            let right = match secret.payload.as_ref() {
                Payload::Object(tree) => tree
                    .expose()
                    .get(&fixture.property)
                    .is_some_and(|member| *member.to_bytes() == fixture.value.as_bytes()),
                Payload::Bytes(bytes) => bytes.expose_str().is_some_and(|text| text.contains(&fixture.value)),
            };
            ensure(right, format!("property `{}` of `{object}` has not the expected value", fixture.property))?;
            ensure(!format!("{secret:?}").contains(&fixture.value), "`Debug` of a secret shows its value")
        }
        Ok(Fetched::Absent(_)) => Err(Violation(format!("`{object}` exists, but is said to be absent"))),
        Err(error) => Err(Violation(format!("`{object}` cannot be read: {}", chain(error)))),
    }
}

/// Absent and present objects side by side, in both orders.
async fn check_isolation(provider: &dyn Provider, fixture: &ProviderFixture) -> Result<(), Violation> {
    let present = settled(provider, &fixture.key).await?;
    for key in &fixture.absent {
        let absent = settled(provider, key).await?;
        for order in [[&present, &absent], [&absent, &present]] {
            let objects = order.map(Clone::clone);
            let answers = provider.fetch(&objects, &FetchOptions::default()).await;
            ensure(answers.len() == 2, format!("two questions got {} answers", answers.len()))?;
            for (object, answer) in objects.iter().zip(&answers) {
                let found = matches!(answer, Ok(Fetched::Found(_)));
                let gone = matches!(answer, Ok(Fetched::Absent(_)));
                ensure(
                    if *object == present { found } else { gone },
                    format!("`{object}` got the wrong answer beside another object"),
                )?;
            }
        }
    }
    let none = provider.fetch(&[], &FetchOptions::default()).await;
    ensure(none.is_empty(), "no question got an answer")
}

async fn check_declarations(provider: &dyn Provider, fixture: &ProviderFixture) -> Result<(), Violation> {
    let info = provider.info();
    let pinned = provider.address(&RemoteRef::new(&fixture.key).with_version("1"));
    ensure(
        pinned.is_ok() == info.versions,
        format!("pinning a version works: {}, declared: {}", pinned.is_ok(), info.versions),
    )?;
    let found = provider.find(&everything()).await;
    ensure(found.is_ok() == info.find, format!("`find` works: {}, declared: {}", found.is_ok(), info.find))?;
    let Ok(found) = found else { return Ok(()) };
    // What reading does may still have to be asked, of a found object as of a named one.
    let name = |object: &ObjectRef| object.clone().with_read(Read::Repeatable);
    let object = name(&address(provider, &fixture.key)?);
    ensure(found.iter().any(|one| name(&one.object) == object), format!("`find` does not find `{object}`"))?;
    match provider.find(&Query::default()).await {
        Ok(unnamed) => ensure(unnamed == found, "a query for nothing in particular does not find everything"),
        Err(error) => ensure(
            error.kind() == ErrorKind::InvalidConfig,
            format!("a query for nothing in particular is not refused as one that cannot work: {}", chain(&error)),
        ),
    }
}

/// A query that every name matches.
fn everything() -> Query {
    Query { name: Some(".*".to_owned()), ..Query::default() }
}
