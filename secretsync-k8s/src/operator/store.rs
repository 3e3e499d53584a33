//! Stores: their providers are built when they are needed, and their health is told in their status.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, causes, one_line};
use secretsync_core::provider::{BuildContext, CredentialRef, NoCredentials, Provider, ProviderRegistry, StoreOrigin};
use secretsync_core::sync::{MassDeletion, ProviderKey};
use serde_json::json;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::Context;
use super::OperatorSettings;
use super::counted::Counted;
use super::event::Note;
use super::metrics::Metrics;
use super::object::StoreObject;
use super::reference::Seen;
use super::status::{Condition, DELETION_PAUSED, READY};
use super::watch::Kind;
use crate::api::names::ALLOW_MASS_DELETION_ANNOTATION;
use crate::convert::{self, StoreSpec};
use crate::request::{Call, Priority, Server, Target, Verb, View};
use crate::{CredentialScope, KubeCredentials};

/// A provider that a sync needs.
#[derive(Clone, Debug)]
pub(super) struct Needed {
    pub(super) key: ProviderKey,
    pub(super) spec: StoreSpec,
    /// See [`StoreObject::version`].
    pub(super) version: String,
    /// The namespace on whose behalf references are resolved.
    pub(super) consumer: String,
}

/// The providers of all stores, by the engine's name.
pub(super) struct Providers {
    server: Server,
    registry: ProviderRegistry,
    settings: OperatorSettings,
    seen: Arc<Seen>,
    metrics: Arc<Metrics>,
    built: Mutex<HashMap<ProviderKey, Built>>,
}

struct Built {
    origin: StoreOrigin,
    version: String,
    provider: Result<Arc<dyn Provider>>,
}

impl Providers {
    pub(super) fn new(
        server: Server,
        registry: ProviderRegistry,
        settings: &OperatorSettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { server, registry, settings: settings.clone(), seen: Arc::default(), metrics, built: Mutex::default() }
    }

    /// What the configuration of a store reads: objects of the cluster, and files.
    pub(super) fn reads_of(&self, store: &StoreObject) -> (Vec<CredentialRef>, Vec<PathBuf>) {
        let Ok(spec) = &store.spec else { return Default::default() };
        let Ok(factory) = spec.factory(&self.registry) else { return Default::default() };
        let context = BuildContext::new(spec.origin.clone(), Arc::new(NoCredentials::default()))
            .with_base(self.settings.sops_root.clone());
        let references = factory.references(&spec.config, &spec.origin).unwrap_or_default();
        (references, factory.paths(&spec.config, &context).unwrap_or_default())
    }

    /// What is known of the objects that stores refer to.
    pub(super) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    /// The engine's name of a store for one namespace.
    pub(super) fn key(&self, spec: &StoreSpec, namespace: &str) -> Result<ProviderKey> {
        spec.provider_key(&self.registry, namespace)
    }

    /// Gives the engine the provider as its store configures it now. What cannot be built fails the syncs that need it.
    pub(super) async fn ensure(&self, engine: &Engine, needed: &Needed) -> Result<Arc<dyn Provider>> {
        let mut built = self.built.lock().await;
        if let Some(known) = built.get(&needed.key).filter(|known| known.version == needed.version) {
            return known.provider.clone();
        }
        let built_now = AssertUnwindSafe(self.build(needed)).catch_unwind().await;
        let provider = built_now.unwrap_or_else(|_| Err(panicked(&needed.spec.origin)));
        engine.provide(needed.key.clone(), provider.clone(), &needed.spec.layers());
        let (origin, version) = (needed.spec.origin.clone(), needed.version.clone());
        built.insert(needed.key.clone(), Built { origin, version, provider: provider.clone() });
        provider
    }

    async fn build(&self, needed: &Needed) -> Result<Arc<dyn Provider>> {
        let Needed { spec, consumer, .. } = needed;
        let scope = CredentialScope::new(&spec.origin, consumer);
        let credentials = KubeCredentials::over(self.server.clone(), scope).of_cluster("in-cluster");
        let credentials = Arc::new(credentials.counting_changes(self.seen()));
        let context = BuildContext::new(spec.origin.clone(), credentials)
            .with_own_identity(self.settings.identity_for(&spec.origin))
            .for_consumer(consumer)
            .with_base(self.settings.sops_root.clone());
        let provider = spec.factory(&self.registry)?.build(&spec.config, context).await?;
        Ok(Arc::new(Counted::new(provider, Arc::clone(&self.metrics))))
    }

    /// Lets the providers of a store go: it is gone, or what it refers to has changed.
    pub(super) async fn forget(&self, engine: &Engine, origin: &StoreOrigin) {
        self.built.lock().await.retain(|key, built| {
            let stays = built.origin != *origin;
            if !stays {
                engine.withdraw(key);
            }
            stays
        });
    }
}

fn panicked(origin: &StoreOrigin) -> Error {
    Error::new(ErrorKind::Internal, "build the provider of")
        .on(origin)
        .because("the provider itself failed")
        .with_hint(Hint::new(Code::InternalDefect, "report it with the version and the manifest, without values"))
}

/// What a validation found.
#[derive(Debug)]
pub(super) struct Validated {
    pub(super) store: StoreObject,
    /// The condition as it is written.
    pub(super) ready: Condition,
    /// The condition that tells that none of its targets is deleted, while that is so.
    pub(super) paused: Option<Condition>,
    pub(super) took: Duration,
}

