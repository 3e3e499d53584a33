use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// A folder for a test, and a watch of a path in it that is told of nothing but events.
async fn watched(path: &str, make: impl FnOnce(&Path)) -> (tempfile::TempDir, PathWatch) {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let mut watch = PathWatch::new().with_rescan(LONGEST_RESCAN);
    watch.set([folder.path().join(path)]).await;
    (folder, watch)
}

/// Waits for a change. Ends the test where none comes in a minute.
async fn change(watch: &mut PathWatch) -> PathBuf {
    tokio::time::timeout(Duration::from_mins(1), watch.changed()).await.expect("the change went unnoticed")
}

fn file(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Puts a file in the place of another one, as editors do.
fn replace(folder: &Path, name: &str, text: &str) {
    file(folder, "new", text);
    fs::rename(folder.join("new"), folder.join(name)).unwrap();
}

/// What the kubelet does to a mounted `ConfigMap`: a new folder, a link to it that is exchanged, and the old folder is gone.
fn mount(folder: &Path, revision: &str, files: &[&str]) {
    let old = fs::read_link(folder.join("..data")).ok();
    for name in files {
        file(folder, &format!("..{revision}/{name}"), revision);
        if !folder.join(name).exists() {
            symlink(format!("..data/{name}"), folder.join(name)).unwrap();
        }
    }
    symlink(format!("..{revision}"), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(folder.join(old)).unwrap();
    }
}

#[tokio::test]
async fn files_that_are_written_replaced_or_removed_are_noticed() {
    let (folder, mut watch) = watched("a.yaml", |folder| file(folder, "a.yaml", "1")).await;
    let path = folder.path().join("a.yaml");
    file(folder.path(), "a.yaml", "2");
    assert_eq!(change(&mut watch).await, path);
    for _ in 0..3 {
        replace(folder.path(), "a.yaml", "3");
        assert_eq!(change(&mut watch).await, path);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(change(&mut watch).await, path);
    file(folder.path(), "a.yaml", "4");
    assert_eq!(change(&mut watch).await, path);
}

#[tokio::test]
async fn everything_below_a_folder_is_noticed_also_what_was_not_there_before() {
    let (folder, mut watch) = watched("docs", |folder| file(folder, "docs/a.yaml", "1")).await;
    for step in ["docs/b.yaml", "docs/x/c.yaml", "docs/x/y/d.yaml", "docs/x/c.yaml", "docs/x/y/d.yaml"] {
        file(folder.path(), step, "more");
        assert_eq!(change(&mut watch).await, folder.path().join("docs"), "{step}");
    }
    fs::remove_dir_all(folder.path().join("docs/x")).unwrap();
    change(&mut watch).await;
    // The same name again, and perhaps the same number of the file system.
    for _ in 0..3 {
        fs::remove_dir_all(folder.path().join("docs")).unwrap();
        file(folder.path(), "docs/a.yaml", "again");
        change(&mut watch).await;
        file(folder.path(), "docs/a.yaml", "and again");
        change(&mut watch).await;
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_yet_is_noticed_when_it_comes() {
    let (folder, mut watch) = watched("a/b/c", |_| ()).await;
    file(folder.path(), "a/b/c/d.yaml", "1");
    change(&mut watch).await;
    file(folder.path(), "a/b/c/d.yaml", "22");
    change(&mut watch).await;
}

#[tokio::test]
async fn a_mounted_config_map_is_noticed_as_a_folder_and_as_a_file() {
    for path in ["mount", "mount/a.yaml"] {
        let make = |folder: &Path| mount(&folder.join("mount"), "1", &["a.yaml", "b.yaml"]);
        let (folder, mut watch) = watched(path, make).await;
        for revision in ["2", "3", "4"] {
            mount(&folder.path().join("mount"), revision, &["a.yaml", "b.yaml"]);
            assert_eq!(change(&mut watch).await, folder.path().join(path));
            // The exchange and the removal of the old folder may be seen one after the other.
            while tokio::time::timeout(Duration::from_millis(300), watch.changed()).await.is_ok() {}
        }
    }
}

#[tokio::test]
async fn a_checkout_behind_a_link_is_noticed_when_the_link_moves() {
    let make = |folder: &Path| {
        file(folder, "revisions/1/docs/a.yaml", "1");
        file(folder, "revisions/2/docs/a.yaml", "2");
        symlink("revisions/1", folder.join("current")).unwrap();
    };
    let (folder, mut watch) = watched("current/docs", make).await;
    symlink("revisions/2", folder.path().join("next")).unwrap();
    fs::rename(folder.path().join("next"), folder.path().join("current")).unwrap();
    change(&mut watch).await;
    file(folder.path(), "revisions/2/docs/a.yaml", "in place");
    change(&mut watch).await;
}

#[tokio::test(start_paused = true)]
async fn what_no_event_tells_is_seen_by_the_slow_look_and_reading_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "docs/a.yaml", "1");
    let mut watch = PathWatch::new();
    watch.set([folder.path().join("docs")]).await;
    fs::read(folder.path().join("docs/a.yaml")).unwrap();
    fs::read_dir(folder.path().join("docs")).unwrap().for_each(drop);
    assert!(tokio::time::timeout(RESCAN * 10, watch.changed()).await.is_err(), "nothing changed");
    // A watcher that tells nothing, as on a network file system.
    lock(&watch.eyes).deafen();
    file(folder.path(), "docs/a.yaml", "2");
    let noticed = tokio::time::timeout(RESCAN * 2, watch.changed()).await;
    assert_eq!(noticed.unwrap(), folder.path().join("docs"));
}

#[tokio::test]
async fn only_the_path_that_changed_is_told_and_the_set_can_change() {
    let (folder, mut watch) = watched("a", |folder| file(folder, "a", "1")).await;
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    file(folder.path(), "b", "1");
    watch.set([a.clone(), b.clone()]).await;
    file(folder.path(), "b", "2");
    assert_eq!(change(&mut watch).await, b);
    // A change while the set is changed is not lost, and what is no longer watched is not told.
    file(folder.path(), "a", "2");
    file(folder.path(), "b", "3");
    watch.set([a.clone()]).await;
    assert_eq!(change(&mut watch).await, a);
    assert!(watch.changed.is_empty());
    watch.set([]).await;
    assert!(lock(&watch.eyes).is_closed());
}

#[tokio::test]
async fn hostile_folders_are_looked_at_with_bounds() {
    let make = |folder: &Path| {
        file(folder, "docs/a.yaml", "1");
        symlink("loop", folder.join("docs/loop")).unwrap();
        symlink("..", folder.join("docs/up")).unwrap();
        symlink("/", folder.join("docs/root")).unwrap();
        symlink("self", folder.join("self")).unwrap();
        fs::create_dir_all(folder.join(format!("docs/{}", "d/".repeat(100)))).unwrap();
    };
    let (folder, mut watch) = watched("docs", make).await;
    assert!(lock(&watch.eyes).watched() <= 20);
    watch.set([folder.path().join("self/x")]).await;
    assert_eq!(lock(&watch.eyes).watched(), 1);
}
