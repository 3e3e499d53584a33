//! The real `sops`, so that our reading of the format is tested against its own writer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::tools::Tool;

/// A format that `sops` reads and writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// The whole file is one value; `sops` wraps it in JSON.
    Binary,
    /// `KEY=value` lines.
    Dotenv,
    /// Sections of `key = value` lines.
    Ini,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// The name that `sops` knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }
}

/// The `sops` program with an environment of its own: no keys, no configuration but what a call names.
#[derive(Debug)]
pub struct Sops {
    program: PathBuf,
    home: TempDir,
}

impl Sops {
    /// Finds `sops`, installing it first if need be.
    pub fn new() -> Result<Self> {
        let home = tempfile::tempdir().context("failed to create a temporary home for sops")?;
        Ok(Self { program: Tool::Sops.path()?, home })
    }

    /// Encrypts `plaintext` for age `recipients` and returns the document. `arguments` go to `sops encrypt` as they are, such as
    /// `["--encrypted-regex", "^data$"]`.
    pub fn encrypt(
        &self,
        plaintext: impl AsRef<[u8]>,
        format: Format,
        recipients: &[impl AsRef<str>],
        arguments: &[&str],
    ) -> Result<String> {
        // A folder for each call, so that threads may share one `Sops`; the file's name matters to sops's own rules.
        let folder = tempfile::tempdir_in(self.home.path()).context("failed to make a folder for the plain text")?;
        let file = folder.path().join(format!("plain.{}", format.name()));
        fs::write(&file, plaintext).context("failed to write the plain text for sops")?;
        let mut sops = self.command("encrypt", format);
        if !recipients.is_empty() {
            let recipients: Vec<&str> = recipients.iter().map(AsRef::as_ref).collect();
            sops.args(["--age", &recipients.join(",")]);
        }
        sops.args(arguments).arg(&file);
        let document = run(sops, "encrypt")?;
        String::from_utf8(document).context("sops wrote a document that is not UTF-8")
    }

    /// Decrypts the file `document` with the age identities in `key_file` and returns the plain text.
    pub fn decrypt(&self, document: &Path, format: Format, key_file: &Path) -> Result<Vec<u8>> {
        let mut sops = self.command("decrypt", format);
        sops.env("SOPS_AGE_KEY_FILE", key_file).arg(document);
        run(sops, "decrypt")
    }

    /// A command line of `sops` with the clean environment, for whatever else a test needs; it is not started.
    pub fn bare(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command
    }

    fn command(&self, verb: &str, format: Format) -> Command {
        let mut command = self.bare();
        command.args([verb, "--input-type", format.name(), "--output-type", format.name()]);
        command
    }
}

fn run(mut command: Command, verb: &str) -> Result<Vec<u8>> {
    let output = command.output().context("failed to run sops")?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    bail!("sops {verb} failed with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end())
}
