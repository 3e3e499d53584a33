//! `onMissing` on every kind of target that is a file.

use crate::sandbox::{Run, Sandbox, external_secret, store};
use crate::sops;

struct World {
    sandbox: Sandbox,
    recipient: String,
}

impl World {
    fn new(spec: &str) -> Self {
        let (recipient, secret) = sops::key();
        let sandbox = Sandbox::new();
        let all = store("docs", sops::STORE) + &external_secret("app", "docs", spec);
        sandbox.file("age.key", &secret).file("all.yaml", &all);
        Self { sandbox, recipient }
    }

    fn document(&self, name: &str, plain: &str) {
        self.sandbox.file(&format!("docs/{name}"), &sops::encrypt(plain, &self.recipient));
    }

    fn sync(&self, to: &str, more: &str) -> Run {
        self.sandbox.run(&format!("sync -f all.yaml --credential age/key.txt=file:age.key --to {to} {more}"))
    }
}

const ENTRIES: &str = "  data:
    - {secretKey: A, remoteRef: {key: app.yaml, property: A}}
    - {secretKey: B, remoteRef: {key: app.yaml, property: B}, onMissing: Keep}
    - {secretKey: C, remoteRef: {key: gone.yaml, property: C}, onMissing: Keep}
    - {secretKey: D, remoteRef: {key: gone.yaml, property: D}, onMissing: Skip}";

#[test]
fn kept_keys_stay_in_every_file_and_skipped_ones_go() {
    for (to, file) in [("dir=out", "out/shop/app"), ("env=app.env", "app.env"), ("manifest=app.yaml", "app.yaml")] {
        let world = World::new(ENTRIES);
        world.document("app.yaml", "A: one\nB: two\n");
        world.document("gone.yaml", "C: three\nD: four\n");
        assert_eq!(world.sync(to, "").code, 0, "{to}");
        let content = || match to {
            "dir=out" => {
                let tree = world.sandbox.tree(file).into_iter();
                let files = tree.map(|(name, entry)| format!("{name}={}", entry.text.unwrap_or_default()));
                files.collect::<Vec<_>>().join("\n")
            }
            _ => world.sandbox.text(file),
        };
        let before = content();

        world.document("app.yaml", "A: one\n");
        std::fs::remove_file(world.sandbox.path("docs/gone.yaml")).unwrap();
        let run = world.sync(to, "");
        assert_eq!(run.code, 0, "{to} {run:?}");
        let told = "removed D; missing at the provider: spec.data[3] (key: gone.yaml); missing at the provider and kept as it was: \
                    spec.data[1] (key: app.yaml), spec.data[2] (key: gone.yaml)";
        assert!(run.stdout.contains(told), "{to} {run:?}");
        let after = content();
        // A comment names the keys that were written.
        let lines = |text: &str| {
            let values = text.lines().filter(|line| !line.starts_with('#'));
            values.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
        };
        let gone: Vec<_> = lines(&before).difference(&lines(&after)).cloned().collect();
        assert!(gone.iter().all(|line| line.trim_start().starts_with('D')) && gone.len() == 1, "{to} {gone:?}");
        assert!(lines(&after).is_subset(&lines(&before)), "{to} {after}");

        let again = world.sync(to, "--output json");
        let report: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
        let sync = &report["syncs"][0];
        assert_eq!(sync["result"], "unchanged", "{to} {again:?}");
        assert_eq!(sync["kept"], serde_json::json!(["spec.data[1] (key: app.yaml)", "spec.data[2] (key: gone.yaml)"]));
        assert_eq!(sync["missing"].as_array().unwrap().len(), 3);
        assert_eq!(content(), after);
    }
}

#[test]
fn an_entry_that_must_be_there_fails_the_sync_whatever_may_be_deleted() {
    let spec = "  target: {deletionPolicy: Delete}\n  data:\n    - {secretKey: A, remoteRef: {key: app.yaml, property: A}}\n    \
                - {secretKey: C, remoteRef: {key: gone.yaml, property: C}, onMissing: Fail}";
    let world = World::new(spec);
    world.document("app.yaml", "A: one\n");
    world.document("gone.yaml", "C: three\n");
    assert_eq!(world.sync("dir=out", "").code, 0);
    let before = world.sandbox.tree("out");
    std::fs::remove_file(world.sandbox.path("docs/gone.yaml")).unwrap();
    let run = world.sync("dir=out", "");
    assert!(run.code == 1 && run.stderr.contains("hint[secret-missing]"), "{run:?}");
    assert_eq!(world.sandbox.tree("out"), before);
}

#[test]
fn keep_without_a_meaning_is_refused_by_name() {
    let template = "  target: {template: {data: {url: '{{ .A }}'}}}\n";
    let world = World::new(&format!("{template}{ENTRIES}"));
    let run = world.sync("dir=out", "");
    assert!(run.code == 1 && run.stdout.contains("spec.data[1] (key: app.yaml)"), "{run:?}");
    assert!(run.stderr.contains("set `target.template.mergePolicy: Merge`, or use `Skip`"), "{run:?}");
}
