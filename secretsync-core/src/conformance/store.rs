//! What every store promises.

use super::{Violation, ensure};
use crate::error::{Error, ErrorKind, chain};
use crate::secret::{Fingerprint, SecretKey, SecretMap, SecretValue};
use crate::store::{
    Applied, Desired, Holder, Observed, OwnerId, Present, Removed, Store, TargetMeta, TargetRef, Write,
};
use crate::sync::CreationPolicy;

const CANARY: &str = "conformance-canary-9f2c";

/// Checks creation, equality, change, key removal, ownership, removal, plans and sharing on the targets `conformance` and `conformance-shared` in
/// `namespace`, which must not exist yet and are gone afterwards.
pub async fn check_store(store: &dyn Store, namespace: &str) -> Result<(), Violation> {
    let target = TargetRef::new(namespace, "conformance");
    let owner = OwnerId::new(namespace, "conformance");
    let stranger = OwnerId::new(namespace, "stranger");
    ensure(
        matches!(observe(store, &target, &owner).await?, Observed::Absent),
        "a target that was never written is not absent",
    )?;

    let first = desired(&[("a", CANARY), ("b", "two")]);
    check_plan(store, &Write::new(&target, &stranger, &first)).await?;
    ensure(
        matches!(observe(store, &target, &owner).await?, Observed::Absent),
        "a target that was only planned is not absent",
    )?;
    let applied = apply(store, &Write::new(&target, &owner, &first)).await?;
    ensure(applied == Applied::Created, format!("writing a new target is reported as {applied:?}"))?;
    expect(store, &target, &owner, &first).await?;

    let gone = [key("b")];
    let second = desired(&[("a", "other"), ("c", "three")]);
    apply(store, &Write::new(&target, &owner, &second).removing(&gone)).await?;
    expect(store, &target, &owner, &second).await?;

    check_stranger(store, &target, &stranger).await?;
    expect(store, &target, &owner, &second).await?;
    check_plan(store, &Write::new(&target, &owner, &first)).await?;
    expect(store, &target, &owner, &second).await?;

    let removed = remove(store, &target, &owner).await.map_err(|error| failed("remove", &error))?;
    ensure(removed == Removed::Removed, format!("removing a target is reported as {removed:?}"))?;
    ensure(matches!(observe(store, &target, &owner).await?, Observed::Absent), "a removed target is still there")?;
    let again = remove(store, &target, &owner).await.map_err(|error| failed("remove again", &error))?;
    ensure(again == Removed::AlreadyAbsent, format!("removing nothing is reported as {again:?}"))?;
    check_sharing(store, namespace).await?;
    ensure(!format!("{store:?}").contains(CANARY), "`Debug` of the store shows a value")
}

/// Another sync sees a foreign target and can neither write nor remove it.
async fn check_stranger(store: &dyn Store, target: &TargetRef, stranger: &OwnerId) -> Result<(), Violation> {
    let Observed::Present(present) = observe(store, target, stranger).await? else {
        return Err(Violation("another sync sees no target".to_owned()));
    };
    ensure(matches!(present.holder, Holder::Other(_)), format!("another sync sees the holder {:?}", present.holder))?;
    refused(store, &Write::new(target, stranger, &desired(&[("c", "stolen")]))).await?;
    refused(store, &Write::new(target, stranger, &desired(&[("d", "added")]))).await?;
    ensure(not_owned(&remove(store, target, stranger).await), "another sync may remove the target")
}

/// Another sync cannot write what it does not hold, and the pass in which it tries ends well.
async fn refused(store: &dyn Store, write: &Write<'_>) -> Result<(), Violation> {
    let _pass = store.begin().await;
    let keys: Vec<_> = write.desired.data.keys().collect();
    ensure(not_owned(&store.admit(write).await), format!("another sync is admitted to write {keys:?}"))?;
    ensure(not_owned(&store.apply(write).await), format!("another sync may write {keys:?}"))?;
    flush(store).await
}

/// A plan succeeds; whoever calls this sees that nothing came of it.
async fn check_plan(store: &dyn Store, write: &Write<'_>) -> Result<(), Violation> {
    let _pass = store.begin().await;
    store.admit(write).await.map_err(|error| failed("admit in a plan", &error))?;
    if store.stages() {
        store.apply(write).await.map_err(|error| failed("apply in a plan", &error))?;
    }
    store.verify().await.map_err(|error| failed("verify", &error))?;
    // What a plan staged is gone, so there is nothing to be written.
    flush(store).await
}

