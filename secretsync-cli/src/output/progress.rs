//! Progress of a run that takes longer than a moment.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secretsync_core::engine::EngineObserver;
use secretsync_core::sync::SyncReport;

/// A bar on standard error: only on a terminal, and only after a second.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `syncs` steps that, if `shown`, shows itself when the run takes longer than a second.
    pub(crate) fn start(syncs: usize, shown: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(syncs as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} syncs, {elapsed}") {
            bar.set_style(style);
        }
        if shown && std::io::stderr().is_terminal() {
            let late = bar.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if !late.is_finished() {
                    late.set_draw_target(ProgressDrawTarget::stderr());
                    late.enable_steady_tick(Duration::from_millis(200));
                }
            });
        }
        Self(bar)
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl EngineObserver for Progress {
    fn finished(&self, _report: &SyncReport) {
        self.0.inc(1);
    }
}
