//! `EnvFileStore`, read back by a real `sh`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use secretsync_core::error::ErrorKind;
use secretsync_core::secret::Fingerprint;
use secretsync_core::store::{Applied, EnvFileStore, Holder, OwnerId, Removed, Store, TargetRef};
use secretsync_core::sync::CreationPolicy;
use tempfile::TempDir;

use crate::support::{Case, again_in, code, is_again, mode, names, text};

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    (folder, path)
}

/// The variables as a program sees them that `sh` starts after it has read the file.
fn read_by_sh(path: &Path, names: &[&str]) -> Vec<Vec<u8>> {
    let script = "set -a; . \"$0\" || exit 9; for name; do printenv -0 \"$name\" || exit 8; done";
    let ran = Command::new("sh").arg("-euc").arg(script).arg(path).args(names).env("IGNORED", "x").output().unwrap();
    assert!(ran.status.success(), "{:?} {}", ran.status, String::from_utf8_lossy(&ran.stderr));
    ran.stdout.split(|byte| *byte == 0).take(names.len()).map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn sh_reads_every_value_as_it_is() {
    let (_folder, path) = file();
    let values = [
        "",
        "plain",
        " a b ",
        "it's",
        "\"x\"",
        "it's \"x\"",
        "$HOME ${HOME} $(id) `id`",
        "'$x'",
        "a\\",
        "\\n",
        "#",
        "a\nb\n",
        "ü😀",
        "\r\n",
        "~",
        "!",
        "'\n\"\\`$",
    ];
    let keys: Vec<_> = (0..values.len()).map(|n| format!("KEY_{n}")).collect();
    let data: Vec<_> = keys.iter().zip(values).map(|(key, value)| (key.as_str(), value)).collect();
    let case = Case::new("db", "db", &data);
    assert_eq!(case.sync(&EnvFileStore::new(&path)).await.unwrap(), Applied::Created);
    let names: Vec<_> = keys.iter().map(String::as_str).collect();
    assert_eq!(read_by_sh(&path, &names), values.map(|value| value.as_bytes().to_vec()));
    assert_eq!(mode(&path), 0o600);
    let present = case.observe(&EnvFileStore::new(&path)).await.unwrap().unwrap();
    assert_eq!((present.holder.clone(), present.intact), (Holder::Ours, true));
    for (key, value) in data {
        assert_eq!(present.keys[key].fingerprint, Some(Fingerprint::of_bytes(value.as_bytes())), "{key}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sh_reads_any_value_as_it_is(values in prop::collection::vec(prop_oneof!["[^\0]{0,30}", "[-a'\"\\\\$`{}() \n\r#!~=;&|<>*?]{0,20}"], 1..40)) {
        let (_folder, path) = file();
        let keys: Vec<_> = (0..values.len()).map(|n| format!("K{n}")).collect();
        let case = Case::bytes("db", "db", keys.iter().cloned().zip(values.iter().map(|value| value.as_bytes().to_vec())));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(case.sync(&EnvFileStore::new(&path))).unwrap();
        let names: Vec<_> = keys.iter().map(String::as_str).collect();
        let wanted: Vec<_> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        prop_assert_eq!(read_by_sh(&path, &names), wanted);
        prop_assert_eq!(runtime.block_on(case.sync(&EnvFileStore::new(&path))).unwrap(), Applied::Unchanged);
    }
}

#[tokio::test]
async fn sections_and_lines_of_the_user_keep_their_places() {
    let (_folder, path) = file();
    fs::write(&path, "# mine\nMINE=1\n").unwrap();
    let store = EnvFileStore::new(&path);
    let (b, a) = (
        Case::new("b", "b", &[("B", "2"), ("C", "x y")]),
        Case::new("a", "a", &[("A", "1")]).under(CreationPolicy::Merge),
    );
    b.apply(&store).await.unwrap();
    a.apply(&store).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\nMINE=1\n", "nothing is written before the flush");
    store.flush().await.unwrap();
    fs::write(&path, fs::read_to_string(&path).unwrap() + "LAST=it's").unwrap();
    let remark = "(replaced at each sync, up to <<<)";
    let expected = format!(
        "# mine\nMINE=1\n# >>> secretsync shop/a shares shop/a {remark}\nA=1\n# <<< secretsync shop/a\n\
         # >>> secretsync shop/b owns shop/b {remark}\nB=2\nC='x y'\n# <<< secretsync shop/b\nLAST=it's"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);

    let store = EnvFileStore::new(&path);
    assert_eq!(
        Case::new("a", "a", &[("A2", "3")]).removing(&["A"]).under(CreationPolicy::Merge).sync(&store).await.unwrap(),
        Applied::Updated
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), expected.replace("A=1", "A2=3"));
    assert_eq!(store.remove(&b.target, &b.owner).await.unwrap(), Removed::Removed);
    store.flush().await.unwrap();
    let left = fs::read_to_string(&path).unwrap();
    assert!(!left.contains("shop/b") && left.starts_with("# mine\nMINE=1\n") && left.ends_with("LAST=it's"), "{left}");
    assert_eq!(store.remove(&b.target, &b.owner).await.unwrap(), Removed::AlreadyAbsent);
}

#[tokio::test]
async fn a_second_run_writes_nothing() {
    let (_folder, path) = file();
    let case = Case::new("db", "db", &[("A", "1"), ("B", "it's")]);
    case.sync(&EnvFileStore::new(&path)).await.unwrap();
    let stat =
        || fs::metadata(&path).map(|stat| (stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.ctime_nsec())).unwrap();
    let before = stat();
    assert_eq!(case.sync(&EnvFileStore::new(&path)).await.unwrap(), Applied::Unchanged);
    assert_eq!(stat(), before);
    EnvFileStore::new(&path).flush().await.unwrap();
    assert_eq!(stat(), before);
}

#[tokio::test]
async fn a_key_that_is_no_variable_fails_and_nothing_is_written() {
    for key in ["tls.crt", "a-b", "1A", "."] {
        let (_folder, path) = file();
        fs::write(&path, "MINE=1\n").unwrap();
        let store = EnvFileStore::new(&path);
        Case::new("good", "good", &[("A", "1")]).apply(&store).await.unwrap();
        let Ok(key) = secretsync_core::secret::SecretKey::new(key) else { continue };
        let error = Case::new("bad", "bad", &[(key.as_str(), "1")]).apply(&store).await.unwrap_err();
        assert_eq!((error.kind(), code(&error)), (ErrorKind::InvalidConfig, "env-key-invalid"));
        assert!(text(&error).contains(&format!("key `{key}` of ExternalSecret `shop/bad`")), "{error}");
        assert_eq!(code(&store.flush().await.unwrap_err()), "env-key-invalid");
        assert_eq!(fs::read_to_string(&path).unwrap(), "MINE=1\n");
    }
}

#[tokio::test]
async fn a_variable_of_two_syncs_fails_names_both_and_writes_nothing() {
    let (_folder, path) = file();
    let store = EnvFileStore::new(&path);
    Case::new("one", "one", &[("A", "1"), ("B", "1")]).apply(&store).await.unwrap();
    Case::new("two", "two", &[("B", "2")]).apply(&store).await.unwrap();
    let error = store.flush().await.unwrap_err();
    assert_eq!(code(&error), "env-key-conflict");
    for word in ["`B`", "`shop/one`", "`shop/two`"] {
        assert!(text(&error).contains(word), "{error}");
    }
    assert!(!path.exists());
    // The next round of the same process, with the manifest mended.
    drop(store.begin().await);
    Case::new("two", "two", &[("C", "2")]).apply(&store).await.unwrap();
    Case::new("one", "one", &[("A", "1"), ("B", "1")]).apply(&store).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(read_by_sh(&path, &["A", "B", "C"]), [b"1", b"1", b"2"]);
}

#[tokio::test]
async fn a_variable_that_an_earlier_sync_or_the_user_gives_is_refused() {
    let (_folder, path) = file();
    fs::write(&path, "# x\nexport MINE='a\nb'\n").unwrap();
    Case::new("gone", "gone", &[("A", "1")]).sync(&EnvFileStore::new(&path)).await.unwrap();
    let before = fs::read(&path).unwrap();
    let store = EnvFileStore::new(&path);
    let error = Case::new("db", "db", &[("MINE", "2")]).apply(&store).await.unwrap_err();
    assert_eq!(code(&error), "env-key-conflict");
    assert!(text(&error).contains("line 2 of the file"), "{error}");
    assert_eq!(code(&store.flush().await.unwrap_err()), "env-key-conflict");

    let store = EnvFileStore::new(&path);
    Case::new("db", "db", &[("A", "2")]).apply(&store).await.unwrap();
    let error = store.flush().await.unwrap_err();
    assert!(
        code(&error) == "env-key-conflict"
            && text(&error).contains("`shop/db`")
            && text(&error).contains("`shop/gone`"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    // A key that moves from one sync to another in one run is none.
    Case::new("db", "db", &[("A", "2")]).apply(&store).await.unwrap();
    Case::new("gone", "gone", &[("Z", "2")]).removing(&["A"]).apply(&store).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(read_by_sh(&path, &["A", "Z"]), [b"2", b"2"]);
}

#[tokio::test]
async fn a_sync_whose_target_was_renamed_keeps_its_variables() {
    let (_folder, path) = file();
    Case::new("old", "db", &[("A", "1")]).sync(&EnvFileStore::new(&path)).await.unwrap();
    Case::new("new", "db", &[("A", "2")]).sync(&EnvFileStore::new(&path)).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("shop/old") && text.matches("A=").count() == 1, "{text}");
    assert_eq!(read_by_sh(&path, &["A"]), [b"2"]);
}

#[tokio::test]
async fn a_sync_that_fails_keeps_its_section() {
    let (_folder, path) = file();
    Case::new("db", "db", &[("A", "1")]).sync(&EnvFileStore::new(&path)).await.unwrap();
    let store = EnvFileStore::new(&path);
    for (value, flaw) in [(&b"a\0b"[..], "NUL byte"), (b"\xff", "not UTF-8")] {
        let case = Case::bytes("db", "db", [("A".to_owned(), value.to_vec())]);
        for error in [store.admit(&case.write()).await.unwrap_err(), store.apply(&case.write()).await.unwrap_err()] {
            assert_eq!((error.kind(), code(&error)), (ErrorKind::InvalidData, "data-invalid"));
            assert!(
                text(&error).contains("key `A` of ExternalSecret `shop/db`") && text(&error).contains(flaw),
                "{error}"
            );
        }
    }
    Case::new("web", "web", &[("B", "2")]).sync(&store).await.unwrap();
    assert_eq!(read_by_sh(&path, &["A", "B"]), [b"1", b"2"]);
}

#[tokio::test]
async fn a_target_held_by_another_sync_is_refused_and_stops_no_others() {
    let (_folder, path) = file();
    let store = EnvFileStore::new(&path);
    Case::new("db", "one", &[("A", "1")]).sync(&store).await.unwrap();
    let second = Case::new("db", "two", &[("B", "2")]);
    assert_eq!(
        second.observe(&store).await.unwrap().unwrap().holder,
        Holder::Other("ExternalSecret `shop/one`".into())
    );
    assert_eq!(second.apply(&store).await.unwrap_err().kind(), ErrorKind::NotOwned);
    assert_eq!(
        store.remove(&TargetRef::new("shop", "db"), &OwnerId::new("shop", "two")).await.unwrap_err().kind(),
        ErrorKind::NotOwned
    );
    Case::new("web", "web", &[("C", "3")]).sync(&store).await.unwrap();
    assert_eq!(read_by_sh(&path, &["A", "C"]), [b"1", b"3"]);
}

#[tokio::test]
async fn edits_and_open_modes_are_seen_and_repaired() {
    let (_folder, path) = file();
    let store = EnvFileStore::new(&path);
    let case = Case::new("db", "db", &[("A", "1"), ("B", "2")]);
    case.sync(&store).await.unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(!case.observe(&store).await.unwrap().unwrap().intact);
    assert_eq!(case.sync(&store).await.unwrap(), Applied::Updated);
    assert_eq!(mode(&path), 0o600);
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("A=1", "A=1 2")).unwrap();
    let present = case.observe(&store).await.unwrap().unwrap();
    assert_eq!((present.intact, names(&present)), (false, vec!["A", "B"]));
    case.sync(&store).await.unwrap();
    assert_eq!(read_by_sh(&path, &["A", "B"]), [b"1", b"2"]);
}

#[tokio::test]
async fn what_is_no_env_file_is_refused_and_left_alone() {
    let (folder, path) = file();
    let case = Case::new("db", "db", &[("A", "1")]);
    fs::write(folder.path().join("victim"), "X=1\n").unwrap();
    symlink("victim", &path).unwrap();
    let error = case.apply(&EnvFileStore::new(&path)).await.unwrap_err();
    assert!(code(&error) == "target-unwritable" && text(&error).contains("a symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("victim")).unwrap(), "X=1\n");
    for (content, word) in
        [(&b"A=\xff\n"[..], "line 1: the file is not UTF-8"), (b"X=1\n# >>> secretsync a/b owns c/d\n", "line 2: ")]
    {
        fs::remove_file(&path).unwrap();
        fs::write(&path, content).unwrap();
        let store = EnvFileStore::new(&path);
        for error in [case.observe(&store).await.unwrap_err(), case.apply(&store).await.unwrap_err()] {
            assert!(error.kind() == ErrorKind::InvalidData && text(&error).contains(word), "{error}");
        }
        store.flush().await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    let error = case.sync(&EnvFileStore::new(folder.path().join("missing/.env"))).await.unwrap_err();
    assert!(
        code(&error) == "target-unwritable" && text(&error).contains("missing/.env`: No such file"),
        "{}",
        text(&error)
    );
}

#[tokio::test]
async fn names_that_could_end_a_comment_are_refused() {
    let (_folder, path) = file();
    let store = EnvFileStore::new(&path);
    for name in ["a\nB=evil", "a b", "", "a/b"] {
        let error = Case::new(name, "db", &[("A", "1")]).apply(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{name:?}");
    }
    store.flush().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn temporary_files_of_killed_runs_go_and_those_of_other_files_stay() {
    let (folder, path) = file();
    for name in [".env~secretsync.0123456789abcdef.0", "other~secretsync.0123456789abcdef.0"] {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    Case::new("db", "db", &[("A", "1")]).sync(&EnvFileStore::new(&path)).await.unwrap();
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".env", "other~secretsync.0123456789abcdef.0"]);
}

#[tokio::test]
async fn a_full_disk_leaves_the_file_whole() {
    if is_again() {
        let store = EnvFileStore::new(".env");
        let error = Case::new("db", "db", &[("A", &"x".repeat(100_000))]).sync(&store).await.unwrap_err();
        assert!(text(&error).contains(".env`: File too large"), "{}", text(&error));
        return;
    }
    let (folder, path) = file();
    Case::new("db", "db", &[("A", "1")]).sync(&EnvFileStore::new(&path)).await.unwrap();
    let before = fs::read(&path).unwrap();
    let ran = again_in(
        folder.path(),
        "trap '' XFSZ; umask 0; ulimit -f 20; exec",
        "env_file::a_full_disk_leaves_the_file_whole",
    );
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the file and the mark of this test");
}

#[tokio::test]
async fn ten_thousand_variables_are_written_and_known() {
    let (_folder, path) = file();
    let case =
        Case::bytes("big", "big", (0..10_000).map(|n| (format!("KEY_{n:05}"), format!("it's {n}").into_bytes())));
    case.sync(&EnvFileStore::new(&path)).await.unwrap();
    assert_eq!(read_by_sh(&path, &["KEY_09999"]), [b"it's 9999"]);
    assert_eq!(case.observe(&EnvFileStore::new(&path)).await.unwrap().unwrap().keys.len(), 10_000);
    assert_eq!(case.sync(&EnvFileStore::new(&path)).await.unwrap(), Applied::Unchanged);
}
