//! Property paths: the path language of gjson, as manifests use it in `property`.
//!
//! A path is read while it is followed, because the same text means one thing in an object and another in a list. So
//! there is no parsed form and no wrong path: what cannot be followed leads to nothing. Likewise JSON is not checked.
//! Where gjson would cut a text short (at a raw line break or an unknown escape inside a string), the whole text comes
//! out.

use thiserror::Error;
use zeroize::Zeroizing;

use self::eval::Evaluator;

mod eval;
mod modifier;
mod multi;
mod part;
mod pretty;
mod query;
mod scan;
mod value;

/// How often parts of a path, queries and modifiers may enclose each other.
const MAX_DEPTH: usize = 128;
/// How many bytes of JSON one path may look at, counted each time.
const MAX_SCANNED: usize = 256 << 20;
/// How many bytes of JSON one path may make.
const MAX_WRITTEN: usize = 32 << 20;

/// Why a path was given up. Says nothing about the data.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub(crate) enum PathError {
    /// The path would have looked at or made more JSON than any honest one.
    #[error("the property path takes too much work")]
    TooCostly,
    /// The path, or the data under it, is nested too deep.
    #[error("the property path leads deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Follows `path` through the JSON text `json`; returns the bytes found, or none if the path leads to nothing.
///
/// A text is unquoted, an integer keeps its digits, any other number becomes the shortest digits without exponent, a
/// list or object keeps its source text, and JSON null is found and empty. Of repeated keys the first is taken.
///
/// # Errors
///
/// [`PathError`] if a limit is reached: never an answer that was cut short.
pub(crate) fn evaluate(json: &[u8], path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, PathError> {
    let value = Evaluator::new(MAX_SCANNED, MAX_WRITTEN).get(json, path.as_bytes())?;
    Ok(value.exists().then(|| value.text()))
}

/// Escapes every dot, so that the path means one key that contains them.
pub(crate) fn escape_dots(path: &str) -> String {
    path.replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_oneof, proptest};
    use proptest::strategy::Strategy;

    use super::*;

    fn found(json: &str, path: &str) -> Option<String> {
        let value = evaluate(json.as_bytes(), path).unwrap();
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    /// One text a line; its answers were given by gjson 1.18.0, null where the path leads to nothing.
    #[test]
    fn paths_lead_where_gjson_leads() {
        let mut count = 0;
        for line in include_str!("../../../tests/path.jsonl").lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let json = case["json"].as_str().unwrap();
            for (path, answer) in case["answers"].as_object().unwrap() {
                assert_eq!(found(json, path).as_deref(), answer.as_str(), "path {path} in {json}");
                count += 1;
            }
        }
        assert!(count > 300, "only {count} answers");
    }

    #[test]
    fn escaped_dots_mean_one_key() {
        let json = r#"{"a.b.c":1,"a":{"b":{"c":2}}}"#;
        assert_eq!(found(json, &escape_dots("a.b.c")).unwrap(), "1");
        assert_eq!(found(json, "a.b.c").unwrap(), "2");
    }

    #[test]
    fn texts_are_never_cut_short() {
        let broken = "{\"raw\":\"a\\tb\nc\",\"odd\":\"a\\qb\\u12\"}";
        assert_eq!(found(broken, "raw").unwrap(), "a\tb\nc");
        assert_eq!(found(broken, "odd").unwrap(), "a\\qb\\u12");
    }

    #[test]
    fn an_index_too_large_to_exist_is_no_index() {
        assert_eq!(found("[1,2]", "18446744073709551616"), None);
    }

    #[test]
    fn bytes_that_are_not_utf8_come_out_as_they_are() {
        let json = b"{\"a\":{\"b\":\"\xff\xfe\\n\"}}";
        assert_eq!(evaluate(json, "a.b").unwrap().unwrap()[..], *b"\xff\xfe\n");
        assert_eq!(evaluate(json, "a").unwrap().unwrap()[..], *b"{\"b\":\"\xff\xfe\\n\"}");
        assert_eq!(evaluate(json, "@this|a.b").unwrap().unwrap()[..], *b"\xff\xfe\n");
    }

    #[test]
    fn depth_is_limited_for_paths_and_for_data() {
        let deep = format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000));
        assert_eq!(found(&deep, &["a"; 100].join(".")).unwrap().len(), deep.len() - 600);
        let lists = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for (json, path) in [
            (&deep, ["a"; 500].join(".")),
            (&deep, ["*"; 500].join(".")),
            (&deep, "@dig:b".to_owned()),
            (&deep, "@pretty".to_owned()),
            (&lists, "@flatten:{\"deep\":true}".to_owned()),
            (&lists, "@pretty:{\"width\":1e9}".to_owned()),
            (&lists, "#.".repeat(500)),
            (&lists, format!("{}{}", "#(".repeat(500), ")".repeat(500))),
            (&lists, format!("{}{}", "[".repeat(500), "]".repeat(500))),
            (&lists, ["@this"; 500].join("|")),
        ] {
            assert_eq!(
                evaluate(json.as_bytes(), &path),
                Err(PathError::TooDeep),
                "for {}",
                &path[..20.min(path.len())]
            );
        }
        assert_eq!(found(&"[".repeat(1_000_000), "0").unwrap().len(), 999_999);
    }

    #[test]
    fn work_is_limited() {
        let costs_too_much = |json: &str, path: &str| {
            let value = Evaluator::new(4 << 20, 1 << 20).get(json.as_bytes(), path.as_bytes());
            matches!(value, Err(PathError::TooCostly))
        };
        let json = format!("[{}0]", "0,".repeat(5_000));
        let many = format!("{{{}\"z\":0}}", "\"a\":{},".repeat(1_000));
        let backtracking = format!("[\"{}\"]", "a".repeat(50_000));
        for (json, path) in [
            (&json, ["[@this,@this]"; 30].join("|")),
            (&json, format!("[{}0]", "#,".repeat(2_000))),
            (&json, ["@pretty"; 100].join("|")),
            (&json, ["@tostr"; 100].join("|")),
            (&many, format!("*.{}", "k".repeat(10_000))),
            (&backtracking, format!("#(%\"*{}b*c\")", "a".repeat(200))),
        ] {
            assert!(costs_too_much(json, &path), "for {}", &path[..20]);
        }
        assert!(!costs_too_much(&json, "[#,0,@reverse]"));
    }

    proptest! {
        #[test]
        fn no_path_and_no_text_make_the_evaluation_panic(
            json in prop_oneof![
                any::<Vec<u8>>(),
                pieces(r#"{ } [ ] " \ , : a 1 tr true null "a" {"a": [1, 1.5e3 é \n \u00e9"#).prop_map(String::into_bytes),
            ],
            path in prop_oneof![
                any::<String>(),
                pieces("a . | # ( ) [ ] { } @ ! \\ * ? \" : , == != < % ~ true 0 é @this @keys @flatten @pretty: @dig: @group @join: @values @ugly @tostr @fromstr @reverse @valid #( #["),
            ],
        ) {
            drop(evaluate(&json, &path));
        }
    }

    fn pieces(of: &'static str) -> impl Strategy<Value = String> {
        proptest::collection::vec(proptest::sample::select(of.split(' ').collect::<Vec<_>>()), 0..30)
            .prop_map(|pieces| pieces.concat())
    }
}
