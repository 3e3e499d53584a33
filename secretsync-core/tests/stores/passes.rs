//! Passes of an engine over the file stores: plans say what syncs do, and what one pass claims or stages is nothing to the next.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error};
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef};
use secretsync_core::secret::{Secret, SecretValue};
use secretsync_core::store::{DirectoryStore, EnvFileStore, ManifestStore, OwnerId, Store, TargetRef};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DeletionPolicy, Outcome, ProviderKey, RefreshPolicy, Sync as _, SyncReport, SyncSpec,
};
use tokio::sync::Semaphore;

use crate::support::picture;

/// A store below a folder.
type Make = fn(&Path) -> Arc<dyn Store>;

const DIRECTORY: Make = |folder| Arc::new(DirectoryStore::new(folder.join("out")));
const ENV: Make = |folder| Arc::new(EnvFileStore::new(folder.join("app.env")));
const MANIFEST: Make = |folder| Arc::new(ManifestStore::file(folder.join("secrets.yaml")));
const ALL: [Make; 3] = [DIRECTORY, ENV, MANIFEST];
const SINGLE_FILES: [(Make, &str); 2] = [(ENV, "app.env"), (MANIFEST, "secrets.yaml")];

fn engine(store: Arc<dyn Store>) -> Engine {
    let provider = MemoryProvider::new("memory").with("x", Secret::bytes(SecretValue::from("value")));
    Engine::builder(store).provider(memory(), Arc::new(provider)).build()
}

fn memory() -> ProviderKey {
    ProviderKey::new("memory")
}

/// A sync of `owner` that writes `keys` to `target` and holds it alone.
fn sole(owner: &str, target: &str, keys: &[&str]) -> SyncSpec {
    let spec = SyncSpec::new(OwnerId::new("shop", owner), TargetRef::new("shop", target));
    keys.iter().fold(spec, |spec, key| spec.with_data(DataEntry::new(*key, memory(), RemoteRef::new("x"))))
}

/// The same, sharing the target.
fn merging(owner: &str, target: &str, keys: &[&str]) -> SyncSpec {
    sole(owner, target, keys).with_policies(
        CreationPolicy::CreateOrMerge,
        DeletionPolicy::Retain,
        RefreshPolicy::Periodic,
    )
}

/// A sync whose sources are gone, and that removes its target then.
fn emptied(owner: &str, target: &str) -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", owner), TargetRef::new("shop", target))
        .with_data(DataEntry::new("K", memory(), RemoteRef::new("gone")))
        .with_policies(CreationPolicy::Owner, DeletionPolicy::Delete, RefreshPolicy::Periodic)
}

fn line(report: &SyncReport) -> String {
    let code = report.error.as_ref().and_then(Error::hint).map_or("", |hint| hint.code().as_str());
    format!("{} {} {} {code}", report.owner.name(), report.outcome.as_str(), report.reason.as_str())
}

fn lines(reports: &[SyncReport]) -> Vec<String> {
    reports.iter().map(|report| line(report).trim_end().to_owned()).collect()
}

/// Plans a pass, sees that nothing was written, syncs it, and compares.
async fn planned_and_synced(engine: &Engine, folder: &Path, specs: Vec<SyncSpec>) -> Vec<String> {
    let before = picture(folder);
    let plans = engine.plan_all(specs.clone()).await;
    assert_eq!(picture(folder), before, "a plan writes nothing");
    let planned = lines(&plans.into_iter().map(secretsync_core::sync::Plan::into_report).collect::<Vec<_>>());
    let synced = lines(&engine.sync_all(specs).await);
    assert_eq!(planned, synced, "the plan said what the sync did");
    synced
}

#[tokio::test]
async fn a_key_that_moves_from_one_sync_to_another_moves_in_the_plan_too() {
    for make in ALL {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(folder.path()));
        engine.sync_all(vec![merging("a", "db", &["K", "L"]), merging("b", "db", &["M"])]).await;
        let moved = vec![merging("a", "db", &["L"]), merging("b", "db", &["K", "M"])];
        let synced = planned_and_synced(&engine, folder.path(), moved.clone()).await;
        assert_eq!(synced, ["a updated synced", "b updated synced"]);
        let synced = planned_and_synced(&engine, folder.path(), moved).await;
        assert_eq!(synced, ["a unchanged synced", "b unchanged synced"]);
    }
}

