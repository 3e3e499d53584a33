//! `cargo xtask bench vault`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;
use ureq::Agent;

use super::{measure, program};
use crate::rig::note;
use crate::rig::openbao::OpenBao;
use crate::rig::tools::Tool;

const OBJECTS: usize = 1000;
/// As many requests as one store of ours has under way at once.
const CONCURRENT: usize = 32;
const RUNS: usize = 5;
/// How fast a sync must read, beside a reader that does nothing else.
const LEAST_READS: f64 = 0.8;
/// How many times as fast as `bao kv get` a sync of one secret must be.
const LEAST_ONE: f64 = 5.0;

pub(super) fn run() -> Result<()> {
    let program = program("secretsync")?;
    let bao = OpenBao::start()?;
    let folder = tempfile::tempdir().context("failed to make a folder for manifests")?;
    for n in 0..OBJECTS {
        bao.write(&format!("secret/data/many/{n}"), &json!({"data": {"a": format!("value {n}"), "b": "another"}}))?;
    }
    let mut slow = Vec::new();

    let mut bare: Vec<f64> = (0..RUNS).map(|_| read_all(&bao)).collect::<Result<_>>()?;
    bare.sort_by(f64::total_cmp);
    let bare = rate(bare[RUNS / 2]);
    let ours = rate(sync(&program, &bao, folder.path(), OBJECTS, RUNS)?);
    note(format_args!(
        "reads of {OBJECTS} objects: bare {bare:.0}/s, secretsync sync {ours:.0}/s, ratio {:.2}",
        ours / bare
    ));
    if ours / bare < LEAST_READS {
        slow.push(format!("a sync reads {:.2} times as fast as a bare reader instead of {LEAST_READS}", ours / bare));
    }

    let mut get = Command::new(Tool::OpenBao.path()?);
    get.env("BAO_ADDR", bao.address()).env("BAO_TOKEN", bao.token()).env("HOME", folder.path());
    get.args(["kv", "get", "-mount=secret", "-field=a", "many/0"]);
    let theirs = measure(3 * RUNS, &get)?.milliseconds;
    let ours = sync(&program, &bao, folder.path(), 1, 3 * RUNS)?;
    note(format_args!("one secret: bao kv get {theirs:.1} ms, secretsync sync {ours:.1} ms, {:.1}x", theirs / ours));
    if theirs / ours < LEAST_ONE {
        slow.push(format!("one secret is {:.1} times as fast as `bao kv get` instead of {LEAST_ONE}", theirs / ours));
    }
    if slow.is_empty() { Ok(()) } else { bail!("too slow: {}", slow.join("; ")) }
}

#[expect(clippy::cast_precision_loss, reason = "a thousand is exact")]
fn rate(milliseconds: f64) -> f64 {
    OBJECTS as f64 * 1000.0 / milliseconds
}

/// How long it takes to read every object and do nothing with it, in milliseconds: each reader keeps a connection.
fn read_all(bao: &OpenBao) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..CONCURRENT).map(|_| scope.spawn(|| read_some(bao, &next))).collect();
        readers.into_iter().try_for_each(|reader| reader.join().map_err(|_| anyhow!("a reader failed"))?)
    })?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

fn read_some(bao: &OpenBao, next: &AtomicUsize) -> Result<()> {
    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= OBJECTS {
            return Ok(());
        }
        let request =
            agent.get(format!("{}/v1/secret/data/many/{n}", bao.address())).header("x-vault-token", bao.token());
        let mut answer = request.call().context("a bare read failed")?;
        answer.body_mut().read_to_string().context("a bare read failed")?;
    }
}

/// What a process that syncs so many secrets takes, in milliseconds.
fn sync(program: &Path, bao: &OpenBao, folder: &Path, secrets: usize, runs: usize) -> Result<f64> {
    let file = folder.join(format!("{secrets}.yaml"));
    fs::write(&file, manifests(bao, secrets)).context("failed to write manifests")?;
    let mut command = Command::new(program);
    command.env("TOKEN", bao.token()).args(["sync", "--credential", "token/t=env:TOKEN", "-f"]).arg(&file);
    command.arg("--to").arg(format!("manifest={}/{secrets}-{{run}}.out", folder.display()));
    Ok(measure(runs, &command)?.milliseconds)
}

fn manifests(bao: &OpenBao, secrets: usize) -> String {
    let mut text = format!(
        "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {{name: vault}}\nspec:\n  provider:\n    vault:\n      server: {}\n      path: secret\n      \
         auth: {{tokenSecretRef: {{name: token, key: t}}}}\n",
        bao.address()
    );
    for n in 0..secrets {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: s{n}}}\nspec:\n  secretStoreRef: {{name: vault}}\n  \
             dataFrom:\n  - extract: {{key: many/{n}}}\n"
        );
    }
    text
}
