//! When something that ends must be renewed or replaced. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::jitter;
use crate::provider::Renewed;

/// The life of something that ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    /// When it ends.
    end: Instant,
    /// When something must be done about it: before the end, for all but what is rotated.
    next: Instant,
    /// How long it lasts when it is new, or renewed in full; `None` where that is not known.
    full: Option<Duration>,
    /// Whether it can be extended; else it must be replaced.
    extensible: bool,
}

impl Term {
    /// Something that was issued and lasts this long from `since`. What ends at once, or has ended by our clock, is looked after later: its successor would be
    /// no better, and would be wanted at once, too.
    pub(crate) fn new(since: Instant, lasts: Duration, extensible: bool) -> Self {
        let wait = if lasts < SHORTEST_LIFE { RESPITE } else { early(lasts) };
        Self { end: after(since, lasts), next: after(since, wait), full: Some(lasts), extensible }
    }

    /// Something whose successor exists only from the end on. Told the same again although its time has come, it is asked for a few times within
    /// seconds: the other side may be a moment late.
    pub(crate) fn rotating(since: Instant, lasts: Duration, repeated: u32) -> Self {
        let lasts = match repeated {
            0 => lasts,
            1..=REPEATS => lasts.min(SOON),
            _ => lasts.max(RESPITE),
        };
        let next = after(since, lasts + jitter::part_of(Duration::from_secs(1)));
        Self { end: after(since, lasts), next, full: Some(lasts), extensible: false }
    }

    /// Something that an earlier process was issued. When that was is not known, and many of them are taken over together: the moments are spread over
    /// the middle of what is left.
    pub(crate) fn adopted(now: Instant, left: Duration, extensible: bool) -> Self {
        Self { end: after(now, left), next: after(now, left / 3 + jitter::part_of(left / 3)), full: None, extensible }
    }

    /// The same after it was renewed. One that lasts much shorter than asked nears its last end: it is replaced next.
    pub(crate) fn renewed(self, now: Instant, renewed: Renewed) -> Self {
        let Renewed { lasts, renewable } = renewed;
        let full = self.full.unwrap_or(lasts);
        let granted = lasts >= full.saturating_sub(full / 10).max(SHORTEST_LIFE);
        let term = Self { full: Some(full), ..Self::new(now, lasts, renewable && granted) };
        if lasts < SHORTEST_LIFE { term.given_up(now) } else { term }
    }

    /// The same after a renewal failed that may work later: again at `next`, as long as there is time; then it is replaced.
    pub(crate) fn postponed(self, now: Instant, pause: Duration) -> Self {
        let left = self.left(now);
        if pause >= left / 2 { self.given_up(now) } else { Self { next: after(now, pause), ..self } }
    }

    /// The same when it cannot be renewed any more: it is replaced now.
    pub(crate) fn given_up(self, now: Instant) -> Self {
        Self { next: now, extensible: false, ..self }
    }

    /// The same after its replacement failed: again later.
    pub(crate) fn replaced_at(self, at: Instant) -> Self {
        Self { next: at, ..self }
    }

    /// When something must be done.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Whether it is then extended; else it is replaced.
    pub(crate) fn extensible(&self) -> bool {
        self.extensible
    }

    /// How long to ask for; zero leaves it to the other side.
    pub(crate) fn increment(&self) -> Duration {
        self.full.unwrap_or_default()
    }

    /// Whether it must be replaced now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.end || !self.extensible && now >= self.next
    }

    /// How long it still lasts.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.end.saturating_duration_since(now)
    }
}

/// About two thirds of a life, and less at random, so that what began together does not come back together.
fn early(lasts: Duration) -> Duration {
    (lasts * 2 / 3).saturating_sub(jitter::part_of(lasts / 15))
}

/// A moment; one that the clock cannot say is far enough.
fn after(since: Instant, time: Duration) -> Instant {
    since.checked_add(time.min(FOREVER)).unwrap_or(since)
}

const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);
/// What ends sooner than this is not replaced again and again.
const SHORTEST_LIFE: Duration = Duration::from_secs(2);
const RESPITE: Duration = Duration::from_mins(1);
const REPEATS: u32 = 6;
const SOON: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn of(term: Term, since: Instant) -> f64 {
        (term.next() - since).as_secs_f64() / HOUR.as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn renewals_are_spread_around_two_thirds() {
        let now = Instant::now();
        let moments: Vec<_> = (0..200).map(|_| of(Term::new(now, HOUR, true), now)).collect();
        assert!(moments.iter().all(|part| (0.59..=0.667).contains(part)), "{moments:?}");
        assert!(moments.iter().any(|part| *part < 0.62) && moments.iter().any(|part| *part > 0.65), "{moments:?}");
        let adopted: Vec<_> = (0..200).map(|_| of(Term::adopted(now, HOUR, true), now)).collect();
        assert!(adopted.iter().all(|part| (0.33..=0.667).contains(part)), "{adopted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_is_shorter_than_asked_is_the_last_one() {
        let now = Instant::now();
        let term = Term::new(now, HOUR, true);
        assert!(term.renewed(now, Renewed::new(HOUR, true)).extensible());
        assert!(!term.renewed(now, Renewed::new(HOUR / 2, true)).extensible());
        assert!(!term.renewed(now, Renewed::new(HOUR, false)).extensible());
        // Several small losses do not add up unnoticed: each is measured against the first life.
        let mut shrinking = term;
        for minutes in [57, 55, 53] {
            shrinking = shrinking.renewed(now, Renewed::new(Duration::from_mins(minutes), true));
        }
        assert!(!shrinking.extensible());
    }

    #[tokio::test(start_paused = true)]
    async fn something_renewable_is_due_only_when_it_was_given_up_or_has_ended() {
        let now = Instant::now();
        let term = Term::new(now, HOUR, true);
        assert!(!term.is_due(now + HOUR * 9 / 10));
        assert!(term.is_due(now + HOUR));
        assert!(Term::new(now, HOUR, false).is_due(now + HOUR * 2 / 3));
        assert!(term.given_up(now).is_due(now));
        assert!(!term.postponed(now, Duration::from_mins(1)).is_due(now));
        assert!(term.postponed(now, HOUR * 2 / 3).is_due(now));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_rotated_is_asked_for_after_its_end_and_soon_again_if_it_is_late() {
        let now = Instant::now();
        let next = |repeated| Term::rotating(now, HOUR, repeated).next() - now;
        assert!(next(0) >= HOUR && next(0) <= HOUR + Duration::from_secs(1));
        assert!((1..=REPEATS).all(|repeated| next(repeated) <= SOON + Duration::from_secs(1)));
        assert!(next(REPEATS + 1) >= HOUR, "it is believed in the end");
        assert!(
            Term::rotating(now, Duration::ZERO, REPEATS + 1).next() - now >= RESPITE,
            "and not asked for all the time"
        );
    }
}
