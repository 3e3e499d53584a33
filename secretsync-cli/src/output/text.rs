//! The report for people and for `grep`.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use jiff::Timestamp;
use secretsync_core::error::{Error, one_line};
use secretsync_core::sync::{Issued, Outcome as Result, SyncReport};

use super::{Outcome, Told, printable};
use crate::diagnose;

/// One row for each sync and a line that sums up. On a terminal, long cells wrap; in a pipe, a sync is one line.
pub(super) fn render(outcome: &Outcome, terminal: bool, colours: bool) -> String {
    let mut text = String::new();
    if !outcome.reports.is_empty() {
        text = table(outcome, terminal, colours).trim_fmt() + "\n\n";
    }
    text + &summary(outcome) + "\n" + &endings(outcome)
}

/// When what was issued ends, one line each: nobody renews it once the program has ended.
fn endings(outcome: &Outcome) -> String {
    let line = |report: &SyncReport, issued: &Issued| {
        let lease = match &issued.lease {
            Some(lease) => format!(" (lease {})", lease.id()),
            None => String::new(),
        };
        let end = Timestamp::try_from(issued.expires_at).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ");
        printable(&format!("{}: what {} issued ends at {end}{lease}", report.target, issued.object)) + "\n"
    };
    let written = outcome.reports.iter().filter(|_| outcome.told == Told::Sync);
    written.flat_map(|report| report.issued.iter().map(move |issued| line(report, issued))).collect()
}

fn table(outcome: &Outcome, terminal: bool, colours: bool) -> Table {
    let mut table = borderless();
    table.set_content_arrangement(if terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled });
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let head = if outcome.told == Told::Plan { "PLAN" } else { "RESULT" };
    table.set_header([head, "SYNC", "TARGET", "WHY"].map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for report in &outcome.reports {
        table.add_row([
            Cell::new(report.outcome.as_str()).fg(colour(report.outcome)),
            Cell::new(printable(&report.owner.to_string())),
            Cell::new(printable(&report.target.to_string())),
            Cell::new(printable(&diagnose::why(report))),
        ]);
    }
    apart(&mut table);
    table
}

/// A table of plain texts under a head, one line for each row.
pub(crate) fn rows(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = borderless();
    table.set_content_arrangement(ContentArrangement::Disabled).force_no_tty().set_header(head.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    apart(&mut table);
    table.trim_fmt() + "\n"
}

fn borderless() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

/// There are no borders: nothing to keep a distance from on the left.
fn apart(table: &mut Table) {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
}

/// One report of a watch.
pub(super) fn line(report: &SyncReport, time: &str) -> String {
    let (owner, target) = (printable(&report.owner.to_string()), printable(&report.target.to_string()));
    format!("{time}  {:<9}  {owner}  {target}  {}\n", report.outcome.as_str(), printable(&diagnose::why(report)))
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
    let counted = if counts.is_empty() { syncs } else { format!("{syncs}: {}", counts.join(", ")) };
    match outcome.skipped {
        0 => counted,
        1 => format!("{counted} (1 other document skipped)"),
        many => format!("{counted} ({many} other documents skipped)"),
    }
}

/// Which syncs failed, one line each.
pub(super) fn failures(reports: &[SyncReport], colours: bool) -> String {
    let (red, plain) = if colours { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    let line = |report: &SyncReport| {
        let (owner, why) = (printable(&report.owner.to_string()), printable(&diagnose::why(report)));
        format!("{red}error{plain}: {owner}: {why}\n")
    };
    reports.iter().map(line).collect()
}

/// What to do about the failures, each advice once.
pub(super) fn hints(reports: &[SyncReport], colours: bool) -> String {
    const NAMED: usize = 3;
    let (bold, plain) = if colours { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let line = |(code, advice, syncs): (String, String, Vec<String>)| {
        let named = printable(&syncs[..syncs.len().min(NAMED)].join(", "));
        let more = match syncs.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{bold}hint[{code}]{plain}: {} ({named}{more})\n", printable(&advice))
    };
    diagnose::hints(reports).into_iter().map(line).collect()
}

/// Why nothing was tried, and what to do.
pub(super) fn refusal(error: &Error) -> String {
    let told = format!("error: {}\n", printable(&one_line(error)));
    match error.hint() {
        Some(hint) => format!("{told}hint[{}]: {}\n", hint.code(), printable(hint.advice())),
        None => told,
    }
}