/// Two syncs that share a target write their own keys and touch none of the other's.
async fn check_sharing(store: &dyn Store, namespace: &str) -> Result<(), Violation> {
    let target = TargetRef::new(namespace, "conformance-shared");
    let (one, two) = (OwnerId::new(namespace, "one"), OwnerId::new(namespace, "two"));
    let (mut of_one, of_two) = (desired(&[("a", "one")]), desired(&[("b", "two")]));
    of_one.meta.labels.insert("conformance".to_owned(), "one".to_owned());
    of_one.meta.secret_type = Some("example.com/conformance".to_owned());
    for (owner, desired) in [(&one, &of_one), (&two, &of_two)] {
        apply(store, &Write::new(&target, owner, desired).under(CreationPolicy::CreateOrMerge)).await?;
    }
    expect_share(store, &target, &one, &of_one).await?;
    expect_share(store, &target, &two, &of_two).await?;
    refused(store, &Write::new(&target, &two, &of_one).under(CreationPolicy::CreateOrMerge)).await?;
    expect_share(store, &target, &one, &of_one).await?;

    // What is shared is removed in part or not at all.
    let part = remove(store, &target, &one).await;
    ensure(part.is_ok() || not_owned(&part), "removing a part of a target fails")?;
    expect_share(store, &target, &two, &of_two).await?;
    if part.is_err() {
        expect_share(store, &target, &one, &of_one).await?;
        let (gone, nothing) = ([key("a")], Desired::default());
        apply(store, &Write::new(&target, &one, &nothing).removing(&gone).under(CreationPolicy::CreateOrMerge)).await?;
        expect_share(store, &target, &two, &of_two).await?;
    }
    apply(store, &Write::new(&target, &two, &of_two)).await?;
    expect(store, &target, &two, &of_two).await?;
    remove(store, &target, &two).await.map_err(|error| failed("remove", &error))?;
    ensure(matches!(observe(store, &target, &two).await?, Observed::Absent), "a removed target is still there")
}

/// The keys of a share are as desired, and so are the labels where the store keeps any.
async fn expect_share(
    store: &dyn Store,
    target: &TargetRef,
    owner: &OwnerId,
    desired: &Desired,
) -> Result<(), Violation> {
    let Observed::Present(mut present) = observe(store, target, owner).await? else {
        return Err(Violation(format!("the target that `{owner}` shares is absent")));
    };
    present.keys.retain(|_, state| state.owned);
    let labels = present.meta.as_ref().map(|meta| &meta.labels);
    ensure(
        labels.is_none_or(|labels| *labels == desired.meta.labels),
        format!("`{owner}` sees the labels {labels:?} as its own"),
    )?;
    // A store that reads no more than metadata does not see it.
    let (wanted, kept) = (&desired.meta.secret_type, present.meta.as_ref().and_then(|meta| meta.secret_type.as_ref()));
    ensure(
        wanted.is_none() || kept.is_none() || wanted.as_ref() == kept,
        format!("the type that `{owner}` wrote is now {kept:?}"),
    )?;
    expect_present(&present, desired)?;
    expect_own_values(store, target, owner, desired).await
}

/// A store that gives values back gives back those of the sync that wrote them, and no others.
async fn expect_own_values(
    store: &dyn Store,
    target: &TargetRef,
    owner: &OwnerId,
    desired: &Desired,
) -> Result<(), Violation> {
    let values = match store.own_values(target, owner).await {
        Ok(values) => values,
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(failed("give back the values", &error)),
    };
    let same = values.len() == desired.data.len()
        && values
            .iter()
            .all(|(key, value)| desired.data.get(key.as_str()).is_some_and(|wanted| wanted.expose() == value.expose()));
    ensure(same, format!("the values given back are not those written, for the keys {:?}", values.keys()))?;
    let foreign = store.own_values(target, &OwnerId::new(target.namespace(), "nobody")).await;
    let foreign = foreign.map_err(|error| failed("give back the values of another sync", &error))?;
    ensure(foreign.is_empty(), "a sync that wrote nothing is given values back")
}

/// The target is ours, whole, and has exactly the desired keys with the desired values; nothing printable shows them.
async fn expect(store: &dyn Store, target: &TargetRef, owner: &OwnerId, desired: &Desired) -> Result<(), Violation> {
    let observed = observe(store, target, owner).await?;
    ensure(!format!("{observed:?}").contains(CANARY), "`Debug` of an observation shows a value")?;
    let Observed::Present(present) = observed else { return Err(Violation("a written target is absent".to_owned())) };
    expect_present(&present, desired)
}

fn expect_present(present: &Present, desired: &Desired) -> Result<(), Violation> {
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

/// One whole pass.
async fn apply(store: &dyn Store, write: &Write<'_>) -> Result<Applied, Violation> {
    let _pass = store.begin().await;
    store.admit(write).await.map_err(|error| failed("admit", &error))?;
    let applied = store.apply(write).await.map_err(|error| failed("apply", &error))?;
    flush(store).await?;
    Ok(applied)
}

/// One whole pass.
async fn remove(store: &dyn Store, target: &TargetRef, owner: &OwnerId) -> Result<Removed, Error> {
    let _pass = store.begin().await;
    let removed = store.remove(target, owner).await?;
    store.flush().await?;
    Ok(removed)
}

fn not_owned<T>(result: &Result<T, Error>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotOwned)
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
