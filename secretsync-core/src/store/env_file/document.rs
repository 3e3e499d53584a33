//! The text of an env file: sections of ours between lines of the user's.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::quote::unquote;
use crate::store::TargetRef;

const BEGIN: &str = "# >>> secretsync ";
const END: &str = "# <<< secretsync ";
const REMARK: &str = "(replaced at each sync, up to <<<)";

/// An env file.
#[derive(Default)]
pub(super) struct Document {
    pieces: Vec<Piece>,
    /// Variables that lines of the user's give, with the numbers of these lines.
    variables: BTreeMap<String, usize>,
}

enum Piece {
    /// A line or some that are not ours, kept as they are.
    Foreign(Zeroizing<String>),
    Section(Section),
}

/// The variables that one sync wrote for one target.
#[derive(Clone)]
pub(super) struct Section {
    pub(super) id: SectionId,
    pub(super) owns: bool,
    /// Variables with the text behind the `=`.
    pub(super) entries: BTreeMap<String, Zeroizing<String>>,
    /// Whether its text is as it was written.
    pub(super) intact: bool,
}

/// Which sync wrote a section, for which target.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SectionId {
    pub(super) target: TargetRef,
    pub(super) owner: String,
}

/// Why a file cannot be understood: the number of the line, and what is wrong with it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Damage(pub(super) usize, pub(super) &'static str);

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, Damage> {
        let mut document = Self::default();
        let mut seen = BTreeSet::new();
        let mut reader = Reader { text, at: 0, line: 1 };
        while let Some(line) = reader.peek() {
            if line.starts_with(BEGIN) {
                let number = reader.line;
                let (section, strays) = reader.section()?;
                if !seen.insert(section.id.clone()) {
                    return Err(Damage(number, "a second section of this sync begins there"));
                }
                document.pieces.push(Piece::Section(section));
                document.pieces.push(Piece::Foreign(strays));
                continue;
            }
            if line.starts_with(END) {
                return Err(Damage(reader.line, "a section of secretsync ends there that does not begin"));
            }
            let number = reader.line;
            if let Some((name, _)) = variable_of(line) {
                document.variables.entry(name.to_owned()).or_insert(number);
            }
            document.pieces.push(Piece::Foreign(Zeroizing::new(reader.foreign().to_owned())));
        }
        Ok(document)
    }

    pub(super) fn text(&self) -> Zeroizing<String> {
        let length = self.pieces.iter().map(Piece::length).sum();
        let mut text = Zeroizing::new(String::with_capacity(length));
        for piece in &self.pieces {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            match piece {
                Piece::Foreign(lines) => text.push_str(lines),
                Piece::Section(section) => section.write(&mut text),
            }
        }
        text
    }

    pub(super) fn section(&self, id: &SectionId) -> Option<&Section> {
        self.sections().find(|section| section.id == *id)
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = &Section> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Section(section) => Some(section),
            Piece::Foreign(_) => None,
        })
    }

    /// The line of the user's that gives a variable.
    pub(super) fn foreign_line_of(&self, name: &str) -> Option<usize> {
        self.variables.get(name).copied()
    }

    /// Puts a section in the place of the one with its id, or at the end.
    pub(super) fn put(&mut self, section: Section) {
        let place = self.pieces.iter_mut().find_map(|piece| match piece {
            Piece::Section(old) if old.id == section.id => Some(old),
            _ => None,
        });
        match place {
            Some(old) => *old = section,
            None => self.pieces.push(Piece::Section(section)),
        }
    }

    pub(super) fn remove(&mut self, id: &SectionId) {
        self.pieces.retain(|piece| !matches!(piece, Piece::Section(section) if section.id == *id));
    }
}

impl Piece {
    /// At most how long its text is.
    fn length(&self) -> usize {
        match self {
            Self::Foreign(lines) => lines.len() + 1,
            Self::Section(section) => {
                let names = 2 * section.id.owner.len() + section.id.target.to_string().len();
                let entries: usize = section.entries.iter().map(|(name, text)| name.len() + text.len() + 2).sum();
                names + entries + BEGIN.len() + END.len() + REMARK.len() + 16
            }
        }
    }
}

