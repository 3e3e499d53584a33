//! A Kubernetes cluster without nodes for a test: etcd, API server and the controllers that survival tests rely on.

mod audit;
mod control_plane;
mod kubeconfig;
mod namespace;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use super::process::{Group, random_token};
use super::tools::Tool;

pub use audit::ApiRequest;
pub use namespace::Namespace;

/// The user that may do everything.
pub const ADMIN: &str = "admin";
/// Users that may do nothing until a test binds a role to them.
pub const GUESTS: [&str; 3] = ["guest-1", "guest-2", "guest-3"];

/// A running cluster: real API server, garbage collector, namespace and service account controllers.
///
/// It takes about three seconds to start, so the tests of one file share one in a `LazyLock` and work in a
/// [`namespace`](Self::namespace) each. A static is never dropped; the cluster ends with the test process all the same.
#[derive(Debug)]
pub struct Cluster {
    group: Group,
    address: String,
    users: Vec<User>,
    kubectl: PathBuf,
}

/// A user who logs in with a bearer token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct User {
    /// The user name that the API server sees.
    pub name: String,
    /// The groups of the user, besides `system:authenticated`.
    pub groups: Vec<String>,
    /// The bearer token.
    pub token: String,
}

/// What a cluster starts with.
#[derive(Debug, Default)]
pub struct ClusterBuilder {
    users: Vec<(String, Vec<String>)>,
    crds: Vec<String>,
    audit: bool,
}

impl ClusterBuilder {
    /// Adds a user besides [`ADMIN`] and [`GUESTS`].
    #[must_use]
    pub fn with_user(mut self, name: &str, groups: &[&str]) -> Self {
        self.users.push((name.to_owned(), groups.iter().map(|&group| group.to_owned()).collect()));
        self
    }

    /// Applies CRDs, given as YAML, before the controllers start. The garbage collector looks for new kinds only every 30
    /// seconds, so an owner of a kind that is applied later is noticed late.
    #[must_use]
    pub fn with_crds(mut self, yaml: &str) -> Self {
        self.crds.push(yaml.to_owned());
        self
    }

    /// Has the API server write down what everybody but its administrators asks for: see [`Cluster::api_requests`].
    #[must_use]
    pub fn with_audit(mut self) -> Self {
        self.audit = true;
        self
    }

    /// Starts the cluster and waits until it serves. Installs its programs first if need be (compiles for minutes, once).
    pub fn start(self) -> Result<Cluster> {
        let kubectl = Tool::Kubectl.path()?;
        let mut group = Group::new("cluster")?;
        let users = users(self.users)?;
        let port = control_plane::start_api_server(&mut group, &users, self.audit)?;
        let address = format!("https://127.0.0.1:{port}");
        let mut cluster = Cluster { group, address, users, kubectl };
        cluster.write_kubeconfigs()?;
        cluster.wait_for_api_server()?;
        for yaml in &self.crds {
            cluster.apply_crds(yaml)?;
        }
        cluster.start_controllers()?;
        Ok(cluster)
    }
}

impl Cluster {
    /// Starts a cluster with the users [`ADMIN`] and [`GUESTS`] and no CRDs.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// For a cluster with more users or with CRDs from the start.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The address of the API server, `https://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The certificate that the API server's own is checked against, PEM.
    pub fn certificate_authority(&self) -> PathBuf {
        control_plane::certificate(&self.group)
    }

