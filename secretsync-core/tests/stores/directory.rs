//! `DirectoryStore`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use secretsync_core::error::ErrorKind;
use secretsync_core::secret::Fingerprint;
use secretsync_core::store::{Applied, DirectoryStore, Holder, OwnerId, Removed, Store, TargetRef};
use secretsync_core::sync::CreationPolicy;
use tempfile::TempDir;

use crate::support::{Case, again_in, code, is_again, mode, names, picture, text};

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("out");
    (folder, root)
}

#[tokio::test]
async fn each_key_becomes_a_file_that_only_its_owner_reads() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    let case =
        Case::bytes("db", "db", [("password".to_owned(), b"\0\xff\n".to_vec()), ("empty".to_owned(), Vec::new())]);
    assert!(case.observe(&store).await.unwrap().is_none());
    assert!(!root.exists(), "looking creates nothing");
    assert_eq!(case.sync(&store).await.unwrap(), Applied::Created);
    assert_eq!(fs::read(root.join("shop/db/password")).unwrap(), b"\0\xff\n");
    assert_eq!(fs::read(root.join("shop/db/empty")).unwrap(), b"");
    for (path, wanted) in
        [("", 0o700), ("shop", 0o700), ("shop/db", 0o700), ("shop/db/password", 0o600), (".secretsync", 0o600)]
    {
        assert_eq!(mode(root.join(path)), wanted, "{path}");
    }
    let record = fs::read_to_string(root.join(".secretsync")).unwrap();
    assert!(record.starts_with("# Which keys secretsync wrote"), "{record}");
    assert_eq!(
        record.lines().last(),
        Some(r#"{"target":"shop/db","owner":"shop/db","owns":true,"keys":["empty","password"]}"#)
    );

    let present = case.observe(&DirectoryStore::new(&root)).await.unwrap().unwrap();
    assert_eq!((present.holder.clone(), present.intact, present.immutable), (Holder::Ours, true, false));
    assert_eq!(names(&present), ["empty", "password"]);
    assert_eq!(present.keys["password"].fingerprint, Some(Fingerprint::of_bytes(b"\0\xff\n")));
    assert!(present.keys["password"].owned);
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_a_change_writes_one_file() {
    let (_folder, root) = folder();
    Case::new("db", "db", &[("a", "1"), ("b", "2")]).sync(&DirectoryStore::new(&root)).await.unwrap();
    let before = picture(&root);
    let again = Case::new("db", "db", &[("a", "1"), ("b", "2")]);
    assert_eq!(again.sync(&DirectoryStore::new(&root)).await.unwrap(), Applied::Unchanged);
    assert_eq!(picture(&root), before);

    let changed = Case::new("db", "db", &[("a", "1"), ("b", "3")]);
    assert_eq!(changed.sync(&DirectoryStore::new(&root)).await.unwrap(), Applied::Updated);
    let after = picture(&root);
    let differing: Vec<_> =
        after.iter().filter(|(path, it)| before.get(*path) != Some(it)).map(|(path, _)| path.as_str()).collect();
    assert_eq!(differing, ["shop/db", "shop/db/b"]);
}

#[tokio::test]
async fn a_removed_key_takes_only_its_own_file_with_it() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    Case::new("db", "db", &[("a", "1"), ("b", "2")]).sync(&store).await.unwrap();
    fs::write(root.join("shop/db/mine"), "by hand").unwrap();
    fs::write(root.join("shop/note"), "by hand").unwrap();
    let smaller = Case::new("db", "db", &[("a", "1")]).removing(&["b", "mine", "never-was"]);
    assert_eq!(smaller.sync(&store).await.unwrap(), Applied::Updated);
    assert!(!root.join("shop/db/b").exists());
    assert_eq!(fs::read(root.join("shop/db/mine")).unwrap(), b"by hand");
    assert!(!fs::read_to_string(root.join(".secretsync")).unwrap().contains("\"b\""));

    let (target, owner) = (TargetRef::new("shop", "db"), OwnerId::new("shop", "db"));
    assert_eq!(store.remove(&target, &OwnerId::new("shop", "other")).await.unwrap_err().kind(), ErrorKind::NotOwned);
    assert_eq!(store.remove(&target, &owner).await.unwrap(), Removed::Removed);
    store.flush().await.unwrap();
    assert!(!root.join("shop/db/a").exists() && root.join("shop/db/mine").exists() && root.join("shop/note").exists());
    assert_eq!(store.remove(&target, &owner).await.unwrap(), Removed::AlreadyAbsent);
}

