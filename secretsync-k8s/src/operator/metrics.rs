//! Metrics under External Secrets Operator's names (`eso-compat.md` 6.3), written when they are asked for.

mod times;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::times::Times;
use super::watch::{Id, Kind};

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    ready: AtomicBool,
    series: Mutex<BTreeMap<(Kind, Id), Series>>,
    /// More labels of each object, as text that follows the others; `None` where they are not asked for.
    labels: Option<Mutex<BTreeMap<(Kind, Id), String>>>,
    totals: Mutex<Totals>,
    /// How many objects are due and wait for their turn.
    waiting: AtomicUsize,
}

/// What is counted whatever becomes of the objects.
#[derive(Clone, Debug, Default)]
struct Totals {
    runs: BTreeMap<Kind, Runs>,
    /// Calls of providers: whose, which, and whether they succeeded.
    calls: BTreeMap<(String, String, bool), u64>,
}

/// The runs of one controller.
#[derive(Clone, Debug, Default)]
struct Runs {
    succeeded: u64,
    failed: u64,
    times: Times,
}

/// The figures of one object.
#[derive(Clone, Copy, Debug, Default)]
struct Series {
    runs: u64,
    failures: u64,
    holds: bool,
    took: Duration,
}

impl Metrics {
    /// Figures, with the recommended labels of the objects where `extended` says so.
    pub(super) fn new(extended: bool) -> Self {
        Self { labels: extended.then(Mutex::default), ..Self::default() }
    }

    /// Takes note of an object's own labels (`eso-compat.md` 6.3). All of them are always there, as one metric must have the same for every object.
    pub(super) fn describe(&self, kind: Kind, id: &Id, labels: &BTreeMap<String, String>) {
        let Some(known) = &self.labels else { return };
        let mut text = String::new();
        for name in EXTENDED {
            // The API server takes no value that needs escaping.
            let value = labels.get(&format!("app.kubernetes.io/{name}")).map_or("", String::as_str);
            let _infallible = write!(text, ",app_kubernetes_io_{}=\"{value}\"", name.replace('-', "_"));
        }
        known.lock().unwrap_or_else(PoisonError::into_inner).insert((kind, id.clone()), text);
    }

    /// Whether the cluster is known, so that work goes on.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Counts a run: whether the object is `Ready` after it, and how long it took.
    pub(super) fn count(&self, kind: Kind, id: &Id, holds: bool, took: Duration) {
        let mut series = self.series();
        let one = series.entry((kind, id.clone())).or_default();
        one.runs += 1;
        one.failures += u64::from(!holds);
        (one.holds, one.took) = (holds, took);
        drop(series);
        let mut totals = self.totals();
        let runs = totals.runs.entry(kind).or_default();
        *if holds { &mut runs.succeeded } else { &mut runs.failed } += 1;
        runs.times.count(took);
    }

    /// Counts a call of a provider.
    pub(super) fn count_call(&self, provider: &str, call: &str, holds: bool) {
        *self.totals().calls.entry((provider.to_owned(), call.to_owned(), holds)).or_default() += 1;
    }

