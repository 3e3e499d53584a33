//! `secretsync sops lint`.

use secretsync_core::error::Result;
use secretsync_providers::sops::{SopsCheck, SopsFinding, SopsInspector, SopsRule};
use serde_json::{Value, json};

use super::files::{self, Candidate};
use super::rules::Configs;
use super::{Told, inspector, is_text, shown};
use crate::args::SopsLint;
use crate::diagnose::Exit;
use crate::manifests::unreadable;
use crate::output::printable;

/// Looks at every document.
pub(super) async fn run(job: SopsLint) -> Result<Told> {
    let SopsLint { paths, config, strict, output } = job;
    let mut configs = Configs::new(config.as_deref())?;
    let inspector = inspector().await?;
    let mut report = Report { documents: Vec::new(), others: 0 };
    for candidate in files::expand(&paths)? {
        match look(&candidate, &mut configs, &inspector)? {
            Some(findings) => report.documents.push((shown(&candidate.path), findings)),
            None => report.others += 1,
        }
    }
    let errors = report.count(true);
    let failed = errors > 0 || (strict && report.count(false) > 0);
    let text = if is_text(output) { report.text() } else { super::json(&report.json()) };
    Ok(Told { text, exit: if failed { Exit::Failed } else { Exit::Done } })
}

/// What is wrong with a file; nothing if it is none of ours.
fn look(candidate: &Candidate, configs: &mut Configs, inspector: &SopsInspector) -> Result<Option<Vec<SopsFinding>>> {
    let Candidate { path, named } = candidate;
    let absolute = path.canonicalize().map_err(|error| unreadable(path, error))?;
    let config = configs.of(&absolute)?.filter(|config| !config.rules.is_empty());
    let rule = config.as_deref().and_then(|config| config.rules.rule(&config.relative(&absolute)));
    let content = files::read(path)?;
    let ours = *named || SopsInspector::is_encrypted(&content) || rule.is_some_and(SopsRule::names_documents);
    if !ours {
        return Ok(None);
    }
    let mut findings = inspector.lint(&shown(path), &content, rule);
    if config.is_some() && rule.is_none() {
        findings.push(SopsFinding::warning(
            SopsCheck::NoRule,
            "no creation rule matches it, so nobody could encrypt it again",
        ));
    }
    Ok(Some(findings))
}

struct Report {
    /// Each document with what is wrong with it.
    documents: Vec<(String, Vec<SopsFinding>)>,
    /// Files that are no documents.
    others: usize,
}

impl Report {
    fn count(&self, errors: bool) -> usize {
        self.documents.iter().flat_map(|(_, findings)| findings).filter(|finding| finding.error == errors).count()
    }

    /// A line for each finding, and one that sums up.
    fn text(&self) -> String {
        let mut text = String::new();
        for (path, findings) in &self.documents {
            for finding in findings {
                let level = level(finding);
                let line = format!("{path}: {level}[{}]: {}", finding.check, finding.what);
                text += &printable(&line);
                text.push('\n');
            }
        }
        let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let summary = [
            counted(self.documents.len(), "document"),
            counted(self.count(true), "error"),
            counted(self.count(false), "warning"),
        ];
        let others =
            if self.others > 0 { format!(" ({} skipped)", counted(self.others, "other file")) } else { String::new() };
        format!("{text}{}: {}, {}{others}\n", summary[0], summary[1], summary[2])
    }

    fn json(&self) -> Value {
        let finding = |finding: &SopsFinding| json!({ "level": level(finding), "check": finding.check.as_str(), "message": finding.what });
        let document = |(path, findings): &(String, Vec<SopsFinding>)| json!({ "path": path, "findings": findings.iter().map(finding).collect::<Vec<_>>() });
        json!({
            "command": "sops lint",
            "documents": self.documents.iter().map(document).collect::<Vec<_>>(),
            "summary": {
                "documents": self.documents.len(), "errors": self.count(true), "warnings": self.count(false), "other_files": self.others,
            },
        })
    }
}

fn level(finding: &SopsFinding) -> &'static str {
    if finding.error { "error" } else { "warning" }
}
