//! What can be typed: declarations only.

mod sops;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::sops::{SopsKeys, SopsLint, SopsVerb as Sops};
use crate::target::TargetFlag;

/// Sync secrets from Vault, OpenBao, AWS and SOPS to Kubernetes Secrets, folders and files.
///
/// The manifests are External Secrets Operator's: a SecretStore says where secrets come from, an ExternalSecret which of them go into one target.
#[derive(Parser)]
#[command(name = "secretsync", version, propagate_version = true, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 at least one sync failed, the others ran; 2 nothing was tried: flags or manifests are wrong; \
                        3 (plan only) nothing failed and something would change."
)]
pub(crate) struct Invocation {
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// How much to tell on standard error about what happens inside. Values are never shown.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", env = "SECRETSYNC_LOG", hide_env = true)]
    pub(crate) log: LogLevel,

    /// Whether to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Bring targets in line with their sources.
    Sync(SyncJob),
    /// Show what `sync` would change, without writing anything: key names and reasons, never values.
    Plan(Job),
    /// Print the finished Secrets as YAML, and show what is wrong with a template.
    ///
    /// Nothing is written anywhere but to standard output: `data` in base64, as in any Secret. On a terminal each value is `<hidden>`; labels and
    /// annotations are shown. Targets count as new, so random values are made each time. What is wrong goes to standard error.
    Render(Render),
    /// Print the CustomResourceDefinitions of the kinds that a cluster needs for the operator, as YAML.
    ///
    /// They take the place of External Secrets Operator's: `secretsync crd | kubectl apply --server-side -f -`. Keep its own where kinds or providers are
    /// used that are not listed here.
    Crd(Crd),
    /// Count the requests that the manifests cause, for each store by kind: in a run of `sync`, a day and a month, and their price where there is a list.
    ///
    /// Nothing is asked: no credential is needed, no server and no cluster. A day is counted by `refreshInterval`, as `sync --watch` refreshes: what is due
    /// together is read together, each object once, many in one request where the store can do that. What only a store knows is left out and said so:
    /// how many objects a search finds, how long something issued lives.
    Cost(Cost),
    /// Look at SOPS documents in a repository: what is wrong with them, and who can read them. Editing them is the job of `sops`.
    #[command(subcommand)]
    Sops(Sops),
}

impl Verb {
    /// Whether it goes on until it is stopped.
    pub(crate) fn lasts(&self) -> bool {
        matches!(self, Self::Sync(SyncJob { watch: true, .. }))
    }
}

/// What `sync` works on, and for how long.
#[derive(Args)]
pub(crate) struct SyncJob {
    #[command(flatten)]
    pub(crate) job: Job,

    /// Do not end: sync each target again at its `refreshInterval`, when a file with its sources changes, when a credential ends, and after failures, until
    /// SIGINT or SIGTERM. Tells what changes. Manifests are read once.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// What `sync` and `plan` work on.
#[derive(Args)]
pub(crate) struct Job {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Where to write: `dir=PATH`, `env=FILE`, `manifest=FILE`, `manifest=-` for standard output, `kubernetes`, or `kubernetes=CONTEXT`.
    #[arg(long = "to", value_name = "TARGET")]
    pub(crate) to: TargetFlag,

    /// Delete targets whose sources are gone (`deletionPolicy: Delete`) even if they are more than ten and more than a fifth of those of a store. Without it,
    /// none of them is deleted: a store that gives nothing any more is more often broken than empty.
    #[arg(long)]
    pub(crate) allow_mass_deletion: bool,
}

/// What `render` works on.
#[derive(Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Data to render with instead of what stores hold; no store is needed or asked then.
    ///
    /// A YAML mapping of keys, as templates see them, to values: `user: ada`. It serves every ExternalSecret. Where they need different data, name each:
    /// `shop/db: {user: ada}`. Texts are taken as they are, null is empty, lists and mappings become JSON; quote a number whose digits matter.
    #[arg(long, value_name = "FILE", conflicts_with = "ambient")]
    pub(crate) with: Option<PathBuf>,

    /// Show values on a terminal, too. Into a pipe or a file they are always written.
    #[arg(long)]
    pub(crate) show_values: bool,
}

/// What `crd` prints.
#[derive(Args)]
pub(crate) struct Crd {
    /// Which kinds: `externalsecrets`, `es`, `ExternalSecret`. Without any, all of them.
    #[arg(value_name = "KIND")]
    pub(crate) kinds: Vec<String>,
}

/// What `cost` works on.
#[derive(Args)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) files: Files,

    /// How to report.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

/// The manifests.
#[derive(Args)]
pub(crate) struct Files {
    /// Manifests: a file, `-` for standard input, or a folder (its .yaml, .yml and .json files, not those of its sub-folders). Repeatable.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// Namespace of manifests that name none; that of a kubeconfig context does not matter.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,
}

/// Where syncs come from, and how they are told. No `Debug`: a flag may hold a credential by mistake.
#[derive(Args)]
pub(crate) struct Source {
    #[command(flatten)]
    pub(crate) files: Files,

    /// A credential that a store refers to: `[NAMESPACE/]NAME/KEY=env:VARIABLE` or `…=file:PATH`. Repeatable.
    #[arg(long = "credential", value_name = "REFERENCE=SOURCE")]
    // Kept as text: the parser quotes what it cannot read, and somebody will put a token here.
    pub(crate) credentials: Vec<String>,

    /// Take credentials from the environment instead of those that the stores name: `VAULT_TOKEN` or `~/.vault-token`; for AWS its variables, the profile
    /// `AWS_PROFILE`, or the role of the pod or instance; `SOPS_AGE_KEY` or `SOPS_AGE_KEY_FILE`.
    #[arg(long)]
    pub(crate) ambient: bool,

    /// What begins an action in templates, where it is not `{{`: as the flag of External Secrets Operator's controller.
    #[arg(long, value_name = "TEXT", default_value = "{{", hide_default_value = true, hide_short_help = true)]
    pub(crate) template_left_delimiter: String,

    /// What ends an action in templates, where it is not `}}`.
    #[arg(long, value_name = "TEXT", default_value = "}}", hide_default_value = true, hide_short_help = true)]
    pub(crate) template_right_delimiter: String,

    /// How to report.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

/// How to report.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people: rows, and errors with what to do.
    Text,
    /// For programs: one JSON object.
    Json,
}

/// When to do something that only makes sense on a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much to tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What looks wrong, too.
    Warn,
    /// What happens, too.
    Info,
    /// How it happens, too.
    Debug,
    /// Everything.
    Trace,
}

/// Parses a command line. The error is clap's: a message with its own exit code, or the help that was asked for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    Invocation::try_parse_from(arguments)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declarations_are_consistent() {
        Invocation::command().debug_assert();
    }
}
