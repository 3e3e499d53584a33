//! The folder outside the checkout that keeps installed tools, shared by all checkouts and processes of a person.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::note;

/// The cache folder of the rig.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of this person: `$XDG_CACHE_HOME/secretsync/rig`, or `~/.cache/secretsync/rig`.
    ///
    /// Fails when neither `XDG_CACHE_HOME` nor `HOME` names an absolute path.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads where caches live")]
    pub fn from_env() -> Result<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let Some(base) = base else { bail!("no cache folder: set HOME or XDG_CACHE_HOME to an absolute path") };
        Ok(Self::at(base.join("secretsync").join("rig")))
    }

    /// The cache in the given folder, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of `name`, made by `build` unless it is there already.
    ///
    /// One process builds at a time, the others wait for it. `build` fills a temporary folder that gets its final name only when
    /// it succeeded, so a killed build leaves nothing that looks finished; what it left is swept by the next one.
    pub fn install(&self, name: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let full = format!("{name}-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let target = self.root.join(&full);
        if target.is_dir() {
            return Ok(target);
        }
        fs::create_dir_all(&self.root)
            .with_context(|| format!("failed to create the cache {}", self.root.display()))?;
        let _lock = self.lock(&full)?;
        if target.is_dir() {
            return Ok(target);
        }
        let prefix = format!(".{full}-");
        self.sweep(&prefix)?;
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&self.root)
            .with_context(|| format!("failed to write to the cache {}", self.root.display()))?;
        build(temporary.path())?;
        fs::rename(temporary.path(), &target).with_context(|| format!("failed to finish {}", target.display()))?;
        drop(temporary.keep());
        Ok(target)
    }

    fn lock(&self, full: &str) -> Result<File> {
        let path = self.root.join(format!("{full}.lock"));
        let file = File::create(&path).with_context(|| format!("failed to create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                note(format_args!("waiting until {full} is installed elsewhere"));
                file.lock().with_context(|| format!("failed to lock {}", path.display()))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", path.display()));
            }
        }
        Ok(file)
    }

    fn sweep(&self, prefix: &str) -> Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                remove_tree(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn remove_tree(path: &Path) -> Result<()> {
    fs::remove_dir_all(path).with_context(|| format!("failed to remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn two_that_install_at_once_build_once() {
        let folder = tempfile::tempdir().unwrap();
        let builds = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let installed = Cache::at(folder.path()).install("tool-1", |into| {
                        builds.fetch_add(1, Ordering::SeqCst);
                        Ok(fs::write(into.join("program"), "x")?)
                    });
                    assert!(installed.unwrap().join("program").is_file());
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }

    #[test]
    fn a_failed_install_leaves_nothing_and_the_next_one_sweeps_a_killed_one() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        cache.install("tool-1", |_| bail!("no network")).unwrap_err();
        let full = format!("tool-1-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let killed = folder.path().join(format!(".{full}-killed"));
        fs::create_dir(&killed).unwrap();

        let installed = cache.install("tool-1", |into| Ok(fs::write(into.join("program"), "x")?)).unwrap();

        assert_eq!(fs::read(installed.join("program")).unwrap(), b"x");
        assert!(!killed.exists(), "the killed install is still there");
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [full.clone().into(), std::ffi::OsString::from(format!("{full}.lock"))]);
    }
}
