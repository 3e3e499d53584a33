//! Templates in, desired targets and complaints out.

use super::*;
use crate::error::chain;
use crate::provider::CredentialRef;
use crate::sync::{DecodingStrategy, TemplateScope};

const SOURCE: [(&str, &str); 4] =
    [("user", "zoe"), ("encoded", "aGVsbG8="), ("bytes", "\u{1}"), ("broken", "s3cr3t: [")];

fn data() -> SecretMap {
    SOURCE.iter().map(|(key, value)| (SecretKey::new(*key).unwrap(), SecretValue::from(*value))).collect()
}

fn own(data: &[(&str, &str)]) -> TemplateSpec {
    let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    TemplateSpec { data, ..TemplateSpec::default() }
}

fn literal(text: &str) -> TemplateFrom {
    TemplateFrom::new(vec![TemplateText::Literal(text.to_owned())])
}

fn from(all: Vec<TemplateFrom>) -> TemplateSpec {
    TemplateSpec { from: all, ..TemplateSpec::default() }
}

fn item(reference: &CredentialRef, scope: TemplateScope) -> TemplateText {
    TemplateText::item(reference.clone(), scope)
}

fn parser() -> TemplateParser {
    TemplateParser::new(secretsync_template::Delimiters::default())
}

fn render_with(spec: &TemplateSpec, texts: &Texts, kept: &Kept) -> Result<Desired> {
    Templates::parse(&parser(), spec, texts)?.render(data(), TargetMeta::default(), kept)
}

fn render(spec: &TemplateSpec) -> Result<Desired> {
    render_with(spec, &Texts::new(), &Kept::default())
}

