//! `cargo xtask bench operator`.

mod api;
mod figures;
mod scene;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use jiff::Timestamp;

use self::figures::{Calls, Spread, median};
use self::scene::Scene;
use super::program;
use crate::rig::note;

#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// How many ExternalSecrets there are.
    #[arg(long, default_value_t = 1000)]
    objects: usize,
    /// How often the cold start is repeated.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long to watch all of them being refreshed every 30 seconds, in seconds; 0 leaves that out.
    #[arg(long, default_value_t = 65)]
    steady: u64,
    /// The program to measure instead of the one of this checkout.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// How much longer than a bare client a cold start may take.
const MOST: f64 = 1.25;
/// How long a new object may wait while all others are refreshed.
const MOST_FRESH: f64 = 0.1;
/// The memory of the operator with a thousand objects.
const MOST_MEMORY: f64 = 35.0;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => program("secretsync-operator")?,
    };
    let scene = Scene::start(arguments.objects)?;
    let mut over = Vec::new();
    let (mut secrets, mut ready) = (Vec::new(), Vec::new());
    let mut operator = None;
    for round in 0..arguments.rounds.max(1) {
        // The one that ran before must not clean up while others are measured.
        drop(operator.take());
        let written = scene.bare(&format!("bare-{round}"), false)?;
        let told = scene.bare(&format!("told-{round}"), true)?;
        let namespace = format!("ours-{round}");
        let running = cold(&scene, &program, &namespace)?;
        let (last_secret, last_ready, calls) = running.cold;
        note(format_args!(
            "round {round}: bare read + apply {written:.2} s, ours {last_secret:.2} s, ratio {:.2}; bare read + apply + status {told:.2} s, ours {last_ready:.2} s, \
             ratio {:.2}; {calls}",
            last_secret / written,
            last_ready / told
        ));
        secrets.push(last_secret / written);
        ready.push(last_ready / told);
        operator = Some((running.operator, namespace));
    }
    let (secrets, ready) = (median(&mut secrets), median(&mut ready));
    note(format_args!("cold start, median ratio: last Secret {secrets:.2}, last Ready {ready:.2} (at most {MOST})"));
    for (what, ratio) in [("last Secret", secrets), ("last Ready", ready)] {
        if ratio > MOST {
            over.push(format!("the {what} takes {ratio:.2} times as long as a bare client instead of {MOST}"));
        }
    }
    let (running, namespace) = operator.context("no round has run")?;
    if arguments.steady > 0 {
        let spread = steady(&scene, &namespace, Duration::from_secs(arguments.steady))?;
        if spread.p99 > MOST_FRESH {
            over.push(format!("a new object waits {:.3} s instead of {MOST_FRESH}", spread.p99));
        }
    }
    let (memory, own) = running.memory()?;
    note(format_args!(
        "resident memory: {memory:.1} MiB with {} objects, {own:.1} of them without program text",
        arguments.objects
    ));
    if arguments.objects <= 1000 && memory > MOST_MEMORY {
        over.push(format!("{memory:.1} MiB instead of {MOST_MEMORY}"));
    }
    drop(running);
    restart(&scene, &program)?;
    if over.is_empty() { Ok(()) } else { bail!("over the budget: {}", over.join("; ")) }
}

/// An operator that has just synced everything for the first time.
struct Cold {
    operator: Running,
    /// Seconds until the last Secret was there, and until the last status said so; the calls of the whole.
    cold: (f64, f64, Calls),
}

fn cold(scene: &Scene, program: &Path, namespace: &str) -> Result<Cold> {
    scene.fill(namespace)?;
    let (reads, logins) = scene.provider_calls()?;
    let began = Timestamp::now();
    let operator = Running::start(program, scene)?;
    let calls = scene.wait(|| {
        let calls = Calls::of(&scene.calls_since(began)?, namespace);
        Ok((calls.secrets >= scene.objects && calls.statuses >= scene.objects).then_some(calls))
    })?;
    let (reads_after, logins_after) = scene.provider_calls()?;
    let since = |at: Option<Timestamp>| at.map_or(f64::NAN, |at| at.duration_since(began).as_secs_f64());
    note(format_args!(
        "{namespace}: first Secret after {:.2} s; processor time {:.2} s; provider reads {}, logins {}",
        since(calls.first_secret),
        operator.processor()?,
        reads_after - reads,
        logins_after - logins
    ));
    let cold = (since(calls.last_secret), since(calls.last_status), calls);
    Ok(Cold { operator, cold })
}

