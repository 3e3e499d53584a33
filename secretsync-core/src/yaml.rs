//! YAML as Kubernetes tools read and write it: bounded, and with positions instead of source text in every complaint.
//!
//! Plain and quoted scalars must be told apart (`yes` is a boolean, `"yes"` a text), which `serde_yaml` values do not
//! do; so documents are composed from parser events and typed by the rules of YAML 1.1 that `kubectl` follows.

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value;

use self::resolve::Scalar;

mod compose;
pub mod emit;
mod resolve;

/// How much a YAML text may contain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the text, and again bytes of all scalars once aliases are expanded. Default 8 MiB.
    pub bytes: usize,
    /// How many lists and mappings may enclose a value. Default 100.
    pub depth: usize,
    /// Scalars, lists and mappings of all documents once aliases are expanded. Default 1,000,000.
    pub nodes: usize,
    /// Whether a mapping may have a key more than once; the last one counts then. By default it may not.
    pub repeated_keys: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 20, depth: 100, nodes: 1_000_000, repeated_keys: false }
    }
}

/// Reads all documents of a YAML stream, except those that are empty or null.
///
/// Scalars are typed and `<<` keys merged as `kubectl` does (YAML 1.1: plain `yes`, `on`, `y`, `017`, `1_000` are no
/// texts; what stands behind a merge key wins over what stands before it). Keys that are numbers or booleans become
/// texts.
///
/// # Errors
///
/// [`YamlError`] with the position of the first thing wrong: not YAML, over a limit, a repeated key, or a value that
/// JSON cannot hold.
pub fn parse_documents(text: &[u8], limits: &Limits) -> Result<Vec<Document>, YamlError> {
    compose::documents(text, limits)
}

/// One document of a YAML stream.
pub struct Document {
    root: Node,
}

impl Document {
    /// Returns the line, from 1, on which the content of the document starts.
    pub fn line(&self) -> usize {
        self.root.position.line
    }

    /// Converts the document to JSON.
    ///
    /// Numbers are what a reader of Go's JSON gets: whole floats are integers.
    pub fn to_json(&self) -> Value {
        self.root.to_json()
    }

    /// Converts a mapping of scalars to texts, or tells what is none.
    ///
    /// Every scalar is written *after* it was typed, as ESO does with `KeysAndValues` templates: `1.10` becomes `1.1`,
    /// `017` becomes `15`, `yes` becomes `true`, null becomes empty.
    ///
    /// # Errors
    ///
    /// [`YamlErrorKind::NotTexts`] at the first value that is a list or mapping, or at the document if it is no mapping.
    pub fn to_texts(&self) -> Result<IndexMap<String, String>, YamlError> {
        let Content::Mapping(members) = &self.root.content else {
            return Err(self.root.error(YamlErrorKind::NotTexts));
        };
        let text = |(key, node): (&String, &Node)| match &node.content {
            Content::Scalar(scalar) => Ok((key.clone(), scalar.text().unwrap_or_default())),
            Content::List(_) | Content::Mapping(_) => Err(node.error(YamlErrorKind::NotTexts)),
        };
        members.iter().map(text).collect()
    }

