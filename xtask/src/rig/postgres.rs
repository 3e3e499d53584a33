//! A `PostgreSQL` server of its own for a test, and OpenBao's database engine in front of it.

mod client;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::openbao::OpenBao;
use super::process::{Group, random_token};
use super::tools::debian;

const NAME: &str = "postgres";
const SUPERUSER: &str = "rig";
/// The user "nobody": `PostgreSQL` refuses to run as root.
const NOBODY: u32 = 65534;

/// A running `PostgreSQL` on a free loopback port, ended with the test. Its data is gone with it.
#[derive(Debug)]
pub struct Postgres {
    group: Group,
    programs: debian::Postgres,
    port: u16,
    password: String,
}

impl Postgres {
    /// Starts a server, about a second. Unpacks `PostgreSQL` first if need be.
    pub fn start() -> Result<Self> {
        let mut group = Group::new(NAME)?;
        let folder = group.data();
        let programs = reachable(debian::Postgres::find()?, &folder)?;
        let password = random_token()?;
        let data = folder.join("pg");
        let secret = folder.join("password");
        fs::create_dir(&data).context("failed to create the folder of PostgreSQL's data")?;
        fs::write(&secret, &password).context("failed to write a password")?;
        if is_root() {
            // Its way there: the folder above may be entered, not read.
            for above in [folder.parent(), Some(&*folder)].into_iter().flatten() {
                fs::set_permissions(above, Permissions::from_mode(0o711))?;
            }
            for own in [&data, &secret] {
                chown(own, Some(NOBODY), Some(NOBODY)).context("failed to hand a folder over")?;
            }
        }
        let mut initdb = command(&programs, "initdb");
        initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&secret);
        initdb.args(["--username", SUPERUSER, "--auth=password", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let output = initdb.output().context("failed to run initdb")?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let port = group.start_on_free_port(NAME, |port| Ok(server(&programs, &data, port)))?;
        let mut postgres = Self { group, programs, port, password };
        postgres.wait()?;
        Ok(postgres)
    }

    /// Whether this user can log in with this password.
    pub fn accepts(&self, user: &str, password: &str) -> Result<bool> {
        client::Connection::open(self.port, user, password).map(|connection| connection.is_some())
    }

    /// Runs a statement as superuser; the rows' first columns.
    pub fn query(&self, statement: &str) -> Result<Vec<String>> {
        let Some(mut connection) = client::Connection::open(self.port, SUPERUSER, &self.password)? else {
            bail!("PostgreSQL refuses its superuser");
        };
        connection.query(statement)
    }

    /// Whether a user of this name exists.
    pub fn has_role(&self, name: &str) -> Result<bool> {
        Ok(self.roles()?.iter().any(|role| role == name))
    }

    /// The users that were made by engines.
    pub fn roles(&self) -> Result<Vec<String>> {
        self.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%' ORDER BY rolname")
    }

    /// Mounts the database engine at `database/`, with a connection to this server.
    pub fn connect(&self, bao: &OpenBao) -> Result<()> {
        bao.write("sys/mounts/database", &json!({ "type": "database" }))?;
        let connection = json!({
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": "*",
            "connection_url": format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", self.port),
            "username": SUPERUSER,
            "password": self.password,
        });
        bao.write("database/config/postgres", &connection).map(drop)
    }

    /// Adds a role of the database engine whose credentials live for `ttl`, and no longer than `longest` in all: `10s`, `1h`.
    pub fn add_role(&self, bao: &OpenBao, name: &str, ttl: &str, longest: &str) -> Result<()> {
        let create = r#"CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"#;
        let role = json!({
            "db_name": "postgres", "creation_statements": [create], "default_ttl": ttl, "max_ttl": longest,
        });
        bao.write(&format!("database/roles/{name}"), &role).map(drop)
    }

    /// Adds a user, and a static role of the database engine that changes its password every so often.
    pub fn add_static_role(&self, bao: &OpenBao, name: &str, period: &str) -> Result<()> {
        self.query(&format!(r#"CREATE ROLE "{name}" WITH LOGIN"#))?;
        let role = json!({ "db_name": "postgres", "username": name, "rotation_period": period });
        bao.write(&format!("database/static-roles/{name}"), &role).map(drop)
    }

    /// Ends the server; connections are refused from then on.
    pub fn stop(&mut self) {
        self.group.stop(NAME);
    }

    /// Starts a stopped server again at the same address with the same data.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.group.start(NAME, server(&self.programs, &self.group.data().join("pg"), self.port))?;
        self.group.wait_for_port(NAME, self.port)?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        let (port, password) = (self.port, self.password.clone());
        self.group.wait_until(NAME, || match client::Connection::open(port, SUPERUSER, &password)? {
            Some(_) => Ok(()),
            None => bail!("it refuses its superuser"),
        })
    }
}

/// The programs where the user that they run as can reach them: a person's cache may be closed to it.
fn reachable(programs: debian::Postgres, folder: &Path) -> Result<debian::Postgres> {
    let Some(root) = programs.root.as_deref().filter(|_| is_root()) else { return Ok(programs) };
    let copy = folder.join("root");
    let mut cp = Command::new("cp");
    cp.arg("--archive").arg(root).arg(&copy);
    if !cp.status().context("failed to run cp")?.success() {
        bail!("failed to copy PostgreSQL to {}", copy.display());
    }
    fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    let moved = |path: &PathBuf| path.strip_prefix(root).map_or_else(|_| path.clone(), |rest| copy.join(rest));
    Ok(debian::Postgres {
        programs: moved(&programs.programs),
        libraries: programs.libraries.iter().map(moved).collect(),
        root: Some(copy),
    })
}

fn server(programs: &debian::Postgres, data: &Path, port: u16) -> Command {
    let mut command = command(programs, "postgres");
    command.arg("-D").arg(data).arg("-p").arg(port.to_string());
    for setting in
        ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "jit=off", "max_connections=50"]
    {
        command.args(["-c", setting]);
    }
    command
}

/// One of `PostgreSQL`'s programs, run by somebody who is not root.
fn command(programs: &debian::Postgres, name: &str) -> Command {
    let mut command = Command::new(programs.programs.join(name));
    command.current_dir("/").env("LC_ALL", "C").env("TZ", "GMT").env("PGTZ", "GMT");
    if let Ok(path) = std::env::join_paths(&programs.libraries)
        && !programs.libraries.is_empty()
    {
        command.env("LD_LIBRARY_PATH", path);
    }
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
