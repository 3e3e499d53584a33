use super::*;

const MINUTE: Duration = Duration::from_mins(1);

struct World {
    scheduler: Scheduler<String>,
    start: Instant,
}

impl World {
    fn new() -> Self {
        Self { scheduler: Scheduler::new(), start: Instant::now() }
    }

    /// A sync of `store/namespace/name`, due now.
    fn due(&mut self, name: &str, lane: Lane) {
        self.later(name, lane, Duration::ZERO);
    }

    fn later(&mut self, name: &str, lane: Lane, after: Duration) {
        let parts: Vec<_> = name.split('/').collect();
        self.scheduler.add(name.to_owned(), Place::new(parts[0], parts[1]), MINUTE);
        self.scheduler.request(&name.to_owned(), lane, self.start + after);
    }

    fn next(&mut self, after: Duration) -> Option<String> {
        self.scheduler.next(self.start + after)
    }

    fn drain(&mut self, after: Duration) -> Vec<String> {
        std::iter::from_fn(|| self.next(after)).collect()
    }
}

#[test]
fn stores_take_turns_and_so_do_the_namespaces_of_a_store() {
    let mut world = World::new();
    for name in ["a/x/1", "a/x/2", "a/x/3", "a/y/1", "b/x/1", "b/x/2"] {
        world.due(name, Lane::Urgent);
    }
    assert_eq!(world.drain(Duration::ZERO), ["a/x/1", "b/x/1", "a/y/1", "b/x/2", "a/x/2", "a/x/3"]);
}

#[test]
fn seven_urgent_syncs_run_for_each_refresh_while_both_wait() {
    let mut world = World::new();
    for index in 0..20 {
        world.due(&format!("s/n/refresh-{index}"), Lane::Refresh);
        world.due(&format!("s/n/urgent-{index}"), Lane::Urgent);
    }
    let order = world.drain(Duration::ZERO);
    let refreshes: Vec<_> =
        order.iter().enumerate().filter(|(_, name)| name.contains("refresh")).map(|(at, _)| at).take(3).collect();
    assert_eq!(refreshes, [7, 15, 22], "after seven, after seven more, and then as nothing urgent is left");
    assert_eq!(order.len(), 40);
}

#[test]
fn a_refresh_that_waited_for_its_whole_interval_goes_first() {
    let mut world = World::new();
    world.due("s/n/patient", Lane::Refresh);
    for index in 0..10 {
        world.due(&format!("s/n/urgent-{index}"), Lane::Urgent);
    }
    assert_ne!(world.next(MINUTE / 2).unwrap(), "s/n/patient");
    world.later("s/n/new", Lane::Urgent, MINUTE);
    assert_eq!(world.next(MINUTE).unwrap(), "s/n/patient");
}

#[test]
fn a_sync_never_runs_twice_at_once_and_is_not_forgotten_meanwhile() {
    let mut world = World::new();
    world.due("s/n/a", Lane::Refresh);
    assert_eq!(world.next(Duration::ZERO).unwrap(), "s/n/a");
    world.scheduler.request(&"s/n/a".to_owned(), Lane::Refresh, world.start + MINUTE);
    world.scheduler.request(&"s/n/a".to_owned(), Lane::Urgent, world.start + MINUTE * 2);
    assert_eq!(world.next(MINUTE * 3), None, "it is running");
    world.scheduler.finish(&"s/n/a".to_owned());
    assert_eq!(world.scheduler.wake(), Some(world.start + MINUTE));
    world.later("s/n/b", Lane::Refresh, MINUTE);
    assert_eq!(world.drain(MINUTE), ["s/n/a", "s/n/b"], "the more urgent and the earlier of both requests stand");
}

#[test]
fn an_earlier_or_more_urgent_request_stands() {
    let mut world = World::new();
    world.later("s/n/a", Lane::Refresh, MINUTE);
    world.later("s/n/a", Lane::Refresh, MINUTE * 5);
    assert_eq!(world.scheduler.wake(), Some(world.start + MINUTE));
    world.later("s/n/a", Lane::Refresh, Duration::from_secs(1));
    assert_eq!(world.scheduler.wake(), Some(world.start + Duration::from_secs(1)));
    world.due("s/n/b", Lane::Refresh);
    world.due("s/n/b", Lane::Urgent);
    world.due("s/n/c", Lane::Urgent);
    assert_eq!(world.drain(Duration::ZERO), ["s/n/b", "s/n/c"], "each once");
}

#[test]
fn what_was_removed_does_not_run_and_leaves_nothing_behind() {
    let mut world = World::new();
    world.due("s/n/a", Lane::Urgent);
    world.later("s/n/b", Lane::Urgent, MINUTE);
    world.due("s/n/c", Lane::Urgent);
    assert_eq!(world.next(Duration::ZERO).unwrap(), "s/n/a");
    for name in ["s/n/a", "s/n/b", "s/n/c"] {
        world.scheduler.remove(&name.to_owned());
        world.scheduler.finish(&name.to_owned());
        world.scheduler.request(&name.to_owned(), Lane::Urgent, world.start);
    }
    assert_eq!(world.drain(MINUTE * 9), Vec::<String>::new());
    let Scheduler { entries, timers, patience, .. } = &world.scheduler;
    assert_eq!((entries.len(), timers.len(), patience.len()), (0, 0, 0));
}

proptest::proptest! {
    /// Whatever happens, everything that was asked for runs, once for each time, and nothing runs twice at once.
    #[test]
    fn every_request_is_served(steps in proptest::collection::vec((0..6_u8, 0..4_u8, 0..90_u64), 1..200)) {
        let mut world = World::new();
        let mut running = std::collections::HashSet::new();
        let mut wanted = std::collections::HashSet::new();
        let mut clock = 0;
        for (name, step, seconds) in steps {
            let name = format!("s{}/n/{name}", name % 2);
            clock += seconds;
            match step {
                0 | 1 => {
                    let lane = if step == 0 { Lane::Urgent } else { Lane::Refresh };
                    world.later(&name, lane, Duration::from_secs(clock + seconds));
                    wanted.insert(name);
                }
                2 => if let Some(key) = world.next(Duration::from_secs(clock)) {
                    proptest::prop_assert!(running.insert(key.clone()), "{key} runs twice");
                    wanted.remove(&key);
                },
                _ => if running.remove(&name) {
                    world.scheduler.finish(&name);
                },
            }
        }
        for name in running {
            world.scheduler.finish(&name);
        }
        let rest: std::collections::HashSet<_> = world.drain(Duration::from_secs(clock + 1000)).into_iter().collect();
        proptest::prop_assert!(wanted.is_subset(&rest), "{wanted:?} beyond {rest:?}");
    }
}
