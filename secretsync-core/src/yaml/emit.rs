//! Writes YAML that every reader takes for what it is: whatever a YAML 1.1 reader could mistake is quoted.

use serde_json::Value;
use zeroize::Zeroizing;

use super::resolve::{Scalar, plain};
use crate::json::{Buffer, Overflow};

/// Writes `value` as one YAML document in block style, without a leading `---`.
///
/// Members keep the order that `value` has. The result may hold secrets and is wiped when dropped.
pub fn document(value: &Value) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer { out: Buffer::new(usize::MAX) };
    // Nothing is longer than the address space, so nothing overflows.
    match writer.document(value) {
        Ok(()) | Err(Overflow) => writer.out.into_bytes(),
    }
}

/// How many blanks a level is indented by.
const INDENT: usize = 2;
/// Readers look this far for the colon behind a key; longer keys are announced by `?`. libyaml writes so from here on.
const LONGEST_KEY: usize = 128;

struct Writer {
    out: Buffer,
}

impl Writer {
    fn document(&mut self, value: &Value) -> Result<(), Overflow> {
        match value {
            Value::Object(members) if !members.is_empty() => self.mapping(members, 0),
            Value::Array(items) if !items.is_empty() => self.list(items, 0),
            scalar => {
                self.scalar(scalar, INDENT)?;
                self.out.push(b'\n')
            }
        }
    }

    /// Writes the members, the first where the line stands now, the others on lines indented by `indent`.
    fn mapping(&mut self, members: &serde_json::Map<String, Value>, indent: usize) -> Result<(), Overflow> {
        for (index, (key, value)) in members.iter().enumerate() {
            if index > 0 {
                self.indent(indent)?;
            }
            if key.len() > LONGEST_KEY {
                self.out.extend(b"? ")?;
                self.inline(key)?;
                self.out.push(b'\n')?;
                self.indent(indent)?;
            } else {
                self.inline(key)?;
            }
            self.out.push(b':')?;
            match value {
                Value::Object(members) if !members.is_empty() => {
                    self.out.push(b'\n')?;
                    self.indent(indent + INDENT)?;
                    self.mapping(members, indent + INDENT)?;
                }
                Value::Array(items) if !items.is_empty() => {
                    self.out.push(b'\n')?;
                    self.indent(indent)?;
                    self.list(items, indent)?;
                }
                scalar => {
                    self.out.push(b' ')?;
                    self.scalar(scalar, indent + INDENT)?;
                    self.out.push(b'\n')?;
                }
            }
        }
        Ok(())
    }

    /// Writes the items, the first where the line stands now, the others on lines indented by `indent`.
    fn list(&mut self, items: &[Value], indent: usize) -> Result<(), Overflow> {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.indent(indent)?;
            }
            self.out.extend(b"- ")?;
            match item {
                Value::Object(members) if !members.is_empty() => self.mapping(members, indent + INDENT)?,
                Value::Array(items) if !items.is_empty() => self.list(items, indent + INDENT)?,
                scalar => {
                    self.scalar(scalar, indent + INDENT)?;
                    self.out.push(b'\n')?;
                }
            }
        }
        Ok(())
    }

    /// Writes a scalar or an empty list or mapping, without the line break behind it.
    fn scalar(&mut self, value: &Value, indent: usize) -> Result<(), Overflow> {
        match value {
            Value::Null => self.out.extend(b"null"),
            Value::Bool(value) => self.out.extend(value.to_string().as_bytes()),
            Value::Number(value) => self.out.extend(Zeroizing::new(value.to_string()).as_bytes()),
            Value::String(text) if is_block(text) => self.block(text, indent),
            Value::String(text) => self.inline(text),
            Value::Array(_) => self.out.extend(b"[]"),
            Value::Object(_) => self.out.extend(b"{}"),
        }
    }

    /// Writes a text of several lines as a literal block. The last line break is that of the block itself.
    fn block(&mut self, text: &str, indent: usize) -> Result<(), Overflow> {
        let (chomping, text) = text.strip_suffix('\n').map_or(("|-", text), |text| ("|", text));
        self.out.extend(chomping.as_bytes())?;
        for line in text.split('\n') {
            self.out.push(b'\n')?;
            if !line.is_empty() {
                self.indent(indent)?;
                self.out.extend(line.as_bytes())?;
            }
        }
        Ok(())
    }

    fn inline(&mut self, text: &str) -> Result<(), Overflow> {
        if is_plain(text) { self.out.extend(text.as_bytes()) } else { self.quoted(text) }
    }

    fn quoted(&mut self, text: &str) -> Result<(), Overflow> {
        self.out.push(b'"')?;
        for c in text.chars() {
            let mut utf8 = [0; 4];
            match c {
                '"' => self.out.extend(b"\\\"")?,
                '\\' => self.out.extend(b"\\\\")?,
                '\n' => self.out.extend(b"\\n")?,
                '\r' => self.out.extend(b"\\r")?,
                '\t' => self.out.extend(b"\\t")?,
                c if is_printable(c) => self.out.extend(c.encode_utf8(&mut utf8).as_bytes())?,
                c => self.out.extend(escape(c).as_bytes())?,
            }
        }
        self.out.push(b'"')
    }

    fn indent(&mut self, by: usize) -> Result<(), Overflow> {
        (0..by).try_for_each(|_| self.out.push(b' '))
    }
}

