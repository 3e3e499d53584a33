//! `sync --watch`: what is told, what is read, and how it ends.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, data, external_secret};
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
