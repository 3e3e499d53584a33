//! Whose a Secret is, and whether it may be written or removed: pure.

use std::collections::BTreeSet;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::secret::{Fingerprint, SecretKey};
use secretsync_core::store::{OwnerId, Write, not_owned};

use super::managed_fields::is_sync_manager;
use super::snapshot::{OwnerReference, Snapshot};
use crate::api::GROUP;
use crate::api::names::{CREATED_BY_LABEL, FIELD_MANAGER_PREFIX, MANAGED_LABEL, created_by, field_manager};
use crate::problems::{plain, quote};

/// Whose a Secret is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Claim {
    /// Nobody's that we know of.
    Nobody,
    /// This owner's.
    Ours,
    /// Another ExternalSecret's, which is its controller, in words for a message.
    Other(String),
    /// Another sync's, by the mark that it left: its field manager, where that can be told.
    Sync(Option<String>),
}

/// A sync as the marks on its targets show it.
#[derive(Clone, Debug)]
pub(crate) struct Marks<'a> {
    pub(crate) owner: &'a OwnerId,
    pub(crate) manager: String,
    created_by: String,
}

impl<'a> Marks<'a> {
    pub(crate) fn new(owner: &'a OwnerId) -> Self {
        Self { owner, manager: field_manager(owner.name()), created_by: created_by(owner) }
    }

    /// The value of the created-by label.
    pub(crate) fn created_by(&self) -> &str {
        &self.created_by
    }

    /// Whose the Secret is among ExternalSecrets. An earlier one of our name counts as ours, as in External Secrets Operator: after a restore from a backup
    /// every ExternalSecret is a new object.
    pub(crate) fn claim(&self, secret: &Snapshot) -> Claim {
        if let Some(controller) = controller(secret).filter(|controller| is_sync(controller)) {
            return if self.is_ours(controller) { Claim::Ours } else { Claim::Other(in_words(controller)) };
        }
        let fields = &secret.metadata.managed_fields;
        match secret.metadata.labels.get(CREATED_BY_LABEL) {
            Some(mark) if *mark == self.created_by => Claim::Ours,
            Some(_) => Claim::Sync(fields.syncs_with_label(&self.manager, CREATED_BY_LABEL).next().map(str::to_owned)),
            None if fields.knows(&self.manager) => Claim::Ours,
            None => Claim::Nobody,
        }
    }

    /// Whether the marks of this sync are on the Secret.
    pub(crate) fn are_on(&self, secret: &Snapshot) -> bool {
        let metadata = &secret.metadata;
        metadata.labels.get(MANAGED_LABEL).is_some_and(|value| value == "true")
            && metadata.managed_fields.knows(&self.manager)
            && (!self.control(secret) || metadata.labels.contains_key(CREATED_BY_LABEL))
    }

    /// Whether the Secret bears a mark of being owned by our ExternalSecret.
    pub(crate) fn own(&self, secret: &Snapshot) -> bool {
        self.control(secret)
            || secret.metadata.labels.get(CREATED_BY_LABEL).is_some_and(|mark| *mark == self.created_by)
    }

    /// Whether the Secret is marked as owned by our ExternalSecret without a reference to it. `uid` is that of ours, where it is known.
    pub(crate) fn lack_owner(&self, secret: &Snapshot, uid: Option<&str>) -> bool {
        self.own(secret) && (!self.control(secret) || uid.is_some_and(|uid| self.former(secret, uid).is_some()))
    }