fn escape(c: char) -> Zeroizing<String> {
    let code = u32::from(c);
    Zeroizing::new(match code {
        0..=0xff => format!("\\x{code:02X}"),
        0x100..=0xffff => format!("\\u{code:04X}"),
        _ => format!("\\U{code:08X}"),
    })
}

/// Tells whether no reader of any YAML version can take the bare text for something else.
///
/// Texts that start with a digit, sign or dot are never bare: too many of them are numbers or dates to some reader.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let stays = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+=@:".contains(&byte));
    let is_word = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    starts && stays && !is_word && !text.ends_with(':') && matches!(plain(text), Scalar::Text(_))
}

/// Tells whether a literal block gives the text back exactly: more than one line, the first not indented, none that
/// ends with white space, at most one line break at the end, and nothing that needs an escape.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let is_line = |line: &str| !line.ends_with(' ') && line.chars().all(is_printable);
    body.contains('\n') && !body.starts_with(['\n', ' ']) && !body.ends_with('\n') && body.split('\n').all(is_line)
}

/// The characters that may stand in YAML as they are, without those that some readers take for line breaks or drop.
fn is_printable(c: char) -> bool {
    match c {
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        ' '..='~' | '\u{a1}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, any, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;
    use serde_json::json;

    use super::*;
    use crate::yaml::{Document, Limits, parse_documents};

    fn written(value: &Value) -> String {
        String::from_utf8(document(value).to_vec()).unwrap()
    }

    fn read(yaml: &str) -> Value {
        parse_documents(yaml.as_bytes(), &Limits::default()).unwrap().first().map_or(Value::Null, Document::to_json)
    }

    #[test]
    fn a_secret_is_written_as_people_write_one() {
        let secret = json!({
            "apiVersion": "v1",
            "data": {"tls.crt": "aGVsbG8=", "port": "NTQzMg==", "4": "eA=="},
            "kind": "Secret",
            "metadata": {"annotations": {}, "finalizers": [], "labels": {"on": "yes", "tier": "db"}, "name": "db"},
            "owners": [{"kind": "A", "uid": "1e3"}, ["x", ["y"]], "z"],
            "stringData": {"key.pem": "-----BEGIN\nabc\n  def\n\n-----END\n", "note": "two\nlines", "raw": " x\ny"},
        });
        let expected = r#"apiVersion: v1
data:
  "4": eA==
  port: NTQzMg==
  tls.crt: aGVsbG8=
kind: Secret
metadata:
  annotations: {}
  finalizers: []
  labels:
    "on": "yes"
    tier: db
  name: db
owners:
- kind: A
  uid: "1e3"
- - x
  - - "y"
- z
stringData:
  key.pem: |
    -----BEGIN
    abc
      def

    -----END
  note: |-
    two
    lines
  raw: " x\ny"
"#;
        // The order of members is that of the value, which depends on features of `serde_json` elsewhere.
        if json!({ "b": 0, "a": 0 }).as_object().unwrap().keys().is_sorted() {
            assert_eq!(written(&secret), expected);
        }
        assert_eq!(read(&written(&secret)), secret);
    }

    #[test]
    fn texts_that_some_reader_takes_for_something_else_are_quoted() {
        for text in MISTAKABLE {
            let yaml = written(&json!({ text: text }));
            assert!(yaml.starts_with('"') && yaml.ends_with("\"\n"), "{text:?} is written as {yaml}");
            assert_eq!(read(&yaml), json!({ text: text }), "for {yaml}");
        }
    }

    #[test]
    fn long_keys_and_lone_scalars_read_back() {
        let long = "k".repeat(2_000);
        for value in [
            json!({ &long: "x", "list": [{ &long: { &long: [1] } }] }),
            json!("a\nb\n"),
            json!("x"),
            json!(1.5),
            json!({}),
            json!([[], {}]),
            json!([1e21, 1e-7, -0.5, u64::MAX, i64::MIN, true, null]),
        ] {
            assert_eq!(read(&written(&value)), value);
        }
    }

    #[rustfmt::skip]
    const MISTAKABLE: [&str; 69] = [
        "", " ", "~", "null", "Null", "yes", "YES", "no", "on", "Off", "y", "N", "true", "tRUE", "nan",
        ".nan", ".inf", "inf", "1", "-1", "+1", "017", "0o17", "0x1f", "0b1", "1_000", "1e3", "1.5", ".5",
        "5.", "12:30", "190:20:30", "2024-01-02", "=", "<<", "-", "- a", "?", "? a", ": a", "a:", "a: b",
        "a #b", "#a", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "'a", "\"a", "[a", "]", "{a", "}", ",a",
        " a", "a ", "\ta", "---", "...", "a\u{7f}", "a\u{85}b", "a\u{2028}b", "\u{feff}", "\0",
    ];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ -~\n\t\u{85}\u{a0}\u{2028}\u{feff}\u{7f}\r]{0,12}",
            "([ a#:'\"|>-]{0,4}\n){0,4}[ a]{0,3}",
            "[0-9xeob_.:+-]{1,6}",
            "(yes|no|on|null|true|~|<<|=|y|---|\\.\\.\\.)?[ :#]?",
        ]
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((text(), inner), 0..5).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back_the_same(value in tree()) {
            let yaml = written(&value);
            prop_assert_eq!(&read(&yaml), &value);
            // A reader of YAML 1.2 agrees.
            prop_assert_eq!(serde_yaml::from_str::<Value>(&yaml).unwrap(), value);
        }
    }
}
