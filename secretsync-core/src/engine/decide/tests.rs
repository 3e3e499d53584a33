//! The decision table.

use super::*;
use crate::secret::SecretValue;
use crate::store::{OwnerId, TargetMeta, TargetRef};

fn spec(creation: CreationPolicy, deletion: DeletionPolicy) -> SyncSpec {
    SyncSpec::new(OwnerId::new("n", "s"), TargetRef::new("n", "t")).with_policies(
        creation,
        deletion,
        RefreshPolicy::Periodic,
    )
}

fn key(text: &str) -> SecretKey {
    SecretKey::new(text).unwrap()
}

fn desired(pairs: &[(&str, &str)]) -> Desired {
    let data = pairs.iter().map(|(name, value)| (key(name), SecretValue::from(*value))).collect();
    Desired::new(data, TargetMeta::default())
}

fn present(holder: Holder, ours: &[(&str, &str)], foreign: &[(&str, &str)]) -> Observed {
    let mut present = Present::new(holder);
    let print = |value: &str| Some(Fingerprint::of_bytes(value.as_bytes()));
    present.keys.extend(ours.iter().map(|(name, value)| (key(name), KeyState::owned(print(value)))));
    present.keys.extend(foreign.iter().map(|(name, value)| (key(name), KeyState::foreign(print(value)))));
    Observed::Present(present)
}

fn decide(spec: &SyncSpec, observed: &Observed, desired: &Desired) -> Result<Decision> {
    super::decide(spec, observed, desired, &Keep::default())
}

fn when_empty(spec: &SyncSpec, observed: &Observed) -> Result<Option<Decision>> {
    super::when_empty(spec, observed, &Keep::default())
}

/// Outcome and changes as text: `updated a~ b- c= +meta`.
fn shown(decision: &Decision) -> String {
    let (head, changes) = match decision {
        Decision::Apply { outcome, changes, .. } => (outcome.as_str(), changes),
        Decision::Leave { reason, changes } => (reason.as_str(), changes),
        Decision::Mark { refused } => return if *refused { "mark, refused" } else { "mark" }.to_owned(),
        Decision::Remove { changes } => ("remove", changes),
    };
    let sign = |change: Change| match change {
        Change::Created => '+',
        Change::Removed => '-',
        Change::Unchanged => '=',
        Change::Updated => '~',
    };
    let mut text = head.to_owned();
    for (key, change) in &changes.keys {
        text.extend([" ", key.as_str()]);
        text.push(sign(*change));
    }
    text + if changes.metadata { " +meta" } else { "" }
}

#[test]
fn each_state_of_the_target_has_its_decision() {
    use CreationPolicy::{CreateOrMerge, Merge, Orphan, Owner};
    let ab: &[(&str, &str)] = &[("a", "1"), ("b", "2")];
    let nothing: &[(&str, &str)] = &[];
    for (creation, observed, expected) in [
        (Owner, Observed::Absent, "created a+ b+"),
        (Merge, Observed::Absent, "target_missing"),
        (CreateOrMerge, Observed::Absent, "created a+ b+"),
        (Owner, present(Holder::Ours, ab, nothing), "synced a= b="),
        (Owner, present(Holder::Ours, &[("a", "1"), ("b", "x")], nothing), "updated a= b~"),
        (Owner, present(Holder::Ours, &[("a", "1"), ("b", "2"), ("c", "3")], nothing), "updated a= b= c-"),
        (Owner, present(Holder::Ours, ab, &[("z", "9")]), "updated a= b= z-"),
        (Orphan, present(Holder::Ours, ab, &[("z", "9")]), "updated a= b= z-"),
        (Merge, present(Holder::Ours, ab, &[("z", "9")]), "synced a= b="),
        (CreateOrMerge, present(Holder::Ours, ab, &[("z", "9")]), "synced a= b="),
        (Owner, present(Holder::Nobody, nothing, ab), "updated a= b= +meta"),
        (Merge, present(Holder::Nobody, nothing, &[("z", "9")]), "updated a+ b+ +meta"),
    ] {
        let decision = decide(&spec(creation, DeletionPolicy::Retain), &observed, &desired(ab)).unwrap();
        assert_eq!(shown(&decision), expected, "{creation:?} {observed:?}");
    }
}

