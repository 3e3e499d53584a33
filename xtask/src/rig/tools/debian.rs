//! Programs out of Debian packages: downloaded and unpacked into the cache, never installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::recipe::run;
use crate::rig::cache::Cache;
use crate::rig::note;

/// Where `PostgreSQL`'s programs are, and the folders of libraries that they need beside the machine's own.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pub(crate) programs: PathBuf,
    pub(crate) libraries: Vec<PathBuf>,
    /// The folder that holds everything, if it was unpacked by us.
    pub(crate) root: Option<PathBuf>,
}

impl Postgres {
    /// The server of this machine if it has one, else the distribution's, unpacked into the cache of this person.
    pub(crate) fn find() -> Result<Self> {
        if let Some(programs) = installed() {
            return Ok(Self { programs, libraries: Vec::new(), root: None });
        }
        let root = Cache::from_env()?.install("postgresql", |into| {
            note("unpacking postgresql");
            unpack_all(into)
        })?;
        let programs = programs_below(&root).with_context(|| format!("{} has no postgres", root.display()))?;
        let libraries = library_folders(&root);
        Ok(Self { programs, libraries, root: Some(root) })
    }
}

/// The folder that holds both programs.
fn installed() -> Option<PathBuf> {
    programs_below(Path::new("/"))
        .or_else(|| ["/usr/local/pgsql/bin", "/usr/bin"].iter().map(PathBuf::from).find(|folder| complete(folder)))
}

fn complete(folder: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|program| folder.join(program).is_file())
}

/// The newest version below `usr/lib/postgresql`.
fn programs_below(root: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(root.join("usr/lib/postgresql")).ok()?;
    let mut folders: Vec<_> = versions.flatten().map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.into_iter().rev().find(|folder| complete(folder))
}

fn unpack_all(into: &Path) -> Result<()> {
    let server = if let Some(server) = server_package()? {
        server
    } else {
        let mut update = Command::new("apt-get");
        update.args(["update", "--quiet"]);
        run(update, "apt-get update", ADVICE)?;
        server_package()?.with_context(|| format!("the distribution has no package postgresql; {ADVICE}"))?
    };
    let mut unpacked = BTreeSet::new();
    let mut wanted = vec![server];
    // Each round brings the libraries that those of the last round name.
    for _ in 0..ROUNDS {
        for package in &wanted {
            unpack(package, into)?;
        }
        unpacked.extend(wanted);
        let Some(programs) = programs_below(into) else { bail!("the packages have no postgres") };
        if !lacks_libraries(&programs, &library_folders(into))? {
            return Ok(());
        }
        let mut next = BTreeSet::new();
        for package in &unpacked {
            next.extend(dependencies(package)?.into_iter().filter(|name| is_library(name) && !unpacked.contains(name)));
        }
        wanted = next.into_iter().filter(|package| !is_installed(package)).collect();
        if wanted.is_empty() {
            break;
        }
    }
    bail!("postgres lacks libraries that no package gives; {ADVICE}")
}

/// `postgresql-17`, as far as the lists of packages are there.
fn server_package() -> Result<Option<String>> {
    let version =
        |name: &str| name.strip_prefix("postgresql-").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    Ok(dependencies("postgresql")?.into_iter().find(|name| version(name)))
}

fn dependencies(package: &str) -> Result<Vec<String>> {
    let output = Command::new("apt-cache").args(["depends", package]).output();
    let output = output.with_context(|| format!("failed to run apt-cache; {ADVICE}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.trim().trim_start_matches('|').strip_prefix("Depends: "));
    Ok(names.filter(|name| !name.starts_with('<')).map(str::to_owned).collect())
}

/// The compiler for queries is big, and a server starts without it.
fn is_library(package: &str) -> bool {
    package.starts_with("lib") && !package.starts_with("libllvm")
}

fn is_installed(package: &str) -> bool {
    let output = Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]).output();
    output.is_ok_and(|output| output.stdout == b"installed")
}

fn unpack(package: &str, into: &Path) -> Result<()> {
    let downloads = tempfile::tempdir().context("failed to create a temporary folder")?;
    let mut download = Command::new("apt-get");
    download.args(["download", "--quiet", package]).current_dir(&downloads);
    run(download, &format!("apt-get download {package}"), ADVICE)?;
    for archive in fs::read_dir(&downloads)?.flatten() {
        let mut extract = Command::new("dpkg-deb");
        extract.arg("-x").arg(archive.path()).arg(into);
        run(extract, &format!("dpkg-deb -x of {package}"), ADVICE)?;
    }
    Ok(())
}

fn library_folders(root: &Path) -> Vec<PathBuf> {
    let architectures = fs::read_dir(root.join("usr/lib")).into_iter().flatten().flatten();
    let mut folders: Vec<_> =
        architectures.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with("-gnu")).collect();
    folders.push(root.join("usr/lib"));
    folders
}

fn lacks_libraries(programs: &Path, libraries: &[PathBuf]) -> Result<bool> {
    let path = std::env::join_paths(libraries).context("failed to name the folders of libraries")?;
    for program in ["postgres", "initdb"] {
        let output = Command::new("ldd").arg(programs.join(program)).env("LD_LIBRARY_PATH", &path).output();
        let output = output.context("failed to run ldd")?;
        if String::from_utf8_lossy(&output.stdout).contains("not found") {
            return Ok(true);
        }
    }
    Ok(false)
}

const ADVICE: &str =
    "install PostgreSQL, or run on a Debian system with apt-get, dpkg-deb and its package index within reach";
const ROUNDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_server_with_all_programs_is_found() {
        let root = tempfile::tempdir().unwrap();
        for (version, programs) in
            [("15", vec!["postgres", "initdb"]), ("16", vec!["postgres", "initdb"]), ("17", vec!["initdb"])]
        {
            let folder = root.path().join("usr/lib/postgresql").join(version).join("bin");
            fs::create_dir_all(&folder).unwrap();
            for program in programs {
                fs::write(folder.join(program), "").unwrap();
            }
        }
        assert_eq!(programs_below(root.path()).unwrap(), root.path().join("usr/lib/postgresql/16/bin"));
    }
}