/// Makes new objects while all others are refreshed, and counts what is written besides.
fn steady(scene: &Scene, namespace: &str, span: Duration) -> Result<Spread> {
    let began = Timestamp::now();
    let (reads, logins) = scene.provider_calls()?;
    let started = Instant::now();
    let mut made = Vec::new();
    while started.elapsed() < span {
        let name = format!("new-{}", made.len());
        let at = Timestamp::now();
        scene.add(namespace, &name)?;
        made.push((name, at));
        sleep(Duration::from_millis(250));
    }
    sleep(Duration::from_secs(2));
    let requests = scene.calls_since(began)?;
    let calls = Calls::of(&requests, namespace);
    let spread = Spread::of(&requests, &made);
    let (reads_after, logins_after) = scene.provider_calls()?;
    note(format_args!(
        "{} new objects while {} are refreshed every 30 s: median {:.3} s, p99 {:.3} s, longest {:.3} s, never written {}",
        made.len(),
        scene.objects,
        spread.median,
        spread.p99,
        spread.longest,
        spread.lost
    ));
    note(format_args!(
        "meanwhile, besides those of new objects: {} Secret writes, {} status writes, {} other writes; provider reads {}, logins {}",
        calls.secrets.saturating_sub(made.len()),
        calls.statuses.saturating_sub(made.len()),
        calls.others.saturating_sub(made.len()),
        reads_after - reads,
        logins_after - logins
    ));
    Ok(spread)
}

/// Starts it again where everything is done: that changes nothing. What is due is applied once, since no digest of what was written is kept anywhere.
fn restart(scene: &Scene, program: &Path) -> Result<()> {
    let began = Timestamp::now();
    let (reads, _) = scene.provider_calls()?;
    let before = scene.versions()?;
    let running = Running::start(program, scene)?;
    sleep(Duration::from_secs(10));
    let calls = scene.calls_since(began)?;
    let writes = calls.iter().filter(|call| matches!(call.verb.as_str(), "create" | "patch" | "delete"));
    let (secrets, rest): (Vec<_>, Vec<_>) =
        writes.filter(|call| call.resource != "serviceaccounts/token").partition(|call| call.resource == "secrets");
    let (reads_after, _) = scene.provider_calls()?;
    note(format_args!(
        "a restart, within 10 s: {} Secrets changed, {} applied, {} other writes, {} provider reads; {:.1} MiB",
        scene.versions()?.difference(&before).count(),
        secrets.len(),
        rest.len(),
        reads_after - reads,
        running.memory()?.0
    ));
    Ok(())
}

/// An operator at work, until it is dropped.
struct Running(Child);

impl Running {
    fn start(program: &Path, scene: &Scene) -> Result<Self> {
        let log = File::create(scene.folder().join("operator.log")).context("failed to make a log for the operator")?;
        let mut command = Command::new(program);
        command.env("KUBECONFIG", scene.operator_kubeconfig()?);
        command.args(["--live-addr=0", "--metrics-addr=0", "--loglevel=warn"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().with_context(|| format!("failed to run {}", program.display())).map(Self)
    }

    /// The processor time that it took so far, in seconds.
    fn processor(&self) -> Result<f64> {
        const TICKS: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).context("the operator has ended")?;
        let (_, rest) = stat.rsplit_once(')').context("no processor time is told")?;
        let times = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(times.sum::<Result<f64, _>>().context("no processor time is told")? / TICKS)
    }

    /// What it holds in memory, in MiB: all of it, and what is no program text.
    fn memory(&self) -> Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).context("the operator has ended")?;
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no resident memory is told")?;
            let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().context("no resident memory is told")?;
            anyhow::Ok(kibibytes / 1024.0)
        };
        Ok((figure("VmRSS:")?, figure("RssAnon:")?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
