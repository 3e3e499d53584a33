//! One sync, step by step.

mod rendered;
mod settle;
mod without_target;

use std::collections::BTreeSet;

use futures::future::join_all;

use super::Shared;
use super::assemble::{Assembled, assemble, check, keep};
use super::decide::{Decision, before_issuing, before_reading, decide, untouched, when_empty};
use super::fetch::{Answers, Sharing, fetch, find, settle};
use super::inputs::Made;
use super::ledger::{AtHand, Fresh, Keeping, SyncKey};
use super::reads::{ObjectKey, Reads};
use crate::error::{Code, Error, ErrorKind, Hint, Result, Retry};
use crate::provider::{Absence, FetchOptions, Fetched, Provider};
use crate::store::{Desired, Observed};
use crate::sync::{Changes, CreationPolicy, Outcome, Reason, RefreshPolicy, Rewrite, SyncReport, SyncSpec};

/// Whether the target may be touched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Plan,
    Sync,
}

/// What a sync knows its target by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ground {
    /// The store recalled it: it may be outdated.
    Recalled,
    /// It was looked at.
    Seen,
}

/// One sync under way.
pub(crate) struct Run<'a> {
    shared: &'a Shared,
    spec: &'a SyncSpec,
    mode: Mode,
    /// What the sync was issued; `None` while nothing is.
    keeping: Option<Keeping>,
    /// Whether reading its sources mints something.
    issues: bool,
    /// Whether the target was there.
    found: bool,
    /// What its random templates make.
    made: Option<Made>,
}

/// A failure with the step it belongs to.
struct Failure(Reason, Error);

impl<'a> Run<'a> {
    pub(crate) fn new(shared: &'a Shared, spec: &'a SyncSpec, mode: Mode, keeping: Option<Keeping>) -> Self {
        Self { shared, spec, mode, keeping, issues: false, found: false, made: None }
    }

    /// Runs every step. A failure is a report too. What the sync was issued comes along, to be kept or given back.
    pub(crate) async fn report(mut self) -> (SyncReport, Option<Keeping>) {
        let (owner, target) = (self.spec.owner.clone(), self.spec.target.clone());
        let mut report = match self.steps().await {
            Ok(report) => report,
            Err(Failure(reason, error)) => {
                let refused = reason == Reason::WriteFailed && error.kind() == ErrorKind::NotOwned;
                let reason = if refused { Reason::NotOwned } else { reason };
                SyncReport::failed(owner, target, reason, error)
            }
        };
        (report.issues, report.found) = (self.issues, self.found);
        (report, self.keeping)
    }

    /// Goes by what the store recalls where that is enough, else by a look at the target. What was read meanwhile is not read again: it is still announced.
    async fn steps(&mut self) -> Result<SyncReport, Failure> {
        if self.spec.creation == CreationPolicy::None {
            return self.without_target().await;
        }
        if let Some(recalled) = self.recall().await? {
            self.found = matches!(recalled, Observed::Present(_));
            match self.steps_from(&recalled, Ground::Recalled).await {
                Ok(None) => {}
                // Whether there is something that it would have been written to is for a look to say.
                Err(Failure(Reason::TemplateFailed, _)) if !self.found => {}
                // Whether somebody else holds it, or it cannot take this write, is for a look to say.
                Err(Failure(Reason::WriteFailed, error))
                    if matches!(error.kind(), ErrorKind::NotOwned | ErrorKind::InvalidConfig) => {}
                Ok(Some(report)) => return Ok(report),
                Err(failure) => return Err(failure),
            }
        }
        let observed = self.shared.store.observe(&self.spec.target, &self.spec.owner).await.map_err(writing)?;
        self.found = matches!(observed, Observed::Present(_));
        let report = self.steps_from(&observed, Ground::Seen).await?;
        report.ok_or_else(|| writing(contended(self.spec)))
    }

    /// What the store knows without looking, where a sync may go by it: whoever creates notices that something is there, others do not.
    async fn recall(&self) -> Result<Option<Observed>, Failure> {
        let spec = self.spec;
        if self.mode == Mode::Plan || spec.refresh == RefreshPolicy::CreatedOnce {
            return Ok(None);
        }
        let recalled = self.shared.store.recall(&spec.target, &spec.owner).await.map_err(writing)?;
        Ok(recalled.filter(|recalled| spec.creation.creates() || matches!(recalled, Observed::Present(_))))
    }

