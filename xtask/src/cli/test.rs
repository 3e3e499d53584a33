//! `cargo xtask test`: the whole test suite on real servers, and the examples.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

use super::steps::Steps;
use super::{capture, cargo, pass_through};
use crate::rig::tools::{self, Tool};

const EXAMPLES: &str = "secretsync-examples";
/// The line in the head of an example that asks for it to be run here.
const RUN_ME: &str = "// ci: run";

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Passed on to `cargo test`: a part of a test's name, or options such as `--package secretsync-core`. The examples are
    /// left out then.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    cargo_test: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { cargo_test } = arguments;
    let mut steps = Steps::default();
    let outcome = run_steps(&mut steps, cargo_test);
    steps.sum_up();
    outcome
}

fn run_steps(steps: &mut Steps, cargo_test: &[String]) -> Result<()> {
    steps.run("install tools", || tools::install(&Tool::RIG).and_then(|()| tools::install_postgres()))?;
    steps.run("tests", || {
        let scope: &[&str] = if names_a_package(cargo_test) { &[] } else { &["--workspace"] };
        let mut command = cargo(&["test"]);
        command.args(scope).args(["--all-features", "--locked"]).args(cargo_test);
        pass_through(command)
    })?;
    if !cargo_test.is_empty() {
        return Ok(());
    }
    for example in examples()? {
        steps.run(&format!("example {example}"), || {
            pass_through(cargo(&["run", "--quiet", "--locked", "--package", EXAMPLES, "--example", &example]))
        })?;
    }
    Ok(())
}

/// `--workspace` would win over a package, so it is left out then.
fn names_a_package(cargo_test: &[String]) -> bool {
    let own = cargo_test.iter().take_while(|word| *word != "--");
    own.into_iter().any(|word| word == "-p" || word == "--package" || word.starts_with("--package="))
}

/// The examples that ask to be run, by name.
fn examples() -> Result<Vec<String>> {
    let metadata = capture(cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("failed to parse the output of cargo metadata")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets =
        packages.filter(|package| package["name"] == EXAMPLES).filter_map(|package| package["targets"].as_array());
    let mut names = Vec::new();
    for target in targets.flatten() {
        let is_example = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "example"));
        if let (true, Some(name), Some(path)) = (is_example, target["name"].as_str(), target["src_path"].as_str())
            && asks_to_run(Path::new(path))?
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn asks_to_run(source: &Path) -> Result<bool> {
    let text =
        fs::read_to_string(source).with_context(|| format!("failed to read the example {}", source.display()))?;
    Ok(text.lines().take_while(|line| line.is_empty() || line.starts_with("//")).any(|line| line.trim_end() == RUN_ME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_example_whose_head_asks_for_it_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let case = |text: &str| {
            let path = folder.path().join("example.rs");
            fs::write(&path, text).unwrap();
            asks_to_run(&path).unwrap()
        };
        assert!(case("//! What it shows.\n\n// ci: run\n\nfn main() {}\n"));
        assert!(case("// ci: run\nfn main() {}\n"));
        assert!(!case("//! Needs a cluster.\n\nfn main() {}\n"));
        assert!(!case("//! What it shows.\n\nfn main() {}\n// ci: run\n"));
    }

    #[test]
    fn a_named_package_takes_the_place_of_the_workspace() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(names_a_package(&words("-p secretsync-core address")));
        assert!(names_a_package(&words("--package=secretsync-core")));
        assert!(!names_a_package(&words("address")));
        assert!(!names_a_package(&words("address -- -p")));
    }
}
