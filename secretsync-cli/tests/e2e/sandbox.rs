//! A folder of its own for a test, and the program in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// A throw-away folder.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program at work.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// The next line of standard output. Ends the test where none comes in a minute.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_mins(1)).expect("the program told nothing more")
    }

    /// Asks the program to end, and gives its exit code and what it still told.
    pub(crate) fn stop(mut self, signal: rustix::process::Signal) -> (i32, Vec<String>) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.lines.iter().collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone where a test stopped it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Run {
    /// The rows of the report as (result, sync) pairs.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let words = |line: &str| {
            let mut words = line.split_whitespace().map(ToOwned::to_owned);
            Some((words.next()?, words.next()?))
        };
        self.stdout.lines().skip(1).take_while(|line| !line.is_empty()).filter_map(words).collect()
    }

    /// The row of one sync.
    pub(crate) fn row(&self, sync: &str) -> String {
        let found = self.stdout.lines().find(|line| line.split_whitespace().nth(1) == Some(sync));
        found.unwrap_or_else(|| panic!("no row for {sync}: {self:?}")).to_owned()
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Sets a variable for every later run.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs the program in the folder, with nothing of the environment but what a test set.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        self.run_with_input(arguments, "")
    }

    pub(crate) fn run_with_input(&self, arguments: &str, input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_secretsync"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the program in the folder and lets it run.
    pub(crate) fn start(&self, arguments: &str) -> Running {
        self.start_program(env!("CARGO_BIN_EXE_secretsync"), arguments)
    }

    /// The same with another program. What it tells on standard error is in the file [`TOLD`].
    pub(crate) fn start_program(&self, program: &str, arguments: &str) -> Running {
        let told = fs::File::create(self.path(TOLD)).unwrap();
        let mut child = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(told)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { child, lines }
    }

    /// Runs the program with a terminal for standard output, and gives what it showed there.
    pub(crate) fn run_on_terminal(&self, arguments: &str) -> String {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let terminal = fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_secretsync"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(terminal)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        // The other side of a terminal ends with an error when the program is gone.
        while let Ok(length @ 1..) = rustix::io::read(&controller, &mut buffer) {
            shown.extend_from_slice(&buffer[..length]);
        }
        child.wait().unwrap();
        String::from_utf8(shown).unwrap().replace("\r\n", "\n")
    }

    /// Every file below a folder: its text, its mode, and what tells whether it was written again.
    pub(crate) fn tree(&self, name: &str) -> BTreeMap<String, Entry> {
        let mut entries = BTreeMap::new();
        collect(&self.path(name), &self.path(name), &mut entries);
        entries
    }
}

/// Where a program that was started tells what happens inside.
pub(crate) const TOLD: &str = "told.log";

/// One file or folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) text: Option<String>,
    pub(crate) mode: u32,
    pub(crate) touched: std::time::SystemTime,
}

fn collect(root: &Path, folder: &Path, entries: &mut BTreeMap<String, Entry>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let text = metadata.is_file().then(|| String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let entry = Entry { text, mode: metadata.permissions().mode() & 0o777, touched: metadata.modified().unwrap() };
        entries.insert(name, entry);
        if metadata.is_dir() {
            collect(root, &path, entries);
        }
    }
}

/// A SecretStore of the namespace `shop` with this provider (YAML, indented by four).
pub(crate) fn store(name: &str, provider: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  provider:\n{provider}\n"
    )
}

/// An ExternalSecret of the namespace `shop` whose spec has these further lines (YAML, indented by two).
pub(crate) fn external_secret(name: &str, store: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  \
         secretStoreRef:\n    name: {store}\n    kind: SecretStore\n{spec}\n"
    )
}

/// `data` of a spec: (secretKey, key, property) triples.
pub(crate) fn data(entries: &[(&str, &str, &str)]) -> String {
    let entry = |(secret_key, key, property): &(&str, &str, &str)| {
        let property = if property.is_empty() { String::new() } else { format!("\n        property: {property}") };
        format!("\n    - secretKey: {secret_key}\n      remoteRef:\n        key: {key}{property}")
    };
    format!("  data:{}", entries.iter().map(entry).collect::<String>())
}
