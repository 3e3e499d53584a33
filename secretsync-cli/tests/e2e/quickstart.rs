//! The quick start, as the README promises it.

use std::path::Path;

use crate::sandbox::Sandbox;

fn quickstart() -> Sandbox {
    let sandbox = Sandbox::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            sandbox.file(&path.file_name().unwrap().to_string_lossy(), &std::fs::read_to_string(&path).unwrap());
        }
    }
    sandbox
}

#[test]
fn a_folder_is_filled_and_a_second_run_touches_nothing() {
    let sandbox = quickstart();
    let first = sandbox.run("sync -f . --to dir=out");
    assert_eq!((first.code, first.stderr.as_str()), (0, ""), "{first:?}");
    assert_eq!(first.stdout, include_str!("../../../examples/quickstart/expected/first.txt"));
    assert_eq!(sandbox.text("out/shop/smtp/tls"), "true");
    assert_eq!(
        sandbox.text("out/shop/database/url"),
        "postgres://shop:correct+horse+battery+staple@db.shop.svc:5432/shop"
    );
    let before = sandbox.tree("out");
    for (name, entry) in &before {
        assert_eq!(entry.mode, if entry.text.is_some() { 0o600 } else { 0o700 }, "{name}");
    }
    let second = sandbox.run("sync -f . --to dir=out");
    assert_eq!(second.stdout, include_str!("../../../examples/quickstart/expected/second.txt"));
    assert_eq!(sandbox.tree("out"), before, "nothing was written, not even again");
}

#[test]
fn a_plan_says_what_would_change_and_changes_nothing() {
    let sandbox = quickstart();
    let plan = sandbox.run("plan -f . --to dir=out");
    assert_eq!(plan.code, 3);
    assert!(plan.row("shop/database").starts_with("created"), "{plan:?}");
    assert!(!sandbox.path("out").exists());
    sandbox.run("sync -f . --to dir=out");
    assert_eq!(sandbox.run("plan -f . --to dir=out").code, 0);
    std::fs::remove_file(sandbox.path("out/shop/smtp/tls")).unwrap();
    let plan = sandbox.run("plan -f . --to dir=out");
    assert_eq!(plan.code, 3);
    assert!(plan.row("shop/smtp").ends_with("created tls"), "{plan:?}");
    assert!(plan.row("shop/database").starts_with("unchanged"), "{plan:?}");
}

#[test]
fn programs_read_the_report_as_json() {
    let sandbox = quickstart();
    let run = sandbox.run("sync -f . --to dir=out --output json");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["summary"]["created"], 2);
    assert_eq!(report["summary"]["skipped_documents"], 1);
    assert_eq!(report["syncs"][0]["keys"]["created"], serde_json::json!(["host", "password", "port", "url", "user"]));
}