    /// The controller of the Secret, with its place among the owners, where it is an earlier ExternalSecret of our name. `uid` is that of ours.
    pub(crate) fn former<'s>(&self, secret: &'s Snapshot, uid: &str) -> Option<(usize, &'s OwnerReference)> {
        let mut owners = secret.metadata.owner_references.iter().enumerate();
        owners.find(|(_, reference)| reference.controller && self.is_ours(reference) && reference.uid != uid)
    }

    /// Whether our ExternalSecret is the controller.
    pub(crate) fn control(&self, secret: &Snapshot) -> bool {
        secret.metadata.owner_references.iter().any(|reference| reference.controller && self.is_ours(reference))
    }

    /// The first key of `write` that a living sync holds and we do not, with its manager.
    pub(crate) fn contested<'l, 'w>(
        &self,
        secret: &Snapshot,
        write: &'w Write<'_>,
        living: &'l BTreeSet<String>,
    ) -> Option<(&'w str, &'l str)> {
        let fields = &secret.metadata.managed_fields;
        let holder = |key| living.iter().find(|manager| fields.owns_key(manager, key));
        let keys = write.desired.data.keys().map(SecretKey::as_str).filter(|key| !fields.owns_key(&self.manager, key));
        keys.into_iter().find_map(|key| Some((key, holder(key)?.as_str())))
    }

    /// Whether a reference is to our ExternalSecret.
    pub(crate) fn is_ours(&self, reference: &OwnerReference) -> bool {
        is_sync(reference) && reference.name == self.owner.name()
    }

    /// The name of the ExternalSecret behind a field manager, unless it is hashed.
    pub(crate) fn sync_behind(manager: &str) -> Option<&str> {
        manager.strip_prefix(FIELD_MANAGER_PREFIX).filter(|name| !name.is_empty() && !name.contains('/'))
    }

    /// How another sync is called in messages.
    pub(crate) fn describe(&self, manager: Option<&str>) -> String {
        match manager.and_then(Self::sync_behind) {
            Some(name) => crate::problems::subject("ExternalSecret", Some(self.owner.namespace()), name),
            None => match manager.filter(|manager| is_sync_manager(manager)) {
                Some(manager) => format!("another ExternalSecret (field manager {})", quote(manager)),
                None => "another ExternalSecret".to_owned(),
            },
        }
    }
}

/// The controller of a Secret, in words for a message, where it is no ExternalSecret.
pub(crate) fn stranger(secret: &Snapshot) -> Option<String> {
    controller(secret).filter(|controller| !is_sync(controller)).map(in_words)
}

fn controller(secret: &Snapshot) -> Option<&OwnerReference> {
    secret.metadata.owner_references.iter().find(|reference| reference.controller)
}

fn in_words(reference: &OwnerReference) -> String {
    format!("{} {}", plain(&reference.kind), quote(&reference.name))
}

/// Whether a reference is to an ExternalSecret.
fn is_sync(reference: &OwnerReference) -> bool {
    let group = reference.api_version.split_once('/').map(|(group, _)| group);
    group == Some(GROUP) && reference.kind == "ExternalSecret"
}

/// The refusal to replace or remove a Secret that a controller holds which is no ExternalSecret.
pub(crate) fn controlled(target: impl std::fmt::Display, holder: &str) -> Error {
    let advice = "choose another `target.name`, or remove the Secret from its owner first";
    not_owned(target, holder, advice).with_hint(Hint::new(Code::TargetControlled, advice))
}

/// The refusal to write a Secret that another sync holds.
pub(crate) fn refusal(target: impl std::fmt::Display, holder: &str) -> Error {
    let advice = format!(
        "choose another `target.name`, or delete the Secret if nobody needs it; a Secret that is left over is released by removing the label \
         `{CREATED_BY_LABEL}`"
    );
    not_owned(target, holder, advice)
}

/// The refusal to write a key that another sync holds.
pub(crate) fn contest(target: impl std::fmt::Display, key: &str, holder: &str, owner: &OwnerId) -> Error {
    let ours = crate::problems::subject("ExternalSecret", Some(owner.namespace()), owner.name());
    Error::new(ErrorKind::NotOwned, "write")
        .on(format!("key {} of {target}", quote(key)))
        .because(format!("{holder} and {ours} both want it"))
        .with_hint(Hint::new(Code::NotOwned, "remove the key from one of them, or give one another `target.name`"))
}