    /// Every step after the look. `None` where what was recalled is not enough to go by, or turned out to be outdated.
    async fn steps_from(&mut self, observed: &Observed, ground: Ground) -> Result<Option<SyncReport>, Failure> {
        if let Some(decision) = before_reading(self.spec, observed).map_err(writing)? {
            self.remember().await;
            return self.settle(decision, &Desired::default(), &Assembled::default(), ground).await;
        }
        keep::check(self.spec).map_err(|error| Failure(Reason::SpecInvalid, error))?;
        let mut reads = self.reads().await.map_err(sourcing)?;
        let doubts = settle(self.spec, &mut reads, self.shared).await;
        self.open_ledger(&reads).await;
        let issuing: Vec<_> = reads.issuing().collect();
        self.issues = !issuing.is_empty();
        if ground == Ground::Recalled && !issuing.is_empty() {
            return Ok(None);
        }
        if doubts.is_empty() && !issuing.is_empty() {
            if let Some(decision) = before_issuing(self.spec, observed) {
                return self.settle(decision, &Desired::default(), &Assembled::default(), ground).await;
            }
            if self.is_left_alone(&reads, observed) {
                let report = self.done(Outcome::Unchanged, Reason::Synced, Changes::default(), &Assembled::default());
                return Ok(Some(self.accept(report, issuing)));
            }
        }
        let Some((mut assembled, issued)) = self.gather(reads, doubts).await.map_err(sourcing)? else {
            let report = self.done(Outcome::Updated, Reason::WouldBeIssued, Changes::default(), &Assembled::default());
            return Ok(Some(report));
        };
        let takes_away = takes_away(observed, &assembled);
        if ground == Ground::Recalled && (takes_away || assembled.data.is_empty() || assembled.keep.any()) {
            return Ok(None);
        }
        if takes_away {
            self.confirm_absence(&assembled, &issued).await.map_err(sourcing)?;
        }
        self.keep(observed, &mut assembled).await.map_err(writing)?;
        if assembled.data.is_empty()
            && let Some(decision) = when_empty(self.spec, observed, &assembled.keep).map_err(deleting)?
        {
            refuse_blind(&decision, observed, &assembled)?;
            let report = self.settle(decision, &Desired::default(), &assembled, ground).await?;
            return Ok(report.map(|report| self.accept(report, issuing)));
        }
        let data = std::mem::take(&mut assembled.data);
        let mut desired = self.render(observed, data).await.map_err(|error| Failure(Reason::TemplateFailed, error))?;
        let mut decision = decide(self.spec, observed, &desired, &assembled.keep).map_err(writing)?;
        let matters = matches!(decision, Decision::Apply { .. }) || is_immutable(observed);
        if matters && !desired.varied.is_empty() {
            self.put_back(observed, &mut desired).await.map_err(writing)?;
            decision = decide(self.spec, observed, &desired, &assembled.keep).map_err(writing)?;
        }
        refuse_blind(&decision, observed, &assembled)?;
        let Some(report) = self.settle(decision, &desired, &assembled, ground).await? else { return Ok(None) };
        if let (Some(mut made), Mode::Sync, Reason::Synced) = (self.made.take(), self.mode, report.reason) {
            if !desired.varied.is_empty() {
                made.varied = desired.varied;
            }
            self.shared.inputs.set(self.key(), made);
        }
        Ok(Some(self.accept(report, issuing)))
    }

    /// Lets the background work go by this spec from now on: it may have been suspended.
    async fn remember(&mut self) {
        let sync = self.key();
        if self.mode == Mode::Sync && self.keeping.is_none() && self.shared.ledger.knows(&sync) {
            self.shared.ledger.enter(&sync).await.remember(self.spec);
        }
    }

    /// Opens the sync's page where something is issued, or was: nobody else is issued anything for the sync meanwhile.
    async fn open_ledger(&mut self, reads: &Reads) {
        let sync = self.key();
        if self.keeping.is_none() && (reads.issuing().next().is_some() || self.shared.ledger.knows(&sync)) {
            self.keeping = Some(self.shared.ledger.enter(&sync).await);
        }
    }

    /// Whether all that is issued is in the target, still good, and nowhere else: after a restart.
    fn is_left_alone(&self, reads: &Reads, observed: &Observed) -> bool {
        let Some(keeping) = &self.keeping else { return false };
        let at_hand: Vec<_> = reads.issuing().map(|object| keeping.at_hand(self.shared, &object)).collect();
        let only_there = at_hand.iter().any(|kept| matches!(kept, AtHand::InTarget));
        let complete = !at_hand.iter().any(|kept| matches!(kept, AtHand::Nothing));
        only_there && complete && reads.only_issue() && untouched(observed) && names_the_keys_of(self.spec, observed)
    }

