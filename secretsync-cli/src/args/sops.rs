//! What can be typed after `sops`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Format;

/// What to do with SOPS documents.
#[derive(Subcommand)]
pub(crate) enum SopsVerb {
    /// Say what is wrong with documents, for CI: exit code 1 when something is.
    ///
    /// Looks at each document by itself (can it be read, is a value plain that its rule encrypts, does the MAC fit), and against the creation rules of the
    /// nearest `.sops.yaml` above it: who is missing among its recipients, who should not be there any more. The MAC needs an age key, looked for as
    /// `sops` does (`SOPS_AGE_KEY`, `SOPS_AGE_KEY_FILE`, the file in your configuration folder); the rest needs none. Values are never shown.
    Lint(SopsLint),
    /// Say who can read a document: its recipients, by key group, and whether one of your own age keys is among them.
    Keys(SopsKeys),
}

/// What `sops lint` works on.
#[derive(Args)]
pub(crate) struct SopsLint {
    /// Documents, or folders: of those every encrypted file is looked at, and every plain one for which a creation rule with a `path_regex` exists.
    /// Hidden files and folders, and links, are left out.
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// The creation rules to use for every document, instead of the nearest `.sops.yaml` above each.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Fail on warnings too: plain values, a MAC that no key at hand can verify.
    #[arg(long)]
    pub(crate) strict: bool,

    /// How to report.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

/// What `sops keys` works on.
#[derive(Args)]
pub(crate) struct SopsKeys {
    /// A document.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// How to report.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}
