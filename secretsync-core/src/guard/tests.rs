use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A guard with a store of so many syncs that could lose their target.
fn guard(syncs: usize) -> Guard<usize, &'static str> {
    let mut guard = Guard::new();
    (0..syncs).for_each(|sync| guard.enroll(&sync, ["vault"], true));
    guard
}

fn all(guard: &mut Guard<usize, &'static str>, syncs: impl IntoIterator<Item = usize>, answer: Answer, at: Instant) {
    syncs.into_iter().for_each(|sync| guard.answered(&sync, answer, at));
}

#[test]
fn a_store_with_few_targets_is_never_held_up() {
    let mut guard = guard(10);
    let now = Instant::now();
    assert_eq!(guard.removal(&0), Removal::Allowed);
    all(&mut guard, 0..10, Answer::Deleted, now);
    assert_eq!((guard.paused(&"vault"), guard.wake(now)), (None, None));
    assert_eq!(guard.removal(&99), Removal::Allowed, "nobody counts what is not known");
}

#[test]
fn targets_that_cannot_be_lost_make_no_mass_deletion_likelier() {
    let mut guard = Guard::new();
    (0..100).for_each(|sync| guard.enroll(&sync, ["vault"], sync < 20));
    assert_eq!(guard.removal(&0), Removal::Allowed, "20 of 100 are not too many");
    guard.enroll(&20, ["vault"], true);
    assert_eq!(guard.removal(&0), Removal::Held);
}

#[test]
fn one_deletion_waits_until_the_others_have_been_asked() {
    let mut guard = guard(30);
    let start = Instant::now();
    assert_eq!(guard.removal(&7), Removal::Held);
    guard.answered(&7, Answer::Due, start);
    let round = start + 10 * SECOND;
    assert_eq!((guard.wake(start), guard.summon(start)), (Some(round), vec![]));
    let asked = guard.summon(round);
    assert_eq!(asked, (0..30).filter(|sync| *sync != 7).collect::<Vec<_>>(), "each of the others, once");
    assert_eq!(guard.summon(round), [0; 0]);
    assert_eq!(guard.wake(round), Some(round + 300 * SECOND), "else it is for them to answer");
    all(&mut guard, asked.iter().copied().take(19), Answer::Stays, round);
    assert_eq!(guard.removal(&7), Removal::Held, "ten have not answered: all could be due");
    all(&mut guard, asked.iter().copied().skip(19).take(1), Answer::Stays, round);
    assert_eq!(guard.wake(round), Some(round), "at most ten now");
    assert_eq!(guard.summon(round), [7]);
    assert_eq!(guard.removal(&7), Removal::Allowed);
    guard.answered(&7, Answer::Deleted, round);
    assert_eq!((guard.wake(round), guard.removal(&7)), (None, Removal::Held));
}

#[test]
fn when_too_many_are_due_none_is_deleted_until_none_is_due() {
    let mut guard = guard(60);
    let start = Instant::now();
    all(&mut guard, 0..12, Answer::Due, start);
    assert_eq!(guard.paused(&"vault"), None, "a fifth is not more than a fifth");
    guard.answered(&12, Answer::Due, start);
    let mass = MassDeletion { store: "vault".to_owned(), due: 13, of: 60 };
    assert_eq!(guard.removal(&3), Removal::Paused(mass.clone()));
    assert_eq!(guard.summon(start), (0..13).collect::<Vec<_>>(), "they learn that they have to wait");
    all(&mut guard, 13..60, Answer::Due, start + SECOND);
    all(&mut guard, 0..59, Answer::Stays, start + 600 * SECOND);
    assert_eq!(guard.removal(&59), Removal::Paused(mass), "most are back: the last one may be on its way");
    all(&mut guard, 59..60, Answer::Stays, start + 601 * SECOND);
    assert_eq!(guard.paused(&"vault"), None);
    guard.answered(&5, Answer::Due, start + 700 * SECOND);
    assert_eq!(guard.removal(&5), Removal::Held, "as if nothing had been");
}