#[tokio::test]
async fn a_removed_target_leaves_no_empty_folders() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    Case::new("db", "db", &[("a", "1")]).sync(&store).await.unwrap();
    Case::new("web", "web", &[("a", "1")]).sync(&store).await.unwrap();
    for (name, left) in [("db", true), ("web", false)] {
        assert_eq!(
            store.remove(&TargetRef::new("shop", name), &OwnerId::new("shop", name)).await.unwrap(),
            Removed::Removed
        );
        assert_eq!(root.join("shop").exists(), left);
    }
    store.flush().await.unwrap();
    assert!(fs::read_to_string(root.join(".secretsync")).unwrap().lines().all(|line| line.starts_with('#')));
}

#[tokio::test]
async fn a_file_put_there_by_hand_is_adopted_when_its_key_is_wanted() {
    let (_folder, root) = folder();
    fs::create_dir_all(root.join("shop/db")).unwrap();
    fs::write(root.join("shop/db/a"), "by hand").unwrap();
    fs::write(root.join("shop/db/b"), "by hand").unwrap();
    let store = DirectoryStore::new(&root);
    let case = Case::new("db", "db", &[("a", "1")]);
    let present = case.observe(&store).await.unwrap().unwrap();
    assert_eq!((present.holder.clone(), names(&present)), (Holder::Nobody, vec![]));
    assert!(present.keys.values().all(|state| !state.removable), "files of others never go");
    assert_eq!(case.sync(&store).await.unwrap(), Applied::Updated);
    assert_eq!((fs::read(root.join("shop/db/a")).unwrap(), mode(root.join("shop/db/a"))), (b"1".to_vec(), 0o600));
    assert_eq!(fs::read(root.join("shop/db/b")).unwrap(), b"by hand");
}

#[tokio::test]
async fn open_modes_and_deleted_files_are_seen_and_repaired() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    let case = Case::new("db", "db", &[("a", "1"), ("b", "2")]);
    case.sync(&store).await.unwrap();
    fs::set_permissions(root.join("shop/db/a"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(root.join("shop/db/b")).unwrap();
    let present = case.observe(&store).await.unwrap().unwrap();
    assert_eq!((present.intact, names(&present)), (false, vec!["a"]));
    assert_eq!(case.sync(&store).await.unwrap(), Applied::Updated);
    assert_eq!(mode(root.join("shop/db/a")), 0o600);
    assert_eq!(fs::read(root.join("shop/db/b")).unwrap(), b"2");
    assert!(case.observe(&store).await.unwrap().unwrap().intact);
}

#[tokio::test]
async fn a_target_held_by_another_sync_is_refused_until_it_is_deleted() {
    let (_folder, root) = folder();
    Case::new("db", "first", &[("a", "1")]).sync(&DirectoryStore::new(&root)).await.unwrap();
    let store = DirectoryStore::new(&root);
    let second = Case::new("db", "second", &[("b", "2")]);
    let present = second.observe(&store).await.unwrap().unwrap();
    assert_eq!(
        (present.holder.clone(), names(&present)),
        (Holder::Other("ExternalSecret `shop/first`".into()), vec![])
    );
    for error in [store.admit(&second.write()).await.unwrap_err(), store.apply(&second.write()).await.unwrap_err()] {
        assert_eq!((error.kind(), code(&error)), (ErrorKind::NotOwned, "not-owned"));
        assert!(text(&error).ends_with("out/shop/db`: it belongs to ExternalSecret `shop/first`"), "{}", text(&error));
    }
    assert!(!root.join("shop/db/b").exists());
    fs::remove_dir_all(root.join("shop/db")).unwrap();
    assert!(second.observe(&store).await.unwrap().is_none());
    assert_eq!(second.sync(&store).await.unwrap(), Applied::Created);
}

#[tokio::test]
async fn several_syncs_merge_into_one_target_and_never_into_one_key() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    let merging = |owner: &str, key: &str| Case::new("db", owner, &[(key, owner)]).under(CreationPolicy::CreateOrMerge);
    merging("one", "a").sync(&store).await.unwrap();
    let two = merging("two", "b");
    assert_eq!(two.observe(&store).await.unwrap().unwrap().holder, Holder::Nobody);
    assert_eq!(two.sync(&store).await.unwrap(), Applied::Updated);
    let error = merging("three", "a").sync(&store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotOwned);
    assert!(
        text(&error).contains("key `a`") && text(&error).contains("shop/three") && text(&error).contains("shop/one"),
        "{error}"
    );
    assert_eq!(fs::read(root.join("shop/db/a")).unwrap(), b"one");
    assert_eq!(names(&two.observe(&store).await.unwrap().unwrap()), ["b"]);
    store.remove(&two.target, &two.owner).await.unwrap();
    assert!(root.join("shop/db/a").exists() && !root.join("shop/db/b").exists());
}

