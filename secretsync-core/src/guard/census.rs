//! What is known of the targets of one store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Exposure};
use crate::sync::MassDeletion;

/// The syncs of a store.
#[derive(Debug)]
pub(super) struct Census<K> {
    members: BTreeMap<K, Member>,
    tally: Tally,
    /// When the targets were deleted that were deleted lately.
    deleted: VecDeque<Instant>,
    /// Whether nothing is deleted, and how many were due of how many when that began.
    paused: Option<(usize, usize)>,
    allowed: bool,
    round: Option<Round<K>>,
    last_round: Option<Instant>,
    /// Who is due and is to learn of a decision.
    news: BTreeSet<K>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    exposure: Exposure,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Stays,
    /// Due for deletion since then, and whether that was decided.
    Due {
        since: Instant,
        decided: bool,
    },
    Absent,
}

/// Members by what could become of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    due: usize,
    /// Of those, how many no decision has let go.
    undecided: usize,
    could: usize,
    of: usize,
}

/// All who could lose their target are asked.
#[derive(Debug)]
struct Round<K> {
    /// Answers count from then on.
    begins: Instant,
    /// Who has still to answer; `None` before it begins.
    waiting: Option<BTreeSet<K>>,
    /// How many cannot answer now.
    excused: usize,
}

impl<K> Default for Census<K> {
    fn default() -> Self {
        Self {
            members: BTreeMap::new(),
            tally: Tally::default(),
            deleted: VecDeque::new(),
            paused: None,
            allowed: false,
            round: None,
            last_round: None,
            news: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Ord> Census<K> {
    pub(super) fn enroll(&mut self, sync: &K, exposure: Exposure) {
        let mut member = self.members.get(sync).copied().unwrap_or(Member { exposure, state: State::Stays });
        member.exposure = exposure;
        if exposure == Exposure::Safe && matches!(member.state, State::Due { .. }) {
            member.state = State::Stays;
        }
        self.put(sync, Some(member));
        if exposure == Exposure::Safe {
            self.stop_waiting_for(sync);
        }
        self.end_pause();
    }

    pub(super) fn dismiss(&mut self, sync: &K) {
        self.put(sync, None);
        self.stop_waiting_for(sync);
        self.end_pause();
    }

    /// Takes it as paused, and asks everybody whether that is still right.
    pub(super) fn resume(&mut self, now: Instant) {
        self.paused.get_or_insert((0, 0));
        self.round.get_or_insert(Round { begins: now + SETTLE, waiting: None, excused: 0 });
    }

    /// Whether nobody needs it.
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && !self.allowed && self.paused.is_none()
    }

    /// Whether time matters: [`summon`](Self::summon) has something to tell, now or later.
    pub(super) fn is_busy(&self) -> bool {
        !self.news.is_empty() || self.round.is_some()
    }

    pub(super) fn allow(&mut self, allowed: bool, now: Instant) {
        if self.allowed == allowed {
            return;
        }
        self.allowed = allowed;
        if !allowed {
            return self.assess(now);
        }
        self.paused = None;
        self.round = None;
        self.news.extend(self.due().map(|(sync, _)| sync.clone()).collect::<Vec<_>>());
    }

    pub(super) fn paused(&self) -> Option<(usize, usize)> {
        self.paused
    }

    /// Whether the target of a sync may go, while nothing is paused.
    pub(super) fn allows(&self, sync: &K) -> bool {
        let decided = |member: &Member| matches!(member.state, State::Due { decided: true, .. });
        let lately = self.deleted.len();
        let could_be_mass = MassDeletion::is(self.tally.could + lately, self.tally.of + lately);
        self.allowed || !could_be_mass || self.members.get(sync).is_none_or(decided)
    }

    pub(super) fn answered(&mut self, sync: &K, answer: Answer, now: Instant) {
        let Some(mut member) = self.members.get(sync).copied() else { return };
        let before = member.state;
        member.state = match (answer, before) {
            (Answer::Unknown, _) => return,
            (Answer::Due, State::Due { .. }) => before,
            (Answer::Due, _) => State::Due { since: now, decided: false },
            (Answer::Deleted | Answer::Absent, _) => State::Absent,
            (Answer::Stays, _) => State::Stays,
        };
        if answer == Answer::Deleted {
            self.deleted.push_back(now);
        }
        self.put(sync, Some(member));
        self.stop_waiting_for(sync);
        if member.state != before {
            self.assess(now);
        }
        self.end_pause();
    }

    /// The syncs that are to run now, each told once. Who cannot run now is not waited for: that says nothing about the target.
    pub(super) fn summon(&mut self, now: Instant, can_run: impl Fn(&K) -> bool) -> Vec<K> {
        let mut syncs = Vec::new();
        if let Some(round) = self.round.as_mut().filter(|round| round.waiting.is_none() && round.begins <= now) {
            let asked =
                |(_, member): &(&K, &Member)| member.exposure == Exposure::Refreshed && member.state == State::Stays;
            let asked = self.members.iter().filter(asked).map(|(sync, _)| sync.clone());
            let (able, unable): (Vec<_>, Vec<_>) = asked.partition(can_run);
            syncs = able;
            round.waiting = Some(syncs.iter().cloned().collect());
            round.excused = unable.len();
            self.last_round = Some(now);
        }
        if self.is_decided(now) {
            self.decide(now);
        }
        syncs.extend(std::mem::take(&mut self.news));
        syncs
    }

    /// When [`summon`](Self::summon) has something to tell, as far as time alone decides.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        if !self.news.is_empty() || self.is_decided(now) {
            return Some(now);
        }
        let round = self.round.as_ref()?;
        Some(if round.waiting.is_some() { round.begins + WINDOW } else { round.begins })
    }

