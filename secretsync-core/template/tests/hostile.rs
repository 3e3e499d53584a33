//! Templates that want too much: each ends in an error that names the limit, on a stack of 2 MiB, in debug builds too.

use std::thread;

use proptest::prelude::*;
use secretsync_template::{Error, ErrorClass, Limits, Options, Template, Value};

/// Renders on a thread with the stack that async runtimes give their workers.
#[expect(clippy::unwrap_in_result, reason = "the error is the template's; a lost thread ends the test")]
fn render(text: String) -> Result<Vec<u8>, Error> {
    let worker = thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let data = Value::string_map([("secret".to_owned(), b"hunter2".to_vec())]);
        Template::parse("key", &text)?.render(&data)
    });
    worker.expect("a thread starts").join().expect("rendering does not panic")
}

fn assert_limit(text: impl Into<String>, limit: &str) {
    let error = render(text.into()).map(|output| output.len()).expect_err("must exceed a limit");
    assert_eq!((error.class(), error.limit()), (ErrorClass::Limit, Some(limit)), "{error}");
}

fn assert_execute(text: &str) {
    let error = render(text.to_owned()).expect_err("must fail");
    assert_eq!(error.class(), ErrorClass::Execute, "{error}");
}

fn nested(depth: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn nesting_ends_at_its_limit() {
    assert_limit(format!("{{{{{}}}}}", nested(20_000, "(", "1", ")")), "nesting");
    assert_limit(nested(20_000, "{{if 1}}", "x", "{{end}}"), "nesting");
    assert_limit(nested(20_000, "{{range 1}}", "x", "{{end}}"), "nesting");
    assert_limit(nested(20_000, "{{block \"b\" .}}", "x", "{{end}}"), "nesting");
}

#[test]
fn what_is_within_the_nesting_limit_fits_the_stack() {
    let parentheses = format!("{{{{{}}}}}", nested(199, "(print ", "1", ")"));
    assert_eq!(render(parentheses).expect("renders"), b"1");
    let methods = format!("{{{{{}}}}}", nested(199, "(", ".secret | printf \"%s\"", ")"));
    assert_eq!(render(methods).expect("renders"), b"hunter2");
    assert_eq!(render(nested(199, "{{with .}}", "{{.secret}}", "{{end}}")).expect("renders"), b"hunter2");
    let both = nested(100, "{{if 1}}", &format!("{{{{{}}}}}", nested(99, "(print ", "1", ")")), "{{end}}");
    assert_eq!(render(both).expect("renders"), b"1");
}

#[test]
fn long_chains_are_no_nesting() {
    let chain = format!("{{{{if 0}}}}{}{{{{else}}}}last{{{{end}}}}", "{{else if 0}}".repeat(20_000));
    assert_eq!(render(chain).expect("renders"), b"last");
    let chain = format!("{{{{with 0}}}}{}{{{{else}}}}last{{{{end}}}}", "{{else with 0}}".repeat(20_000));
    assert_eq!(render(chain).expect("renders"), b"last");
    let pipeline = format!("{{{{1{}}}}}", "|print".repeat(20_000));
    assert_eq!(render(pipeline).expect("renders"), b"1");
}

#[test]
fn endless_recursion_ends_at_its_limit() {
    assert_limit(r#"{{define "a"}}{{template "a"}}{{end}}{{template "a"}}"#, "call_depth");
    assert_limit(r#"{{template "key" .}}"#, "call_depth");
    assert_limit(
        r#"{{define "a"}}{{range 9}}{{with 1}}{{template "b"}}{{end}}{{end}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}"#,
        "call_depth",
    );
}

#[test]
fn endless_loops_end_at_their_limit() {
    assert_limit("{{range 9223372036854775807}}{{end}}", "steps");
    assert_limit("{{range 100000}}{{range 100000}}{{end}}{{end}}", "steps");
    assert_limit("{{until 9223372036854775807}}", "allocated_bytes");
    assert_limit("{{untilStep 0 9223372036854775807 1}}", "allocated_bytes");
    assert_limit("{{seq 1 2000000000}}", "allocated_bytes");
}

#[test]
fn bombs_are_stopped_before_they_take_memory() {
    assert_limit(r#"{{repeat 2000000000 "x"}}"#, "allocated_bytes");
    assert_limit(r#"{{repeat 9223372036854775807 "xyz"}}"#, "allocated_bytes");
    assert_limit(r#"{{indent 2000000000 "x"}}"#, "allocated_bytes");
    assert_limit(r#"{{$x := repeat 1000000 "ab"}}{{replace "a" $x $x}}"#, "allocated_bytes");
    assert_limit(r#"{{$x := repeat 1000000 "ab"}}{{replace "" $x $x}}"#, "allocated_bytes");
    assert_limit(r#"{{$x := repeat 1000000 "ab"}}{{join $x (splitList "" $x)}}"#, "allocated_bytes");
    assert_limit(r#"{{$x := repeat 1000000 "ab"}}{{regexReplaceAll "a" $x $x}}"#, "allocated_bytes");
    assert_limit(r#"{{$x := repeat 1000000 "ab"}}{{regexReplaceAll ".+" $x (repeat 1000 "$0")}}"#, "allocated_bytes");
    assert_limit(
        r#"{{$x := repeat 1000000 "ab"}}{{regexReplaceAll "a" $x (repeat 100000 "$b$0")}}"#,
        "allocated_bytes",
    );
    assert_limit(r#"{{$x := repeat 1000000 "ab"}}{{wrapWith 1 $x $x}}"#, "allocated_bytes");
    let widths = "%1000000d".repeat(1000);
    assert_limit(
        format!("{{{{printf \"{widths}\"}}}}").replace("\"}}", &format!("\" {}}}}}", "1 ".repeat(1000))),
        "allocated_bytes",
    );
}

#[test]
fn doubling_is_stopped_whatever_doubles() {
    let doubling = |start: &str, step: &str| {
        format!("{{{{$x := {start}}}}}{{{{range 64}}}}{{{{$x = {step}}}}}{{{{end}}}}{{{{$x}}}}")
    };
    assert_limit(doubling("\"ab\"", "print $x $x"), "allocated_bytes");
    assert_limit(doubling("\"ab\"", "printf \"%s%s\" $x $x"), "allocated_bytes");
    assert_limit(doubling("\"ab\"", "cat $x $x"), "allocated_bytes");
    assert_limit(doubling("list 1", "concat $x $x"), "allocated_bytes");
    assert_limit(doubling("list 1", "list $x $x"), "steps");
    assert_limit(doubling("list 1", "list $x $x | toJson"), "allocated_bytes");
    assert_limit(doubling("dict", "dict \"a\" $x \"b\" $x | deepCopy"), "allocated_bytes");
}

#[test]
fn a_value_nested_too_deeply_is_never_walked() {
    let deep = |tail: &str| format!("{{{{$x := list}}}}{{{{range 100000}}}}{{{{$x = list $x}}}}{{{{end}}}}{tail}");
    assert_eq!(render(deep("done")).expect("renders"), b"done");
    for tail in [
        "{{$x}}",
        "{{$x | toJson}}",
        "{{printf \"%#v\" $x}}",
        "{{deepEqual $x (list $x)}}",
        "{{deepCopy $x}}",
        "{{join \"\" $x}}",
    ] {
        assert_limit(deep(tail), "value_depth");
    }
    let json = nested(100_000, "[", "", "]");
    assert_limit(format!("{{{{fromJson `{json}`}}}}"), "value_depth");
    let down =
        "{{$top := dict}}{{$x := $top}}{{range 10000}}{{$new := dict}}{{$_ := set $x \"k\" $new}}{{$x = $new}}{{end}}";
    assert_limit(format!("{down}{{{{$top}}}}"), "value_depth");
    assert_limit(format!("{down}{{{{merge (deepCopy $top) $top}}}}"), "value_depth");
}

#[test]
fn the_deepest_value_inside_the_deepest_expression_fits_the_stack() {
    let value = "{{$x := dict}}{{range 98}}{{$x = dict \"k\" $x}}{{end}}";
    let json = nested(99, "[", "", "]");
    for inner in [
        "print $x".to_owned(),
        "printf \"%#v\" $x".to_owned(),
        "toPrettyJson $x".to_owned(),
        "toYaml $x".to_owned(),
        "deepEqual $x (deepCopy $x)".to_owned(),
        "merge (deepCopy $x) $x".to_owned(),
        format!("fromJson `{json}`"),
        format!("fromYaml `{{a: {json}}}`"),
    ] {
        let text = format!("{value}{{{{{}}}}}", nested(195, "(print ", &format!("({inner})"), ")"));
        let output = render(text).expect(&inner);
        assert!(!output.is_empty(), "{inner}");
    }
}

#[test]
fn deep_yaml_is_refused() {
    for text in [nested(100_000, "[", "", "]"), nested(100_000, "{a: ", "", "}"), "- ".repeat(100_000)] {
        let rendered = render(format!("{{{{fromYaml `{text}`}}}}"));
        assert!(rendered.is_err() || rendered.is_ok_and(|output| output.starts_with(b"map[Error:")));
    }
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (before, key) in "abcdefghi".chars().zip("bcdefghij".chars()) {
        bomb += &[&format!("{key}: &{key} ["), vec![format!("*{before}"); 9].join(",").as_str(), "]\n"].concat();
    }
    assert_limit(format!("{{{{fromYaml `{bomb}`}}}}"), "allocated_bytes");
}

#[test]
fn a_dict_cannot_contain_itself() {
    assert_execute(r#"{{$d := dict}}{{set $d "self" $d}}"#);
    assert_execute(r#"{{$d := dict}}{{set $d "self" (list (dict "x" $d))}}"#);
    assert_execute(r#"{{$d := dict}}{{$e := dict "d" $d}}{{set $d "e" $e}}"#);
    assert_execute(r#"{{$d := dict}}{{merge $d (dict "d" $d)}}"#);
}

#[test]
fn patterns_are_bounded() {
    assert_limit(r#"{{regexMatch "(?:\\pL{1000}){1000}" "x"}}"#, "regex_bytes");
    assert_execute(&format!("{{{{regexFind `{}` \"x\"}}}}", nested(10_000, "(", "a", ")")));
    let data = "{{$x := repeat 20000 \"a\"}}{{regexMatch \"^(a+)+$\" (print $x \"!\")}}";
    assert_eq!(render(data.to_owned()).expect("linear time"), b"false");
}

#[test]
fn output_and_text_are_bounded() {
    assert_limit(format!("{{{{range 100000}}}}{}{{{{end}}}}", "x".repeat(1000)), "output_bytes");
    assert_limit("x".repeat((1 << 20) + 1), "template_bytes");
}

#[test]
fn a_caller_may_lower_every_limit() {
    let render = |change: fn(&mut Limits), text: &str| {
        let mut limits = Limits::default();
        change(&mut limits);
        let template = Template::parse_with("key", text, &Options::new().with_limits(limits))?;
        template.render(&Value::string_map([]))
    };
    let error = render(|limits| limits.output_bytes = 3, "four").expect_err("too long");
    assert_eq!(error.limit(), Some("output_bytes"));
    let error = render(|limits| limits.steps = 10, "{{range 20}}{{end}}").expect_err("too much");
    assert_eq!(error.limit(), Some("steps"));
    let error = render(|limits| limits.nesting = 2, "{{((1))}}{{(((1)))}}").expect_err("too deep");
    assert_eq!((error.limit(), error.column()), (Some("nesting"), 14));
}

#[test]
fn no_error_shows_a_value() {
    for text in [
        "{{.secret.x}}",
        "{{.other}}",
        "{{fail .secret}}",
        "{{range .secret}}{{end}}",
        "{{index .secret 99}}",
        "{{index (list) (.secret | len)}}",
        "{{template \"x\" .secret}}",
        "{{lt .secret 1}}",
        "{{mustFromJson .secret}}",
        "{{mustToDate \"2006\" .secret}}",
        "{{semver .secret}}",
        "{{urlParse (print \"http://[\" .secret)}}",
        "{{mustRegexMatch (print .secret \"[\") \"\"}}",
        "{{(fromJson (printf `{%q:1}` .secret)).other}}",
        "{{repeat -1 .secret}}",
        "{{first .secret}}",
    ] {
        let error = render(text.to_owned()).expect_err(text);
        let shown = format!("{error} {error:?} {:?} {}", error.hint(), error.construct());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// Functions that need keys, ciphers or password hashes.
#[cfg(feature = "crypto")]
mod crypto {
    use super::*;

    #[test]
    fn slow_work_ends_at_the_step_limit() {
        assert_limit("{{range 10}}{{genPrivateKey \"rsa\" | len}}{{end}}", "steps");
        assert_limit("{{range 1000}}{{bcrypt \"x\" | len}}{{end}}", "steps");
        assert_limit("{{range 1000}}{{derivePassword 1 \"pin\" \"p\" \"u\" \"s\" | len}}{{end}}", "steps");
    }

    #[test]
    fn an_archive_that_asks_for_many_rounds_is_refused_before_they_begin() {
        // Octets, then a number: a salt and 2^31 - 1 rounds.
        let archive = "{{pkcs12key (b64dec \"MBAEA2FiYwIEf////wQDYWJj\")}}";
        assert_limit(archive, "steps");
    }

    #[test]
    fn dsa_is_refused_by_name() {
        let error = render("{{genPrivateKey \"dsa\"}}".to_owned()).expect_err("refused");
        assert_eq!(error.class(), ErrorClass::Execute);
        assert!(error.message().contains("DSA"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("ecdsa")));
    }

    #[test]
    fn a_certificate_is_not_signed_with_a_key_of_somebody_else() {
        let template = "{{$a := genCAWithKey \"a\" 1 (genPrivateKey \"ecdsa\")}}\
            {{$b := buildCustomCert (b64enc $a.Cert) (genPrivateKey \"ecdsa\" | b64enc)}}\
            {{(genSignedCert \"c\" nil nil 1 $b).Cert}}";
        let error = render(template.to_owned()).expect_err("refused");
        assert!(error.message().contains("does not belong"), "{error}");
    }

    #[test]
    fn no_error_of_a_cryptographic_function_shows_a_value() {
        for text in [
            "{{decryptAES \"k\" .secret}}",
            "{{pkcs12keyPass .secret .secret}}",
            "{{pkcs12certPass .secret .secret}}",
            "{{pemToPkcs12Pass .secret .secret .secret}}",
            "{{pemTruststoreToPKCS12 .secret}}",
            "{{jwkPublicKeyPem .secret}}",
            "{{jwkPrivateKeyPem (printf `{\"kty\":%q,\"d\":%q}` .secret .secret)}}",
            "{{jwkPrivateKeyPem (printf `{\"kty\":\"EC\",\"crv\":%q,\"d\":%q}` .secret .secret)}}",
            "{{rsaDecrypt .secret \"\" .secret .secret}}",
            "{{rsaDecrypt \"RSA-OAEP\" .secret .secret .secret}}",
            "{{buildCustomCert .secret .secret}}",
            "{{genSelfSignedCert .secret (list .secret) nil 1}}",
            "{{genSelfSignedCert \"x\" nil (list (print .secret \"\\u00e9\")) 1}}",
            "{{genCAWithKey .secret 1 .secret}}",
            "{{htpasswd .secret .secret .secret}}",
        ] {
            let error = render(text.to_owned()).expect_err(text);
            let shown = format!("{error} {error:?} {:?} {}", error.hint(), error.construct());
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_archive_a_key_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let data = Value::string_map([("x".to_owned(), bytes)]);
            for text in ["{{pkcs12key .x}}", "{{jwkPublicKeyPem .x}}", "{{decryptAES \"k\" (b64enc .x)}}"] {
                let _result = Template::parse("key", text).and_then(|template| template.render(&data));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_fails(text in any::<String>()) {
        let _result = Template::parse("key", &text);
    }

    #[test]
    fn any_action_ends(words in prop::collection::vec(prop::sample::select(WORDS), 0..24)) {
        let text: String = words.concat();
        let limits = { let mut limits = Limits::default(); limits.steps = 20_000; limits.allocated_bytes = 1 << 20; limits };
        let data = Value::string_map([("a".to_owned(), vec![0xff, b'a']), ("b".to_owned(), b"[1,{\"x\":2}]".to_vec())]);
        if let Ok(template) = Template::parse_with("key", &text, &Options::new().with_limits(limits)) {
            let _result = template.render(&data);
        }
    }
}

/// Pieces that make templates now and then.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "{{if .a}}",
    "{{else}}",
    "{{else if .b}}",
    "{{end}}",
    "{{range $i, $v := .}}",
    "{{break}}",
    "{{with .b}}",
    "{{define \"x\"}}",
    "{{template \"x\" .}}",
    "{{block \"y\" .}}",
    "(",
    ")",
    " ",
    "|",
    ".a",
    ".b",
    "$",
    "$v",
    "$x := ",
    "$x = ",
    "1",
    "-1",
    "2.5",
    "\"t\"",
    "`r`",
    "'c'",
    "nil",
    "true",
    ".",
    ",",
    "print ",
    "printf \"%*d %q\" ",
    "index . ",
    "fromJson ",
    "toJson ",
    "dict ",
    "list ",
    "set ",
    "merge ",
    "repeat ",
    "until ",
    "substr ",
    "regexFindAll ",
    "splitn ",
    "toDate ",
    "date ",
    "round ",
    "wrapWith ",
    "slice ",
    "chunk ",
    "abbrevboth ",
    "semverCompare ",
    "urlParse ",
    "camelcase ",
    "snakecase ",
    "b64dec ",
    "b32dec ",
    "trunc ",
    "untilStep ",
    "seq ",
    "divf ",
    "mod ",
    "/* c */",
    "{{/* c */}}",
    "text",
];