#[tokio::test]
async fn two_syncs_that_claim_one_key_are_found_before_anything_is_written() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    store.admit(&Case::new("db", "one", &[("a", "1")]).write()).await.unwrap();
    let error = store.admit(&Case::new("db", "two", &[("a", "2")]).write()).await.unwrap_err();
    assert!(text(&error).contains("ExternalSecret `shop/one`"), "{error}");
    store.admit(&Case::new("db", "one", &[]).write()).await.unwrap();
    store.admit(&Case::new("db", "two", &[("a", "2")]).write()).await.unwrap();
    assert!(!root.exists());
}

#[tokio::test]
async fn names_that_leave_the_folder_are_refused() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    for (namespace, name) in [
        ("..", "a"),
        ("a", ".."),
        ("", "a"),
        ("a", ""),
        ("a/b", "c"),
        ("a", "b/../../c"),
        ("a\0", "b"),
        ("a", "b\n"),
        (".secretsync", "a"),
        ("/etc", "a"),
    ] {
        let mut case = Case::new("x", "x", &[("k", "v")]);
        case.target = TargetRef::new(namespace, name);
        for error in [
            case.observe(&store).await.unwrap_err(),
            case.apply(&store).await.unwrap_err(),
            store.remove(&case.target, &case.owner).await.unwrap_err(),
        ] {
            assert_eq!(
                (error.kind(), code(&error)),
                (ErrorKind::InvalidConfig, "target-unwritable"),
                "{namespace:?} {name:?}"
            );
            assert!(!text(&error).contains(['\0', '\n']));
        }
    }
    assert!(!root.exists());
}

#[tokio::test]
async fn a_symbolic_link_below_the_root_is_refused_and_left_alone() {
    let (folder, root) = folder();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("db")).unwrap();
    fs::write(elsewhere.join("victim"), "untouched").unwrap();
    let links: [(&str, &Path); 4] = [
        ("shop", &elsewhere),
        ("shop/db", &elsewhere),
        ("shop/db/k", &elsewhere.join("victim")),
        (".secretsync", &elsewhere.join("victim")),
    ];
    for (place, aim) in links {
        fs::create_dir_all(root.join(place).parent().unwrap()).unwrap();
        symlink(aim, root.join(place)).unwrap();
        let store = DirectoryStore::new(&root);
        let case = Case::new("db", "db", &[("k", "v")]);
        for error in [store.admit(&case.write()).await.unwrap_err(), store.apply(&case.write()).await.unwrap_err()] {
            assert_eq!(code(&error), "target-unwritable");
            assert!(
                text(&error).contains(&format!("out/{place}`")) && text(&error).contains("a symbolic link"),
                "{}",
                text(&error)
            );
        }
        drop(store);
        assert_eq!(fs::read_link(root.join(place)).unwrap(), aim);
        assert_eq!(fs::read(elsewhere.join("victim")).unwrap(), b"untouched");
        assert_eq!(fs::read_dir(elsewhere.join("db")).unwrap().count(), 0, "{place}");
        fs::remove_dir_all(&root).unwrap();
    }
}