#[test]
fn a_changed_policy_changes_the_marks_of_ownership() {
    let Observed::Present(mut present) = present(Holder::Ours, &[("a", "1")], &[]) else { return };
    present.sole = Some(true);
    let observed = Observed::Present(present);
    for (creation, expected) in [(CreationPolicy::Owner, "synced a="), (CreationPolicy::Orphan, "updated a= +meta")] {
        let decision = decide(&spec(creation, DeletionPolicy::Retain), &observed, &desired(&[("a", "1")])).unwrap();
        assert_eq!(shown(&decision), expected);
    }
}

#[test]
fn a_bystander_is_written_over_when_wanted_and_stays_otherwise() {
    let Observed::Present(mut present) = present(Holder::Nobody, &[], &[]) else { return };
    present.keys.insert(key("a"), KeyState::bystander());
    present.keys.insert(key("z"), KeyState::bystander());
    let decision = decide(
        &spec(CreationPolicy::Owner, DeletionPolicy::Retain),
        &Observed::Present(present),
        &desired(&[("a", "1"), ("b", "2")]),
    );
    assert_eq!(shown(&decision.unwrap()), "updated a~ b+ +meta");
}

#[test]
fn foreign_targets_are_refused_before_anything_is_read() {
    let other = present(Holder::Other("ExternalSecret `web`".to_owned()), &[], &[("a", "1")]);
    let refused = |creation, observed: &Observed| {
        let error = before_reading(&spec(creation, DeletionPolicy::Retain), observed).err()?;
        assert!(error.kind() == ErrorKind::NotOwned && error.to_string().contains("`web`"), "{error}");
        Some(error.hint().unwrap().code())
    };
    for (creation, code) in [
        (CreationPolicy::Owner, Some(Code::TargetControlled)),
        (CreationPolicy::Orphan, Some(Code::TargetControlled)),
        (CreationPolicy::Merge, None),
        (CreationPolicy::CreateOrMerge, None),
    ] {
        let mut controlled = present(Holder::Nobody, &[], &[("a", "1")]);
        if let Observed::Present(present) = &mut controlled {
            present.controller = Some("Deployment `web`".to_owned());
        }
        assert_eq!((refused(creation, &controlled), refused(creation, &other)), (code, Some(Code::NotOwned)));
    }
}

#[test]
fn created_once_leaves_its_own_target_alone_and_adopts_another() {
    let spec = spec(CreationPolicy::Owner, DeletionPolicy::Retain).with_policies(
        CreationPolicy::Owner,
        DeletionPolicy::Retain,
        RefreshPolicy::CreatedOnce,
    );
    let observed = present(Holder::Ours, &[("a", "old")], &[]);
    assert_eq!(before_reading(&spec, &observed).unwrap(), Some(leave(Reason::KeptOnce)));
    assert_eq!(before_reading(&spec, &Observed::Absent).unwrap(), None);
    assert_eq!(before_reading(&spec, &present(Holder::Nobody, &[], &[("a", "old")])).unwrap(), None);
}

#[test]
fn empty_sources_follow_the_deletion_policy() {
    let ours = present(Holder::Ours, &[("a", "1")], &[]);
    let nobodys = present(Holder::Nobody, &[], &[("a", "1")]);
    let decide = |deletion, observed: &Observed| {
        when_empty(&spec(CreationPolicy::Owner, deletion), observed)
            .map(|decision| decision.map(|decision| shown(&decision)))
    };
    assert_eq!(decide(DeletionPolicy::Retain, &ours).unwrap().unwrap(), "retained");
    assert_eq!(decide(DeletionPolicy::Delete, &ours).unwrap().unwrap(), "remove a-");
    assert_eq!(decide(DeletionPolicy::Delete, &Observed::Absent).unwrap().unwrap(), "deleted");
    assert_eq!(decide(DeletionPolicy::Merge, &ours).unwrap(), None);
    assert_eq!(decide(DeletionPolicy::Delete, &nobodys).unwrap_err().kind(), ErrorKind::NotOwned);
    for creation in [CreationPolicy::Orphan, CreationPolicy::Merge, CreationPolicy::CreateOrMerge] {
        let error = when_empty(&spec(creation, DeletionPolicy::Delete), &ours).unwrap_err();
        assert!(error.to_string().contains("`creationPolicy` is not Owner"), "{error}");
    }
}

