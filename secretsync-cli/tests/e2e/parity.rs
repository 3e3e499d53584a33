//! What External Secrets Operator 2.9.0 made of 81 sets of manifests (`tests/parity`), and what we make of them; and cases of our own, derived from what
//! it is specified to do. All cases run at once on one rig, each in a namespace of its own.
//!
//! Who is put to the test is a [`Subject`]: the program, run once for each step, and the operator, which runs beside them.

#[path = "parity/case.rs"]
mod case;
#[path = "parity/command_line.rs"]
mod command_line;
#[path = "parity/compare.rs"]
mod compare;
#[path = "parity/operator.rs"]
mod operator;
#[path = "parity/remote.rs"]
mod remote;
#[path = "parity/scene.rs"]
mod scene;
#[path = "parity/servers.rs"]
mod servers;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value, json};

pub(crate) use case::crds;
use case::{Case, Expected};
use command_line::CommandLine;
use compare::{Difference, Exception, differences, different_parts};
use operator::Operator;
use scene::Scene;
use servers::{Kinds, Servers};

/// Who brings the targets of a case in line.
pub(crate) trait Subject: Sync {
    /// Lets it work on what changed, where it does not do so by itself, and gives what it says of each ExternalSecret: `{name: {conditions, binding}}`.
    fn work(&self, scene: &Scene<'_>) -> Map<String, Value>;

    /// What it says of the stores that a case made itself: `{kind/name: {conditions}}`.
    fn stores(&self, _scene: &Scene<'_>) -> Map<String, Value> {
        Map::new()
    }

    /// What it is expected to show, given all that External Secrets Operator showed.
    fn expected(&self, golden: Value) -> Value;

    /// Whether it stays and sees what happens between its runs.
    fn stays(&self) -> bool;

    /// How long a state may take to come.
    fn patience(&self) -> Duration;

    /// What it cannot show, and why, besides the case's own exceptions.
    fn exceptions(&self) -> &'static [(&'static str, Exception<'static>)];
}

#[test]
fn the_program_ends_every_case_as_external_secrets_operator_does() {
    let servers = Servers::start(Kinds::Ours);
    try_all(&servers, &CommandLine);
}

#[test]
fn the_operator_ends_every_case_as_external_secrets_operator_does() {
    let servers = Servers::start(Kinds::Ours);
    let operator = Operator::start(&servers);
    try_all(&servers, &operator);
    let told = operator.told();
    assert!(told.contains("the cluster's definitions of the kinds are ours"), "{told}");
}

#[test]
fn the_operator_does_so_on_external_secrets_operators_own_kinds() {
    let servers = Servers::start(Kinds::Theirs);
    let operator = Operator::start(&servers);
    try_all(&servers, &operator);
    let (told, lacks) = (
        operator.told(),
        "spec.suspend, spec.data[].onMissing, spec.dataFrom[].onMissing, spec.provider.sops, spec.conditions[].keys",
    );
    assert!(told.contains(lacks), "{told}");
}

fn try_all(servers: &Servers, subject: &dyn Subject) {
    #[expect(clippy::disallowed_methods, reason = "a test is told which cases to play")]
    let only = std::env::var("PARITY").unwrap_or_default();
    let can_be_stored = |case: &Case| servers.kinds == Kinds::Ours || !case.has_additions();
    let is_played =
        |case: &Case| case.id.contains(&only) && can_be_stored(case) && (subject.stays() || !case.needs_to_stay());
    let cases: Vec<_> = case::all().into_iter().filter(is_played).collect();
    let (failures, excused) = play_all(&cases, servers, subject);
    assert!(failures.is_empty(), "{} of {} cases differ:\n{}", failures.len(), cases.len(), failures.join("\n"));
    let idle = |index: &usize| !excused.contains(index) && subject.exceptions()[*index].0 != "*";
    let idle: Vec<_> =
        (0..subject.exceptions().len()).filter(idle).map(|index| subject.exceptions()[index].0).collect();
    assert!(!only.is_empty() || idle.is_empty(), "these exceptions excuse nothing any more: {idle:?}");
}

/// Plays all cases, a few at a time. Tells what differed, and which of the subject's exceptions excused something.
fn play_all(cases: &[Case], servers: &Servers, subject: &dyn Subject) -> (Vec<String>, BTreeSet<usize>) {
    const AT_ONCE: usize = 8;
    let (queue, failures, excused) = (Mutex::new(cases.iter()), Mutex::default(), Mutex::default());
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(case) = next else { break };
                    let outcome = catch_unwind(AssertUnwindSafe(|| play(case, servers, subject, &excused)));
                    let told = outcome.unwrap_or_else(|_| format!("{}: the runner itself failed", case.id));
                    let mut failures: MutexGuard<'_, Vec<String>> = failures.lock().unwrap();
                    failures.extend(Some(told).filter(|told| !told.is_empty()));
                }
            });
        }
    });
    (failures.into_inner().unwrap(), excused.into_inner().unwrap())
}

/// Plays one case; tells the differences of the first step that has some, in no words when there is none.
fn play(case: &Case, servers: &Servers, subject: &dyn Subject, excused: &Mutex<BTreeSet<usize>>) -> String {
    let mut scene = Scene::new(case, servers);
    scene.prepare();
    for (index, (step, expected)) in case.steps().into_iter().enumerate() {
        let mut watched = None;
        for act in index.checked_sub(1).iter().flat_map(|index| case.acts(*index)) {
            if act.get("watch").is_some() {
                watched = Some(scene.versions());
            } else {
                scene.act(act);
            }
        }
        let expected = match expected {
            Expected::State(state) => Expected::State(subject.expected(state)),
            parts @ Expected::Parts(_) => parts,
        };
        let mut found = reach(&scene, subject, &expected, watched.as_ref());
        found.retain(|difference| match excuse(case, subject, difference) {
            Some(index) => {
                excused.lock().unwrap().insert(index);
                false
            }
            None => true,
        });
        if !found.is_empty() {
            let lines: String = found.iter().take(8).map(ToString::to_string).collect();
            return format!("{} ({}), step `{}`:\n{lines}", case.id, case.title, step);
        }
    }
    String::new()
}

/// Waits until what is there is what is expected; gives the differences that stayed.
fn reach(
    scene: &Scene<'_>,
    subject: &dyn Subject,
    expected: &Expected,
    watched: Option<&Map<String, Value>>,
) -> Vec<Difference> {
    let began = std::time::Instant::now();
    loop {
        let said = subject.work(scene);
        let mut state = json!({"secrets": scene.secrets(), "externalsecrets": said, "stores": subject.stores(scene)});
        if let Some(before) = watched {
            state["writes"] = scene.writes_since(before);
        }
        let mut found = match expected {
            Expected::State(expected) => differences(expected, &state),
            Expected::Parts(parts) => different_parts(parts, &state),
        };
        found.retain(|difference| !scene.case.lenient().any(|exception| difference.is_at(exception.at)));
        let settled = found.iter().all(|difference| excuse(scene.case, subject, difference).is_some());
        if settled || began.elapsed() >= subject.patience() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The subject's exception that excuses a difference.
fn excuse(case: &Case, subject: &dyn Subject, difference: &Difference) -> Option<usize> {
    let excuses =
        |(id, exception): &(&str, Exception<'_>)| (*id == case.id || *id == "*") && difference.is_at(exception.at);
    subject.exceptions().iter().position(excuses)
}
