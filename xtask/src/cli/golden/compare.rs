//! `cargo xtask golden compare`: differential test of our engine against Go's.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::super::{capture, cargo, root};
use super::oracle;
use crate::rig::note;

pub(super) fn run(vectors: &Path) -> Result<()> {
    let path = root().join(vectors);
    let answers = |mut command: Command| {
        command.stdin(File::open(&path).with_context(|| format!("failed to read {}", path.display()))?);
        capture(command)
    };
    let theirs = answers(oracle())?;
    let ours = answers(cargo(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "secretsync-template",
        "--features",
        "crypto",
        "--example",
        "render_vectors",
    ]))?;
    if theirs.lines().count() != ours.lines().count() {
        bail!("the engines gave different numbers of answers");
    }
    let (mut same, mut random, mut unknown, mut different) = (0_usize, 0_usize, 0_usize, 0_usize);
    let vectors = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let vectors = vectors.lines().filter(|line| !line.trim().is_empty());
    for ((vector, theirs), ours) in vectors.zip(theirs.lines()).zip(ours.lines()) {
        let parse = |line| serde_json::from_str::<Value>(line).context("failed to parse a vector or an answer");
        let (vector, theirs, ours) = (parse(vector)?, parse(theirs)?, parse(ours)?);
        match difference(&theirs, &ours) {
            Difference::Same => same += 1,
            Difference::Unknown => unknown += 1,
            Difference::Different if calls_fork(&vector) => unknown += 1,
            Difference::Different if vector.get("shape").is_some() => random += 1,
            Difference::Different => {
                different += 1;
                note(format_args!("{}\n  Go   {}\n  ours {}", theirs["id"], shown(&theirs), shown(&ours)));
            }
        }
    }
    note(format_args!(
        "{same} the same, {different} different, {random} random or of the clock, {unknown} with functions that Go's sprig does not have or has otherwise"
    ));
    if different > 0 {
        bail!("the engines differ; vectors whose result is random need a `shape`");
    }
    Ok(())
}

#[derive(Debug, Eq, PartialEq)]
enum Difference {
    Different,
    Same,
    /// The reference knows a function less.
    Unknown,
}

/// Outputs must be equal, errors of the same class; a limit of ours is a failed rendering.
fn difference(theirs: &Value, ours: &Value) -> Difference {
    let class = |answer: &Value| match answer["error"].as_str() {
        Some("limit") => Some("exec".to_owned()),
        class => class.map(str::to_owned),
    };
    if class(theirs) == class(ours) && (theirs["output"] == ours["output"]) {
        return Difference::Same;
    }
    if class(theirs).as_deref() == Some("function") { Difference::Unknown } else { Difference::Different }
}

/// External Secrets Operator's fork of sprig gave `htpasswd` a third parameter; everything else that both have is the same.
fn calls_fork(vector: &Value) -> bool {
    vector["template"].as_str().is_some_and(|text| text.contains("htpasswd"))
}

fn shown(answer: &Value) -> &Value {
    if answer["output"].is_null() { &answer["error_text"] } else { &answer["output"] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_differ_by_output_and_by_class_of_error_but_not_by_wording() {
        let text = |text: &str| json!({"output": {"utf8": text}});
        let error = |class: &str, wording: &str| json!({"error": class, "error_text": wording});
        assert_eq!(difference(&text("a"), &text("a")), Difference::Same);
        assert_eq!(difference(&text("a"), &text("b")), Difference::Different);
        assert_eq!(difference(&error("exec", "a"), &error("limit", "b")), Difference::Same);
        assert_eq!(difference(&error("exec", "a"), &error("parse", "b")), Difference::Different);
        assert_eq!(difference(&error("function", "a"), &text("a")), Difference::Unknown);
        assert_eq!(difference(&text("a"), &error("exec", "a")), Difference::Different);
    }
}