fn shown(desired: &Desired) -> Vec<(String, String)> {
    let text = |value: &SecretValue| String::from_utf8_lossy(value.expose()).into_owned();
    desired.data.iter().map(|(key, value)| (key.to_string(), text(value))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The complaint, which must hold no value.
fn refused(spec: &TemplateSpec, texts: &Texts) -> String {
    let error = render_with(spec, texts, &Kept::default()).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    let text = chain(&error);
    assert!(!text.contains("zoe") && !text.contains("s3cr3t"), "{text}");
    text
}

#[test]
fn a_template_that_makes_keys_replaces_the_sources_unless_it_merges() {
    for (merge, expected) in [(false, 1), (true, 5)] {
        let mut spec = own(&[("url", "db://{{ .user }}")]);
        spec.merge = merge;
        let desired = render(&spec).unwrap();
        assert_eq!(desired.data.len(), expected);
        assert_eq!(desired.data.get("url").unwrap().expose(), b"db://zoe");
    }
    let desired = render(&from(vec![literal("")])).unwrap();
    assert!(desired.data.is_empty(), "`templateFrom` counts even where it makes nothing");
}

#[test]
fn a_template_without_keys_keeps_those_of_the_sources() {
    let mut spec = own(&[]);
    spec.labels.insert("who".to_owned(), "{{ .user }}".to_owned());
    let desired = render(&spec).unwrap();
    assert_eq!(desired.data.len(), SOURCE.len());
    assert_eq!(desired.meta.labels["who"], "zoe");
}

/// `eso-compat.md` 0, row of 3.2: measured.
#[test]
fn keys_and_values_are_typed_as_yaml_1_1_and_then_made_texts() {
    let text = "port: 5432\nver: 1.10\nnum: 1.50\nexp: 1e3\noct: 017\nhex: 0x1f\nplain: yes\nnothing: null\non: a\nn: b\nday: 2024-01-02\nquoted: \"1.10\"\nname: '{{ .user }}'\n";
    let desired = render(&from(vec![literal(text)])).unwrap();
    let expected = [
        ("day", "2024-01-02"),
        ("exp", "1000"),
        ("false", "b"),
        ("hex", "31"),
        ("name", "zoe"),
        ("nothing", ""),
        ("num", "1.5"),
        ("oct", "15"),
        ("plain", "true"),
        ("port", "5432"),
        ("quoted", "1.10"),
        ("true", "a"),
        ("ver", "1.1"),
    ];
    assert_eq!(shown(&desired), pairs(&expected));
}

#[test]
fn the_last_of_repeated_keys_counts() {
    let desired = render(&from(vec![literal("a: 1\nb: x\na: 2\n\"on\": y\nyes: z")])).unwrap();
    assert_eq!(shown(&desired), pairs(&[("a", "2"), ("b", "x"), ("on", "true"), ("true", "z")]));
}

#[test]
fn only_a_mapping_of_scalars_is_taken() {
    for text in ["a: [1]", "a: {b: c}", "- a", "text", "a: [", "a: {{ .broken }}"] {
        let text = refused(&from(vec![literal(text)]), &Texts::new());
        assert!(
            text.starts_with(
                "failed to read the YAML that `spec.target.template.templateFrom[0].literal` renders to: "
            ),
            "{text}"
        );
    }
    for nothing in ["", "null", "# remark", "{{ if false }}a: b{{ end }}", "{}"] {
        assert!(render(&from(vec![literal(nothing)])).unwrap().data.is_empty(), "{nothing:?}");
    }
    let two = render(&from(vec![literal("a: '1'\n---\nb: '2'\n")])).unwrap();
    assert_eq!(shown(&two), pairs(&[("a", "1")]));
}

#[test]
fn later_texts_win_and_the_templates_own_keys_win_over_all() {
    let (map, secret) = (CredentialRef::config_map("m", "x"), CredentialRef::secret("s", "x"));
    let texts: Texts = [(map.clone(), "from-map".into()), (secret.clone(), "from-secret {{ .user }}".into())].into();
    let element = TemplateFrom::new(vec![
        item(&map, TemplateScope::Values),
        item(&secret, TemplateScope::Values),
        TemplateText::Literal("p: literal\nq: literal".to_owned()),
    ]);
    let mut spec = from(vec![element, literal("q: later\nw: later")]);
    spec.data.insert("w".to_owned(), "own".to_owned());
    let desired = render_with(&spec, &texts, &Kept::default()).unwrap();
    assert_eq!(shown(&desired), pairs(&[("p", "literal"), ("q", "later"), ("w", "own"), ("x", "from-secret zoe")]));
}

#[test]
fn an_item_is_one_value_or_a_mapping_as_it_is_asked_for() {
    let map = CredentialRef::config_map("m", "app.conf");
    let texts: Texts = [(map.clone(), "user: {{ .user }}".into())].into();
    for (scope, expected) in
        [(TemplateScope::Values, ("app.conf", "user: zoe")), (TemplateScope::KeysAndValues, ("user", "zoe"))]
    {
        let spec = from(vec![TemplateFrom::new(vec![item(&map, scope)])]);
        assert_eq!(shown(&render_with(&spec, &texts, &Kept::default()).unwrap()), pairs(&[expected]));
    }
}

#[test]
fn labels_and_annotations_are_made_the_same_way() {
    let mut spec = from(vec![
        literal("example.com/a: {{ .user }}\nb: x").with_target(TemplateTarget::Labels),
        literal("c: 1.10").with_target(TemplateTarget::Annotations),
    ]);
    spec.labels.insert("b".to_owned(), "own".to_owned());
    let desired = render(&spec).unwrap();
    assert_eq!((&*desired.meta.labels["example.com/a"], &*desired.meta.labels["b"]), ("zoe", "own"));
    assert_eq!(desired.meta.annotations["c"], "1.1");
    assert!(desired.data.is_empty());
}

#[test]
fn rendered_values_are_decoded_and_keys_never() {
    let decoded = |strategy| {
        let element = literal("aGk: '{{ .encoded }}'").with_decoding(strategy);
        render(&from(vec![element])).map(|desired| shown(&desired))
    };
    assert_eq!(decoded(DecodingStrategy::None).unwrap(), pairs(&[("aGk", "aGVsbG8=")]));
    assert_eq!(decoded(DecodingStrategy::Base64).unwrap(), pairs(&[("aGk", "hello")]));
    assert_eq!(decoded(DecodingStrategy::Auto).unwrap(), pairs(&[("aGk", "hello")]));
    let label =
        literal("l: '{{ .encoded }}'").with_target(TemplateTarget::Labels).with_decoding(DecodingStrategy::Base64);
    assert_eq!(render(&from(vec![label])).unwrap().meta.labels["l"], "hello");
    let text = refused(&from(vec![literal("k: '{{ .user }}'").with_decoding(DecodingStrategy::Base64)]), &Texts::new());
    assert_eq!(text, "failed to decode rendered template value for key k: illegal base64 data");
    let text = refused(
        &from(vec![
            literal("'s3cr3t!': x").with_target(TemplateTarget::Labels).with_decoding(DecodingStrategy::Base64),
        ]),
        &Texts::new(),
    );
    assert!(text.contains("for key of `spec.target.template.templateFrom[0].literal`"), "{text}");
}

#[test]
fn what_is_not_text_is_no_label() {
    let element = literal("l: gICA").with_target(TemplateTarget::Labels).with_decoding(DecodingStrategy::Base64);
    assert!(refused(&from(vec![element]), &Texts::new()).contains("the result is not UTF-8"));
}

#[test]
fn a_failing_template_says_which_and_shows_no_value() {
    assert!(
        refused(&own(&[("url", "{{ .nope }}")]), &Texts::new()).starts_with("failed to render the template of `url`: ")
    );
    let map = CredentialRef::config_map("m", "x").in_namespace(Some("shop"));
    for scope in [TemplateScope::Values, TemplateScope::KeysAndValues] {
        let spec = from(vec![literal("a: b"), TemplateFrom::new(vec![item(&map, scope)])]);
        let text = refused(&spec, &[(map.clone(), "{{ .nope }}".into())].into());
        assert!(
            text.starts_with("failed to render the template in key `x` of ConfigMap `shop/m`: template: x:1:4: "),
            "{text}"
        );
    }
    let text = refused(&from(vec![literal("a: {{ nope }}")]), &Texts::new());
    assert!(text.contains("failed to render `spec.target.template.templateFrom[0].literal`: "), "{text}");
}

#[test]
fn a_template_from_a_secret_is_never_quoted() {
    let secret = CredentialRef::secret("s", "x").in_namespace(Some("shop"));
    for text in ["{{ .s3cr3t }}", "{{ s3cr3t }}", "{{ \"s3cr3t\" | fail }}", "ok\n{{ s3cr3t"] {
        let spec = from(vec![TemplateFrom::new(vec![item(&secret, TemplateScope::Values)])]);
        let text = refused(&spec, &[(secret.clone(), text.into())].into());
        assert!(text.contains("the template in key `x` of Secret `shop/s`: it fails at line "), "{text}");
    }
    let spec = from(vec![TemplateFrom::new(vec![item(&secret, TemplateScope::Values)])]);
    let texts: Texts = [(secret, SecretValue::from(&b"\xff"[..]))].into();
    assert!(refused(&spec, &texts).ends_with("it is not UTF-8"));
}

#[test]
fn keys_that_were_rendered_must_be_keys_and_are_not_shown() {
    let text = refused(&from(vec![literal("'s3cr3t and more': x")]), &Texts::new());
    assert!(
        text.starts_with("failed to use the key that `spec.target.template.templateFrom[0].literal` renders to: "),
        "{text}"
    );
    let text = refused(&own(&[("a/b", "x")]), &Texts::new());
    assert!(text.contains("`a/b` cannot be a key of a Secret"), "{text}");
}

#[test]
fn random_results_are_made_once() {
    let mut spec = own(&[("password", "{{ randAlphaNum 12 }}"), ("url", "db://{{ .user }}")]);
    spec.from.push(literal("token: '{{ randAlphaNum 12 }}'\nfresh: '{{ randAlphaNum 12 }}'"));
    spec.labels.insert("run".to_owned(), "{{ uuidv4 }}".to_owned());
    assert!(Templates::parse(&parser(), &spec, &Texts::new()).unwrap().mint());
    let kept: SecretMap = ["password", "url", "token"]
        .into_iter()
        .map(|key| (SecretKey::new(key).unwrap(), SecretValue::from("old")))
        .collect();
    let kept = Kept { data: kept, labels: BTreeMap::from([("run".to_owned(), "1".to_owned())]), ..Kept::default() };
    let desired = render_with(&spec, &Texts::new(), &kept).unwrap();
    let value = |key: &str| desired.data.get(key).unwrap().expose();
    assert_eq!((value("password"), value("token"), value("url")), (&b"old"[..], &b"old"[..], &b"db://zoe"[..]));
    assert_eq!((value("fresh").len(), &*desired.meta.labels["run"]), (12, "1"));
    assert!(!Templates::parse(&parser(), &own(&[("a", "{{ .user }}")]), &Texts::new()).unwrap().mint());
}

#[test]
fn texts_are_parsed_once_except_those_of_secrets() {
    let parser = parser();
    let (map, secret) = (CredentialRef::config_map("m", "a"), CredentialRef::secret("s", "b"));
    let mut spec = own(&[("url", "db://{{ .user }}")]);
    spec.from.push(TemplateFrom::new(vec![item(&map, TemplateScope::Values), item(&secret, TemplateScope::Values)]));
    let texts: Texts = [(map, "{{ .user }}"), (secret, "{{ .user }}!")].map(|(at, text)| (at, text.into())).into();
    for _ in 0..3 {
        let templates = Templates::parse(&parser, &spec, &texts).unwrap();
        let desired = templates.render(data(), TargetMeta::default(), &Kept::default()).unwrap();
        assert_eq!(shown(&desired), pairs(&[("a", "zoe"), ("b", "zoe!"), ("url", "db://zoe")]));
    }
    assert_eq!(parser.kept(), 2);
}

/// What becomes of a result is part of what it is made of: it must be rendered anew when that changes.
#[test]
fn inputs_are_told_apart_by_what_becomes_of_each_result() {
    let reference = CredentialRef::config_map("tpl", "auth");
    let texts = Texts::from([(reference.clone(), SecretValue::from("auth: {{ bcrypt .user }}"))]);
    let inputs = |scope, target, decoding| {
        let mut one = TemplateFrom::new(vec![item(&reference, scope)]);
        (one.target, one.decoding) = (target, decoding);
        Templates::parse(&parser(), &from(vec![one]), &texts).unwrap().inputs(&data())
    };
    let first = inputs(TemplateScope::Values, TemplateTarget::Data, DecodingStrategy::None);
    assert_eq!(first, inputs(TemplateScope::Values, TemplateTarget::Data, DecodingStrategy::None));
    assert_ne!(first, inputs(TemplateScope::KeysAndValues, TemplateTarget::Data, DecodingStrategy::None));
    assert_ne!(first, inputs(TemplateScope::Values, TemplateTarget::Labels, DecodingStrategy::None));
    assert_ne!(first, inputs(TemplateScope::Values, TemplateTarget::Data, DecodingStrategy::Base64));
}
