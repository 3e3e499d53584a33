//! `sync --watch`: what is told, what is read, and how it ends.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::sops::{STORE, encrypt, key};
use crate::vault;

const WATCH: &str = "sync --watch -f stores.yaml -f es.yaml --to dir=out --credential token/t=env:TOKEN";

fn every_second(name: &str, store: &str, key: &str) -> String {
    external_secret(name, store, &format!("  refreshInterval: 1s\n{}", data(&[("password", key, "password")])))
}

#[test]
fn changes_failures_and_recoveries_are_told_and_nothing_else() {
    let (sandbox, server) = vault::setup();
    sandbox.file("es.yaml", &every_second("db", "v2", "app/db"));
    let running = sandbox.start(WATCH);
    let told = || running.line().split_once("  ").unwrap().1.to_owned();
    assert_eq!(told(), "created    shop/db  shop/db  created password");

    server.write("kv/data/app/db", &json!({"data": {"password": "changed"}})).unwrap();
    assert_eq!(told(), "updated    shop/db  shop/db  updated password");
    assert_eq!(sandbox.text("out/shop/db/password"), "changed");

    server.write("kv/data/app/db", &json!({"data": {"other": "x"}})).unwrap();
    let failure = told();
    assert!(failure.starts_with("failed     shop/db  shop/db") && failure.contains("no such property"), "{failure}");
    assert_eq!(sandbox.text("out/shop/db/password"), "changed", "a failure takes nothing away");

    server.write("kv/data/app/db", &json!({"data": {"password": "changed"}})).unwrap();
    assert_eq!(told(), "unchanged  shop/db  shop/db  in line with its sources");
    let (code, rest) = running.stop(Signal::TERM);
    assert_eq!((code, rest), (0, vec![]));
}

#[test]
fn programs_read_one_object_a_line_and_one_bad_manifest_stops_nobody() {
    let (sandbox, _server) = vault::setup();
    sandbox.file("es.yaml", &(every_second("db", "v2", "app/db") + &every_second("lost", "nowhere", "app/db")));
    let running = sandbox.start(&format!("{WATCH} -o json"));
    let told: Vec<Value> = (0..2).map(|_| serde_json::from_str(&running.line()).unwrap()).collect();
    assert_eq!((&told[0]["name"], &told[0]["result"]), (&json!("lost"), &json!("failed")));
    assert_eq!(told[0]["error"]["code"], "store-missing");
    assert_eq!((&told[1]["name"], &told[1]["result"]), (&json!("db"), &json!("created")));
    assert!(told[1]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(running.stop(Signal::INT).0, 0);
}

#[test]
fn a_watch_that_could_do_nothing_says_so_at_once() {
    let sandbox = Sandbox::new();
    sandbox.file("stores.yaml", "").file("es.yaml", &every_second("lost", "nowhere", "app/db"));
    let run = sandbox.run(&WATCH.replace(" --credential token/t=env:TOKEN", ""));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("failed     shop/lost"), "{run:?}");
    let run = sandbox.run("sync --watch -f es.yaml --to manifest=-");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("`manifest=-` writes one document"), "{run:?}");
}

#[test]
fn a_document_that_changes_is_synced_at_once_and_so_is_one_that_is_mended() {
    let (recipient, secret) = key();
    let sandbox = Sandbox::new();
    sandbox.file("age.key", &secret).file("store.yaml", &store("docs", STORE));
    let hourly = |name: &str, key: &str| external_secret(name, "docs", &data(&[("a", key, "a")]));
    sandbox.file("es.yaml", &(hourly("app", "app.yaml") + &hourly("web", "team/web.yaml")));
    let document = |value: &str| encrypt(&format!("a: {value}\n"), &recipient);
    sandbox.file("docs/app.yaml", &document("one")).file("docs/team/web.yaml", &document("one"));
    let running =
        sandbox.start("sync --watch -f store.yaml -f es.yaml --to dir=out --credential age/key.txt=file:age.key");
    let told = || running.line().split_once("  ").unwrap().1.to_owned();
    let mut first = [told(), told()];
    first.sort();
    assert_eq!(first, ["created    shop/app  shop/app  created a", "created    shop/web  shop/web  created a"]);

    sandbox.file("docs/team/web.yaml", &document("two"));
    assert_eq!(told(), "updated    shop/web  shop/web  updated a");
    let good = document("three");
    sandbox.file("docs/app.yaml", &good.replace("mac: ENC", "mac: NOT"));
    assert!(told().starts_with("failed     shop/app  shop/app"));
    // Put in its place as sops and editors do it.
    sandbox.file("docs/new", &good);
    std::fs::rename(sandbox.path("docs/new"), sandbox.path("docs/app.yaml")).unwrap();
    assert_eq!(told(), "updated    shop/app  shop/app  updated a");
    assert_eq!(sandbox.text("out/shop/app/a"), "three");
    assert_eq!(running.stop(Signal::TERM), (0, vec![]));
}