impl Section {
    /// Whether it was written as `other` would be.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.intact && self.owns == other.owns && self.entries == other.entries
    }

    fn write(&self, text: &mut String) {
        let SectionId { target, owner } = &self.id;
        let verb = if self.owns { "owns" } else { "shares" };
        let target = target.to_string();
        for part in [BEGIN, owner, " ", verb, " ", &target, " ", REMARK, "\n"] {
            text.push_str(part);
        }
        for (name, value) in &self.entries {
            for part in [name, "=", value.as_str(), "\n"] {
                text.push_str(part);
            }
        }
        for part in [END, owner, "\n"] {
            text.push_str(part);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    /// The next line, with its end.
    fn peek(&self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        (end > 0).then(|| &rest[..end])
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.text[self.at..self.at + length];
        self.at += length;
        self.line += taken.matches('\n').count();
        taken
    }

    /// A line of the user's, and more where its value is quoted and goes on.
    fn foreign(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let line = self.peek().unwrap_or_default();
        let more = variable_of(line).and_then(|(_, start)| value_end(rest, start));
        self.take(more.unwrap_or(line.len()))
    }

    /// A section, and what stands in it that is not ours.
    fn section(&mut self) -> Result<(Section, Zeroizing<String>), Damage> {
        let number = self.line;
        let damaged = Damage(number, "a section of secretsync begins there that is not as it was written");
        let line = self.peek().unwrap_or_default();
        let mut words = line[BEGIN.len()..].split_whitespace();
        let (Some(owner), Some(verb), Some(target)) = (words.next(), words.next(), words.next()) else {
            return Err(damaged);
        };
        let Some((namespace, name)) = target.split_once('/') else { return Err(damaged) };
        let id = SectionId { target: TargetRef::new(namespace, name), owner: owner.to_owned() };
        let mut section = Section { id, owns: verb == "owns", entries: BTreeMap::new(), intact: true };
        self.take(line.len());
        let mut strays = Zeroizing::new(String::new());
        while let Some(line) = self.peek() {
            if let Some(end) = line.strip_prefix(END) {
                section.intact &= end.trim_end() == section.id.owner;
                self.take(line.len());
                return Ok((section, strays));
            }
            if line.starts_with(BEGIN) {
                break;
            }
            let Some((name, start)) = variable_of(line) else {
                section.intact = false;
                strays.push_str(self.take(line.len()));
                continue;
            };
            let rest = &self.text[self.at..];
            let ours =
                unquote(&rest[start..]).map(|(_, length)| start + length).filter(|end| rest[*end..].starts_with('\n'));
            let end = ours.unwrap_or_else(|| value_end(rest, start).unwrap_or(line.len()));
            let value = Zeroizing::new(rest[start..end].trim_end_matches(['\r', '\n']).to_owned());
            let double = section.entries.insert(name.to_owned(), value).is_some();
            section.intact &= ours.is_some() && !double && line.starts_with(name);
            self.take(ours.map_or(end, |end| end + 1));
        }
        Err(Damage(number, "a section of secretsync begins there that does not end"))
    }
}

/// The variable that a line gives, and where its value starts.
fn variable_of(line: &str) -> Option<(&str, usize)> {
    let (left, _) = line.split_once('=')?;
    let name = left.trim_start_matches('\u{feff}').trim();
    let name = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map_or(name, str::trim_start);
    is_variable(name).then_some((name, left.len() + 1))
}

/// Whether a text can be the name of a variable in every shell.
pub(super) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where a quoted value of several lines ends, with the rest of its last line. `None` if it does not begin with a quote, or the quote is not
/// closed before a section begins or ends: then it is one line.
fn value_end(text: &str, start: usize) -> Option<usize> {
    let value = text[start..].trim_start_matches([' ', '\t']);
    let open = text.len() - value.len();
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'))?;
    let mut escaped = false;
    let close = value.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped && quote == '"';
        closes
    });
    let close = open + close?.0;
    if [BEGIN, END].iter().any(|marker| text[open..close].contains(&format!("\n{marker}"))) {
        return None;
    }
    Some(text[close..].find('\n').map_or(text.len(), |end| close + end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "# >>> secretsync shop/db owns shop/db (replaced at each sync, up to <<<)\nA=1\nB='two\nlines'\n# <<< secretsync shop/db\n";

    fn parse(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    #[test]
    fn a_file_is_written_back_as_it_was() {
        for text in [
            String::new(),
            "X=1\n# note\n\nexport Y = 'a\nb' # c\n".to_owned(),
            format!("X=it's\n{OURS}Z=it's"),
            format!("{OURS}\n\r\nX=\"a\\\"\n# <<<\nb\"\n"),
        ] {
            assert_eq!(parse(&text).text().as_str(), text);
        }
    }

    #[test]
    fn variables_of_the_user_are_found_with_their_lines() {
        let text = format!("# X=0\nX=1\n{OURS}export Y='a\nNOT=1\n'\n  Z = 2\nit's=3\nW=it's\nV='\n");
        let document = parse(&text);
        for (name, line) in [
            ("X", Some(2)),
            ("Y", Some(8)),
            ("Z", Some(11)),
            ("W", Some(13)),
            ("V", Some(14)),
            ("NOT", None),
            ("A", None),
        ] {
            assert_eq!(document.foreign_line_of(name), line, "{name}");
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_hides_no_section() {
        let document = parse(&format!("X='open\n{OURS}Y='also open\n"));
        assert_eq!(document.sections().count(), 1);
        assert_eq!(document.foreign_line_of("Y"), Some(7));
    }

    #[test]
    fn values_that_look_like_the_end_of_a_section_stay_values() {
        let text = "# >>> secretsync a/b shares c/d x\nA='\n# <<< secretsync a/b\n'\n# <<< secretsync a/b\n";
        let document = parse(text);
        let section = document.sections().next().unwrap();
        assert_eq!((section.owns, section.id.target.to_string().as_str()), (false, "c/d"));
        assert_eq!(section.entries["A"].as_str(), "'\n# <<< secretsync a/b\n'");
    }

    #[test]
    fn edits_inside_a_section_are_noticed_and_notes_there_are_kept() {
        for edited in [
            OURS.replace("A=1", "A=1 2"),
            OURS.replace("A=1", " A=1"),
            OURS.replace("A=1", "A=1\nA=2"),
            OURS.replace("A=1\n", "# a note\n"),
        ] {
            let document = parse(&edited);
            assert!(!document.sections().next().unwrap().intact, "{edited}");
            assert_eq!(document.text().contains("# a note"), edited.contains("# a note"));
        }
        assert!(parse(OURS).sections().next().unwrap().intact);
    }

    #[test]
    fn damaged_sections_are_refused_with_their_line() {
        for (text, line) in [
            ("X=1\n# >>> secretsync a/b owns c/d\nA=1\n".to_owned(), 2),
            ("# >>> secretsync a/b\n# <<< secretsync a/b\n".to_owned(), 1),
            ("X=1\n\n# <<< secretsync a/b\n".to_owned(), 3),
            (format!("{OURS}{OURS}"), 6),
        ] {
            assert_eq!(Document::parse(&text).err().map(|damage| damage.0), Some(line), "{text}");
        }
    }
}