#[test]
fn an_immutable_target_keeps_its_data() {
    let Observed::Present(mut present) = present(Holder::Ours, &[("a", "old")], &[]) else { return };
    present.immutable = true;
    let observed = Observed::Present(present);
    let mut spec = spec(CreationPolicy::Owner, DeletionPolicy::Retain);
    let error = decide(&spec, &observed, &desired(&[("a", "new")])).unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::TargetImmutable);
    spec.meta.immutable = true;
    assert_eq!(shown(&decide(&spec, &observed, &desired(&[("a", "new")])).unwrap()), "immutable");
}

/// As External Secrets Operator does: the marks come, the data stays (`eso-compat.md` 2.7).
#[test]
fn an_immutable_target_is_marked() {
    let decision = |holder, flag: bool, wanted: bool| {
        let Observed::Present(mut present) = present(holder, &[("a", "old")], &[]) else { return String::new() };
        present.immutable = flag;
        present.meta = Some(TargetMeta { immutable: flag, ..TargetMeta::default() });
        let mut spec = spec(CreationPolicy::Owner, DeletionPolicy::Retain);
        let mut desired = desired(&[("a", "new")]);
        (spec.meta.immutable, desired.meta.immutable) = (wanted, wanted);
        decide(&spec, &Observed::Present(present), &desired)
            .map_or_else(|error| error.to_string(), |decision| shown(&decision))
    };
    assert_eq!(decision(Holder::Nobody, true, false), "mark, refused");
    assert!(decision(Holder::Ours, true, false).contains("immutable"));
    assert_eq!(decision(Holder::Ours, false, true), "mark");
    assert_eq!(decision(Holder::Nobody, true, true), "mark");
    assert_eq!(decision(Holder::Ours, true, true), "immutable");
}

#[test]
fn a_target_is_made_immutable_as_it_is() {
    let mut spec = spec(CreationPolicy::Owner, DeletionPolicy::Retain);
    spec.meta.immutable = true;
    let Observed::Present(mut present) = present(Holder::Ours, &[("a", "old")], &[]) else { return };
    let desired = |value: &str| {
        let mut desired = desired(&[("a", value)]);
        desired.meta.immutable = true;
        desired
    };
    present.meta = Some(TargetMeta::default());
    let observed = Observed::Present(present);
    assert_eq!(shown(&decide(&spec, &observed, &desired("old")).unwrap()), "updated a= +meta");
    assert_eq!(shown(&decide(&spec, &observed, &desired("new")).unwrap()), "mark");
}

/// What would be issued for it could not be written.
#[test]
fn a_target_that_is_to_stay_as_it_is_gets_its_marks_and_nothing_is_issued_for_it() {
    let mut spec = spec(CreationPolicy::Owner, DeletionPolicy::Retain);
    assert!(before_issuing(&spec, &present(Holder::Ours, &[("a", "old")], &[])).is_none());
    spec.meta.immutable = true;
    assert!(before_issuing(&spec, &Observed::Absent).is_none());
    for (holder, flag, expected) in
        [(Holder::Ours, true, "immutable"), (Holder::Ours, false, "mark"), (Holder::Nobody, true, "mark")]
    {
        let Observed::Present(mut present) = present(holder, &[("a", "old")], &[]) else { return };
        present.meta = Some(TargetMeta { immutable: flag, ..TargetMeta::default() });
        assert_eq!(shown(&before_issuing(&spec, &Observed::Present(present)).unwrap()), expected);
    }
}

#[test]
fn keys_that_a_store_does_not_look_into_count_as_updated() {
    let Observed::Present(mut present) = present(Holder::Ours, &[], &[]) else { return };
    present.keys.insert(key("a"), KeyState::owned(None));
    let decision = decide(
        &spec(CreationPolicy::Owner, DeletionPolicy::Retain),
        &Observed::Present(present),
        &desired(&[("a", "1")]),
    );
    assert_eq!(shown(&decision.unwrap()), "updated a~");
}