/// Fails when the Secret can take no such write: because its data may not change, or its type.
pub(crate) fn check_fixed(target: impl std::fmt::Display, secret: &Snapshot, write: &Write<'_>) -> Result<()> {
    let invalid = |detail: &'static str, code, advice: &'static str| {
        Error::new(ErrorKind::InvalidConfig, "write").on(&target).because(detail).with_hint(Hint::new(code, advice))
    };
    if let (Some(wanted), Some(present)) = (&write.desired.meta.secret_type, &secret.secret_type)
        && wanted != present
    {
        let advice = "delete the Secret so that it is made anew, or remove `target.template.type`";
        return Err(invalid("the type of a Secret cannot be changed", Code::TargetUnwritable, advice));
    }
    if !secret.immutable || !secret.is_whole() {
        return Ok(());
    }
    let differs =
        write.desired.data.iter().any(|(key, value)| secret.fingerprint(key.as_str()) != Some(Fingerprint::of(value)));
    let shrinks = write.remove.iter().any(|key| secret.fingerprint(key.as_str()).is_some());
    if differs || shrinks {
        let advice = "delete the Secret so that it is made anew, or set `target.immutable: true` to keep it as it is";
        return Err(invalid("it is immutable and would change", Code::TargetImmutable, advice));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use secretsync_core::error::chain;
    use secretsync_core::secret::SecretMap;
    use secretsync_core::store::{Desired, TargetMeta, TargetRef};
    use serde_json::{Value, json};

    use super::super::snapshot::tests::snapshot;
    use super::*;

    fn owner() -> OwnerId {
        OwnerId::new("shop", "db")
    }

    fn claim(metadata: &Value) -> Claim {
        let owner = owner();
        Marks::new(&owner).claim(&snapshot(&json!({ "metadata": metadata })))
    }

    fn controller(api_version: &str, kind: &str, name: &str) -> Value {
        json!({"ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": name, "uid": "1", "controller": true}]})
    }

    fn wrote(manager: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": "Apply", "fieldsV1": fields})
    }

    #[test]
    fn an_external_secret_that_is_the_controller_decides_first() {
        let v1 = "external-secrets.io/v1";
        for (metadata, expected) in [
            (controller(v1, "ExternalSecret", "db"), Claim::Ours),
            (controller("external-secrets.io/v1beta1", "ExternalSecret", "db"), Claim::Ours),
            (controller(v1, "ExternalSecret", "other"), Claim::Other("ExternalSecret `other`".into())),
            (controller("apps/v1", "Deployment", "web"), Claim::Nobody),
        ] {
            assert_eq!(claim(&metadata), expected, "{metadata}");
        }
    }

    #[test]
    fn a_reference_to_an_earlier_external_secret_of_the_name_is_none_to_ours() {
        let owner = owner();
        let marks = Marks::new(&owner);
        let lacks = |name: &str, uid| {
            let metadata = controller("external-secrets.io/v1beta1", "ExternalSecret", name);
            let secret = snapshot(&json!({ "metadata": metadata }));
            (marks.lack_owner(&secret, uid), uid.and_then(|uid| marks.former(&secret, uid)).map(|(place, _)| place))
        };
        assert_eq!(lacks("db", None), (false, None));
        assert_eq!(lacks("db", Some("1")), (false, None));
        assert_eq!(lacks("db", Some("2")), (true, Some(0)));
        assert_eq!(lacks("other", Some("2")), (false, None));
    }

    #[test]
    fn a_controller_that_is_no_external_secret_is_a_stranger() {
        let seen = |metadata: &Value| stranger(&snapshot(&json!({ "metadata": metadata })));
        for (api_version, kind, expected) in [
            ("external-secrets.io/v1", "ExternalSecret", None),
            ("apps/v1", "Deployment", Some("Deployment `db`")),
            ("example.com/v1", "ExternalSecret", Some("ExternalSecret `db`")),
            ("v1", "ExternalSecret", Some("ExternalSecret `db`")),
        ] {
            let metadata = controller(api_version, kind, "db");
            assert_eq!(seen(&metadata).as_deref(), expected, "{metadata}");
        }
        assert_eq!(seen(&json!({})), None);
    }

    #[test]
    fn an_owner_that_is_no_controller_has_no_say() {
        let metadata =
            json!({"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1"}]});
        assert_eq!(claim(&metadata), Claim::Nobody);
    }

    #[test]
    fn the_label_decides_next_and_then_the_field_manager() {
        let ours = created_by(&owner());
        let other = "externalsecrets.external-secrets.io/other";
        let marked = json!({"f:metadata": {"f:labels": {"f:reconcile.external-secrets.io/created-by": {}}}});
        for (metadata, expected) in [
            (json!({"labels": {CREATED_BY_LABEL: ours}}), Claim::Ours),
            (json!({"labels": {CREATED_BY_LABEL: "f00"}}), Claim::Sync(None)),
            (
                json!({"labels": {CREATED_BY_LABEL: "f00"}, "managedFields": [wrote(other, &marked)]}),
                Claim::Sync(Some(other.into())),
            ),
            (json!({"managedFields": [wrote("externalsecrets.external-secrets.io/db", &json!({}))]}), Claim::Ours),
            (json!({"managedFields": [wrote(other, &json!({}))]}), Claim::Nobody),
            (json!({"labels": {MANAGED_LABEL: "true"}}), Claim::Nobody),
            (json!({}), Claim::Nobody),
        ] {
            assert_eq!(claim(&metadata), expected, "{metadata}");
        }
    }

    #[test]
    fn other_syncs_are_named_where_their_field_manager_names_them() {
        let owner = owner();
        let marks = Marks::new(&owner);
        assert_eq!(marks.describe(Some("externalsecrets.external-secrets.io/other")), "ExternalSecret `shop/other`");
        let hashed = "externalsecrets.external-secrets.io/sha3/abc";
        assert_eq!(marks.describe(Some(hashed)), format!("another ExternalSecret (field manager `{hashed}`)"));
        assert_eq!(marks.describe(None), "another ExternalSecret");
    }

    fn write_of(keys: &[(&str, &str)], meta: TargetMeta) -> Desired {
        let data: SecretMap =
            keys.iter().map(|(key, value)| (SecretKey::new(*key).unwrap(), (*value).into())).collect();
        Desired::new(data, meta)
    }

    #[test]
    fn a_key_of_another_sync_is_contested_unless_we_hold_it_too() {
        let (owner, target) = (owner(), TargetRef::new("shop", "db"));
        let other = "externalsecrets.external-secrets.io/other";
        let desired = write_of(&[("a", "1"), ("b", "2")], TargetMeta::default());
        let write = Write::new(&target, &owner, &desired);
        let both = |ours: &Value| {
            let managers =
                [wrote(other, &json!({"f:data": {"f:b": {}}})), wrote("externalsecrets.external-secrets.io/db", ours)];
            snapshot(&json!({"metadata": {"managedFields": managers}}))
        };
        let (marks, living) = (Marks::new(&owner), BTreeSet::from([other.to_owned()]));
        let only_a = both(&json!({"f:data": {"f:a": {}}}));
        assert_eq!(marks.contested(&only_a, &write, &living), Some(("b", other)));
        assert_eq!(marks.contested(&only_a, &write, &BTreeSet::new()), None, "the other sync is gone");
        assert_eq!(marks.contested(&both(&json!({"f:data": {"f:b": {}}})), &write, &living), None);
        assert_eq!(
            chain(&contest("Secret `shop/db`", "b", "ExternalSecret `shop/other`", &owner)),
            "failed to write key `b` of Secret `shop/db`: ExternalSecret `shop/other` and ExternalSecret `shop/db` both want it"
        );
    }

    #[test]
    fn an_immutable_secret_takes_the_same_data_and_no_other() {
        let (owner, target) = (owner(), TargetRef::new("shop", "db"));
        let secret =
            snapshot(&json!({"metadata": {}, "type": "Opaque", "immutable": true, "data": {"a": "MQ==", "b": "Mg=="}}));
        let check = |keys: &[(&str, &str)], remove: &[SecretKey]| {
            let desired = write_of(keys, TargetMeta::default());
            check_fixed("Secret `shop/db`", &secret, &Write::new(&target, &owner, &desired).removing(remove))
        };
        assert!(check(&[("a", "1")], &[]).is_ok());
        for refused in [
            check(&[("a", "2")], &[]),
            check(&[("c", "1")], &[]),
            check(&[("a", "1")], &[SecretKey::new("b").unwrap()]),
        ] {
            assert_eq!(refused.unwrap_err().hint().unwrap().code(), Code::TargetImmutable);
        }
    }

    #[test]
    fn the_type_of_an_existing_secret_cannot_change() {
        let (owner, target) = (owner(), TargetRef::new("shop", "db"));
        let secret = snapshot(&json!({"metadata": {}, "type": "Opaque"}));
        let mut meta = TargetMeta::default();
        meta.secret_type = Some("kubernetes.io/tls".into());
        let desired = write_of(&[], meta);
        let error = check_fixed("Secret `shop/db`", &secret, &Write::new(&target, &owner, &desired)).unwrap_err();
        assert_eq!(error.to_string(), "failed to write Secret `shop/db`: the type of a Secret cannot be changed");
    }
}
