//! INI documents: lines to tree.
//!
//! The rules are those of the INI library that sops uses, since values that are not encrypted are hashed as it reads them.

mod value;

use std::borrow::Cow;
use std::collections::{HashMap, hash_map};

use self::value::Value;
use super::flat::{unflatten, with_line_breaks};
use super::tree::{Budget, Item, Leaf, Node, Parsed};
use crate::error::Error;

/// Reads sections of keys and values. A section that occurs twice stays two sections.
pub(crate) fn parse(text: &str) -> Result<Parsed<'_>, Error> {
    let mut reader = Reader {
        lines: Lines { rest: text.strip_prefix('\u{feff}').unwrap_or(text), number: 0 },
        sections: vec![Section::new(DEFAULT)],
        comment: String::new(),
        budget: Budget::default(),
    };
    while let Some(line) = reader.lines.next() {
        reader.line(line)?;
    }
    let mut parsed = Parsed { items: Vec::new(), blocks: Vec::new() };
    for section in reader.sections {
        if section.name == "sops" {
            parsed.blocks.push(section.metadata()?);
        } else if section.name != DEFAULT || !section.items.is_empty() {
            parsed.items.push(Item::Entry { key: Cow::Borrowed(section.name), value: Node::Map(section.items) });
        }
    }
    Ok(parsed)
}

/// The section of keys that stand before every section.
const DEFAULT: &str = "DEFAULT";

/// The lines that are left, each with its line break.
struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.number += 1;
        Some(line)
    }
}

struct Section<'a> {
    name: &'a str,
    items: Vec<Item<'a>>,
    /// Where in `items` each key is.
    places: HashMap<Cow<'a, str>, usize>,
    /// How many keys had `-` for a name: they are numbered.
    unnamed: usize,
}

impl<'a> Section<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, items: Vec::new(), places: HashMap::new(), unnamed: 0 }
    }

    fn metadata(&self) -> Result<Node<'static>, Error> {
        unflatten(self.items.iter().filter_map(|item| match item {
            Item::Entry { key, value: Node::Leaf(Leaf::Text(text)) } => Some((key.as_ref(), with_line_breaks(text))),
            _ => None,
        }))
    }

    /// Puts a key at the end, or, where the section has it already, a new value in its place.
    fn set(&mut self, name: Cow<'a, str>, text: Cow<'a, str>) {
        let entry = Item::Entry { key: name.clone(), value: Node::Leaf(Leaf::Text(text)) };
        match self.places.entry(name) {
            hash_map::Entry::Occupied(place) => self.items[*place.get()] = entry,
            hash_map::Entry::Vacant(place) => {
                place.insert(self.items.len());
                self.items.push(entry);
            }
        }
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    sections: Vec<Section<'a>>,
    /// Comments that wait for the next key or section.
    comment: String,
    budget: Budget,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) -> Result<(), Error> {
        let line = line.trim_start();
        if line.is_empty() {
            return Ok(());
        }
        self.budget.take(1)?;
        if line.starts_with(['#', ';']) {
            self.comment.push_str(line);
            return Ok(());
        }
        match line.strip_prefix('[') {
            Some(rest) => self.section(rest),
            None => self.key(line),
        }
    }

    fn section(&mut self, rest: &'a str) -> Result<(), Error> {
        let (name, after) = rest.rsplit_once(']').ok_or_else(|| self.refused("a section is not closed"))?;
        if name.is_empty() {
            return Err(self.refused("a section has no name"));
        }
        if let Some(at) = after.find(['#', ';']) {
            self.comment.push_str(&after[at..]);
        }
        let mut section = Section::new(name);
        section.items.extend(self.take_comment());
        self.sections.push(section);
        Ok(())
    }

    fn key(&mut self, line: &'a str) -> Result<(), Error> {
        let (name, rest) = key_name(line).map_err(|what| self.refused(what))?;
        let Value { text, comment } = value::read(rest, &mut self.lines).map_err(|what| self.refused(what))?;
        self.comment.push_str(comment);
        let comment = self.take_comment();
        // There is always the section of the keys before every section.
        let Some(section) = self.sections.last_mut() else { return Ok(()) };
        let name = if name == "-" {
            section.unnamed += 1;
            Cow::from(format!("#{}", section.unnamed))
        } else {
            Cow::from(name)
        };
        section.set(name, text);
        // A comment stands above its key and is kept behind it: that is where sops puts it, and what its rules about comments follow.
        section.items.extend(comment);
        Ok(())
    }

    fn take_comment(&mut self) -> Option<Item<'a>> {
        let text = std::mem::take(&mut self.comment);
        let text = text.trim();
        let bare = match text.as_bytes().first()? {
            b';' => text.trim_start_matches([';', ' ']),
            _ => text.trim_start_matches(['#', ' ']),
        };
        Some(Item::Comment(bare.to_owned().into()))
    }

    fn refused(&self, what: &'static str) -> Error {
        Error::syntax(format!("it is not a valid INI document: {what}"), self.lines.number, 1)
    }
}

