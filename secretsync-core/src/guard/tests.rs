use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A guard with a store of so many syncs that could lose their target.
fn guard(syncs: usize) -> Guard<usize, &'static str> {
    let mut guard = Guard::new();
    for sync in 0..syncs {
        guard.enroll(&sync, ["vault"], Exposure::Refreshed);
    }
    guard
}

fn all(guard: &mut Guard<usize, &'static str>, syncs: impl IntoIterator<Item = usize>, answer: Answer, at: Instant) {
    syncs.into_iter().for_each(|sync| guard.answered(&sync, answer, at));
}

/// Those who are to run; all of them can.
fn summon(guard: &mut Guard<usize, &'static str>, now: Instant) -> Vec<usize> {
    guard.summon(now, |_| true)
}

/// A sync loses its sources, the others are asked and keep theirs, and its target goes. Gives when that is over.
fn one_goes(guard: &mut Guard<usize, &'static str>, sync: usize, start: Instant) -> Instant {
    guard.answered(&sync, Answer::Due, start);
    let now = start + 15 * SECOND;
    let asked = summon(guard, now);
    all(guard, asked, Answer::Stays, now);
    assert_eq!(summon(guard, now), [sync]);
    guard.answered(&sync, Answer::Deleted, now);
    now
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
    for sync in 0..100 {
        guard.enroll(&sync, ["vault"], if sync < 20 { Exposure::Exposed } else { Exposure::Safe });
    }
    assert_eq!(guard.removal(&0), Removal::Allowed, "20 of 100 are not too many");
    guard.enroll(&20, ["vault"], Exposure::Exposed);
    assert_eq!(guard.removal(&0), Removal::Held);
}

#[test]
fn one_deletion_waits_until_the_others_have_been_asked() {
    let mut guard = guard(30);
    let start = Instant::now();
    assert_eq!(guard.removal(&7), Removal::Held);
    guard.answered(&7, Answer::Due, start);
    let round = start + 10 * SECOND;
    assert_eq!((guard.wake(start), summon(&mut guard, start)), (Some(round), vec![]));
    let asked = summon(&mut guard, round);
    assert_eq!(asked, (0..30).filter(|sync| *sync != 7).collect::<Vec<_>>(), "each of the others, once");
    assert_eq!(summon(&mut guard, round), [0; 0]);
    assert_eq!(guard.wake(round), Some(round + 300 * SECOND), "else it is for them to answer");
    all(&mut guard, asked.iter().copied().take(19), Answer::Stays, round);
    assert_eq!(guard.removal(&7), Removal::Held, "ten have not answered: all could be due");
    all(&mut guard, asked.iter().copied().skip(19).take(1), Answer::Stays, round);
    assert_eq!(guard.wake(round), Some(round), "at most ten now");
    assert_eq!(summon(&mut guard, round), [7]);
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
    assert_eq!(summon(&mut guard, start), (0..13).collect::<Vec<_>>(), "they learn that they have to wait");
    all(&mut guard, 13..60, Answer::Due, start + SECOND);
    all(&mut guard, 0..59, Answer::Stays, start + 600 * SECOND);
    assert_eq!(guard.removal(&59), Removal::Paused(mass), "most are back: the last one may be on its way");
    all(&mut guard, 59..60, Answer::Stays, start + 601 * SECOND);
    assert_eq!(guard.paused(&"vault"), None);
    guard.answered(&5, Answer::Due, start + 700 * SECOND);
    assert_eq!(guard.removal(&5), Removal::Held, "as if nothing had been");
}

#[test]
fn the_beginning_and_the_end_of_a_pause_are_told_once() {
    let mut guard = guard(30);
    let now = Instant::now();
    all(&mut guard, 0..10, Answer::Due, now);
    assert_eq!(guard.turned(), BTreeSet::new());
    all(&mut guard, 10..30, Answer::Due, now);
    assert_eq!((guard.turned(), guard.turned()), (BTreeSet::from(["vault"]), BTreeSet::new()));
    all(&mut guard, 0..29, Answer::Stays, now);
    assert_eq!(guard.turned(), BTreeSet::new());
    guard.dismiss(&29);
    assert_eq!(guard.turned(), BTreeSet::from(["vault"]));
    guard.resume(&"vault", now);
    assert_eq!(guard.turned(), BTreeSet::from(["vault"]));
    let round = now + 10 * SECOND;
    assert_eq!(guard.summon(round, |_| false), [0; 0]);
    assert_eq!(guard.turned(), BTreeSet::from(["vault"]), "nobody can be asked, and nothing is due");
}

#[test]
fn what_turns_out_in_the_round_stops_all_of_it() {
    let mut guard = guard(30);
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    let round = start + 10 * SECOND;
    let asked = summon(&mut guard, round);
    all(&mut guard, asked, Answer::Due, round);
    assert!(matches!(guard.removal(&0), Removal::Paused(MassDeletion { due: 11, of: 30, .. })));
}

#[test]
fn deletions_that_go_on_are_counted_together() {
    let mut guard = guard(30);
    let mut now = Instant::now();
    for sync in 0..10 {
        now = one_goes(&mut guard, sync, now);
    }
    guard.answered(&10, Answer::Due, now);
    assert!(matches!(guard.removal(&10), Removal::Paused(_)), "the eleventh within five minutes");
}

#[test]
fn who_never_answers_is_not_waited_for_for_ever() {
    let mut guard = guard(30);
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    let asked = summon(&mut guard, start + 10 * SECOND);
    all(&mut guard, asked, Answer::Unknown, start + 11 * SECOND);
    assert_eq!(guard.removal(&0), Removal::Held);
    let end = guard.wake(start + 11 * SECOND).unwrap();
    assert_eq!((end, summon(&mut guard, end)), (start + 310 * SECOND, vec![0]));
    assert_eq!(guard.removal(&0), Removal::Allowed);
}