    async fn reads(&self) -> Result<Reads> {
        let found = find(self.spec, self.shared).await?;
        Reads::of(self.spec, &mut found.into_iter(), |key, remote| self.shared.address(key, remote))
    }

    /// Reads what can be read repeatably first, and has something issued only if nothing of that failed. What was issued comes beside. `None` where something
    /// would be issued only to be planned.
    async fn gather(&mut self, reads: Reads, doubts: Answers) -> Result<Option<(Assembled, Answers)>> {
        let mut answers = fetch(&reads, self.shared, Sharing::Shared).await;
        let mut issued = doubts;
        if issued.is_empty() {
            check(self.spec, &reads, &answers)?;
            match self.issue(&reads).await? {
                Some(answers) => issued = answers,
                None => return Ok(None),
            }
        }
        answers.extend(issued.clone());
        Ok(Some((self.assemble(reads, answers).await?, issued)))
    }

    async fn assemble(&self, reads: Reads, answers: Answers) -> Result<Assembled> {
        if !self.spec.data_from.iter().any(|entry| entry.rewrites.iter().any(Rewrite::renders)) {
            return assemble(self.spec, &reads, &answers);
        }
        let spec = self.spec.clone();
        self.compute(move || assemble(&spec, &reads, &answers)).await
    }

    /// Takes what the sync has, and has the rest issued: each by a call of its own that is never repeated. `None` where there is a rest and it is only to be
    /// planned.
    async fn issue(&mut self, reads: &Reads) -> Result<Option<Answers>> {
        let mut answers = Answers::default();
        let Some(keeping) = &mut self.keeping else { return Ok(Some(answers)) };
        let mut wanted = Vec::new();
        for object in reads.issuing() {
            match keeping.at_hand(self.shared, &object) {
                AtHand::Here(secret) => answers.insert(object, Ok(Fetched::Found(secret))),
                _ => wanted.push(object),
            }
        }
        if let Some(object) = wanted.first() {
            if !self.shared.issues {
                return Err(refused(object));
            }
            if self.mode == Mode::Plan {
                return Ok(None);
            }
        }
        let shared = self.shared;
        let calls = wanted.into_iter().map(|object| async move {
            let fresh = issue(shared, &object).await;
            (object, fresh)
        });
        for (object, fresh) in join_all(calls).await {
            match fresh {
                Ok(fresh) => {
                    answers.insert(object.clone(), Ok(Fetched::Found(fresh.secret().clone())));
                    keeping.take(object, fresh);
                }
                Err(error) => answers.insert(object, Err(error)),
            }
        }
        Ok(Some(answers))
    }

    /// Takes note of what the target holds now, if it holds what was issued.
    fn accept(&mut self, mut report: SyncReport, issuing: Vec<ObjectKey>) -> SyncReport {
        let Some(keeping) = &mut self.keeping else { return report };
        match (report.outcome, report.reason) {
            (Outcome::Created | Outcome::Updated | Outcome::Unchanged, Reason::Synced) => {
                report.issued = keeping.issued(issuing.iter().cloned());
                let first = report.issued.iter().map(|issued| issued.expires_at).min();
                report.expires_at = report.expires_at.into_iter().chain(first).min();
                if self.mode == Mode::Sync {
                    keeping.accept(self.spec, issuing);
                }
            }
            (_, Reason::Deleted) if self.mode == Mode::Sync => keeping.accept(self.spec, []),
            _ => {}
        }
        report
    }