/// The name of a key, and what follows the separator behind it.
fn key_name(line: &str) -> Result<(&str, &str), &'static str> {
    const UNSEPARATED: &str = "there is neither `=` nor `:`";
    let quote = match line.as_bytes() {
        [b'"', b'"', b'"', _, _, _, _, ..] => "\"\"\"",
        [b'"', ..] => "\"",
        [b'`', ..] => "`",
        _ => {
            let at = line.find(['=', ':']).ok_or(UNSEPARATED)?;
            let name = line[..at].trim();
            return if name.is_empty() { Err("a key has no name") } else { Ok((name, &line[at + 1..])) };
        }
    };
    let (name, rest) = line[quote.len()..].split_once(quote).ok_or("the name of a key is not closed")?;
    let at = rest.find(['=', ':']).ok_or(UNSEPARATED)?;
    let name = name.trim();
    if name.is_empty() { Err("a key has no name") } else { Ok((name, &rest[at + 1..])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        fn show(items: &[Item<'_>]) -> String {
            let parts = items.iter().map(|item| match item {
                Item::Comment(text) => format!("#({text})"),
                Item::Entry { key, value: Node::Leaf(Leaf::Text(text)) } => format!("{key}=({text})"),
                Item::Entry { key, value: Node::Map(items) } => format!("[{key}] {}", show(items)),
                Item::Entry { .. } => "?".to_owned(),
            });
            parts.collect::<Vec<_>>().join(" ")
        }
        show(&parse(text).unwrap().items)
    }

    #[test]
    fn sections_keys_and_values_are_read_as_the_library_of_sops_does() {
        assert_eq!(
            read("top = 1\n[a b]\n x:y = z \nempty=\n[c]\n\"q=k\" = v\n`t` : w\n"),
            "[DEFAULT] top=(1) [a b] x=(y = z) empty=() [c] q=k=(v) t=(w)"
        );
        assert_eq!(read("\u{feff}[a]\r\nk = v\r\n[a]\nk = w\n"), "[a] k=(v) [a] k=(w)");
        assert_eq!(read("[a]\nk = 1\nl = 2\nk = 3\n- = x\n- = y"), "[a] k=(3) l=(2) #1=(x) #2=(y)");
    }

    #[test]
    fn comments_stand_behind_their_key() {
        assert_eq!(
            read("; one\n[a] # more\n# two\n; lines\nk = v ; end\nl = w\n"),
            "[a] #(one\n# more) k=(v) #(two\n; lines\n; end) l=(w)"
        );
    }

    #[test]
    fn what_is_no_ini_document_is_told_by_its_place() {
        for (text, expected) in [
            ("[a", "a section is not closed at line 1"),
            ("[]", "a section has no name at line 1"),
            ("[a]\nsecret\n", "there is neither `=` nor `:` at line 2"),
            ("= x", "a key has no name at line 1"),
            ("\"a = x", "the name of a key is not closed at line 1"),
            ("a = \"\"\"x\ny\n", "a value is not closed"),
        ] {
            let error = parse(text).err().expect("it is refused").to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
        assert!(parse(&"a=1\n".repeat(300_000)).is_err());
    }
}
