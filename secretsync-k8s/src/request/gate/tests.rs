use std::sync::Mutex;

use tokio::task::JoinSet;

use super::*;

/// Sends so many requests of each kind at once, each of which takes so long, and tells in which order they were let through, with the time.
async fn run(gate: &Arc<Gate>, work: &[(Priority, usize)], takes: Duration) -> Vec<(Priority, Duration)> {
    let started = Instant::now();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for (priority, count) in work {
        for _ in 0..*count {
            let (gate, order, priority) = (Arc::clone(gate), Arc::clone(&order), *priority);
            tasks.spawn(async move {
                let pass = gate.enter(priority).await;
                order.lock().unwrap().push((priority, started.elapsed()));
                tokio::time::sleep(takes).await;
                pass.answered();
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let order = order.lock().unwrap();
    order.clone()
}

const MOMENT: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn secrets_go_before_statuses_and_these_before_events() {
    let gate = Gate::new(None);
    let work = [(Priority::Event, 40), (Priority::Status, 40), (Priority::Secret, 40)];
    let order = run(&gate, &work, MOMENT).await;
    // Those that came first found the gate open.
    let waited: Vec<_> = order[16..].iter().map(|(priority, _)| *priority).collect();
    assert!(waited.is_sorted(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_has_waited_for_long_is_let_through_between_secrets() {
    let gate = Gate::new(Some((10.0, 1)));
    let order = run(&gate, &[(Priority::Status, 2), (Priority::Secret, 200)], Duration::ZERO).await;
    let second = order.iter().rposition(|(priority, _)| *priority == Priority::Status).unwrap();
    let waited = order[second].1;
    assert!(waited > PATIENCE && waited < PATIENCE * 2, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_window_grows_while_the_api_server_keeps_up_and_no_further_than_64() {
    let gate = Gate::new(None);
    let order = run(&gate, &[(Priority::Secret, 5000)], MOMENT).await;
    assert_eq!(order.iter().filter(|(_, at)| at.is_zero()).count(), 16);
    assert_eq!(gate.state().window.limit(), 64);
    assert_eq!(gate.state().under_way, 0);
}

#[tokio::test(start_paused = true)]
async fn the_window_halves_at_doubled_latency() {
    let gate = Gate::new(None);
    run(&gate, &[(Priority::Secret, 400)], MOMENT).await;
    let before = gate.state().window.limit();
    run(&gate, &[(Priority::Secret, before * 2)], MOMENT * 3).await;
    assert!(gate.state().window.limit() <= before.div_ceil(2) + 2, "{before} {gate:?}");
}

#[tokio::test(start_paused = true)]
async fn refusals_of_one_window_halve_it_once_and_close_the_gate_for_as_long_as_asked() {
    let gate = Gate::new(None);
    let mut passes = Vec::new();
    for _ in 0..16 {
        passes.push(gate.enter(Priority::Secret).await);
    }
    for pass in passes {
        pass.refused(Some(Duration::from_secs(3)));
    }
    assert_eq!(gate.state().window.limit(), 8);
    let order = run(&gate, &[(Priority::Secret, 1)], MOMENT).await;
    assert!(order[0].1 >= Duration::from_secs(3), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_bounds_what_is_let_through_after_a_burst() {
    let gate = Gate::new(Some((50.0, 10)));
    let order = run(&gate, &[(Priority::Secret, 110)], Duration::ZERO).await;
    let last = order.last().unwrap().1;
    assert!(last >= Duration::from_millis(1990) && last < Duration::from_millis(2300), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_waits_takes_no_place() {
    let gate = Gate::new(None);
    let mut passes = Vec::new();
    for _ in 0..16 {
        passes.push(gate.enter(Priority::Secret).await);
    }
    let given_up = tokio::time::timeout(MOMENT, gate.enter(Priority::Secret)).await;
    assert!(given_up.is_err());
    drop(passes);
    assert_eq!(run(&gate, &[(Priority::Secret, 16)], MOMENT).await.len(), 16);
    assert_eq!(gate.state().under_way, 0);
}