    /// Returns where the value at the end of `path` starts, or the last value on the way that exists.
    pub fn position<'a>(&self, path: impl IntoIterator<Item = Step<'a>>) -> Position {
        let mut node = &self.root;
        for step in path {
            let next = match (&node.content, step) {
                (Content::Mapping(members), Step::Key(key)) => members.get(key),
                (Content::List(items), Step::Index(index)) => items.get(index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node.position
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a YAML document from line {}", self.line())
    }
}

/// One step from a value to a value inside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// To the element of a list, counted from 0.
    Index(usize),
    /// To the member of a mapping.
    Key(&'a str),
}

/// A place in a YAML text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What is wrong with a YAML text, and where. Never holds any of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind} at line {} column {}", .position.line, .position.column)]
pub struct YamlError {
    kind: YamlErrorKind,
    position: Position,
}

impl YamlError {
    /// Returns what is wrong.
    pub fn kind(&self) -> YamlErrorKind {
        self.kind
    }

    /// Returns where it is.
    pub fn position(&self) -> Position {
        self.position
    }
}

/// The ways in which a YAML text can be wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum YamlErrorKind {
    /// An alias stands inside the value that it stands for.
    #[error("alias inside its own anchor")]
    AliasLoop,
    /// A mapping has a key twice.
    #[error("repeated key")]
    DuplicateKey,
    /// A key is null, a list or a mapping.
    #[error("key that is not a text")]
    InvalidKey,
    /// A number is infinite or not a number.
    #[error("number that JSON cannot hold")]
    InvalidNumber,
    /// The value of `<<` is neither a mapping nor a list of mappings.
    #[error("merge key without a mapping")]
    InvalidMerge,
    /// The scalar is none of the kind that its tag names.
    #[error("value that does not fit its tag")]
    InvalidTag,
    /// A mapping of texts was wanted.
    #[error("value that is not a text")]
    NotTexts,
    /// The text is not UTF-8.
    #[error("bytes that are not UTF-8")]
    NotUtf8,
    /// The text breaks the grammar.
    #[error("invalid YAML")]
    Syntax,
    /// Lists and mappings enclose each other too often.
    #[error("YAML nested too deep")]
    TooDeep,
    /// The text, or what its aliases expand to, is too large.
    #[error("YAML too large")]
    TooLarge,
}

/// A value and where it starts.
struct Node {
    content: Content,
    position: Position,
}

enum Content {
    List(Vec<Node>),
    Mapping(IndexMap<String, Node>),
    Scalar(Scalar),
}

impl Node {
    fn error(&self, kind: YamlErrorKind) -> YamlError {
        YamlError { kind, position: self.position }
    }

    fn to_json(&self) -> Value {
        match &self.content {
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(members) => members.iter().map(|(key, node)| (key.clone(), node.to_json())).collect(),
            Content::Scalar(scalar) => scalar.to_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Document>, YamlError> {
        parse_documents(text.as_bytes(), &Limits::default())
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    /// Answers of sigs.k8s.io/yaml 1.6.0, which kubectl and ESO use: `json` and `texts`, null where it fails. Two
    /// things were changed by hand: `texts` keep the digits that it loses by rounding to single precision, and there are
    /// none where there is no `json`.
    #[test]
    fn documents_mean_what_they_mean_to_kubectl() {
        let mut count = 0;
        for line in include_str!("../tests/yaml.jsonl").lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let yaml = case["yaml"].as_str().unwrap();
            let documents = parse(yaml);
            let json = documents.as_ref().ok().map(|found| found.first().map_or(Value::Null, Document::to_json));
            assert_eq!(
                json.as_ref().map(go_numbers),
                Some(case["json"].clone()).filter(|json| !json.is_null()),
                "for {yaml}"
            );
            let texts = documents.ok().and_then(|found| found.first()?.to_texts().ok());
            let texts = texts.map(|texts| texts.into_iter().map(|(key, text)| (key, Value::from(text))).collect());
            assert_eq!(texts.unwrap_or(Value::Null), case["texts"], "for {yaml}");
            count += 1;
        }
        assert!(count > 130, "only {count} answers");
    }

    /// `serde_json` reads whole numbers from 2^64 on as floats, as Go's text of them says.
    fn go_numbers(json: &Value) -> Value {
        serde_json::from_str(&json.to_string()).unwrap()
    }

    #[test]
    fn streams_give_their_documents_without_the_empty_ones() {
        let documents =
            parse("# only a comment\n---\na: 1\n---\n---\n\n# more\nb: 2\n...\n---\nnull\n---\n- c\n").unwrap();
        let found: Vec<_> =
            documents.iter().map(|document| (document.line(), document.to_json().to_string())).collect();
        let expected = [(3, r#"{"a":1}"#), (8, r#"{"b":2}"#), (13, r#"["c"]"#)];
        assert_eq!(found, expected.map(|(line, json)| (line, json.to_owned())));
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn complaints_tell_what_and_where_and_never_show_the_text() {
        for (yaml, expected) in [
            ("a: 1\npassword: hunter2\n hunter2: b\n", "invalid YAML at line 3 column 9"),
            ("a: 1\nb: 2\na: hunter2\n", "repeated key at line 3 column 1"),
            ("a: {b: 1, b: hunter2}\n", "repeated key at line 1 column 11"),
            ("yes: 1\ntrue: 2\n", "repeated key at line 2 column 1"),
            ("a: 1\n---\n? [hunter2]\n: 1\n", "key that is not a text at line 3 column 3"),
            ("a: 1\n~: hunter2\n", "key that is not a text at line 2 column 1"),
            ("<<: hunter2\n", "merge key without a mapping at line 1 column 5"),
            ("a: !!int hunter2\n", "value that does not fit its tag at line 1 column 10"),
            ("a: [.inf]\n", "number that JSON cannot hold at line 1 column 5"),
            ("a: &x [hunter2, *x]\n", "alias inside its own anchor at line 1 column 17"),
            ("a: *hunter2\n", "invalid YAML at line 1 column 4"),
            ("a:\n\thunter2: 1\n", "invalid YAML at line 2 column 2"),
        ] {
            assert_eq!(message(yaml), expected, "for {yaml}");
        }
        let error = parse_documents(b"a: 1\nb: \xc3\xa9\xff\n", &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), "bytes that are not UTF-8 at line 2 column 5");
    }

    #[test]
    fn a_path_leads_to_the_place_of_its_value() {
        let yaml = "kind: X\nspec:\n  data:\n  - key: a\n  - key: b\n    property: p\n";
        let documents = parse(yaml).unwrap();
        let at = |path: &[Step<'_>]| {
            let Position { line, column } = documents[0].position(path.iter().copied());
            (line, column)
        };
        let item = [Step::Key("spec"), Step::Key("data"), Step::Index(1), Step::Key("property")];
        assert_eq!(at(&item), (6, 15));
        assert_eq!(at(&item[..3]), (5, 5));
        assert_eq!(at(&[Step::Key("spec"), Step::Key("missing"), Step::Index(0)]), (3, 3));
        assert_eq!(at(&[]), (1, 1));
    }

    #[test]
    fn bombs_are_refused_and_ordinary_anchors_work() {
        let laughs = |width: usize, depth: usize| {
            let line = |level: usize| {
                format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); width].join(", "))
            };
            format!("a0: &a0 [x]\n{}", (1..depth).map(line).collect::<String>())
        };
        let large = format!("a: &a {}\nb: [{}]\n", "x".repeat(20_000), vec!["*a"; 2_000].join(", "));
        assert_eq!(parse(&laughs(9, 12)).unwrap_err().kind(), YamlErrorKind::TooLarge);
        assert_eq!(parse(&large).unwrap_err().kind(), YamlErrorKind::TooLarge);
        assert_eq!(parse(&laughs(3, 5)).unwrap()[0].to_json()["a2"][2][1][0], "x");
    }

    #[test]
    fn size_depth_and_number_of_nodes_are_limited() {
        let limits = Limits { bytes: 100, depth: 3, nodes: 10, ..Limits::default() };
        let kind = |text: &str| parse_documents(text.as_bytes(), &limits).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind("[[[1]]]"), Ok(()));
        assert_eq!(kind("[[[[1]]]]"), Err(YamlErrorKind::TooDeep));
        assert_eq!(kind("a:\n- b:\n  - c: 1\n"), Err(YamlErrorKind::TooDeep));
        assert_eq!(kind("- - - - 1\n"), Err(YamlErrorKind::TooDeep));
        assert_eq!(kind("a: &a [&b [&c [1]]]\nb: [*b]\n"), Err(YamlErrorKind::TooDeep));
        assert_eq!(kind("[1,2,3,4,5,6,7,8,9]"), Ok(()));
        assert_eq!(kind("[1,2,3,4,5,6,7,8,9,10]"), Err(YamlErrorKind::TooLarge));
        assert_eq!(kind(&"x".repeat(100)), Ok(()));
        assert_eq!(kind(&"x".repeat(101)), Err(YamlErrorKind::TooLarge));
        let default = Limits::default();
        for bomb in ["[", "{a: ", "- ", "? ", "!a ", "&a ", "- [", "\"", "|"] {
            let text = bomb.repeat(200_000);
            assert!(parse_documents(text.as_bytes(), &default).is_err(), "for {bomb}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String, pieces in proptest::collection::vec(0..PIECES.len(), 0..30)) {
            drop(parse(&text));
            drop(parse(&pieces.into_iter().map(|piece| PIECES[piece]).collect::<String>()));
        }
    }

    const PIECES: [&str; 30] = [
        "a",
        ": ",
        "\n",
        "  ",
        "- ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&x ",
        "*x",
        "<<: ",
        "!!int ",
        "!a ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "\t",
        "~",
        "1",
        "\\",
        "\u{85}",
        "\u{feff}",
    ];
}
