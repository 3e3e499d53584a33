//! Sessions on a paused clock.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::join_all;
use secretsync_core::error::{Error, ErrorKind, Result, Retry};
use secretsync_core::secret::Parent;
use secretsync_core::session::{Authenticator, Session, SessionPool, SessionSettings, SharedSession, Term};
use tokio::time::{Instant, sleep};

/// A server that counts.
#[derive(Debug, Default)]
struct Server {
    logins: AtomicUsize,
    renewals: AtomicUsize,
    inspections: AtomicUsize,
    ended: Mutex<Vec<usize>>,
    /// What logins, renewals and inspections give from now on; without one they fail.
    term: Mutex<Option<Term>>,
    renewed: Mutex<Option<Term>>,
    failure: Mutex<Option<Error>>,
    slow: Mutex<Duration>,
}

impl Server {
    fn giving(term: Term) -> Arc<Self> {
        Arc::new(Self { term: Mutex::new(Some(term)), ..Self::default() })
    }

    fn fails(&self, kind: Option<ErrorKind>) {
        *self.failure.lock().unwrap() = kind.map(|kind| Error::new(kind, "log in"));
    }

    fn renews(&self, term: Term) {
        *self.renewed.lock().unwrap() = Some(term);
    }

    fn counts(&self) -> (usize, usize) {
        (self.logins.load(Ordering::SeqCst), self.renewals.load(Ordering::SeqCst))
    }

    fn ended(&self) -> Vec<usize> {
        self.ended.lock().unwrap().clone()
    }

    fn slow(&self) -> Duration {
        *self.slow.lock().unwrap()
    }

    fn failing(&self) -> Option<Error> {
        self.failure.lock().unwrap().clone()
    }
}

fn given(term: &Mutex<Option<Term>>) -> Option<Term> {
    *term.lock().unwrap()
}

fn refused() -> Error {
    Error::new(ErrorKind::PermissionDenied, "answer")
}

#[derive(Debug)]
struct Identity(Arc<Server>);

#[async_trait]
impl Authenticator for Identity {
    type Access = usize;

    async fn log_in(&self) -> Result<(usize, Term)> {
        let number = self.0.logins.fetch_add(1, Ordering::SeqCst) + 1;
        sleep(self.0.slow()).await;
        match self.0.failing() {
            Some(error) => Err(error),
            None => Ok((number, given(&self.0.term).ok_or_else(refused)?)),
        }
    }

    async fn inspect(&self, _: &usize) -> Result<Term> {
        self.0.inspections.fetch_add(1, Ordering::SeqCst);
        given(&self.0.renewed).ok_or_else(refused)
    }

    async fn renew(&self, _: &usize) -> Result<Term> {
        self.0.renewals.fetch_add(1, Ordering::SeqCst);
        match self.0.failing() {
            Some(error) => Err(error),
            None => given(&self.0.renewed).ok_or_else(refused),
        }
    }

    async fn end(&self, number: &usize) {
        self.0.ended.lock().unwrap().push(*number);
    }
}

fn session(server: &Arc<Server>) -> Session<Identity> {
    Session::new(Identity(Arc::clone(server)), SessionSettings::default())
}

fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// Uses a session every second for a while.
async fn use_for(session: &Session<Identity>, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        session.login().await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_start_together_cause_one_login_and_share_its_failure() {
    let server = Server::giving(Term::endless());
    *server.slow.lock().unwrap() = Duration::from_secs(1);
    server.fails(Some(ErrorKind::Unavailable));
    let session = session(&server);
    let all = || join_all((0..1000).map(|_| session.login()));
    assert!(all().await.iter().all(Result::is_err));
    assert_eq!(server.counts().0, 1);
    server.fails(None);
    assert!(all().await.iter().all(Result::is_ok), "what passes by itself is tried again at once");
    assert!(all().await.iter().all(Result::is_ok));
    assert_eq!(server.counts().0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_login_goes_on_when_its_first_asker_goes_away() {
    let server = Server::giving(Term::endless());
    *server.slow.lock().unwrap() = Duration::from_secs(10);
    let session = session(&server);
    assert!(tokio::time::timeout(Duration::from_secs(1), session.login()).await.is_err());
    session.login().await.unwrap();
    assert_eq!(server.counts().0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_tried_again_after_growing_pauses_only() {
    let server = Server::giving(Term::endless());
    server.fails(Some(ErrorKind::Unauthenticated));
    let session = session(&server);
    for _ in 0..600 {
        assert_eq!(session.login().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
        sleep(Duration::from_secs(1)).await;
    }
    let tries = server.counts().0;
    assert!((10..=16).contains(&tries), "{tries} tries in ten minutes");
    server.fails(None);
    sleep(minutes(1)).await;
    session.login().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pause_without_end_is_kept_for_a_day() {
    let server = Server::giving(Term::endless());
    let endless = Error::new(ErrorKind::RateLimited, "log in").with_retry(Retry::After(Duration::MAX));
    *server.failure.lock().unwrap() = Some(endless);
    let session = session(&server);
    for _ in 0..2 {
        assert_eq!(session.login().await.unwrap_err().kind(), ErrorKind::RateLimited);
    }
    server.fails(None);
    sleep(minutes(24 * 60)).await;
    session.login().await.unwrap();
    assert_eq!(server.counts().0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewable_login_is_extended_and_never_made_anew() {
    let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
    server.renews(Term::lasting(minutes(10)).renewable(true));
    let session = session(&server);
    use_for(&session, minutes(100)).await;
    let (logins, renewals) = server.counts();
    assert_eq!(logins, 1);
    assert!((14..=19).contains(&renewals), "{renewals} renewals in ten terms");
    assert!(server.ended().is_empty());
}

#[tokio::test(start_paused = true)]
async fn renewals_are_spread() {
    let mut moments = Vec::new();
    for _ in 0..5 {
        let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
        server.renews(Term::lasting(minutes(10)).renewable(true));
        let session = session(&server);
        session.login().await.unwrap();
        let start = Instant::now();
        while server.counts().1 == 0 {
            sleep(Duration::from_millis(100)).await;
        }
        moments.push(start.elapsed());
    }
    assert!(moments.iter().all(|moment| (minutes(5)..=minutes(7)).contains(moment)), "{moments:?}");
    moments.dedup();
    assert!(moments.len() > 1, "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_cannot_be_extended_is_replaced_before_its_end_and_given_back_later() {
    let server = Server::giving(Term::lasting(minutes(10)));
    let session = session(&server);
    let first = session.login().await.unwrap();
    while server.counts().0 == 1 {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(Instant::now() < first.ends_at().unwrap());
    assert_eq!(session.login().await.unwrap().access(), &2);
    assert!(server.ended().is_empty(), "reads that use it may be under way");
    use_for(&session, minutes(2)).await;
    assert_eq!(server.ended(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_met_its_longest_life_is_replaced() {
    let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
    server.renews(Term::lasting(minutes(4)).renewable(true));
    let session = session(&server);
    use_for(&session, minutes(11)).await;
    assert_eq!(server.counts(), (2, 1), "one renewal that gave less, then a login");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_for_a_while_is_tried_again() {
    let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
    server.renews(Term::lasting(minutes(10)).renewable(true));
    let session = session(&server);
    session.login().await.unwrap();
    server.fails(Some(ErrorKind::Unavailable));
    sleep(minutes(8)).await;
    assert!(server.counts().1 > 1);
    server.fails(None);
    sleep(minutes(2)).await;
    session.login().await.unwrap();
    assert_eq!(server.counts().0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ended_is_not_used() {
    let server = Server::giving(Term::lasting(minutes(10)));
    let session = session(&server);
    session.login().await.unwrap();
    server.fails(Some(ErrorKind::Unavailable));
    sleep(minutes(11)).await;
    server.fails(None);
    let number = *session.login().await.unwrap().access();
    assert!(number > 1);
    session.close().await;
    assert_eq!(server.ended(), [number], "what has ended is not given back");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_costs_one_login_however_many_saw_it() {
    let server = Server::giving(Term::lasting(minutes(60)));
    let session = session(&server);
    let dead = session.login().await.unwrap();
    let replaced = join_all((0..1000).map(|_| session.replace(&dead))).await;
    assert!(replaced.into_iter().all(|login| *login.unwrap().access() == 2));
    assert_eq!(server.counts().0, 2);
    session.close().await;
    assert_eq!(server.ended(), [2], "the refused one is dead already");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_end_is_asked_for_once_in_the_background() {
    let server = Server::giving(Term::unknown());
    let session = session(&server);
    session.login().await.unwrap();
    sleep(Duration::from_millis(900)).await;
    assert_eq!(server.inspections.load(Ordering::SeqCst), 0, "a short run pays nothing");
    server.renews(Term::lasting(minutes(10)).renewable(true));
    use_for(&session, minutes(30)).await;
    assert_eq!(server.inspections.load(Ordering::SeqCst), 1);
    assert!(server.counts().1 >= 3);
    assert_eq!(server.counts().0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_of_few_uses_is_replaced_when_they_are_used_up() {
    let server = Server::giving(Term::lasting(minutes(60)).renewable(true).with_uses(3));
    let session = session(&server);
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(*session.login().await.unwrap().access());
    }
    assert_eq!(seen, [1, 1, 1, 2, 2, 2, 3]);
    session.close().await;
    assert_eq!(server.ended(), [3], "a token that is used up is gone");
}

#[tokio::test(start_paused = true)]
async fn an_idle_login_is_given_back_unless_a_lease_hangs_on_it() {
    let server = Server::giving(Term::endless());
    let session = session(&server);
    session.login().await.unwrap();
    sleep(minutes(31)).await;
    assert_eq!(server.ended(), [1]);
    let hold = session.login().await.unwrap().hold();
    sleep(minutes(120)).await;
    assert_eq!(server.ended(), [1]);
    drop(hold);
    sleep(minutes(2)).await;
    assert_eq!(server.ended(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_login_outlives_its_leases_although_it_was_replaced() {
    let server = Server::giving(Term::lasting(minutes(60)));
    let session = session(&server);
    let hold = session.login().await.unwrap().hold();
    use_for(&session, minutes(55)).await;
    assert_eq!(server.counts().0, 2);
    assert!(server.ended().is_empty());
    session.close().await;
    assert_eq!(server.ended(), [2], "leases that outlive the process keep their token");
    drop(hold);
}

#[tokio::test(start_paused = true)]
async fn a_held_login_lives_on_after_the_close_and_is_ended_with_the_last_hold() {
    let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
    server.renews(Term::lasting(minutes(10)).renewable(true));
    let session = session(&server);
    let (hold, other) = (session.hold().await.unwrap(), session.hold().await.unwrap());
    session.close().await;
    drop(session);
    sleep(minutes(60)).await;
    let (logins, renewals) = server.counts();
    assert!(logins == 1 && renewals >= 8, "nobody reads, but the leases need it: {renewals}");
    drop(hold);
    sleep(minutes(60)).await;
    assert!(server.ended().is_empty() && server.counts().1 > renewals);
    drop(other);
    sleep(minutes(1)).await;
    assert_eq!((server.ended(), server.counts().0), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_was_left_with_what_hangs_on_it_is_neither_extended_after_the_close_nor_ended() {
    for after in [false, true] {
        let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
        server.renews(Term::lasting(minutes(10)).renewable(true));
        let session = session(&server);
        let hold = session.hold().await.unwrap();
        sleep(minutes(60)).await;
        let (logins, renewals) = server.counts();
        assert!(logins == 1 && renewals >= 8, "nobody read, but the leases need it");
        if after {
            session.close().await;
            hold.leave();
        } else {
            hold.leave();
            drop(hold);
            session.close().await;
        }
        sleep(minutes(60)).await;
        assert_eq!(server.counts(), (logins, renewals));
        assert!(server.ended().is_empty());
    }
}

/// The seconds until the last end that a hold tells within `patience`.
async fn last_end(hold: &impl Parent, patience: Duration) -> Option<u64> {
    let end = tokio::time::timeout(patience, hold.last_end()).await.ok()?;
    let left = end.duration_since(SystemTime::now()).unwrap_or_default() + Duration::from_millis(500);
    Some(left.as_secs())
}

#[tokio::test(start_paused = true)]
async fn the_last_end_of_a_login_is_told_as_soon_as_it_is_certain() {
    let fixed = Server::giving(Term::lasting(minutes(10)));
    let hold = session(&fixed).hold().await.unwrap();
    assert_eq!(last_end(&hold, minutes(1)).await, Some(600), "it cannot be extended");
    let counted = Server::giving(Term::lasting(minutes(10)).renewable(true).with_uses(5));
    let hold = session(&counted).hold().await.unwrap();
    assert_eq!(last_end(&hold, minutes(1)).await, Some(600), "extending would cost uses");

    let endless = Server::giving(Term::endless());
    let hold = session(&endless).hold().await.unwrap();
    assert_eq!((last_end(&hold, minutes(10_000)).await, hold.ends_at()), (None, None));

    let limited = Server::giving(Term::lasting(minutes(10)).renewable(true));
    limited.renews(Term::lasting(minutes(10)).renewable(true));
    let session = session(&limited);
    let hold = session.hold().await.unwrap();
    assert_eq!(last_end(&hold, minutes(100)).await, None);
    limited.renews(Term::lasting(minutes(4)).renewable(true));
    assert_eq!(last_end(&hold, minutes(10)).await, Some(240), "a renewal met the longest life");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_and_a_failure_that_lasts_end_the_hope_for_another_term() {
    let server = || {
        let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
        server.renews(Term::lasting(minutes(10)).renewable(true));
        server
    };
    let refusing = server();
    let session = |server| session(server);
    let (one, patience) = (session(&refusing), minutes(9));
    let hold = one.hold().await.unwrap();
    refusing.fails(Some(ErrorKind::PermissionDenied));
    let left = last_end(&hold, patience).await.unwrap();
    assert!((180..=270).contains(&left), "{left}");

    let failing = server();
    let two = session(&failing);
    let hold = two.hold().await.unwrap();
    failing.fails(Some(ErrorKind::Unavailable));
    let left = last_end(&hold, minutes(10)).await.unwrap();
    assert!((1..=90).contains(&left), "{left}");

    let dropped = server();
    let three = session(&dropped);
    let hold = three.hold().await.unwrap();
    drop(three);
    assert_eq!(last_end(&hold, patience).await, Some(600), "nobody extends it any more");

    let dead = server();
    let four = session(&dead);
    let hold = four.hold().await.unwrap();
    assert_eq!(last_end(&hold, minutes(1)).await, None);
    four.replace(hold.login()).await.unwrap();
    assert_eq!(last_end(&hold, minutes(1)).await, Some(0));
    assert!(hold.ends_at().unwrap() <= SystemTime::now());
}

#[tokio::test(start_paused = true)]
async fn a_login_that_was_retired_while_something_hangs_on_it_is_extended_on() {
    let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
    server.renews(Term::lasting(minutes(10)).renewable(true));
    let session = session(&server);
    let hold = session.hold().await.unwrap();
    session.retire(hold.login());
    assert_eq!(session.login().await.unwrap().access(), &2);
    session.close().await;
    assert_eq!(server.ended(), [2]);
    sleep(minutes(60)).await;
    assert!(server.counts().1 >= 8);
    drop(hold);
    sleep(minutes(2)).await;
    assert_eq!(server.ended(), [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_last_use_of_a_login_is_left_alone_while_something_hangs_on_it() {
    let server = Server::giving(Term::lasting(minutes(60)).with_uses(3));
    let session = Arc::new(session(&server));
    session.login().await.unwrap();
    let first = session.hold().await.unwrap();
    assert_eq!(first.login().access(), &1);
    assert_eq!(session.login().await.unwrap().access(), &2, "one use is left, but the hold needs it");
    session.login().await.unwrap();
    assert_eq!(session.hold().await.unwrap().login().access(), &3, "what is issued would end with the last use");
    drop(first);
    session.close().await;

    // Many at once: each login issues for two.
    let holds = join_all((0..10).map(|_| session.hold())).await;
    let mut logins: Vec<_> = holds.iter().map(|hold| *hold.as_ref().unwrap().login().access()).collect();
    logins.dedup();
    assert_eq!(logins.len(), 5, "{logins:?}");

    let single = Server::giving(Term::lasting(minutes(60)).with_uses(1));
    let session = self::session(&single);
    let error = session.hold().await.unwrap_err();
    assert_eq!((error.kind(), single.counts().0), (ErrorKind::InvalidConfig, 1));
    session.login().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_after_the_close_is_given_back() {
    let server = Server::giving(Term::endless());
    *server.slow.lock().unwrap() = Duration::from_secs(5);
    let session = Arc::new(session(&server));
    let waiting = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.login().await }
    });
    sleep(Duration::from_secs(1)).await;
    session.close().await;
    assert!(waiting.await.unwrap().is_err());
    assert_eq!(server.ended(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_session_does_nothing_more() {
    let server = Server::giving(Term::lasting(minutes(10)).renewable(true));
    let session = session(&server);
    session.login().await.unwrap();
    drop(session);
    sleep(minutes(60)).await;
    assert_eq!(server.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn stores_of_one_identity_share_a_session_and_the_last_one_closes_it() {
    let server = Server::giving(Term::endless());
    let pool = SessionPool::<&str, Identity>::new();
    let join = |key| pool.join(&key, || session(&server));
    let (one, two, other) = (join("shop"), join("shop"), join("bank"));
    for user in [&one, &two, &other] {
        user.login().await.unwrap();
    }
    assert_eq!(server.counts().0, 2);
    one.close().await;
    one.close().await;
    assert!(server.ended().is_empty(), "closing twice is closing once");
    assert_eq!(two.login().await.unwrap().access(), &1);
    two.close().await;
    assert_eq!(server.ended(), [1]);
    assert_eq!(join("shop").login().await.unwrap().access(), &3);
    drop(other);
    assert_eq!(join("bank").login().await.unwrap().access(), &4, "a user that was dropped has left");
    let alone = SharedSession::alone(session(&server));
    alone.login().await.unwrap();
    alone.close().await;
    assert_eq!(server.ended().last(), Some(&5));
}