#[tokio::test]
async fn a_target_that_its_holder_begins_to_share_is_shared_in_the_plan_too() {
    for make in ALL {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(folder.path()));
        engine.sync(&sole("a", "db", &["K"])).await;
        let shared = vec![merging("a", "db", &["K", "L"]), merging("b", "db", &["M"])];
        let synced = planned_and_synced(&engine, folder.path(), shared).await;
        assert!(synced.iter().all(|line| line.ends_with(" synced")), "{synced:?}");
    }
}

#[tokio::test]
async fn syncs_that_share_a_target_with_labels_of_their_own_are_settled_after_one_run() {
    for make in [DIRECTORY, ENV, MANIFEST, |_| Arc::new(MemoryStore::new())] {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(folder.path()));
        let labelled = |owner: &str, key: &str| {
            let mut spec = merging(owner, "db", &[key]);
            spec.meta.labels.insert(format!("of-{owner}"), "x".to_owned());
            spec.meta.labels.insert("both".to_owned(), owner.to_owned());
            spec
        };
        let mut specs = vec![labelled("a", "K"), labelled("b", "L")];
        specs[0].meta.secret_type = Some("example.com/type".to_owned());
        engine.sync_all(specs.clone()).await;
        let again = lines(&engine.sync_all(specs).await);
        assert_eq!(again, ["a unchanged synced", "b unchanged synced"]);
    }
}

#[tokio::test]
async fn a_sync_that_could_not_be_written_gives_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(DIRECTORY(folder.path()));
    engine.sync(&merging("a", "db", &["K"])).await;
    // A folder in the place of a key is an error when it is written.
    let (first, second) = (merging("a", "db", &["L"]), merging("b", "db", &["K"]));
    fs::create_dir(folder.path().join("out/shop/db/L")).unwrap();
    let synced = planned_and_synced(&engine, folder.path(), vec![first, second]).await;
    assert_eq!(synced, ["a failed write_failed target-unwritable", "b failed not_owned not-owned"]);
}

#[tokio::test]
async fn one_document_is_written_whole_or_not_at_all_and_the_plan_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(ENV(folder.path()));
    engine.sync_all(vec![sole("old", "old", &["K"]), sole("same", "same", &["S"])]).await;
    let same = sole("same", "same", &["S"]);
    for (other, code) in [
        (sole("two", "two", &["K"]), "env-key-conflict"),
        (sole("two", "two", &["S"]), "env-key-conflict"),
        (sole("two", "two", &["not.a.variable"]), "env-key-invalid"),
    ] {
        let specs = vec![same.clone(), sole("one", "one", &["A"]), other];
        let synced = planned_and_synced(&engine, folder.path(), specs).await;
        let failed = |owner: &str| format!("{owner} failed write_failed {code}");
        assert_eq!(synced, ["same unchanged synced".to_owned(), failed("one"), failed("two")]);
    }
    let specs = vec![same, sole("one", "one", &["A"]), sole("two", "two", &["B"])];
    let synced = planned_and_synced(&engine, folder.path(), specs).await;
    assert_eq!(synced, ["same unchanged synced", "one created synced", "two created synced"]);
}

#[tokio::test]
async fn a_removal_makes_room_in_the_plan_too() {
    for (make, _) in SINGLE_FILES {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(folder.path()));
        engine.sync(&sole("a", "db", &["K"])).await;
        let specs = vec![emptied("a", "db"), sole("b", "db", &["K"])];
        let synced = planned_and_synced(&engine, folder.path(), specs).await;
        assert_eq!(synced[0], "a removed deleted");
        assert!(synced[1].ends_with(" synced"), "{synced:?}");
        let synced = planned_and_synced(&engine, folder.path(), vec![sole("b", "db", &["K"])]).await;
        assert_eq!(synced, ["b unchanged synced"]);
    }
}

#[tokio::test]
async fn a_folder_that_is_missing_is_found_by_the_plan() {
    for (make, _) in SINGLE_FILES {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(&folder.path().join("missing")));
        let synced = planned_and_synced(&engine, folder.path(), vec![sole("a", "a", &["K"])]).await;
        assert_eq!(synced, ["a failed write_failed target-unwritable"]);
    }
}

