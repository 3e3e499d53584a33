//! `conditions[].keys` of a ClusterSecretStore, on a real OpenBao.

use serde_json::json;
use xtask::rig::openbao::OpenBao;

use crate::sandbox::{Run, Sandbox};

const SYNC: &str = "sync -f store.yaml -f es.yaml --to dir=out --credential ops/token/t=env:TOKEN";

struct World {
    sandbox: Sandbox,
    server: OpenBao,
}

impl World {
    /// Two teams below one mount, and a cluster store with (`mount`) or without it that has these conditions.
    fn new(mount: bool, conditions: &str) -> Self {
        let server = OpenBao::start().unwrap();
        server.write("sys/mounts/kv", &json!({"type": "kv", "options": {"version": "2"}})).unwrap();
        for name in ["teams/shop/db", "teams/shop/mail", "teams/bank/db"] {
            server.write(&format!("kv/data/{name}"), &json!({"data": {"pin": name}})).unwrap();
        }
        let mut sandbox = Sandbox::new();
        sandbox.set("TOKEN", server.token());
        let world = Self { sandbox, server };
        world.store(mount, conditions);
        world
    }

    fn store(&self, mount: bool, conditions: &str) {
        let address = self.server.address();
        let path = if mount { "      path: kv\n" } else { "" };
        self.sandbox.file(
            "store.yaml",
            &format!(
                "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata:\n  name: main\nspec:\n  conditions:\n{conditions}\n  provider:\n    vault:\n      server: {address}\n{path}      auth:\n        tokenSecretRef: {{name: token, key: t, namespace: ops}}\n"
            ),
        );
    }

    /// Syncs one ExternalSecret of `namespace` with these sources, and gives the paths that were asked for.
    fn sync(&self, namespace: &str, sources: &str) -> (Run, Vec<String>) {
        self.sandbox.file(
            "es.yaml",
            &format!(
                "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: db\n  namespace: {namespace}\nspec:\n  secretStoreRef: {{name: main, kind: ClusterSecretStore}}\n{sources}\n"
            ),
        );
        let before = self.server.audit_requests().unwrap().len();
        let run = self.sandbox.run(SYNC);
        let asked = self.server.audit_requests().unwrap().into_iter().skip(before);
        (run, asked.map(|request| format!("{request:?}")).collect())
    }
}

const OWN: &str = "    - namespaceRegexes: ['']\n      keys: ['kv/teams/{namespace}/**']";

#[test]
fn no_spelling_version_or_part_of_a_foreign_key_leaves_the_program() {
    for (mount, keys) in [
        (
            true,
            &["teams/bank/db", "/teams//bank/db/", "kv/teams/bank/db", "kv/data/teams/bank/db", "data/teams/bank/db"][..],
        ),
        (false, &["kv/teams/bank/db", "kv/data/teams/bank/db", "//kv//data/teams/bank/db"]),
    ] {
        let world = World::new(mount, OWN);
        for key in keys {
            for more in ["", ", version: '1'", ", metadataPolicy: Fetch", ", property: pin"] {
                let data = format!("  data:\n    - secretKey: a\n      remoteRef: {{key: {key}{more}}}");
                let extract = format!("  dataFrom:\n    - extract: {{key: {key}{more}}}");
                for sources in [data, extract] {
                    let (run, asked) = world.sync("shop", &sources);
                    assert!(run.code == 1 && run.stderr.contains("hint[access-denied]"), "{sources} {run:?}");
                    assert!(run.stdout.contains("`kv/teams/bank/db`: ClusterSecretStore main grants namespace `shop` only `kv/teams/{namespace}/**`"), "{run:?}");
                    assert!(asked.is_empty(), "{sources} {asked:?}");
                }
            }
        }
    }
}

#[test]
fn keys_that_only_look_like_granted_ones_are_refused() {
    let world = World::new(true, OWN);
    for key in [
        "teams/shop/../bank/db",
        "teams/./shop/db",
        "teams/shop%2F..%2Fbank/db",
        "teams/ｓhop/db",
        "teams/shop\u{200b}/db",
        "Teams/shop/db",
        "teams/{namespace}/db",
        "teams/shop",
    ] {
        let (run, asked) =
            world.sync("shop", &format!("  data:\n    - secretKey: a\n      remoteRef: {{key: '{key}'}}"));
        assert!(run.code == 1 && asked.is_empty(), "{key} {run:?} {asked:?}");
    }
}

#[test]
fn what_is_granted_is_read_and_a_search_sees_nothing_else() {
    let world = World::new(true, OWN);
    let (run, _) = world
        .sync("shop", "  data:\n    - secretKey: a\n      remoteRef: {key: /kv/data/teams//shop/db, property: pin}");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(world.sandbox.text("out/shop/db/a"), "teams/shop/db");

    let (run, asked) = world.sync("shop", "  dataFrom:\n    - find: {name: {regexp: '.*'}}");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("created teams_shop_db, teams_shop_mail; removed a"), "{run:?}");
    assert!(asked.iter().any(|request| request.contains("teams/shop/mail")), "{asked:?}");
    assert!(!asked.iter().any(|request| request.contains("bank")), "{asked:?}");

    let (run, asked) = world.sync("shop", "  dataFrom:\n    - find: {path: teams/bank}");
    assert!(run.code == 1 && run.stderr.contains("hint[access-denied]") && asked.is_empty(), "{run:?} {asked:?}");
}

#[test]
fn a_rule_that_was_narrowed_takes_no_secret_away() {
    let world = World::new(true, OWN);
    let find = "  target: {deletionPolicy: Delete}\n  dataFrom:\n    - find: {name: {regexp: '.*'}}";
    assert_eq!(world.sync("shop", find).0.code, 0);
    let before = world.sandbox.tree("out");
    world.store(true, "    - namespaces: [shop]\n      keys: ['kv/team/{namespace}/**']");
    let (run, _) = world.sync("shop", find);
    assert!(run.code == 1 && run.stderr.contains("hint[access-denied]"), "{run:?}");
    assert_eq!(world.sandbox.tree("out"), before);
}

#[test]
fn conditions_that_hold_grant_together_and_one_without_keys_grants_all() {
    let conditions = "    - namespaces: [shop]\n      keys: ['kv/teams/{namespace}/**']\n    - namespaces: [admin]";
    let world = World::new(true, conditions);
    let foreign = "  data:\n    - secretKey: a\n      remoteRef: {key: teams/bank/db}";
    assert_eq!(world.sync("admin", foreign).0.code, 0);
    let (run, _) = world.sync("bank", foreign);
    assert!(run.stdout.contains("not allowed from namespace \"bank\": denied by spec.condition"), "{run:?}");
}