    /// Takes note of how many objects wait for their turn.
    pub(super) fn set_waiting(&self, objects: usize) {
        self.waiting.store(objects, Ordering::Relaxed);
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, kind: Kind, id: &Id) {
        let key = (kind, id.clone());
        if let Some(labels) = &self.labels {
            labels.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        self.series().remove(&key);
    }

    /// Tells no more of an object that another controller handles now.
    pub(super) fn hush(&self, kind: Kind, id: &Id) {
        self.series().remove(&(kind, id.clone()));
    }

    /// Everything in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        let series = self.series().clone();
        let labels = self.labels.as_ref().map(|labels| labels.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let mut text = String::new();
        let more = |key: &(Kind, Id)| labels.as_ref().map(|labels| labels.get(key).map_or("", String::as_str));
        let of = |kind| {
            let these = series.iter().filter(move |((known, _), _)| *known == kind);
            these.map(move |(key, one)| (&key.1, more(key).unwrap_or_default(), one))
        };
        let syncs = Kind::ExternalSecret;
        metric(&mut text, "externalsecret_sync_calls_total", "counter", of(syncs), |one| vec![("", one.runs.into())]);
        metric(&mut text, "externalsecret_sync_calls_error", "counter", of(syncs), |one| {
            vec![("", one.failures.into())]
        });
        for (kind, name) in CONTROLLERS {
            metric(&mut text, &format!("{name}_status_condition"), "gauge", of(kind), |one| {
                vec![
                    (",condition=\"Ready\",status=\"True\"", u128::from(one.holds)),
                    (",condition=\"Ready\",status=\"False\"", u128::from(!one.holds)),
                ]
            });
            metric(&mut text, &format!("{name}_reconcile_duration"), "gauge", of(kind), |one| {
                vec![("", one.took.as_nanos())]
            });
        }
        self.totals().clone().render(&mut text);
        // One queue for all kinds.
        let waiting = self.waiting.load(Ordering::Relaxed);
        plain(&mut text, "workqueue_depth", "gauge", [("name=\"externalsecret\"".to_owned(), waiting as u64)]);
        text
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<(Kind, Id), Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    /// Under the names of External Secrets Operator and of the library that its controllers are made with.
    fn render(self, text: &mut String) {
        let calls = self.calls.iter().map(|((provider, call, holds), count)| {
            let status = if *holds { "success" } else { "error" };
            (format!("provider=\"{provider}\",call=\"{call}\",status=\"{status}\""), *count)
        });
        plain(text, "externalsecret_provider_api_calls_count", "counter", calls);
        let runs = CONTROLLERS.map(|(kind, name)| (name, self.runs.get(&kind).cloned().unwrap_or_default()));
        let results = runs.iter().flat_map(|(name, runs)| {
            let labels = |result: &str| format!("controller=\"{name}\",result=\"{result}\"");
            [(labels("error"), runs.failed), (labels("success"), runs.succeeded)]
        });
        plain(text, "controller_runtime_reconcile_total", "counter", results);
        let errors = runs.iter().map(|(name, runs)| (format!("controller=\"{name}\""), runs.failed));
        plain(text, "controller_runtime_reconcile_errors_total", "counter", errors);
        let metric = "controller_runtime_reconcile_time_seconds";
        let _infallible = writeln!(text, "# TYPE {metric} histogram");
        for (name, runs) in &runs {
            runs.times.render(text, metric, &format!("controller=\"{name}\""));
        }
    }
}

/// A metric that is about no object.
fn plain(text: &mut String, name: &str, kind: &str, values: impl IntoIterator<Item = (String, u64)>) {
    let _infallible = writeln!(text, "# TYPE {name} {kind}");
    for (labels, value) in values {
        let _infallible = writeln!(text, "{name}{{{labels}}} {value}");
    }
}

/// One metric: names of objects are DNS names, which need no escaping.
fn metric<'a>(
    text: &mut String,
    name: &str,
    kind: &str,
    series: impl Iterator<Item = (&'a Id, &'a str, &'a Series)>,
    values: impl Fn(&Series) -> Vec<(&'static str, u128)>,
) {
    // Writing to a text cannot fail.
    let _infallible = writeln!(text, "# TYPE {name} {kind}");
    for (id, more, one) in series {
        for (labels, value) in values(one) {
            let (object, namespace) = (&id.name, &id.namespace);
            let _infallible =
                writeln!(text, "{name}{{name=\"{object}\",namespace=\"{namespace}\"{more}{labels}}} {value}");
        }
    }
}

/// The kinds that have a controller, and its name.
const CONTROLLERS: [(Kind, &str); 4] = [
    (Kind::ExternalSecret, "externalsecret"),
    (Kind::SecretStore, "secretstore"),
    (Kind::ClusterSecretStore, "clustersecretstore"),
    (Kind::ClusterExternalSecret, "clusterexternalsecret"),
];

/// What External Secrets Operator takes of an object's recommended labels.
const EXTENDED: [&str; 6] = ["name", "instance", "version", "component", "part-of", "managed-by"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_bear_the_names_that_dashboards_know_and_go_with_their_object() {
        let metrics = Metrics::default();
        let id = Id { namespace: "shop".to_owned(), name: "db".to_owned() };
        metrics.count(Kind::ExternalSecret, &id, false, Duration::from_micros(2));
        metrics.count(Kind::ExternalSecret, &id, true, Duration::from_micros(3));
        metrics.set_waiting(7);
        let text = metrics.render();
        for line in [
            "externalsecret_sync_calls_total{name=\"db\",namespace=\"shop\"} 2",
            "externalsecret_sync_calls_error{name=\"db\",namespace=\"shop\"} 1",
            "externalsecret_status_condition{name=\"db\",namespace=\"shop\",condition=\"Ready\",status=\"True\"} 1",
            "externalsecret_status_condition{name=\"db\",namespace=\"shop\",condition=\"Ready\",status=\"False\"} 0",
            "externalsecret_reconcile_duration{name=\"db\",namespace=\"shop\"} 3000",
            "# TYPE secretstore_status_condition gauge",
            "controller_runtime_reconcile_total{controller=\"externalsecret\",result=\"success\"} 1",
            "controller_runtime_reconcile_total{controller=\"externalsecret\",result=\"error\"} 1",
            "controller_runtime_reconcile_total{controller=\"secretstore\",result=\"success\"} 0",
            "controller_runtime_reconcile_errors_total{controller=\"externalsecret\"} 1",
            "# TYPE controller_runtime_reconcile_time_seconds histogram",
            "controller_runtime_reconcile_time_seconds_bucket{controller=\"externalsecret\",le=\"0.005\"} 2",
            "controller_runtime_reconcile_time_seconds_count{controller=\"secretstore\"} 0",
            "workqueue_depth{name=\"externalsecret\"} 7",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in {text}");
        }
        metrics.forget(Kind::ExternalSecret, &id);
        let text = metrics.render();
        assert!(!text.contains("db") && text.contains("errors_total{controller=\"externalsecret\"} 1"), "{text}");
    }

    #[test]
    fn recommended_labels_of_objects_are_told_where_that_is_asked_for() {
        let id = Id { namespace: "shop".to_owned(), name: "db".to_owned() };
        let labels = [("app.kubernetes.io/part-of", "web"), ("app.kubernetes.io/name", "db"), ("team", "red")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let told = |extended| {
            let metrics = Metrics::new(extended);
            metrics.describe(Kind::ExternalSecret, &id, &labels);
            metrics.count(Kind::ExternalSecret, &id, true, Duration::ZERO);
            let text = metrics.render();
            metrics.forget(Kind::ExternalSecret, &id);
            assert!(!metrics.render().contains("shop"));
            text.lines().find(|line| line.starts_with("externalsecret_sync_calls_total{")).unwrap().to_owned()
        };
        assert_eq!(told(false), "externalsecret_sync_calls_total{name=\"db\",namespace=\"shop\"} 1");
        assert_eq!(
            told(true),
            "externalsecret_sync_calls_total{name=\"db\",namespace=\"shop\",app_kubernetes_io_name=\"db\",app_kubernetes_io_instance=\"\",\
             app_kubernetes_io_version=\"\",app_kubernetes_io_component=\"\",app_kubernetes_io_part_of=\"web\",app_kubernetes_io_managed_by=\"\"} 1"
        );
    }
}