    /// Asks everything once more but what was issued, searches included and past the coalescing layer: something is taken away only on two independent
    /// answers.
    async fn confirm_absence(&self, first: &Assembled, issued: &Answers) -> Result<()> {
        let unconfirmed = |why: &'static str| {
            Error::new(ErrorKind::Unavailable, "confirm that sources are gone")
                .on(format!("for target `{}`", self.spec.target))
                .because(why)
                .with_retry(Retry::Backoff)
                .with_hint(Hint::new(Code::DeletionUnconfirmed, "run again; nothing was deleted"))
        };
        let mut reads = self.reads().await?;
        let doubts = settle(self.spec, &mut reads, self.shared).await;
        if !doubts.is_empty() || reads.issuing().any(|(key, object)| issued.get(&key, &object).is_none()) {
            return Err(unconfirmed("asking again would issue something"));
        }
        let mut answers = fetch(&reads, self.shared, Sharing::Fresh).await;
        answers.extend(issued.clone());
        let second = self.assemble(reads, answers).await?;
        if second.missing == first.missing && second.data.keys().eq(first.data.keys()) {
            return Ok(());
        }
        Err(unconfirmed("a second read gave another answer"))
    }

    /// Puts back the keys that stay although their entry is missing: a write names every key of this sync, and one that it does not name would go. Their values
    /// are read only here and only then.
    async fn keep(&self, observed: &Observed, assembled: &mut Assembled) -> Result<()> {
        let Observed::Present(present) = observed else { return Ok(()) };
        if present.keys.iter().any(|(key, state)| state.owned && assembled.keep.holds(key)) {
            assembled.keep(&self.shared.store.own_values(&self.spec.target, &self.spec.owner).await?);
        }
        Ok(())
    }

    fn key(&self) -> SyncKey {
        (self.spec.owner.clone(), self.spec.target.clone())
    }

    /// Runs templates off the async threads.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(super::panicked(&self.spec.target)))
    }
}

/// A store that looked must not say that what it saw is outdated: it looks again by itself, and gives up in the end.
fn contended(spec: &SyncSpec) -> Error {
    Error::new(ErrorKind::Unavailable, "write")
        .on(format!("target `{}`", spec.target))
        .because("somebody else keeps changing it at the same time")
        .with_retry(Retry::Backoff)
        .with_hint(Hint::new(Code::TargetUnwritable, "run again; if it happens again, find out who else writes it"))
}

/// Has one object issued. There is no answer "absent": whatever does not issue has failed, and nothing is ever deleted for it.
async fn issue(shared: &Shared, object: &ObjectKey) -> Result<Fresh> {
    let (key, name) = object;
    let provider = shared.provider(key)?;
    tracing::debug!(provider = %key, object = %name, "has something issued");
    match provider.fetch(std::slice::from_ref(name), &FetchOptions::default()).await.pop() {
        Some(Ok(Fetched::Found(secret))) => Ok(Fresh::new(secret, provider, shared.tasks.clone())),
        Some(Err(error)) => Err(error),
        Some(Ok(Fetched::Absent(absence))) => Err(super::assemble::absent(key, name, absence)),
        None => Err(super::assemble::absent(key, name, Absence::default())),
    }
}

/// Whether the keys of a target are those that a spec names, as far as it names them.
fn names_the_keys_of(spec: &SyncSpec, observed: &Observed) -> bool {
    let Observed::Present(present) = observed else { return false };
    let named = spec.named_keys();
    let open = !spec.data_from.is_empty() || spec.template.as_ref().is_some_and(|template| !template.from.is_empty());
    let owned: BTreeSet<_> =
        present.keys.iter().filter(|(_, state)| state.owned).map(|(key, _)| key.as_str()).collect();
    named.is_subset(&owned) && (open || named.len() == owned.len())
}

fn is_immutable(observed: &Observed) -> bool {
    matches!(observed, Observed::Present(present) if present.immutable)
}

/// Nothing is issued only to be looked at.
fn refused((_, object): &ObjectKey) -> Error {
    Error::new(ErrorKind::Unsupported, "read")
        .on(format!("`{object}`"))
        .because("it would be issued, and nothing is issued only to be shown")
        .with_hint(Hint::new(
            Code::IssuingRefused,
            "give the data with `--with`, or see with `secretsync plan` what would be issued",
        ))
}

/// Whether what was read is less than a target of ours has because something was absent, or nothing was found at all.
fn takes_away(observed: &Observed, assembled: &Assembled) -> bool {
    let Observed::Present(present) = observed else { return false };
    assembled.lacks() && present.keys.values().any(|state| state.owned)
}

/// A rule that was narrowed, or a mistake in it, must not look like sources that are gone.
fn refuse_blind(decision: &Decision, observed: &Observed, assembled: &Assembled) -> Result<(), Failure> {
    match &assembled.blind {
        Some(error) if decision.takes_from(observed) => Err(sourcing(error.clone())),
        _ => Ok(()),
    }
}

fn writing(error: Error) -> Failure {
    Failure(Reason::WriteFailed, error)
}

fn deleting(error: Error) -> Failure {
    Failure(Reason::DeletionFailed, error)
}

fn sourcing(error: Error) -> Failure {
    Failure(Reason::SourceFailed, error)
}
