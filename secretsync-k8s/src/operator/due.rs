//! When an ExternalSecret is due (`eso-compat.md` 2.3). Pure.

use std::time::SystemTime;

use secretsync_core::schedule::Lane;
use secretsync_core::sync::{RefreshPolicy, SyncSpec};

use super::status::Status;

/// When to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// Not before this moment, and in this lane.
    At(SystemTime, Lane),
    /// When a window opens.
    Window,
    /// When something changes.
    Never,
}

/// When a sync is due by its manifest and its status. `revision` is that of the manifest as it is now.
pub(super) fn due(spec: &SyncSpec, status: &Status, revision: &str, now: SystemTime) -> Due {
    let synced = status.synced_revision.as_deref();
    let never_synced = synced.is_none() || status.refresh_time.is_none();
    let changed = synced.is_some_and(|synced| synced != revision);
    match spec.refresh {
        RefreshPolicy::CreatedOnce if never_synced => Due::At(now, Lane::Urgent),
        RefreshPolicy::OnChange if never_synced || changed => Due::At(now, Lane::Urgent),
        RefreshPolicy::CreatedOnce | RefreshPolicy::OnChange => Due::Never,
        _ => periodic(spec, status, never_synced || changed, now),
    }
}

/// Whether a sync reads its sources again and again.
pub(super) fn is_refreshed(spec: &SyncSpec) -> bool {
    spec.refresh == RefreshPolicy::Periodic && spec.timing.interval.is_some()
}

fn periodic(spec: &SyncSpec, status: &Status, urgent: bool, now: SystemTime) -> Due {
    let Some(interval) = spec.timing.interval else {
        // Without an interval not even a changed manifest counts, once it was synced.
        return if status.synced_revision.is_none() { Due::At(now, Lane::Urgent) } else { Due::Never };
    };
    if urgent {
        return Due::At(now, Lane::Urgent);
    }
    let Some(refreshed) = status.refresh_time.filter(|refreshed| *refreshed <= now) else {
        // A clock was set back: no window has a say.
        return Due::At(now, Lane::Refresh);
    };
    let at = refreshed + interval;
    if at > now {
        return Due::At(at, Lane::Refresh);
    }
    if spec.timing.permits(now) { Due::At(now, Lane::Refresh) } else { Due::Window }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secretsync_core::store::{OwnerId, TargetRef};
    use secretsync_core::sync::{CreationPolicy, DeletionPolicy, SyncWindows, Timing};

    use super::*;

    fn spec(refresh: RefreshPolicy, interval: Option<Duration>) -> SyncSpec {
        SyncSpec::new(OwnerId::new("n", "s"), TargetRef::new("n", "s"))
            .with_policies(CreationPolicy::Owner, DeletionPolicy::Retain, refresh)
            .with_timing(Timing::new(interval))
    }

    fn status(refreshed: Option<SystemTime>, synced: Option<&str>) -> Status {
        Status { refresh_time: refreshed, synced_revision: synced.map(str::to_owned), ..Status::default() }
    }

    #[test]
    fn a_closed_window_holds_back_nothing_but_what_is_due_by_its_interval() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
        let mut spec = spec(RefreshPolicy::Periodic, Some(Duration::from_hours(2)));
        spec.timing = spec.timing.with_windows(Some(SyncWindows::Allow(Vec::new())));
        let due_at = |refreshed, synced| due(&spec, &status(Some(refreshed), Some(synced)), "now", now);
        let hours = Duration::from_hours;
        assert_eq!(due_at(now - hours(3), "now"), Due::Window);
        assert_eq!(due_at(now - hours(1), "now"), Due::At(now + hours(1), Lane::Refresh));
        assert_eq!(due_at(now + hours(1), "now"), Due::At(now, Lane::Refresh), "a refresh in the future");
        assert_eq!(due_at(now - hours(3), "old"), Due::At(now, Lane::Urgent));
    }

    #[test]
    fn each_row_of_the_table_holds() {
        use RefreshPolicy::{CreatedOnce, OnChange, Periodic};
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
        let ago = |hours| Some(now - Duration::from_hours(hours));
        let later = now + Duration::from_hours(1);
        let (urgent, refresh) = (Due::At(now, Lane::Urgent), Due::At(now, Lane::Refresh));
        let two_hours = Some(Duration::from_hours(2));
        for (policy, interval, status, expected) in [
            (CreatedOnce, two_hours, status(None, None), urgent),
            (CreatedOnce, two_hours, status(ago(9), Some("old")), Due::Never),
            (OnChange, two_hours, status(None, None), urgent),
            (OnChange, two_hours, status(ago(9), Some("now")), Due::Never),
            (OnChange, two_hours, status(ago(1), Some("old")), urgent),
            (Periodic, None, status(None, None), urgent),
            (Periodic, None, status(ago(9), Some("old")), Due::Never),
            (Periodic, two_hours, status(ago(1), Some("old")), urgent),
            (Periodic, two_hours, status(None, Some("now")), urgent),
            (Periodic, two_hours, status(Some(later), Some("now")), refresh),
            (Periodic, two_hours, status(ago(1), Some("now")), Due::At(later, Lane::Refresh)),
            (Periodic, two_hours, status(ago(3), Some("now")), refresh),
        ] {
            assert_eq!(
                due(&spec(policy, interval), &status, "now", now),
                expected,
                "{policy:?} {interval:?} {status:?}"
            );
        }
    }
}
