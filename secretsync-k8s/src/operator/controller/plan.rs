//! From what is known to the next run of one ExternalSecret.

use std::collections::BTreeMap;
use std::time::SystemTime;

use secretsync_core::access::KeyAccess;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::StoreOrigin;
use secretsync_core::store::TargetRef;
use secretsync_core::sync::{CreationPolicy, ProviderKey, Reason, RefreshPolicy, SyncReport, SyncSpec};

use super::world::{SyncState, World};
use crate::api::names::created_by;
use crate::api::{ClusterSecretStore, Manifest as _};
use crate::convert::{self, StoreUse};
use crate::operator::Context;
use crate::operator::due::{Due, due};
use crate::operator::job::{Job, Work};
use crate::operator::store::Needed;
use crate::operator::watch::Id;

/// What to do with an ExternalSecret whose turn it is.
pub(super) enum Plan {
    /// Nothing, until something changes: it is none of ours, is suspended, or waits for its store.
    Leave,
    /// Nothing yet: it is not due.
    NotYet,
    /// This.
    Run(Box<Job>),
}

/// Why a store does not serve an ExternalSecret.
pub(super) enum Refusal {
    /// It was not tried yet; those who use it are woken then.
    Pending,
    Failed(Error),
}

impl World {
    pub(super) fn plan(&self, context: &Context, id: &Id) -> Plan {
        let Some(state) = self.syncs.get(id) else { return Plan::Leave };
        if self.is_foreign(&state.object, &context.settings) {
            return Plan::Leave;
        }
        if let Some(report) = &state.issuance.replaced {
            return Plan::Run(Box::new(job(state, id, Work::Replaced(report.clone()))));
        }
        if !state.issuance.adopted
            && let Ok((spec, needed)) = self.resolve(context, state, id)
        {
            return Plan::Run(Box::new(job(
                state,
                id,
                Work::Adopt { spec: Box::new(spec), needed, issued: state.object.status.issued.clone() },
            )));
        }
        let spec = match &state.spec {
            Ok(spec) if spec.suspended => return Plan::Leave,
            Ok(spec) => spec,
            Err(error) => return refuse(state, id, reason_of(error), error.clone()),
        };
        let now = SystemTime::now();
        // One that others read along for goes by the same rules: its window may be closed.
        let takes_part = state.announced.is_some() && state.takes_part(now);
        if !takes_part && !state.is_due(now) {
            if state.wants_look(now) {
                let work = Work::Look(spec.owner.clone(), spec.target.clone());
                return Plan::Run(Box::new(job(state, id, work)));
            }
            return match due(spec, &state.status, &state.object.revision, now) {
                Due::Never if state.ends_at.is_none() && state.issuance.look_at.is_none() => Plan::Leave,
                _ => Plan::NotYet,
            };
        }
        match self.resolve(context, state, id) {
            Ok((spec, needed)) => {
                let orphans = self.orphans(&spec);
                let work = Work::Sync { spec: Box::new(spec), needed, orphans };
                Plan::Run(Box::new(job(state, id, work)))
            }
            Err(Refusal::Pending) => Plan::Leave,
            Err(Refusal::Failed(error)) => refuse(state, id, Reason::SourceFailed, error),
        }
    }

    /// The sync with the providers that it needs.
    pub(super) fn resolve(
        &self,
        context: &Context,
        state: &SyncState,
        id: &Id,
    ) -> Result<(SyncSpec, Vec<Needed>), Refusal> {
        let mut needed: Vec<Needed> = Vec::new();
        let mut pending = false;
        let manifest = state.object.manifest().map_err(Refusal::Failed)?;
        let converted = convert::sync_spec(&manifest, |origin| {
            let (provider, access) =
                self.provider(context, origin, &id.namespace).map_err(|refused| match refused {
                    Refusal::Failed(error) => error,
                    Refusal::Pending => {
                        pending = true;
                        Error::new(ErrorKind::Unavailable, "use").on(origin)
                    }
                })?;
            let key = provider.key.clone();
            if needed.iter().all(|known| known.key != key) {
                needed.push(provider);
            }
            Ok(StoreUse::new(key, access))
        });
        if pending {
            return Err(Refusal::Pending);
        }
        let mut spec = converted.map_err(Refusal::Failed)?;
        if spec.refresh == RefreshPolicy::CreatedOnce {
            // The status tells whether it was synced, not whether there is a target: one of somebody else, or one that was changed.
            spec.refresh = RefreshPolicy::OnChange;
        }
        Ok((spec, needed))
    }

