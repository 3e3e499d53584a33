//! dotenv documents: lines to tree.

use std::borrow::Cow;

use super::flat::{unflatten, with_line_breaks};
use super::tree::{Budget, Item, Leaf, Node, Parsed};
use crate::error::Error;

/// Reads lines as sops does: what stands before the first `=` is the key and what follows the value, blanks, quotes and all. Metadata is what
/// the prefix `sops_` marks.
pub(crate) fn parse(text: &str) -> Result<Parsed<'_>, Error> {
    let mut budget = Budget::default();
    // A value takes about that much, so the list seldom moves.
    let mut items = Vec::with_capacity(text.len() / BYTES_OF_A_VALUE);
    let mut metadata = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        budget.take(1)?;
        if let Some(comment) = line.strip_prefix('#') {
            items.push(Item::Comment(comment.into()));
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| Error::syntax("it is not a valid dotenv document: there is no `=`", index + 1, 1))?;
        let value = with_line_breaks(value);
        match key.strip_prefix(METADATA) {
            Some(name) => metadata.push((name, value)),
            None => items.push(Item::Entry { key: Cow::Borrowed(key), value: Node::Leaf(Leaf::Text(value)) }),
        }
    }
    if metadata.iter().any(|(_, value)| value.ends_with('\r')) {
        return Err(Error::malformed(
            "its lines end with carriage returns, which belong to the values: convert it to Unix line ends, and mark it with `-text` in `.gitattributes`",
        ));
    }
    let blocks = if metadata.is_empty() { Vec::new() } else { vec![unflatten(metadata)?] };
    Ok(Parsed { items, blocks })
}

/// How many bytes an encrypted value takes at least.
const BYTES_OF_A_VALUE: usize = 110;

/// What the keys of metadata begin with.
pub(crate) const METADATA: &str = "sops_";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let show = |item: &Item<'_>| match item {
            Item::Comment(text) => format!("#{text}"),
            Item::Entry { key, value: Node::Leaf(Leaf::Text(text)) } => format!("{key}={text}"),
            Item::Entry { .. } => "?".to_owned(),
        };
        parse(text).unwrap().items.iter().map(show).collect()
    }

    #[test]
    fn nothing_is_trimmed_and_only_line_breaks_are_escaped() {
        assert_eq!(
            read("A=b\n\n#  c\nfoo =\" x\" \nE=\nF=a=b\\nc\\t\r\n #x=y\n"),
            ["A=b", "#  c", "foo =\" x\" ", "E=", "F=a=b\nc\\t\r", " #x=y"]
        );
        assert_eq!(read("sops=1\nsops_mac=x\nSOPS_A=2"), ["sops=1", "SOPS_A=2"]);
    }

    #[test]
    fn line_ends_of_windows_are_told() {
        let complaint = parse("A=b\r\nsops_mac=x\r\n").err().expect("it is refused").to_string();
        assert!(complaint.contains("carriage returns"), "{complaint}");
    }

    #[test]
    fn a_line_without_an_equals_sign_is_told_by_its_place() {
        let error = parse("A=1\nsecret").err().expect("it is refused").to_string();
        assert_eq!(error, "it is not a valid dotenv document: there is no `=` at line 2, column 1");
        assert!(parse(&"a=\n".repeat(300_000)).is_err());
    }
}