#[tokio::test]
async fn what_a_pass_claims_binds_no_later_one() {
    for make in ALL {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(folder.path()));
        // Planned only, and then given up.
        assert!(engine.plan(&sole("a", "db", &["K"])).await.would_change());
        assert_eq!(engine.sync(&sole("b", "db", &["K"])).await.outcome, Outcome::Created);
        // Synced, and then deleted by hand.
        for entry in fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { fs::remove_dir_all(entry.join("shop")) } else { fs::remove_file(entry) }.unwrap();
        }
        assert_eq!(line(&engine.sync(&sole("c", "db", &["K"])).await), "c created synced ");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn syncs_of_one_engine_at_the_same_time_lose_nothing() {
    for make in ALL {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(folder.path()));
        let specs: Vec<_> =
            (0..40).map(|n| sole(&format!("s{n}"), &format!("s{n}"), &[format!("K{n}").as_str()])).collect();
        let reports = join_all(specs.iter().map(|spec| engine.sync(spec))).await;
        assert!(reports.iter().all(|report| report.outcome == Outcome::Created), "{:?}", lines(&reports));
        let plans = engine.plan_all(specs).await;
        assert!(plans.iter().all(|plan| !plan.would_change()), "everything that was reported is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn syncs_of_several_programs_at_the_same_time_lose_nothing() {
    for (make, _) in SINGLE_FILES {
        let folder = tempfile::tempdir().unwrap();
        let runs = (0..16).map(|n| {
            let engine = engine(make(folder.path()));
            tokio::spawn(async move {
                let owner = format!("s{n}");
                engine.sync(&sole(&owner, &owner, &[format!("K{n}").as_str()])).await
            })
        });
        let reports = join_all(runs.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
        assert!(reports.iter().all(|report| report.outcome == Outcome::Created), "{:?}", lines(&reports));
        let engine = engine(make(folder.path()));
        let specs =
            (0..16).map(|n| sole(&format!("s{n}"), &format!("s{n}"), &[format!("K{n}").as_str()])).collect::<Vec<_>>();
        assert!(engine.plan_all(specs).await.iter().all(|plan| !plan.would_change()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_sync_reports_whether_its_own_write_failed() {
    for (make, _) in SINGLE_FILES {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(make(&folder.path().join("missing")));
        let specs: Vec<_> =
            (0..40).map(|n| sole(&format!("s{n}"), &format!("s{n}"), &[format!("K{n}").as_str()])).collect();
        let reports = join_all(specs.iter().map(|spec| engine.sync(spec))).await;
        let codes: Vec<_> = reports
            .iter()
            .map(|report| report.error.as_ref().and_then(Error::hint).map(secretsync_core::error::Hint::code))
            .collect();
        assert_eq!(codes, vec![Some(Code::TargetUnwritable); 40]);
    }
}

#[tokio::test]
async fn a_plan_that_nobody_waits_for_is_never_written() {
    for (make, file) in SINGLE_FILES {
        let folder = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gated { info: ProviderInfo::new("gated", "gated"), gate: Semaphore::new(0) });
        let slow = ProviderKey::new("slow");
        let fast = Arc::new(MemoryProvider::new("memory").with("x", Secret::bytes(SecretValue::from("value"))));
        let engine = Engine::builder(make(folder.path()))
            .provider(slow.clone(), Arc::clone(&gate) as _)
            .provider(memory(), fast)
            .build();
        let planned = SyncSpec::new(OwnerId::new("shop", "planned"), TargetRef::new("shop", "planned"))
            .with_data(DataEntry::new("PLANNED", slow, RemoteRef::new("x")));
        // Given up while the source keeps it waiting.
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), engine.plan(&planned)).await;
        assert!(given_up.is_err());
        let spec = sole("synced", "synced", &["SYNCED"]);
        let (sync, ()) = tokio::join!(engine.sync(&spec), async { gate.gate.add_permits(1) });
        assert_eq!(sync.outcome, Outcome::Created);
        assert!(engine.shutdown(std::time::Duration::from_mins(1)).await);
        let written = fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(written.contains("SYNCED") && !written.contains("PLANNED"), "{written}");
    }
}

/// Answers when it is let.
#[derive(Debug)]
struct Gated {
    info: ProviderInfo,
    gate: Semaphore,
}

#[async_trait]
impl Provider for Gated {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> secretsync_core::Result<ObjectRef> {
        Ok(ObjectRef::new(&*reference.key))
    }

    async fn fetch(&self, objects: &[ObjectRef], _: &FetchOptions) -> Vec<secretsync_core::Result<Fetched>> {
        self.gate.acquire().await.unwrap().forget();
        objects.iter().map(|_| Ok(Fetched::Found(Secret::bytes(SecretValue::from("value"))))).collect()
    }

    async fn find(&self, _: &Query) -> secretsync_core::Result<Vec<Found>> {
        Ok(Vec::new())
    }

    async fn check(&self) -> secretsync_core::Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {}
}