/// Proves that a store works, and tells it in its status and, where it is news, in an event; so, too, whether deletions are paused.
pub(super) async fn validate(context: &Context, store: StoreObject, mass: Option<MassDeletion>) -> Validated {
    let started = SystemTime::now();
    let checked = check(context, &store).await;
    let now = SystemTime::now();
    let took = now.duration_since(started).unwrap_or_default();
    let ready = match &checked {
        Ok(()) => Condition::new(true, "Valid", "store validated", now),
        Err((stage, error)) => {
            let advice = error.hint().map(|hint| format!("; {} [{}]", hint.advice(), hint.code()));
            let message = format!("{stage}: {}{}", one_line(error), advice.unwrap_or_default());
            Condition::new(false, "InvalidProviderConfig", message, now)
        }
    };
    let ready = ready.since_before(store.ready.as_ref(), now);
    let paused = mass.map(|mass| store.paused.clone().unwrap_or_else(|| pause(&mass, now)));
    let (kind, id, uid) = (store.kind_name(), &store.id, store.uid.as_str());
    if store.ready.as_ref() != Some(&ready) || store.paused != paused {
        write(context, &store, &ready, paused.as_ref()).await;
    }
    if store.ready.as_ref() != Some(&ready) {
        match checked {
            Ok(()) => context.events.note(kind, id, uid, Note::normal("Valid", ready.message.clone())).await,
            Err((_, error)) => {
                context.events.note(kind, id, uid, Note::warning("InvalidProviderConfig", one_line(&error))).await;
            }
        }
    }
    match (&store.paused, &paused) {
        (None, Some(paused)) => {
            context.events.note(kind, id, uid, Note::warning(DELETION_PAUSED, paused.message.clone())).await;
        }
        (Some(_), None) => context.events.note(kind, id, uid, Note::normal("DeletionResumed", RESUMED)).await,
        _ => {}
    }
    Validated { store, ready, paused, took }
}

fn pause(mass: &MassDeletion, now: SystemTime) -> Condition {
    let message = format!(
        "{mass}; put back what the store has lost, or allow it with the annotation `{ALLOW_MASS_DELETION_ANNOTATION}: \"true\"` [{}]",
        Code::DeletionPaused
    );
    Condition::new(true, "MassDeletion", message, now)
}

async fn check(context: &Context, store: &StoreObject) -> Result<(), (&'static str, Error)> {
    let spec = store.spec.clone().map_err(|error| (BUILD, error))?;
    // Whose credentials such a store uses is known only when an ExternalSecret uses it.
    if spec.is_referent(&context.providers.registry).map_err(|error| (BUILD, error))? {
        return Ok(());
    }
    let key = convert::provider_key(&spec.origin);
    let consumer = spec.origin.namespace().unwrap_or_default().to_owned();
    let needed = Needed { key, spec, version: store.version.clone(), consumer };
    let provider = context.providers.ensure(&context.engine, &needed).await.map_err(|error| (BUILD, error))?;
    let checked = tokio::time::timeout(needed.spec.layers().timeout, provider.check()).await;
    checked
        .unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "check").on(&needed.spec.origin).because("no answer in time"))
        })
        .map_err(|error| (stage(&error), error))
}

/// Where External Secrets Operator would fail: it gets its credentials and logs in while it makes its client (`eso-compat.md` 4.12).
fn stage(error: &Error) -> &'static str {
    let mut causes = causes(error).filter_map(|cause| cause.downcast_ref::<Error>());
    let before = causes.any(|cause| matches!(cause.operation(), "log in" | "log in to" | "resolve"));
    if before { BUILD } else { "unable to validate store" }
}

async fn write(context: &Context, store: &StoreObject, ready: &Condition, paused: Option<&Condition>) {
    let paused = paused.map(|paused| paused.to_json(DELETION_PAUSED));
    let conditions: Vec<_> = [ready.to_json(READY)].into_iter().chain(paused).collect();
    let mut status = json!({"conditions": conditions});
    if ready.holds {
        // As the providers of External Secrets Operator say it of themselves; ours beyond those only read.
        let known = store.spec.as_ref().is_ok_and(StoreSpec::is_of_external_secrets_operator);
        status["capabilities"] = if known { "ReadWrite" } else { "ReadOnly" }.into();
    }
    let target = match store.kind {
        Kind::ClusterSecretStore => Target::cluster_store_status(&store.id.name),
        _ => Target::store_status(&store.id.namespace, &store.id.name),
    };
    patch(context, target, json!({"metadata": {"uid": store.uid}, "status": status})).await;
}

/// Writes a part of an object by a merge patch. Says whether it is there now; an object that is gone or was made anew is nobody's failure.
pub(super) async fn patch(context: &Context, target: Target<'_>, body: serde_json::Value) -> bool {
    let body = Zeroizing::new(body.to_string().into_bytes());
    let call = Call::new(Verb::Patch, target, View::Metadata).with_body("application/merge-patch+json", body);
    match call.with_priority(Priority::Status).send(&context.server).await {
        Ok(_) => true,
        Err(crate::request::Failure::Refused(refusal)) if refusal.is_absent() || refusal.is_stale() => false,
        Err(failure) => {
            let error = failure.into_error(Verb::Patch, &target);
            tracing::warn!(%target, error = &error as &dyn std::error::Error, "an object was not written");
            false
        }
    }
}

const BUILD: &str = "unable to create client";
const RESUMED: &str = "no target is kept from being deleted any more";