    fn provider(
        &self,
        context: &Context,
        origin: &StoreOrigin,
        namespace: &str,
    ) -> Result<(Needed, KeyAccess), Refusal> {
        if origin.namespace().is_none() && !context.settings.cluster_stores {
            let advice = "this operator serves none (`--enable-cluster-store-reconciler`): use a SecretStore";
            return Err(Refusal::Failed(not_ready(ClusterSecretStore::KIND, origin, advice)));
        }
        let store = self.stores.get(origin).ok_or_else(|| Refusal::Failed(missing(origin)))?;
        let spec = store.object.spec.clone().map_err(Refusal::Failed)?;
        if context.settings.gate && origin.generator_kind().is_none() && !store.was_ready() {
            if !store.validated && store.object.is_validated_by(&context.settings) {
                return Err(Refusal::Pending);
            }
            let advice = "look at the store's own condition `Ready`: it says why";
            return Err(Refusal::Failed(not_ready(store.object.kind_name(), origin, advice)));
        }
        let nothing = BTreeMap::new();
        let labels = self.namespaces.get(namespace).unwrap_or(&nothing);
        let access = spec.access.check(origin, namespace, labels).map_err(Refusal::Failed)?;
        let key: ProviderKey = context.providers.key(&spec, namespace).map_err(Refusal::Failed)?;
        let version = store.version_for(Some(namespace));
        Ok((Needed { key, spec, version, consumer: namespace.to_owned() }, access))
    }

    /// Targets that this ExternalSecret owns under an earlier name.
    fn orphans(&self, spec: &SyncSpec) -> Vec<TargetRef> {
        if spec.creation != CreationPolicy::Owner {
            return Vec::new();
        }
        let left =
            |target: &&TargetRef| target.namespace() == spec.target.namespace() && target.name() != spec.target.name();
        self.marked(&created_by(&spec.owner)).filter(left).cloned().collect()
    }
}

impl SyncState {
    /// Whether it runs now, by its manifest and status or because it has to.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        let Ok(spec) = &self.spec else { return false };
        let by_time = || match due(spec, &self.status, &self.object.revision, now) {
            Due::At(at, _) => at <= now,
            Due::Never | Due::Window => false,
        };
        !spec.suspended && (self.forced || self.ends_at.is_some_and(|at| at <= now) || by_time())
    }
}

fn refuse(state: &SyncState, id: &Id, reason: Reason, error: Error) -> Plan {
    let owner = secretsync_core::store::OwnerId::new(&*id.namespace, &*id.name);
    let target = match &state.spec {
        Ok(spec) => spec.target.clone(),
        Err(_) => TargetRef::new(&*id.namespace, &*id.name),
    };
    let report = SyncReport::failed(owner, target, reason, error);
    Plan::Run(Box::new(job(state, id, Work::Refuse(Box::new(report)))))
}

/// What a manifest that makes no sense fails with: one that names no store fails where its sources are read (`eso-compat.md` 0).
fn reason_of(error: &Error) -> Reason {
    match error.hint().map(Hint::code) {
        Some(Code::StoreMissing) => Reason::SourceFailed,
        _ => Reason::SpecInvalid,
    }
}

fn missing(origin: &StoreOrigin) -> Error {
    let (why, advice) = match origin.generator_kind() {
        Some(_) => ("there is no such generator", "create the generator, or correct `generatorRef`"),
        None => ("there is no such store", "create the store, or correct `secretStoreRef`"),
    };
    let hint = Hint::new(Code::StoreMissing, advice);
    Error::new(ErrorKind::InvalidConfig, "find").on(origin).because(why).with_hint(hint)
}

fn not_ready(kind: &str, origin: &StoreOrigin, advice: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, "use")
        .on(origin)
        .because(format!("{kind} \"{}\" is not ready", origin.name()))
        .with_hint(Hint::new(Code::StoreInvalid, advice))
}

fn job(state: &SyncState, id: &Id, work: Work) -> Job {
    Job {
        id: id.clone(),
        uid: state.object.uid.clone(),
        revision: state.object.revision.clone(),
        work,
        announced: Vec::new(),
    }
}
