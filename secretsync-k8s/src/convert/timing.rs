//! `refreshInterval` and `syncWindows`.

use std::time::Duration;

use secretsync_core::sync::{Cron, SyncWindow, SyncWindows, Timing};

use super::check;
use crate::api::GoDuration;
use crate::api::external_secret::{self, ExternalSecretSpec, WindowKind};
use crate::problems::Problems;

pub(super) fn check(spec: &ExternalSecretSpec, problems: &mut Problems) {
    let Some(windows) = &spec.sync_windows else { return };
    if windows.windows.is_empty() {
        problems.at("spec.syncWindows.windows", "must have at least one item");
    }
    for (index, window) in windows.windows.iter().enumerate() {
        if !check::is_schedule(&window.schedule) {
            let form = "must be five cron fields, `@every` with a duration, or one of @yearly, @monthly, @weekly, @daily, @hourly";
            problems.at(format_args!("spec.syncWindows.windows[{index}].schedule"), form);
        }
    }
}

/// When a sync runs again. `spec` has passed [`check()`].
pub(super) fn timing(spec: &ExternalSecretSpec) -> Timing {
    let interval = match spec.refresh_interval {
        Some(interval) => interval.positive(),
        None => Timing::default().interval,
    };
    Timing::new(interval).with_windows(spec.sync_windows.as_ref().map(windows))
}

fn windows(windows: &external_secret::SyncWindows) -> SyncWindows {
    let all = windows.windows.iter().filter_map(window).collect();
    match windows.kind {
        WindowKind::Allow => SyncWindows::Allow(all),
        WindowKind::Deny => SyncWindows::Deny(all),
    }
}

/// A window, or `None` where the schedule has the form of one but no meaning (`61 * * * *`): it is never open then (`eso-compat.md` 2.3).
fn window(window: &external_secret::SyncWindow) -> Option<SyncWindow> {
    let duration = window.duration.positive().unwrap_or(Duration::ZERO);
    let schedule = match window.schedule.strip_prefix("@every ") {
        Some(often) => GoDuration::parse(often.trim()).and_then(GoDuration::positive).map(Cron::every),
        None => window.schedule.parse().ok(),
    };
    if schedule.is_none() {
        tracing::warn!(schedule = %crate::problems::plain(&window.schedule), "a sync window is never open: its schedule cannot be read");
    }
    Some(SyncWindow::new(schedule?, duration))
}