    /// A kubeconfig whose current context is [`ADMIN`]. It has a context for each user, named as the user.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_path(ADMIN)
    }

    /// A kubeconfig whose current context is that of `user`.
    pub fn kubeconfig_of(&self, user: &str) -> Result<PathBuf> {
        self.user(user).map(|user| self.kubeconfig_path(&user.name))
    }

    /// The user named `name`. Fails when the cluster was started without it.
    pub fn user(&self, name: &str) -> Result<&User> {
        let user = self.users.iter().find(|user| user.name == name);
        user.ok_or_else(|| anyhow!("the cluster has no user {name}: add it to the builder"))
    }

    /// The requests that were answered so far, in the order of their ends. Only in a cluster [with an audit](ClusterBuilder::with_audit).
    pub fn api_requests(&self) -> Result<Vec<ApiRequest>> {
        audit::read(&audit::log(&self.group))
    }

    /// Runs `kubectl` as [`ADMIN`] and returns its standard output. Fails with its standard error.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_as(ADMIN, arguments)
    }

    /// Runs `kubectl` as `user`.
    pub fn kubectl_as(&self, user: &str, arguments: &[&str]) -> Result<String> {
        self.run(user, arguments, None)
    }

    /// Applies manifests, given as YAML, as [`ADMIN`].
    pub fn apply(&self, yaml: &str) -> Result<String> {
        self.run(ADMIN, &["apply", "--server-side", "-f", "-"], Some(yaml))
    }

    /// Applies CRDs, given as YAML, and waits until the API server serves them. See [`ClusterBuilder::with_crds`] too.
    pub fn apply_crds(&self, yaml: &str) -> Result<()> {
        self.apply(yaml)?;
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).map(drop)
    }

    /// A new namespace with a name of its own that begins with `prefix`; deleted, in the background, when dropped.
    pub fn namespace(&self, prefix: &str) -> Result<Namespace<'_>> {
        Namespace::create(self, prefix)
    }

    fn kubeconfig_path(&self, user: &str) -> PathBuf {
        self.group.data().join(format!("kubeconfig-{user}"))
    }

    fn write_kubeconfigs(&self) -> Result<()> {
        let authority = self.certificate_authority();
        let authority = std::fs::read(&authority).with_context(|| format!("failed to read {}", authority.display()))?;
        for user in &self.users {
            let text = kubeconfig::render(&self.address, &authority, &self.users, &user.name);
            std::fs::write(self.kubeconfig_path(&user.name), text).context("failed to write a kubeconfig")?;
        }
        Ok(())
    }

    fn wait_for_api_server(&mut self) -> Result<()> {
        let (program, kubeconfig, home) = (self.kubectl.clone(), self.kubeconfig(), self.group.data());
        self.group.wait_until(control_plane::API_SERVER, || {
            let mut ready = bare_kubectl(&program, &kubeconfig, &home);
            ready.args(["get", "--raw", "/readyz", "--request-timeout=5s"]);
            finish(ready, None).map(drop)
        })
    }

    fn start_controllers(&mut self) -> Result<()> {
        let (program, kubeconfig, home) = (self.kubectl.clone(), self.kubeconfig(), self.group.data());
        control_plane::start_controllers(&mut self.group, &kubeconfig)?;
        self.group.wait_until(control_plane::CONTROLLERS, || {
            let mut account = bare_kubectl(&program, &kubeconfig, &home);
            account.args(["get", "serviceaccount", "default", "--namespace=default", "--request-timeout=5s"]);
            finish(account, None).map(drop)
        })
    }

    fn run(&self, user: &str, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = bare_kubectl(&self.kubectl, &self.kubeconfig_of(user)?, &self.group.data());
        command.args(arguments);
        finish(command, input)
    }
}

/// `kubectl` that knows nothing of the person who runs it: neither configuration nor caches.
fn bare_kubectl(program: &PathBuf, kubeconfig: &PathBuf, home: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("KUBECONFIG", kubeconfig).env("KUBERC", "off").current_dir(home);
    command
}

fn finish(mut command: Command, input: Option<&str>) -> Result<String> {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let what = format!("kubectl {}", arguments.join(" "));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("failed to run {what}"))?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), input) {
        pipe.write_all(text.as_bytes()).with_context(|| format!("failed to write to {what}"))?;
    }
    let output = child.wait_with_output().with_context(|| format!("failed to wait for {what}"))?;
    if !output.status.success() {
        bail!("{what} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{what} printed something that is not UTF-8"))
}

fn users(more: Vec<(String, Vec<String>)>) -> Result<Vec<User>> {
    let admin = (ADMIN.to_owned(), vec!["system:masters".to_owned()]);
    let guests = GUESTS.map(|name| (name.to_owned(), Vec::new()));
    let all = std::iter::once(admin).chain(guests).chain(more);
    all.map(|(name, groups)| Ok(User { name, groups, token: random_token()? })).collect()
}