#[tokio::test]
async fn a_root_that_is_a_symbolic_link_is_refused_unless_a_slash_follows() {
    let (folder, root) = folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", &root).unwrap();
    let case = Case::new("db", "db", &[("k", "v")]);
    let error = case.sync(&DirectoryStore::new(&root)).await.unwrap_err();
    assert!(text(&error).contains("a symbolic link"), "{}", text(&error));
    assert_eq!(fs::read_dir(folder.path().join("real")).unwrap().count(), 0);
    case.sync(&DirectoryStore::new(format!("{}/", root.display()))).await.unwrap();
    assert_eq!(fs::read(folder.path().join("real/shop/db/k")).unwrap(), b"v");
}

#[tokio::test]
async fn a_folder_or_pipe_in_the_place_of_a_key_is_an_error_and_stays() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    Case::new("db", "db", &[("a", "1"), ("b", "2")]).sync(&store).await.unwrap();
    fs::remove_file(root.join("shop/db/b")).unwrap();
    for (make, word) in [("mkdir", "it is a folder"), ("mkfifo", "it is a pipe")] {
        assert!(std::process::Command::new(make).arg(root.join("shop/db/b")).status().unwrap().success());
        let before = picture(&root);
        let case = Case::new("db", "db", &[("a", "new"), ("b", "2")]);
        let removing = Case::new("db", "db", &[("a", "new")]).removing(&["b"]);
        for error in [
            case.observe(&store).await.unwrap_err(),
            case.apply(&store).await.unwrap_err(),
            removing.apply(&store).await.unwrap_err(),
            store.remove(&case.target, &case.owner).await.unwrap_err(),
        ] {
            assert!(text(&error).contains("shop/db/b`") && text(&error).contains(word), "{}", text(&error));
        }
        store.flush().await.unwrap();
        assert_eq!(picture(&root), before);
        fs::remove_dir(root.join("shop/db/b")).or_else(|_| fs::remove_file(root.join("shop/db/b"))).unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_run_left_is_finished_and_tidied_up() {
    let (_folder, root) = folder();
    // Killed between two files: noted, the folder made, one file renamed, another still under its temporary name, a line of the record cut off.
    fs::create_dir_all(root.join("shop/db")).unwrap();
    let record = "# head\n{\"target\":\"shop/db\",\"owner\":\"shop/db\",\"owns\":true,\"unfinished\":true,\"keys\":[\"a\",\"b\"]}\n{\"target\":\"sho";
    fs::write(root.join(".secretsync"), record).unwrap();
    fs::write(root.join("shop/db/a"), "1").unwrap();
    fs::write(root.join("shop/db/~secretsync.0123456789abcdef.0"), "half").unwrap();
    fs::write(root.join("~secretsync.0123456789abcdef.1"), "half").unwrap();
    let store = DirectoryStore::new(&root);
    let case = Case::new("db", "db", &[("b", "2")]).removing(&["a"]);
    let present = case.observe(&store).await.unwrap().unwrap();
    assert!(!present.finished, "a target that was never finished is written under every policy");
    assert_eq!(names(&present), ["a"], "what was written is known, so that it can go");
    assert_eq!(case.sync(&store).await.unwrap(), Applied::Created);
    let left: Vec<_> = picture(&root).into_keys().collect();
    assert_eq!(left, ["", ".secretsync", "shop", "shop/db", "shop/db/b"]);
    assert_eq!(names(&case.observe(&store).await.unwrap().unwrap()), ["b"]);
}

#[tokio::test]
async fn a_temporary_file_beside_finished_keys_is_tidied_up_too() {
    let (_folder, root) = folder();
    let case = Case::new("db", "db", &[("a", "1")]);
    case.sync(&DirectoryStore::new(&root)).await.unwrap();
    fs::write(root.join("shop/db/~secretsync.0123456789abcdef.7"), "half").unwrap();
    let store = DirectoryStore::new(&root);
    assert!(!case.observe(&store).await.unwrap().unwrap().intact, "so that a run that changes no value comes by");
    case.sync(&store).await.unwrap();
    assert_eq!(fs::read_dir(root.join("shop/db")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_killed_run_forgets_no_file() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    Case::new("db", "db", &[("a", "1")]).apply(&store).await.unwrap();
    Case::new("web", "web", &[("b", "2")]).apply(&store).await.unwrap();
    drop(store); // no flush
    let store = DirectoryStore::new(&root);
    store.remove(&TargetRef::new("shop", "db"), &OwnerId::new("shop", "db")).await.unwrap();
    store.remove(&TargetRef::new("shop", "web"), &OwnerId::new("shop", "web")).await.unwrap();
    assert!(!root.join("shop").exists());
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_nothing_is_deleted() {
    let (_folder, root) = folder();
    Case::new("db", "db", &[("a", "1"), ("b", "2")]).sync(&DirectoryStore::new(&root)).await.unwrap();
    fs::write(root.join(".secretsync"), "\u{1}\u{2}garbage\n").unwrap();
    let before = picture(&root);
    let store = DirectoryStore::new(&root);
    let case = Case::new("db", "db", &[("a", "new")]).removing(&["b"]);
    for error in [
        case.observe(&store).await.unwrap_err(),
        case.apply(&store).await.unwrap_err(),
        store.apply(&case.write()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(text(&error).contains(".secretsync`: line 1 is not what secretsync writes there"), "{}", text(&error));
    }
    store.flush().await.unwrap();
    assert_eq!(picture(&root), before);
}

#[tokio::test]
async fn only_one_run_writes_at_a_time() {
    let (_folder, root) = folder();
    let (one, two) = (DirectoryStore::new(&root), DirectoryStore::new(&root));
    Case::new("db", "db", &[("a", "1")]).apply(&one).await.unwrap();
    let other = Case::new("web", "web", &[("b", "2")]);
    let error = other.apply(&two).await.unwrap_err();
    assert!(text(&error).ends_with("out`: another run is writing there"), "{}", text(&error));
    one.flush().await.unwrap();
    other.sync(&two).await.unwrap();
    let record = fs::read_to_string(root.join(".secretsync")).unwrap();
    assert!(
        record.contains("shop/db") && record.contains("shop/web"),
        "the second run kept what the first had noted: {record}"
    );
}

#[tokio::test]
async fn ten_thousand_keys_are_written_and_known() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    let case =
        Case::bytes("big", "big", (0..10_000).map(|n| (format!("key-{n:05}"), format!("value {n}").into_bytes())));
    case.sync(&store).await.unwrap();
    assert_eq!(fs::read_dir(root.join("shop/big")).unwrap().count(), 10_000);
    let present = case.observe(&DirectoryStore::new(&root)).await.unwrap().unwrap();
    assert_eq!(present.keys.len(), 10_000);
    assert_eq!(present.keys["key-09999"].fingerprint, Some(Fingerprint::of_bytes(b"value 9999")));
    store.remove(&case.target, &case.owner).await.unwrap();
    assert!(!root.join("shop").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_targets_are_written_at_once() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    let runs = (0..50).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            Case::new(&format!("t{n}"), &format!("t{n}"), &[("a", "1"), ("b", "2")]).apply(&store).await.unwrap()
        })
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap(), Applied::Created);
    }
    store.flush().await.unwrap();
    let fresh = DirectoryStore::new(&root);
    for n in 0..50 {
        let case = Case::new(&format!("t{n}"), &format!("t{n}"), &[]);
        assert_eq!(names(&case.observe(&fresh).await.unwrap().unwrap()), ["a", "b"]);
    }
}

#[tokio::test]
async fn an_error_shows_the_path_and_the_reason_of_the_system() {
    let (folder, _root) = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = Case::new("db", "db", &[("a", "1")])
        .sync(&DirectoryStore::new(folder.path().join("file/out")))
        .await
        .unwrap_err();
    assert_eq!(code(&error), "target-unwritable");
    assert!(text(&error).contains("file/out`: Not a directory"), "{}", text(&error));
}

#[tokio::test]
async fn modes_are_the_same_under_any_umask() {
    if is_again() {
        Case::new("db", "db", &[("a", "1")]).sync(&DirectoryStore::new("out")).await.unwrap();
        return;
    }
    for umask in ["0000", "0777", "0177"] {
        let (folder, root) = folder();
        let ran =
            again_in(folder.path(), &format!("umask {umask}; exec"), "directory::modes_are_the_same_under_any_umask");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        for (path, wanted) in
            [("", 0o700), ("shop", 0o700), ("shop/db", 0o700), ("shop/db/a", 0o600), (".secretsync", 0o600)]
        {
            assert_eq!(mode(root.join(path)), wanted, "{path} under {umask}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_leaves_old_files_whole_and_the_next_run_finishes() {
    let case = || {
        let large = |letter: &str| letter.repeat(100_000).into_bytes();
        Case::bytes(
            "db",
            "db",
            [("a".to_owned(), b"new".to_vec()), ("b".to_owned(), large("x")), ("c".to_owned(), b"new".to_vec())],
        )
    };
    if is_again() {
        // A limit on the size of files stands for a disk that is full after the first of three.
        let error = case().sync(&DirectoryStore::new("out")).await.unwrap_err();
        assert!(text(&error).contains("out/shop/db/b`: File too large"), "{}", text(&error));
        return;
    }
    let (folder, root) = folder();
    Case::new("db", "db", &[("a", "old"), ("b", "old")]).sync(&DirectoryStore::new(&root)).await.unwrap();
    fs::write(root.join("shop/db/c"), "by hand").unwrap();
    let setup = "trap '' XFSZ; ulimit -f 20; exec";
    let ran = again_in(folder.path(), setup, "directory::a_full_disk_leaves_old_files_whole_and_the_next_run_finishes");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let contents: Vec<_> = picture(&root.join("shop/db"))
        .into_iter()
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, it)| (path, it.4))
        .collect();
    assert_eq!(
        contents,
        [("a".to_owned(), b"old".to_vec()), ("b".to_owned(), b"old".to_vec()), ("c".to_owned(), b"by hand".to_vec())]
    );
    let store = DirectoryStore::new(&root);
    assert_eq!(
        names(&case().observe(&store).await.unwrap().unwrap()),
        ["a", "b"],
        "a file that was not written yet is not ours yet"
    );
    assert_eq!(case().sync(&store).await.unwrap(), Applied::Updated);
    assert_eq!(fs::read(root.join("shop/db/b")).unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named_with_the_reason() {
    if is_again() {
        let store = DirectoryStore::new("out");
        let error = Case::new("db", "db", &[("a", "new")]).sync(&store).await.unwrap_err();
        assert_eq!((error.kind(), code(&error)), (ErrorKind::PermissionDenied, "target-unwritable"));
        assert!(text(&error).contains("out/shop/db/a`: Permission denied"), "{}", text(&error));
        return;
    }
    let (folder, root) = folder();
    Case::new("db", "db", &[("a", "old")]).sync(&DirectoryStore::new(&root)).await.unwrap();
    fs::set_permissions(root.join("shop/db"), fs::Permissions::from_mode(0o500)).unwrap();
    let before = picture(&root);
    // Root may write everywhere, so the test gives that right away where it has it.
    let setup = "[ \"$(id -u)\" != 0 ] || drop='setpriv --bounding-set=-all --inh-caps=-all --'; exec $drop";
    let ran = again_in(folder.path(), setup, "directory::a_folder_that_cannot_be_written_is_named_with_the_reason");
    assert!(ran.status.success(), "{} {}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(picture(&root), before);
    fs::set_permissions(root.join("shop/db"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_change_of_policy_and_of_owner_is_noted_without_touching_files() {
    let (_folder, root) = folder();
    let store = DirectoryStore::new(&root);
    Case::new("db", "db", &[("a", "1")]).sync(&store).await.unwrap();
    let inode = picture(&root)["shop/db/a"].0;
    Case::new("db", "db", &[("a", "1")]).under(CreationPolicy::Orphan).sync(&store).await.unwrap();
    assert_eq!(picture(&root)["shop/db/a"].0, inode);
    let other = Case::new("db", "other", &[("b", "1")]).under(CreationPolicy::Merge);
    assert_eq!(other.sync(&store).await.unwrap(), Applied::Updated);
}