    fn put(&mut self, sync: &K, member: Option<Member>) {
        let before = match member {
            Some(member) => self.members.insert(sync.clone(), member),
            None => self.members.remove(sync),
        };
        self.tally.add(member);
        self.tally.subtract(before);
        if !matches!(member, Some(Member { state: State::Due { .. }, .. })) {
            self.news.remove(sync);
        }
    }

    fn due(&self) -> impl Iterator<Item = (&K, &Member)> {
        self.members.iter().filter(|(_, member)| matches!(member.state, State::Due { .. }))
    }

    /// How many are due for deletion, or were deleted lately; and of how many.
    fn count(&self, now: Instant) -> (usize, usize) {
        let lately = self.deleted.iter().filter(|at| now < **at + WINDOW).count();
        (self.tally.due + lately, self.tally.of + lately)
    }

    /// Pauses the store where too many are due, or has the others asked where one is.
    fn assess(&mut self, now: Instant) {
        self.deleted.retain(|at| now < *at + WINDOW);
        let counted = self.paused.is_some_and(|(due, _)| due > 0);
        if self.allowed || counted || self.tally.due == 0 {
            return;
        }
        let (due, of) = self.count(now);
        if MassDeletion::is(due, of) {
            self.pause(due, of);
        } else if self.paused.is_none() {
            self.plan_round(now);
        }
    }

    fn pause(&mut self, due: usize, of: usize) {
        self.paused = Some((due, of));
        self.round = None;
        self.tally.undecided = self.tally.due;
        for (sync, member) in &mut self.members {
            if let State::Due { decided, .. } = &mut member.state {
                *decided = false;
                self.news.insert(sync.clone());
            }
        }
    }

    /// Has a round begin for what no earlier one decides.
    fn plan_round(&mut self, now: Instant) {
        if self.round.is_some() || self.tally.undecided == 0 {
            return;
        }
        // Asking everybody costs reads: no more of them than twenty a second, and no wait longer than the window.
        let asked = u32::try_from(self.tally.could).unwrap_or(u32::MAX);
        let rest = EACH.saturating_mul(asked).min(WINDOW);
        let settled = now + SETTLE;
        let begins = self.last_round.map_or(settled, |last| settled.max(last + rest));
        self.round = Some(Round { begins, waiting: None, excused: 0 });
    }

    /// Whether everybody has answered, or whatever they say makes no mass deletion, or nobody waits for them any more.
    fn is_decided(&self, now: Instant) -> bool {
        let Some(Round { begins, waiting: Some(waiting), excused }) = &self.round else { return false };
        let (due, of) = self.count(now);
        waiting.is_empty() || !MassDeletion::is(due + waiting.len() + excused, of) || now >= *begins + WINDOW
    }

    /// Ends a round. Who was not heard is taken for neither: what is due is compared with those who were.
    fn decide(&mut self, now: Instant) {
        let Some(round) = self.round.take() else { return };
        let silent = round.waiting.as_ref().map_or(0, BTreeSet::len) + round.excused;
        let (due, of) = self.count(now);
        let is_mass = MassDeletion::is(due, of.saturating_sub(silent));
        if self.tally.due > 0 && (is_mass || self.paused.is_some()) {
            return self.pause(due, of);
        }
        self.end_pause();
        self.carry_out(&round, now);
    }

    /// Lets go what was due when the round began. What became due later needs another one: its cause may be another one.
    fn carry_out(&mut self, round: &Round<K>, now: Instant) {
        for (sync, member) in &mut self.members {
            if let State::Due { since, decided } = &mut member.state
                && *since <= round.begins
                && !*decided
            {
                *decided = true;
                self.tally.undecided -= 1;
                self.news.insert(sync.clone());
            }
        }
        self.plan_round(now);
    }

    fn stop_waiting_for(&mut self, sync: &K) {
        if let Some(Round { waiting: Some(waiting), .. }) = &mut self.round {
            waiting.remove(sync);
        }
    }

    /// A pause ends when nothing is due any more.
    fn end_pause(&mut self) {
        if self.paused.is_some() && self.tally.due == 0 && self.round.is_none() {
            self.paused = None;
        }
    }
}

impl Tally {
    fn add(&mut self, member: Option<Member>) {
        let Self { due, undecided, could, of } = Self::of(member);
        self.due += due;
        self.undecided += undecided;
        self.could += could;
        self.of += of;
    }

    fn subtract(&mut self, member: Option<Member>) {
        let Self { due, undecided, could, of } = Self::of(member);
        self.due -= due;
        self.undecided -= undecided;
        self.could -= could;
        self.of -= of;
    }

    fn of(member: Option<Member>) -> Self {
        let Some(member) = member else { return Self::default() };
        let exposed = usize::from(member.exposure != Exposure::Safe);
        match member.state {
            State::Stays => Self { could: exposed, of: 1, ..Self::default() },
            State::Due { decided, .. } => Self { due: 1, undecided: usize::from(!decided), could: 1, of: 1 },
            State::Absent => Self::default(),
        }
    }
}

/// Within what time deletions count as being at once; also how long somebody is waited for who does not answer.
const WINDOW: Duration = Duration::from_mins(5);
/// How long after the first sign the others are asked: what empties a store may take a while.
const SETTLE: Duration = Duration::from_secs(10);
/// How long a store is left in peace after a round, for each sync that is asked.
const EACH: Duration = Duration::from_millis(50);
