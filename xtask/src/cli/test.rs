//! `cargo xtask test`: the whole test suite on real servers, and the examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

use super::steps::Steps;
use super::{capture, cargo, pass_through};
use crate::rig::cluster::Cluster;
use crate::rig::tools::{self, Tool};

const EXAMPLES: &str = "secretsync-examples";

/// An example that asks to be run here.
#[derive(Debug)]
struct Example {
    name: String,
    source: PathBuf,
    place: Place,
}

/// Where an example asks to be run, by a line in its head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// `// ci: run`: as it is.
    Anywhere,
    /// `// ci: run in a cluster`: with `KUBECONFIG` of a cluster that knows our kinds and has the manifests (`*.yaml`) of the example's own folder.
    Cluster,
}

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
        steps.run(&format!("example {}", example.name), || match example.place {
            Place::Anywhere => pass_through(command(&example)),
            Place::Cluster => run_in_a_cluster(&example),
        })?;
    }
    Ok(())
}

fn command(example: &Example) -> Command {
    cargo(&["run", "--quiet", "--locked", "--package", EXAMPLES, "--example", &example.name])
}

fn run_in_a_cluster(example: &Example) -> Result<()> {
    let kinds = capture(cargo(&["run", "--quiet", "--locked", "--bin", "secretsync", "--", "crd"]))?;
    let cluster = Cluster::builder().with_crds(&kinds).start()?;
    for manifests in manifests_beside(&example.source)? {
        cluster.apply(&manifests)?;
    }
    let mut command = command(example);
    command.env("KUBECONFIG", cluster.kubeconfig());
    pass_through(command)
}

/// The texts of the manifests in an example's own folder, in the order of their names.
fn manifests_beside(source: &Path) -> Result<Vec<String>> {
    let folder = source.parent().context("an example has a folder")?;
    let entries = fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()));
    paths.iter().map(read).collect()
}

/// `--workspace` would win over a package, so it is left out then.
fn names_a_package(cargo_test: &[String]) -> bool {
    let own = cargo_test.iter().take_while(|word| *word != "--");
    own.into_iter().any(|word| word == "-p" || word == "--package" || word.starts_with("--package="))
}

/// The examples that ask to be run, by name.
fn examples() -> Result<Vec<Example>> {
    let metadata = capture(cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("failed to parse the output of cargo metadata")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets =
        packages.filter(|package| package["name"] == EXAMPLES).filter_map(|package| package["targets"].as_array());
    let mut examples = Vec::new();
    for target in targets.flatten() {
        let is_example = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "example"));
        if let (true, Some(name), Some(path)) = (is_example, target["name"].as_str(), target["src_path"].as_str())
            && let Some(place) = asks_to_run(Path::new(path))?
        {
            examples.push(Example { name: name.to_owned(), source: path.into(), place });
        }
    }
    examples.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(examples)
}

fn asks_to_run(source: &Path) -> Result<Option<Place>> {
    let text =
        fs::read_to_string(source).with_context(|| format!("failed to read the example {}", source.display()))?;
    let mut head = text.lines().take_while(|line| line.is_empty() || line.starts_with("//"));
    Ok(head.find_map(|line| match line.trim_end() {
        "// ci: run" => Some(Place::Anywhere),
        "// ci: run in a cluster" => Some(Place::Cluster),
        _ => None,
    }))
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
        assert_eq!(case("//! What it shows.\n\n// ci: run\n\nfn main() {}\n"), Some(Place::Anywhere));
        assert_eq!(case("// ci: run\nfn main() {}\n"), Some(Place::Anywhere));
        assert_eq!(case("//! What it shows.\n// ci: run in a cluster\n"), Some(Place::Cluster));
        assert_eq!(case("//! Needs a cluster.\n\nfn main() {}\n"), None);
        assert_eq!(case("//! What it shows.\n\nfn main() {}\n// ci: run\n"), None);
    }

    #[test]
    fn the_manifests_of_an_example_are_those_of_its_folder_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("2.yaml", "two"), ("1.yaml", "one"), ("main.rs", "no"), ("README.md", "no")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(manifests_beside(&folder.path().join("main.rs")).unwrap(), ["one", "two"]);
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
