//! The only writer of standard output and standard error.

mod diagnostic;
mod json;
mod progress;
mod text;
mod watch;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use secretsync_core::error::Error;
use secretsync_core::sync::SyncReport;

pub(crate) use json::error as json_error;
pub(crate) use progress::Progress;
pub(crate) use text::rows;
pub(crate) use watch::WatchLog;

use crate::args::{Format, When};
use crate::diagnose::{self, Exit};
use crate::manifests::Located;

/// What a run has to tell.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// One report for each sync, in the order of the manifests.
    pub(crate) reports: Vec<SyncReport>,
    /// Where the manifest of each stands.
    pub(crate) places: Vec<Located>,
    /// Documents that are none of ours.
    pub(crate) skipped: usize,
    /// What it was for.
    pub(crate) told: Told,
}

/// What a run was for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// To know what would change.
    Plan,
    /// To see the Secrets; only what is wrong is told beside them.
    Render,
    /// To change targets.
    Sync,
}

/// Where and how to tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Text or JSON.
    pub(crate) format: Format,
    /// When to use colours.
    pub(crate) color: When,
    /// Whether standard output belongs to the targets.
    pub(crate) output_taken: bool,
}

/// Tells what a run did and gives its exit code.
pub(crate) fn outcome(outcome: &Outcome, style: Style) -> ExitCode {
    let terminal = if style.output_taken { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    if outcome.told == Told::Render && style.format == Format::Text {
        let stderr = std::io::stderr();
        let coloured = colours(style.color, stderr.is_terminal());
        put(&mut stderr.lock(), &diagnostic::render(outcome, coloured));
        return code(diagnose::exit(&outcome.reports, false));
    }
    let body = match style.format {
        Format::Json => json::render(outcome),
        Format::Text => text::render(outcome, terminal, colours(style.color, terminal)),
    };
    if style.output_taken {
        put(&mut std::io::stderr().lock(), &body);
    } else {
        put(&mut std::io::stdout().lock(), &body);
    }
    if style.format == Format::Text {
        put(
            &mut std::io::stderr().lock(),
            &text::hints(&outcome.reports, colours(style.color, std::io::stderr().is_terminal())),
        );
    }
    code(diagnose::exit(&outcome.reports, outcome.told == Told::Plan))
}

/// Tells why nothing was tried: as text on standard error, or as JSON where a report would have been.
pub(crate) fn refusal(error: &Error, style: Option<Style>) -> ExitCode {
    match style {
        Some(Style { format: Format::Json, output_taken: false, .. }) => {
            put(&mut std::io::stdout().lock(), &json::refusal(error));
        }
        Some(Style { format: Format::Json, .. }) => put(&mut std::io::stderr().lock(), &json::refusal(error)),
        _ => put(&mut std::io::stderr().lock(), &text::refusal(error)),
    }
    code(Exit::Refused)
}

/// The exit code of a watch that ends because somebody asked it to.
pub(crate) fn stopped() -> ExitCode {
    code(Exit::Done)
}

/// The exit code of a watch that has nothing to watch, since every sync failed at once.
pub(crate) fn failed() -> ExitCode {
    code(Exit::Failed)
}

/// Prints what the argument parser has to say: help and version on standard output, complaints on standard error.
pub(crate) fn clap_stop(stop: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the terminal is gone.
    drop(stop.print());
    if stop.use_stderr() { code(Exit::Refused) } else { code(Exit::Done) }
}

/// Says that a part of the program failed, and where; never with what data.
pub(crate) fn panicked(place: &str) {
    put(&mut std::io::stderr().lock(), &format!("secretsync: internal error at {place}\n"));
}

fn colours(when: When, terminal: bool) -> bool {
    match when {
        When::Auto => terminal,
        When::Always => true,
        When::Never => false,
    }
}

/// Prints the report of a verb that has no syncs to tell of, and gives its exit code.
pub(crate) fn text(report: &str, exit: Exit) -> ExitCode {
    put(&mut std::io::stdout().lock(), report);
    code(exit)
}

/// A text from outside on one line: names in manifests must neither steer a terminal nor pass for others.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character takes no room, or turns the direction of writing.
fn is_invisible(c: char) -> bool {
    let (zero_width, directions, joiners) = ('\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}');
    zero_width.contains(&c)
        || directions.contains(&c)
        || joiners.contains(&c)
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Tells which syncs a verb that has no other reports could not look at, and what to do.
pub(crate) fn failures(reports: &[SyncReport], color: When) {
    let colours = colours(color, std::io::stderr().is_terminal());
    put(&mut std::io::stderr().lock(), &(text::failures(reports, colours) + &text::hints(reports, colours)));
}

fn put(stream: &mut dyn Write, text: &str) {
    // A closed pipe (`| head`) is no failure of the run: what was to be done is done.
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