#[test]
fn everybody_is_asked_no_more_often_than_a_store_can_bear() {
    let mut guard = guard(2000);
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    let round = start + 10 * SECOND;
    let asked = summon(&mut guard, round);
    all(&mut guard, asked, Answer::Stays, round);
    assert_eq!(summon(&mut guard, round), [0]);
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
    drop(summon(&mut guard, now));
    guard.allow(&"vault", true, now);
    assert_eq!(guard.removal(&0), Removal::Allowed);
    assert_eq!(summon(&mut guard, now), (0..30).collect::<Vec<_>>(), "they need not wait for their time");
    guard.allow(&"vault", false, now);
    assert!(matches!(guard.removal(&0), Removal::Paused(_)));
}

#[test]
fn a_pause_of_an_earlier_process_lasts_until_everybody_was_asked() {
    let mut guard = guard(30);
    let now = Instant::now();
    guard.resume(&"vault", now);
    assert_eq!(guard.removal(&0), Removal::Held, "they are counted again first");
    guard.answered(&0, Answer::Stays, now);
    let round = now + 10 * SECOND;
    let asked = summon(&mut guard, round);
    assert!(asked.len() == 30 && guard.paused(&"vault").is_some());
    all(&mut guard, asked.iter().copied().skip(1), Answer::Stays, round);
    guard.answered(&0, Answer::Unknown, round);
    let end = round + 300 * SECOND;
    assert!(
        summon(&mut guard, end).is_empty() && guard.paused(&"vault").is_none(),
        "one that always fails keeps nothing"
    );

    guard.resume(&"vault", end);
    let round = end + 10 * SECOND;
    let asked = summon(&mut guard, round);
    all(&mut guard, asked.iter().copied().skip(3), Answer::Stays, round);
    all(&mut guard, 0..3, Answer::Due, round);
    assert_eq!(summon(&mut guard, round), [0, 1, 2]);
    assert!(matches!(guard.removal(&0), Removal::Paused(MassDeletion { due: 3, of: 30, .. })), "it goes on with these");

    let mut empty: Guard<usize, &str> = Guard::new();
    empty.resume(&"vault", now);
    assert!(summon(&mut empty, now + 10 * SECOND).is_empty() && empty.paused(&"vault").is_none());
}

#[test]
fn who_is_not_heard_counts_neither_way() {
    let mut guard = guard(100);
    let start = Instant::now();
    all(&mut guard, 0..15, Answer::Due, start);
    let round = start + 10 * SECOND;
    let asked = guard.summon(round, |sync| sync % 2 == 1);
    assert_eq!(asked, (15..100).step_by(2).collect::<Vec<_>>(), "the others cannot run now");
    all(&mut guard, asked, Answer::Unknown, round);
    assert_eq!(guard.removal(&0), Removal::Held);
    assert_eq!(summon(&mut guard, round + 300 * SECOND).len(), 15);
    assert!(matches!(guard.removal(&0), Removal::Paused(MassDeletion { due: 15, of: 100, .. })));
}

#[test]
fn syncs_that_follow_nothing_are_counted_and_not_asked() {
    let mut guard = guard(0);
    for sync in 0..100 {
        guard.enroll(&sync, ["vault"], Exposure::Exposed);
    }
    let start = Instant::now();
    guard.answered(&0, Answer::Due, start);
    assert_eq!(guard.removal(&0), Removal::Held);
    assert_eq!(summon(&mut guard, start + 10 * SECOND), [0], "nobody else has anything to say");
    all(&mut guard, 1..100, Answer::Due, start + 11 * SECOND);
    assert!(matches!(guard.removal(&0), Removal::Paused(_)));
}

#[test]
fn a_store_that_shrinks_is_no_store_with_few_targets() {
    let mut guard = guard(15);
    let mut now = Instant::now();
    for sync in 0..10 {
        now = one_goes(&mut guard, sync, now);
    }
    assert_eq!(guard.removal(&10), Removal::Held);
    guard.answered(&10, Answer::Due, now);
    assert!(matches!(guard.removal(&10), Removal::Paused(_)));
}

#[test]
fn whoever_is_suspended_or_gone_keeps_no_pause() {
    let mut guard = guard(30);
    let now = Instant::now();
    all(&mut guard, 0..11, Answer::Due, now);
    assert!(guard.paused(&"vault").is_some());
    (0..10).for_each(|sync| guard.dismiss(&sync));
    assert!(guard.paused(&"vault").is_some());
    guard.enroll(&10, ["vault"], Exposure::Safe);
    assert_eq!(guard.paused(&"vault"), None);
    (10..30).for_each(|sync| guard.dismiss(&sync));
    assert!(guard.stores.get(&"vault").is_none(), "nothing is left behind");
}

#[test]
fn nobody_is_woken_for_stores_in_which_nothing_happens() {
    let mut guard = guard(30);
    guard.allow(&"vault", false, Instant::now());
    guard.allow(&"other", false, Instant::now());
    assert!(guard.stores.names_of_busy().is_empty());
}

#[test]
fn a_sync_of_two_stores_is_held_by_either() {
    let mut guard: Guard<usize, &str> = guard(30);
    guard.enroll(&99, ["small", "vault"], Exposure::Refreshed);
    assert_eq!(guard.removal(&99), Removal::Held);
    guard.enroll(&99, ["small"], Exposure::Refreshed);
    assert_eq!(guard.removal(&99), Removal::Allowed);
    guard.dismiss(&99);
    (0..25).for_each(|sync| guard.dismiss(&sync));
    assert_eq!(guard.removal(&29), Removal::Allowed, "few are left");
}