#[test]
fn what_turns_out_in_the_round_stops_all_of_it() {
    let mut guard = guard(30);
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    let round = start + 10 * SECOND;
    let asked = guard.summon(round);
    all(&mut guard, asked, Answer::Due, round);
    assert!(matches!(guard.removal(&0), Removal::Paused(MassDeletion { due: 11, of: 30, .. })));
}

#[test]
fn deletions_that_go_on_are_counted_together() {
    let mut guard = guard(30);
    let mut now = Instant::now();
    for sync in 0..10 {
        guard.answered(&sync, Answer::Due, now);
        now += 15 * SECOND;
        let asked = guard.summon(now);
        all(&mut guard, asked, Answer::Stays, now);
        assert_eq!(guard.summon(now), [sync]);
        guard.answered(&sync, Answer::Deleted, now);
    }
    guard.answered(&10, Answer::Due, now);
    assert!(matches!(guard.removal(&10), Removal::Paused(_)), "the eleventh within five minutes");
}

#[test]
fn who_never_answers_is_not_waited_for_for_ever() {
    let mut guard = guard(30);
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    let asked = guard.summon(start + 10 * SECOND);
    all(&mut guard, asked, Answer::Unknown, start + 11 * SECOND);
    assert_eq!(guard.removal(&0), Removal::Held);
    let end = guard.wake(start + 11 * SECOND).unwrap();
    assert_eq!((end, guard.summon(end)), (start + 310 * SECOND, vec![0]));
    assert_eq!(guard.removal(&0), Removal::Allowed);
}

#[test]
fn everybody_is_asked_no_more_often_than_a_store_can_bear() {
    let mut guard = guard(2000);
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    let round = start + 10 * SECOND;
    let asked = guard.summon(round);
    all(&mut guard, asked, Answer::Stays, round);
    assert_eq!(guard.summon(round), [0]);
    guard.answered(&0, Answer::Deleted, round);
    guard.answered(&1, Answer::Due, round + SECOND);
    assert_eq!(guard.wake(round + SECOND), Some(round + Duration::from_millis(50) * 1999));
}

#[test]
fn somebody_may_allow_it() {
    let mut guard = guard(30);
    let now = Instant::now();
    all(&mut guard, 0..30, Answer::Due, now);
    assert!(matches!(guard.removal(&0), Removal::Paused(_)));
    drop(guard.summon(now));
    guard.allow(&"vault", true, now);
    assert_eq!(guard.removal(&0), Removal::Allowed);
    assert_eq!(guard.summon(now), (0..30).collect::<Vec<_>>(), "they need not wait for their time");
    guard.allow(&"vault", false, now);
    assert!(matches!(guard.removal(&0), Removal::Paused(_)));
}

#[test]
fn a_pause_of_an_earlier_process_lasts_until_everybody_was_heard() {
    let mut guard = guard(2);
    guard.resume(&"vault");
    let now = Instant::now();
    assert!(matches!(guard.removal(&0), Removal::Paused(MassDeletion { due: 0, of: 0, .. })));
    guard.answered(&0, Answer::Stays, now);
    assert!(guard.paused(&"vault").is_some());
    guard.answered(&1, Answer::Absent, now);
    assert_eq!(guard.paused(&"vault"), None);
}

#[test]
fn a_sync_of_two_stores_is_held_by_either() {
    let mut guard: Guard<usize, &str> = guard(30);
    guard.enroll(&99, ["small", "vault"], true);
    assert_eq!(guard.removal(&99), Removal::Held);
    guard.enroll(&99, ["small"], true);
    assert_eq!(guard.removal(&99), Removal::Allowed);
    guard.dismiss(&99);
    (0..25).for_each(|sync| guard.dismiss(&sync));
    assert_eq!(guard.removal(&29), Removal::Allowed, "few are left");
}
