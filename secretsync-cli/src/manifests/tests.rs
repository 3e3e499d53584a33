//! Which objects a run works on.

use super::*;

fn read(files: &[(&str, &str)], paths: &[&str]) -> Result<Manifests> {
    let folder = folder(files);
    let paths: Vec<_> = paths.iter().map(|path| folder.path().join(path)).collect();
    Manifests::read(&paths, "default")
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn object(kind: &str, name: &str) -> String {
    let api_version = if kind == "Secret" || kind == "ConfigMap" { "v1" } else { "external-secrets.io/v1" };
    format!("---\napiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n")
}

#[test]
fn a_folder_means_its_own_manifests_in_order() {
    let files = [
        ("m/b.yaml", object("ExternalSecret", "two")),
        ("m/a.yml", object("ExternalSecret", "one") + &object("SecretStore", "s")),
        ("m/c.json", r#"{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "three", "namespace": "n"}}"#.to_owned()),
        ("m/notes.txt", "not: [yaml".to_owned()),
        ("m/sub/d.yaml", object("ExternalSecret", "hidden")),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let manifests = read(&files, &["m", "m/b.yaml"]).unwrap();
    let found: Vec<_> = manifests.external_secrets.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["ExternalSecret default/one", "ExternalSecret default/two", "ExternalSecret n/three"]);
    assert_eq!(manifests.stores.len(), 1);
}

#[test]
fn documents_that_seem_to_be_ours_are_never_skipped() {
    for head in [
        "kind: ExternalSecret",
        "apiVersion: external-secrets.io/v1",
        "apiVersion: external-secrets.io\nkind: ExternalSecret",
        "apiVersion: externalsecrets.io/v1\nkind: ExternalSecret",
    ] {
        let outcome = read(&[("a.yaml", &format!("{head}\nmetadata: {{name: a}}\n"))], &["a.yaml"]);
        let error = outcome.err().unwrap();
        assert!(error.to_string().contains("it looks like one of ours"), "{head}: {error}");
    }
}

#[test]
fn every_form_of_a_list_is_opened_and_what_is_none_is_refused() {
    let list = |kind: &str, items: &str| {
        let text = format!("apiVersion: external-secrets.io/v1\nkind: {kind}\nitems: {items}\n");
        read(&[("a.yaml", &text)], &["a.yaml"])
    };
    let manifests = list("ExternalSecretList", "[{metadata: {name: b}}, {metadata: {name: a}}]").unwrap();
    assert_eq!(manifests.external_secrets.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(list("SecretStoreList", "[{metadata: {name: a}}]").unwrap().stores.len(), 1);
    assert_eq!(list("ExternalSecretList", "").unwrap().external_secrets.len(), 0);
    for items in ["{a: b}", "text", "5"] {
        let error = list("ExternalSecretList", items).err().unwrap();
        assert!(secretsync_core::error::chain(&error).contains("its `items` are no list"), "{error}");
    }
}

#[test]
fn names_and_namespaces_that_are_no_texts_are_refused() {
    // `no` is a truth value and `010` a number where YAML is read as Kubernetes reads it.
    for metadata in ["{name: 5}", "{name: a, namespace: no}", "{name: a, namespace: 010}", "{name: [a]}"] {
        let text = format!("apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {metadata}\n");
        let error = read(&[("a.yaml", &text)], &["a.yaml"]).err().unwrap();
        assert!(error.to_string().contains("is not a text: put quotes around it"), "{metadata}: {error}");
    }
}

#[test]
fn documents_of_others_are_counted_and_lists_are_opened() {
    let text = "a: 1\n---\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: \
                external-secrets.io/v1\n  kind: ExternalSecret\n  metadata: {name: listed}\n";
    let manifests = read(&[("a.yaml", text)], &["a.yaml"]).unwrap();
    assert_eq!((manifests.skipped, manifests.external_secrets.len()), (2, 1));
}

#[test]
fn secrets_and_config_maps_serve_as_references() {
    use secretsync_core::provider::CredentialRef;
    let secret = object("Secret", "s") + "data:\n  a: b25l\nstringData:\n  b: two\n";
    let map = object("ConfigMap", "c") + "data:\n  ca: cert\n";
    let manifests = read(&[("a.yaml", &(secret + &map))], &["a.yaml"]).unwrap();
    let value = |reference: CredentialRef| {
        manifests.references.value(&reference, "default").unwrap().unwrap().expose().to_vec()
    };
    assert_eq!(value(CredentialRef::secret("s", "a")), b"one");
    assert_eq!(value(CredentialRef::secret("s", "b")), b"two");
    assert_eq!(value(CredentialRef::config_map("c", "ca")), b"cert");
}

#[test]
fn values_that_cannot_be_used_are_refused_when_asked_for_and_never_shown() {
    use secretsync_core::provider::CredentialRef;
    for (rest, words) in [
        ("data:\n  a: hunter2!\n", "`data.a` is not base64"),
        ("stringData:\n  a: hunter2\nsops: {mac: x}\n", "is encrypted by sops"),
    ] {
        let manifests = read(&[("a.yaml", &(object("Secret", "s") + rest))], &["a.yaml"]).unwrap();
        let error = manifests.references.value(&CredentialRef::secret("s", "a"), "default").unwrap().unwrap_err();
        let text = secretsync_core::error::chain(&error);
        assert!(text.contains(words) && !text.contains("hunter2"), "{text}");
    }
}
