//! `cargo xtask bench sops`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Cost, measure, program};
use crate::rig::note;
use crate::rig::sops::{Format, Sops};

/// A throw-away key, for nothing else.
const KEY: &str = "AGE-SECRET-KEY-1ACFQMJYU6AS6JDEWFTRFFGKECZMY8JFU9CXDSYNN4EAEJNWF7J2S3ZQUYM";
const RECIPIENT: &str = "age1l5pzvjlqecvn4y3ejtzyul49z54mq2sy7jae7xp2xmk92q977u4qy0az6v";

/// How many values a document has, how often each program runs, and how many times as fast ours must be.
const SIZES: [(usize, usize, f64); 2] = [(100, 15, 4.0), (10_000, 5, 10.0)];

pub(super) fn run() -> Result<()> {
    let program = program("secretsync")?;
    let sops = Sops::new()?;
    let folder = tempfile::tempdir().context("failed to make a folder for documents")?;
    fs::write(folder.path().join("key.txt"), KEY)?;
    note(format_args!(
        "{:>7} {:8} {:>10} {:>10} {:>7} {:>9} {:>9}",
        "values", "format", "sops", "ours", "ratio", "sops", "ours"
    ));
    let mut slow = Vec::new();
    for (values, runs, least) in SIZES {
        for format in [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini] {
            let document = sops.encrypt(plain(format, values), format, &[RECIPIENT], &[])?;
            let (theirs, ours) = compare(&sops, &program, folder.path(), format, &document, runs)?;
            let ratio = theirs.milliseconds / ours.milliseconds;
            note(format_args!(
                "{values:7} {:8} {:7.1} ms {:7.1} ms {ratio:6.1}x {:5.1} MiB {:5.1} MiB",
                format.name(),
                theirs.milliseconds,
                ours.milliseconds,
                theirs.mebibytes,
                ours.mebibytes
            ));
            if ratio < least {
                slow.push(format!("{values} values in {}: {ratio:.1} times instead of {least}", format.name()));
            }
        }
    }
    if !slow.is_empty() {
        bail!("too slow: {}", slow.join("; "));
    }
    Ok(())
}

fn plain(format: Format, values: usize) -> String {
    let mut text = String::new();
    for index in 0..values {
        // Writing to a String cannot fail.
        let _ = match format {
            Format::Dotenv => writeln!(text, "KEY_{index}=value number {index}"),
            Format::Ini if index % 100 == 0 => {
                writeln!(text, "[part{}]\nkey{index} = value number {index}", index / 100)
            }
            Format::Ini => writeln!(text, "key{index} = value number {index}"),
            Format::Json => {
                write!(text, "{}\"key{index}\": \"value number {index}\"", if index == 0 { "{" } else { ", " })
            }
            _ => writeln!(text, "key{index}: value number {index}"),
        };
    }
    if format == Format::Json { text + "}" } else { text }
}

/// Both programs on one document: all of it decrypted, and one key of it synced into a new folder.
fn compare(
    sops: &Sops,
    program: &Path,
    folder: &Path,
    format: Format,
    document: &str,
    runs: usize,
) -> Result<(Cost, Cost)> {
    let extension = if format == Format::Dotenv { "env" } else { format.name() };
    let name = format!("document.{extension}");
    fs::write(folder.join(&name), document)?;
    fs::write(folder.join("manifests.yaml"), manifests(&name, format))?;
    let mut theirs = sops.bare();
    theirs.env("SOPS_AGE_KEY_FILE", folder.join("key.txt")).args(["decrypt"]).arg(folder.join(&name));
    let theirs = measure(runs, &theirs)?;
    let mut ours = Command::new(program);
    ours.args(["sync", "--to"]).arg(format!("dir={}/out-{extension}-{runs}-{{run}}", folder.display()));
    ours.arg("-f").arg(folder.join("manifests.yaml"));
    ours.arg("--credential").arg(format!("age/key.txt=file:{}", folder.join("key.txt").display()));
    let ours = measure(runs, &ours)?;
    Ok((theirs, ours))
}

fn manifests(document: &str, format: Format) -> String {
    let property = match format {
        Format::Dotenv => "KEY_42",
        Format::Ini => "part0.key42",
        _ => "key42",
    };
    format!(
        "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {{name: docs}}\nspec:\n  provider:\n    sops:\n      source: {{path: {document}}}\n      \
         keys: [{{age: {{secretRef: {{name: age, key: key.txt}}}}}}]\n---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: app}}\n\
         spec:\n  secretStoreRef: {{name: docs}}\n  data:\n  - secretKey: value\n    remoteRef: {{key: {document}, property: {property}}}\n"
    )
}
