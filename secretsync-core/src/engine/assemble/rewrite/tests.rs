use super::*;
use crate::error::chain;
use crate::sync::{Merge, MergeConflict, MergeResult};

fn map(pairs: &[(&str, &str)]) -> Keyed {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), SecretValue::from(*value))).collect()
}

fn changed(rewrites: &[Rewrite], pairs: &[(&str, &str)]) -> Vec<String> {
    let text = |value: &SecretValue| value.expose_str().unwrap().to_owned();
    let result = rewrite(rewrites, map(pairs)).unwrap_or_else(|error| panic!("{}", chain(&error)));
    result.iter().map(|(key, value)| format!("{key}={}", text(value))).collect()
}

fn refused(rewrites: &[Rewrite], pairs: &[(&str, &str)]) -> String {
    let error = rewrite(rewrites, map(pairs)).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.code() == Code::RewriteFailed));
    let text = chain(&error);
    assert!(!format!("{error:?}").contains("hunter2"), "{text}");
    text.strip_prefix("failed to apply rewrite to keys: failed rewrite operation").unwrap().to_owned()
}

fn regexp(source: &str, target: &str) -> Rewrite {
    Rewrite::Regexp { source: source.to_owned(), target: target.to_owned() }
}

fn transform(template: &str) -> Rewrite {
    Rewrite::Transform { template: template.to_owned() }
}

#[test]
fn a_pattern_changes_the_keys_that_it_matches() {
    for (source, target, expected) in [
        ("^db/", "", ["user=1", "db-pin=2", "x/y=3"]),
        ("(.*)", "my_$1", ["my_db/user=1", "my_db-pin=2", "my_x/y=3"]),
        ("(?P<first>[a-z]+)/([a-z]+)", "${2}_${first}", ["user_db=1", "db-pin=2", "y_x=3"]),
        ("[^a-z]", "_", ["db_user=1", "db_pin=2", "x_y=3"]),
        ("b", "$1x$$", ["d$/user=1", "d$-pin=2", "x/y=3"]),
        ("nothing", "x", ["db/user=1", "db-pin=2", "x/y=3"]),
    ] {
        let pairs = [("db/user", "1"), ("db-pin", "2"), ("x/y", "3")];
        assert_eq!(changed(&[regexp(source, target)], &pairs), expected, "{source}");
    }
}

#[test]
fn changes_follow_each_other_and_the_later_of_equal_keys_wins() {
    let rewrites = [regexp("^a/", ""), transform("{{ .value | upper }}"), regexp("^(.)", "K_$1")];
    assert_eq!(changed(&rewrites, &[("a/x", "1"), ("y", "2")]), ["K_X=1", "K_Y=2"]);
    assert_eq!(changed(&[regexp(".", "k")], &[("b", "1"), ("a", "2")]), ["k=2"]);
    assert_eq!(changed(&[], &[("a/x", "1")]), ["a/x=1"]);
}

#[test]
fn a_template_knows_the_key_and_prints_what_it_does_not_know() {
    assert_eq!(changed(&[transform("{{ .value | replace \"/\" \".\" }}")], &[("a/b", "1")]), ["a.b=1"]);
    assert_eq!(changed(&[transform("x{{ .nope }}-{{ .value }}")], &[("key", "1")]), ["x<no value>-key=1"]);
    assert_eq!(changed(&[transform("{{ .value | }}")], &[("key", "1")]), ["key=1"]);
}

#[test]
fn merged_members_take_the_place_of_all_keys() {
    let pairs = [("b", r#"{"x": 1.50, "y": "t"}"#), ("a", r#"{"z": {"k": ["<"]}, "n": null}"#), ("c", "null")];
    assert_eq!(changed(&[Rewrite::Merge(Merge::new())], &pairs), [r#"z={"k":["\u003c"]}"#, "n=", "x=1.50", "y=t"]);
}

#[test]
fn of_equal_members_the_last_in_order_of_priority_and_bytes_wins() {
    let pairs = [("a", r#"{"k": "a"}"#), ("c", r#"{"k": "c"}"#), ("b", r#"{"k": "b"}"#)];
    let winner = |priority: &[&str]| {
        let keys = priority.iter().map(|&key| key.to_owned()).collect();
        let rule = Merge::new().with_conflicts(MergeConflict::LaterWins).with_priority(keys, true);
        changed(&[Rewrite::Merge(rule)], &pairs).concat()
    };
    assert_eq!(winner(&[]), "k=c");
    assert_eq!(winner(&["a"]), "k=a");
    assert_eq!(winner(&["c", "b"]), "k=b");
    assert_eq!(winner(&["nope", "a", "nope"]), "k=a");
}

#[test]
fn a_merged_object_can_become_one_key_beside_the_others() {
    let into = |key: &str| Rewrite::Merge(Merge::new().with_result(MergeResult::Key(key.to_owned())));
    let pairs = [("b", r#"{"y": 2}"#), ("a", r#"{"x": "1"}"#)];
    assert_eq!(changed(&[into("all")], &pairs), [r#"b={"y": 2}"#, r#"a={"x": "1"}"#, r#"all={"x":"1","y":2}"#]);
    assert_eq!(refused(&[into("")], &pairs), "[0]: merge failed with missing 'into' field");
}

#[test]
fn refusals_name_the_operation_and_never_a_value() {
    let merge = Rewrite::Merge(Merge::new());
    let strict = Rewrite::Merge(Merge::new().with_priority(vec!["nope".to_owned()], false));
    let value = [("k", "hunter2")];
    let objects = [("a", r#"{"x": "hunter2", "y": 1}"#), ("b", r#"{"y": "hunter2", "x": 1}"#)];
    for (rewrites, pairs, expected) in [
        (
            vec![regexp("b", "c"), regexp("a(", "x")],
            &value[..],
            "[1]: regexp failed with failed to compile: error parsing regexp: missing closing ): `a(`",
        ),
        (
            vec![merge.clone()],
            &value,
            "[0]: merge failed with failed to unmarshal JSON: the value of key `k` is no JSON object",
        ),
        (vec![merge], &objects, "[0]: merge failed with conflicts: x, y"),
        (vec![strict], &objects, "[0]: merge failed with key \"nope\" not found in input map"),
    ] {
        assert_eq!(refused(&rewrites, pairs), expected);
    }
    assert!(
        refused(&[transform("{{ .value")], &value).starts_with("[0]: transform failed with failed to parse template: ")
    );
    assert!(
        refused(&[transform("{{ fail \"no\" }}")], &value)
            .starts_with("[0]: transform failed with failed to execute template: ")
    );
    assert_eq!(refused(&[transform("{{ b64dec \"/w==\" }}")], &value), "[0]: the result of a template is not UTF-8");
}

#[test]
fn keys_that_grow_without_end_are_refused() {
    let doubling = vec![regexp("(.+)", "$1$1"); 64];
    assert!(refused(&doubling, &[("k", "v")]).contains("longer than 4096 bytes"));
    assert!(refused(&[regexp("k", &"x".repeat(5000))], &[("k", "v")]).contains("longer than 4096 bytes"));
    assert!(refused(&[transform("{{ repeat 5000 .value }}")], &[("k", "v")]).contains("longer than 4096 bytes"));
    assert!(refused(&[regexp("z", "y")], &[(&"k".repeat(5000), "v")]).contains("longer than 4096 bytes"));
    assert_eq!(refused(&vec![regexp("a", "b"); 101], &[("k", "v")]), "[100]: an entry has at most 100 rewrites");
}
