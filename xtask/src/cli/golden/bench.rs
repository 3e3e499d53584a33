//! `cargo xtask golden bench`: both engines, one after the other, on the templates of the criterion bench.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::super::{capture, cargo, pass_through, root, target_folder};
use super::oracle;
use crate::rig::note;

pub(super) fn run() -> Result<()> {
    let cases = root().join("secretsync-core/template/benches/cases");
    note("Go's engine …");
    let mut command = oracle();
    command.arg("-bench").arg(&cases);
    let reference = capture(command)?;
    note("our engine …");
    pass_through(cargo(&["bench", "--quiet", "--package", "secretsync-template", "--bench", "render"]))?;
    let results = target_folder()?.join("criterion");
    note(format_args!("{:24} {:>12} {:>12} {:>8}", "nanoseconds", "Go", "ours", "ratio"));
    for line in reference.lines() {
        let figures: Value = serde_json::from_str(line).context("failed to parse the figures of Go's engine")?;
        let name = figures["name"].as_str().unwrap_or_default();
        for phase in ["parse", "render"] {
            let theirs = figures[phase].as_f64().unwrap_or_default();
            let ours = median(&results.join(phase).join(name))?;
            note(format_args!("{:24} {theirs:12.0} {ours:12.0} {:8.2}", format!("{phase} {name}"), theirs / ours));
        }
    }
    Ok(())
}

/// What criterion wrote for one bench, in nanoseconds.
fn median(folder: &Path) -> Result<f64> {
    let path = folder.join("new/estimates.json");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let estimates: Value =
        serde_json::from_str(&text).with_context(|| format!("failed to parse {}", path.display()))?;
    match estimates["median"]["point_estimate"].as_f64() {
        Some(median) if median > 0.0 => Ok(median),
        _ => bail!("{} holds no median", path.display()),
    }
}
