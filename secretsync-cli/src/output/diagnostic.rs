//! What is wrong, as compilers tell it.

use std::fmt::Write as _;

use secretsync_core::error::{TemplateFailure, one_line};
use secretsync_core::sync::{Reason, SyncReport};

use super::{Outcome, printable};
use crate::diagnose;
use crate::manifests::Located;

/// A paragraph for each sync that failed or made no Secret; nothing about the others.
pub(super) fn render(outcome: &Outcome, colours: bool) -> String {
    let paint = Paint(colours);
    outcome.reports.iter().zip(&outcome.places).filter_map(|(report, located)| about(report, located, paint)).collect()
}

fn about(report: &SyncReport, located: &Located, paint: Paint) -> Option<String> {
    let owner = printable(&report.owner.to_string());
    let Some(error) = &report.error else {
        let whole = report.reason == Reason::Synced && report.missing.is_empty();
        let note = || format!("{}: {owner}: {}\n", paint.bold("note"), printable(&diagnose::why(report)));
        return (!whole).then(note);
    };
    // Writing to a String cannot fail.
    let mut text = String::new();
    let (headline, place) = match TemplateFailure::of(error) {
        None => (printable(&one_line(error)), String::new()),
        Some(failure) => (printable(failure.message()), template(failure, located, paint)),
    };
    writeln!(text, "{}: {owner}: {headline}", paint.red("error")).ok();
    text.push_str(&place);
    if let Some(hint) = error.hint() {
        writeln!(text, "{}: {}", paint.bold(&format!("hint[{}]", hint.code())), printable(hint.advice())).ok();
    }
    Some(text)
}

/// The place of a template in its manifest and of the failure in the template, and the line with a caret. No data: all of it is the template's own text.
fn template(failure: &TemplateFailure, located: &Located, paint: Paint) -> String {
    let (place, manifest) = (failure.place(), located.place_of(failure.place().path()));
    let (line, column) = (failure.line(), failure.column());
    let mut text = format!(" --> {manifest} ({}), line {line}, column {column}\n", printable(&place.to_string()));
    let snippet = failure.snippet();
    let lines: Vec<_> = snippet.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let is_mark = index + 1 == lines.len();
        text.push_str(&if is_mark { paint.red(line) } else { (*line).to_owned() });
        text.push('\n');
    }
    text
}

/// Whether to colour.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
