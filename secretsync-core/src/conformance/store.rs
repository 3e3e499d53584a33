//! What every store promises.

use super::{Violation, ensure};
use crate::error::{Error, ErrorKind, chain};
use crate::secret::{Fingerprint, SecretKey, SecretMap, SecretValue};
use crate::store::{Applied, Desired, Holder, Observed, OwnerId, Removed, Store, TargetMeta, TargetRef, Write};

const CANARY: &str = "conformance-canary-9f2c";

/// Checks creation, equality, change, key removal, ownership and removal on a target in `namespace`, which must not exist yet and is gone afterwards.
pub async fn check_store(store: &dyn Store, namespace: &str) -> Result<(), Violation> {
    let target = TargetRef::new(namespace, "conformance");
    let owner = OwnerId::new(namespace, "conformance");
    let stranger = OwnerId::new(namespace, "stranger");
    ensure(
        matches!(observe(store, &target, &owner).await?, Observed::Absent),
        "a target that was never written is not absent",
    )?;

    let first = desired(&[("a", CANARY), ("b", "two")]);
    let applied = apply(store, &Write::new(&target, &owner, &first)).await?;
    ensure(applied == Applied::Created, format!("writing a new target is reported as {applied:?}"))?;
    expect(store, &target, &owner, &first).await?;

    let gone = [key("b")];
    let second = desired(&[("a", "other"), ("c", "three")]);
    apply(store, &Write::new(&target, &owner, &second).removing(&gone)).await?;
    expect(store, &target, &owner, &second).await?;

    check_stranger(store, &target, &stranger).await?;
    expect(store, &target, &owner, &second).await?;

    let removed = store.remove(&target, &owner).await.map_err(|error| failed("remove", &error))?;
    flush(store).await?;
    ensure(removed == Removed::Removed, format!("removing a target is reported as {removed:?}"))?;
    ensure(matches!(observe(store, &target, &owner).await?, Observed::Absent), "a removed target is still there")?;
    let again = store.remove(&target, &owner).await.map_err(|error| failed("remove again", &error))?;
    ensure(again == Removed::AlreadyAbsent, format!("removing nothing is reported as {again:?}"))?;
    flush(store).await?;
    ensure(!format!("{store:?}").contains(CANARY), "`Debug` of the store shows a value")
}

/// Another sync sees a foreign target and can neither write nor remove it.
async fn check_stranger(store: &dyn Store, target: &TargetRef, stranger: &OwnerId) -> Result<(), Violation> {
    let Observed::Present(present) = observe(store, target, stranger).await? else {
        return Err(Violation("another sync sees no target".to_owned()));
    };
    ensure(matches!(present.holder, Holder::Other(_)), format!("another sync sees the holder {:?}", present.holder))?;
    let removal = store.remove(target, stranger).await;
    ensure(removal.is_err_and(|error| error.kind() == ErrorKind::NotOwned), "another sync may remove the target")
}

/// The target is ours, whole, and has exactly the desired keys with the desired values; nothing printable shows them.
async fn expect(store: &dyn Store, target: &TargetRef, owner: &OwnerId, desired: &Desired) -> Result<(), Violation> {
    let observed = observe(store, target, owner).await?;
    ensure(!format!("{observed:?}").contains(CANARY), "`Debug` of an observation shows a value")?;
    let Observed::Present(present) = observed else { return Err(Violation("a written target is absent".to_owned())) };
    ensure(present.holder == Holder::Ours, format!("our own target is held by {:?}", present.holder))?;
    ensure(present.intact, "a target that nobody touched is not intact")?;
    let keys: Vec<_> = present.keys.keys().collect();
    ensure(keys.iter().copied().eq(desired.data.keys()), format!("the target has the keys {keys:?}"))?;
    for (key, state) in &present.keys {
        ensure(state.owned, format!("our own key `{key}` is foreign"))?;
        let equal =
            |print: Fingerprint| desired.data.get(key.as_str()).is_some_and(|value| Fingerprint::of(value) == print);
        ensure(state.fingerprint.is_none_or(equal), format!("key `{key}` has another value than was written"))?;
    }
    Ok(())
}

async fn observe(store: &dyn Store, target: &TargetRef, owner: &OwnerId) -> Result<Observed, Violation> {
    store.observe(target, owner).await.map_err(|error| failed("observe", &error))
}

async fn apply(store: &dyn Store, write: &Write<'_>) -> Result<Applied, Violation> {
    store.admit(write).await.map_err(|error| failed("admit", &error))?;
    let applied = store.apply(write).await.map_err(|error| failed("apply", &error))?;
    flush(store).await?;
    Ok(applied)
}

async fn flush(store: &dyn Store) -> Result<(), Violation> {
    store.flush().await.map_err(|error| failed("flush", &error))
}

fn desired(pairs: &[(&str, &str)]) -> Desired {
    let data: SecretMap = pairs.iter().map(|(name, value)| (key(name), SecretValue::from(*value))).collect();
    Desired::new(data, TargetMeta::default())
}

fn key(text: &str) -> SecretKey {
    SecretKey::new(text).expect("the suite's keys are valid")
}

fn failed(step: &str, error: &Error) -> Violation {
    Violation(format!("`{step}` fails: {}", chain(error)))
}
