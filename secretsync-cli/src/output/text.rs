//! The report for people and for `grep`.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use secretsync_core::sync::{Outcome as Result, SyncReport};

use super::Outcome;
use crate::diagnose;

/// One row for each sync and a line that sums up. On a terminal, long cells wrap; in a pipe, a sync is one line.
pub(super) fn render(outcome: &Outcome, terminal: bool, colours: bool) -> String {
    let mut text = String::new();
    if !outcome.reports.is_empty() {
        text = table(outcome, terminal, colours).trim_fmt() + "\n\n";
    }
    text + &summary(outcome) + "\n"
}

fn table(outcome: &Outcome, terminal: bool, colours: bool) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_content_arrangement(if terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled });
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let head = if outcome.planned { "PLAN" } else { "RESULT" };
    table.set_header([head, "SYNC", "TARGET", "WHY"].map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for report in &outcome.reports {
        table.add_row([
            Cell::new(report.outcome.as_str()).fg(colour(report.outcome)),
            Cell::new(&report.owner),
            Cell::new(&report.target),
            Cell::new(diagnose::why(report)),
        ]);
    }
    // The table has no borders: nothing to keep a distance from on the left.
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table
}

fn colour(result: Result) -> Color {
    match result {
        Result::Created => Color::Green,
        Result::Failed => Color::Red,
        Result::Removed | Result::Updated => Color::Yellow,
        _ => Color::Grey,
    }
}

fn summary(outcome: &Outcome) -> String {
    let counts: Vec<_> = diagnose::counts(&outcome.reports)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(result, count)| format!("{count} {}", result.as_str()))
        .collect();
    let syncs = match outcome.reports.len() {
        1 => "1 sync".to_owned(),
        many => format!("{many} syncs"),
    };
    let mut text = if counts.is_empty() { syncs } else { format!("{syncs}: {}", counts.join(", ")) };
    if outcome.skipped > 0 {
        let documents = if outcome.skipped == 1 { "document" } else { "documents" };
        text.push_str(&format!(" ({} other {documents} skipped)", outcome.skipped));
    }
    text
}

/// What to do about the failures, each advice once.
pub(super) fn hints(reports: &[SyncReport], colours: bool) -> String {
    const NAMED: usize = 3;
    let (bold, plain) = if colours { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let mut text = String::new();
    for (code, advice, syncs) in diagnose::hints(reports) {
        let more = syncs.len().saturating_sub(NAMED);
        let mut named = syncs.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            named.push_str(&format!(" and {more} more"));
        }
        text.push_str(&format!("{bold}hint[{code}]{plain}: {advice} ({named})\n"));
    }
    text
}
