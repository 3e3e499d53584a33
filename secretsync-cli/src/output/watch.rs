//! What a watch tells: what changes, one line each, as it happens.

use std::collections::HashMap;
use std::time::SystemTime;

use jiff::Timestamp;
use secretsync_core::store::OwnerId;
use secretsync_core::sync::{Outcome, SyncReport};

use super::{Style, colours, json, put, text};
use crate::args::Format;
use crate::diagnose;

/// Tells first results, changes, failures and recoveries. What goes on as before is not told again.
#[derive(Debug)]
pub(crate) struct WatchLog {
    style: Style,
    last: HashMap<OwnerId, String>,
}

impl WatchLog {
    /// Begins with a word on standard error about how many syncs are watched.
    pub(crate) fn start(style: Style, syncs: usize) -> Self {
        if style.format == Format::Text {
            let syncs = if syncs == 1 { "1 sync".to_owned() } else { format!("{syncs} syncs") };
            put(&mut std::io::stderr().lock(), &format!("watching {syncs}; end with Ctrl-C\n"));
        }
        Self { style, last: HashMap::new() }
    }

    /// Tells a report, if it is news.
    pub(crate) fn tell(&mut self, report: &SyncReport) {
        let state = match report.outcome {
            Outcome::Failed => diagnose::why(report),
            _ => String::new(),
        };
        let before = self.last.insert(report.owner.clone(), state.clone());
        let changed = !matches!(report.outcome, Outcome::Failed | Outcome::Unchanged);
        if !changed && before.is_some_and(|before| before == state) {
            return;
        }
        // A wall clock that no date can tell is no reason to be silent.
        let time = Timestamp::try_from(SystemTime::now()).unwrap_or_default();
        let time = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut out = std::io::stdout().lock();
        match self.style.format {
            Format::Json => put(&mut out, &json::line(report, &time)),
            Format::Text => {
                put(&mut out, &text::line(report, &time));
                let hints = text::hints(std::slice::from_ref(report), colours(self.style.color, is_terminal()));
                put(&mut std::io::stderr().lock(), &hints);
            }
        }
    }
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
