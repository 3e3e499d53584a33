//! `--to`: where a run writes.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::store::{DirectoryStore, EnvFileStore, ManifestStore, Store};
use secretsync_k8s::KubeStore;

/// What `--to` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TargetFlag {
    /// A folder for each namespace, one for each target in it, one file for each key.
    Directory(PathBuf),
    /// One dotenv file.
    EnvFile(PathBuf),
    /// Secret manifests in a file, or on standard output.
    Manifest(Option<PathBuf>),
    /// Secrets of a cluster, by kubeconfig context.
    Kubernetes(Option<String>),
}

impl FromStr for TargetFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once('=').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        match (kind, rest) {
            ("dir", Some(path)) if !path.is_empty() => Ok(Self::Directory(path.into())),
            ("env", Some("-")) => Err("`env` needs a file; only `manifest=-` writes to standard output".to_owned()),
            ("env", Some(path)) if !path.is_empty() => Ok(Self::EnvFile(path.into())),
            ("manifest", Some("-")) => Ok(Self::Manifest(None)),
            ("manifest", Some(path)) if !path.is_empty() => Ok(Self::Manifest(Some(path.into()))),
            ("kubernetes", None) => Ok(Self::Kubernetes(None)),
            ("kubernetes", Some(context)) if !context.is_empty() => Ok(Self::Kubernetes(Some(context.to_owned()))),
            ("dir" | "env" | "manifest", _) => Err(format!("`{kind}` needs a path: {kind}=PATH")),
            ("kubernetes", _) => Err("write `kubernetes` for the current context, or kubernetes=CONTEXT".to_owned()),
            _ => {
                Err("write dir=PATH, env=FILE, manifest=FILE, manifest=-, kubernetes or kubernetes=CONTEXT".to_owned())
            }
        }
    }
}

impl TargetFlag {
    /// Whether the targets themselves go to standard output, so that nothing else may.
    pub(crate) fn is_standard_output(&self) -> bool {
        *self == Self::Manifest(None)
    }
}

/// Where a run writes: what `--to` says, a named cluster connected.
pub(crate) enum Target {
    /// A store of files.
    Files(Arc<dyn Store>),
    /// A store that writes to standard output.
    Output(Arc<dyn Store>),
    /// A cluster, which serves as a source of credentials, too.
    Cluster(kube::Client),
}

impl Target {
    /// Opens what `--to` says. Nothing is written yet; a kubeconfig that cannot be used is an error.
    pub(crate) async fn open(to: TargetFlag) -> Result<Self> {
        Ok(match to {
            TargetFlag::Directory(path) => Self::Files(Arc::new(DirectoryStore::new(path))),
            TargetFlag::EnvFile(path) => Self::Files(Arc::new(EnvFileStore::new(path))),
            TargetFlag::Manifest(Some(path)) => Self::Files(Arc::new(ManifestStore::file(path))),
            TargetFlag::Manifest(None) => Self::Output(Arc::new(ManifestStore::writer(Box::new(std::io::stdout())))),
            TargetFlag::Kubernetes(context) => Self::Cluster(connect(context).await?),
        })
    }

    /// The store.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Files(store) | Self::Output(store) => Arc::clone(store),
            Self::Cluster(client) => Arc::new(KubeStore::new(client.clone())),
        }
    }

    /// Whether it writes to the terminal, where nothing else may draw meanwhile.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Output(_)) && std::io::stdout().is_terminal()
    }

    /// The cluster, if one was named.
    pub(crate) fn cluster(self) -> Option<kube::Client> {
        match self {
            Self::Files(_) | Self::Output(_) => None,
            Self::Cluster(client) => Some(client),
        }
    }
}

/// Connects to a context of the kubeconfig, or where the program runs.
pub(crate) async fn connect(context: Option<String>) -> Result<kube::Client> {
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::InvalidConfig, "use the kubeconfig").with_source(error).with_hint(Hint::new(
            Code::UsageInvalid,
            "check KUBECONFIG and the context: `kubectl config get-contexts` lists them",
        ))
    };
    let config = match context {
        Some(context) => {
            let options = kube::config::KubeConfigOptions { context: Some(context), ..Default::default() };
            kube::Config::from_kubeconfig(&options).await.map_err(|error| unusable(error.into()))?
        }
        None => kube::Config::infer().await.map_err(|error| unusable(error.into()))?,
    };
    kube::Client::try_from(config).map_err(|error| unusable(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_flag_is_understood_and_others_say_what_to_write() {
        for (text, expected) in [
            ("dir=out", Ok(TargetFlag::Directory("out".into()))),
            ("dir=a=b", Ok(TargetFlag::Directory("a=b".into()))),
            ("env=.env", Ok(TargetFlag::EnvFile(".env".into()))),
            ("manifest=-", Ok(TargetFlag::Manifest(None))),
            ("manifest=s.yaml", Ok(TargetFlag::Manifest(Some("s.yaml".into())))),
            ("kubernetes", Ok(TargetFlag::Kubernetes(None))),
            ("kubernetes=prod", Ok(TargetFlag::Kubernetes(Some("prod".to_owned())))),
            ("dir", Err("`dir` needs a path: dir=PATH".to_owned())),
            ("kubernetes=", Err("write `kubernetes` for the current context, or kubernetes=CONTEXT".to_owned())),
            (
                "s3=x",
                Err("write dir=PATH, env=FILE, manifest=FILE, manifest=-, kubernetes or kubernetes=CONTEXT".to_owned()),
            ),
        ] {
            assert_eq!(text.parse::<TargetFlag>(), expected, "{text}");
        }
    }
}
