//! YAML documents: events to tree.

mod scalar;

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, Placement, ScalarStyle, ScanError, Span, StructureStyle, Tag};

use super::limits::{MAX_BYTES, MAX_DEPTH};
use super::tree::{Budget, Item, Leaf, Node, Parsed, repeated};
use crate::error::{Error, quoted};

/// Which comments are kept. They cost time, and decide something only where a rule looks at them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Comments {
    All,
    /// All, if the document has a rule about them.
    WhereRuled,
}

/// The one document that the text holds.
pub(crate) fn parse(text: &str, comments: Comments) -> Result<Parsed<'_>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separators = text.contains(SEPARATORS);
    let options = options(text, comments);
    let mut builder = Builder::default();
    if options.emit_comments {
        builder.indents = text.split('\n').map(|line| line.len() - line.trim_start_matches(' ').len()).collect();
    }
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        if separators && matches!(&event, Event::Scalar(text, ..) if is_folded(text)) {
            return Err(at(
                span,
                "a text has blanks behind a line or paragraph separator of Unicode (U+2028, U+2029), which sops may have put there",
            ));
        }
        builder.event(event, span)?;
    }
    match builder.root {
        Some(Node::Map(items)) => Ok(Parsed::nested(items)),
        None | Some(Node::Leaf(Leaf::Null)) => Ok(Parsed::nested(Vec::new())),
        Some(_) => Err(Error::syntax("its top level is no map", 1, 1)),
    }
}

/// Characters that break a line for sops's YAML library, and not for YAML 1.2.
const SEPARATORS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// Whether a text looks like what that library writes for such a break: it indents what follows, and takes the blanks away when it reads.
fn is_folded(text: &str) -> bool {
    text.split(SEPARATORS).skip(1).any(|behind| behind.starts_with(' '))
}

fn options(text: &str, comments: Comments) -> Options {
    let mut options = Options::default();
    options.emit_comments = comments == Comments::All || text.contains("comment_regex");
    options.max_buffered_comment_events = MOST_COMMENTS_IN_A_ROW;
    options
}

/// The parser holds them all at once.
const MOST_COMMENTS_IN_A_ROW: usize = 10_000;

/// The parser's own text may quote the document, so only the place is taken.
fn syntax(error: &ScanError) -> Error {
    let marker = error.marker();
    Error::syntax("it is not valid YAML", marker.line(), marker.col() + 1)
}

fn at(span: Span, what: impl Into<Cow<'static, str>>) -> Error {
    Error::syntax(what, span.start.line(), span.start.col() + 1)
}

/// A map or list that is being filled.
struct Frame<'a> {
    anchor: usize,
    start: Span,
    filling: Filling<'a>,
    /// The column of the dashes, if it is a list with dashes.
    dashes: Option<usize>,
}

enum Filling<'a> {
    List(Vec<Node<'a>>),
    Map { items: Vec<Item<'a>>, key: Option<Cow<'a, str>> },
}

/// A node that aliases can refer to.
struct Anchored<'a> {
    node: Node<'a>,
    nodes: usize,
    depth: usize,
    bytes: usize,
}

#[derive(Default)]
struct Builder<'a> {
    stack: Vec<Frame<'a>>,
    root: Option<Node<'a>>,
    documents: usize,
    anchors: HashMap<usize, Anchored<'a>>,
    budget: Budget,
    copied: usize,
    /// How many blanks each line begins with, if comments are looked at.
    indents: Vec<usize>,
    /// Comments on lines of their own, with their columns, that wait for what they stand above.
    comments: Vec<(usize, Cow<'a, str>)>,
}

impl<'a> Builder<'a> {
    fn event(&mut self, event: Event<'a>, span: Span) -> Result<(), Error> {
        if self.documents > 1 && holds_something(&event) {
            return Err(Error::unsupported(
                "it holds several YAML documents",
                "split it into one file for each document and encrypt them one by one",
            ));
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                Ok(())
            }
            Event::Comment(text, placement) => {
                self.budget.take(1)?;
                self.comment(text, placement == Placement::Right, span);
                Ok(())
            }
            // An empty document behind the first one.
            Event::Scalar(..) if self.documents > 1 => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain;
                let tag = tag.as_deref().map(own_name);
                let leaf = scalar::resolve(text, quoted, tag.as_deref())
                    .map_err(|what| at(span, format!("a value {what}")))?;
                self.node(Node::Leaf(leaf), anchor, span)
            }
            Event::SequenceStart(style, anchor, _) => self.open(Filling::List(Vec::new()), style, anchor, span),
            Event::MappingStart(style, anchor, _) => {
                self.open(Filling::Map { items: Vec::new(), key: None }, style, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    fn open(&mut self, filling: Filling<'a>, style: StructureStyle, anchor: usize, span: Span) -> Result<(), Error> {
        if self.stack.len() == MAX_DEPTH {
            return Err(at(span, format!("it nests deeper than {MAX_DEPTH} levels")));
        }
        if self.wants_key() {
            return Err(at(span, "a key is no text"));
        }
        // In a map they wait for the first entry of what begins here.
        if matches!(self.stack.last(), Some(Frame { filling: Filling::List(_), .. })) {
            self.place_comments(span);
        }
        self.budget.take(1)?;
        let dashes = (style == StructureStyle::Block && matches!(filling, Filling::List(_))).then(|| self.dashes(span));
        self.stack.push(Frame { anchor, start: span, filling, dashes });
        Ok(())
    }

    /// The column of the dashes of a list that begins now. The parser gives that of the text behind the dash where a map has the list at its own
    /// column, but the first dash of a map's list is always the first of its line.
    fn dashes(&self, span: Span) -> usize {
        let of_map = matches!(self.stack.last(), Some(Frame { filling: Filling::Map { .. }, .. }));
        let indent = span.start.line().checked_sub(1).and_then(|line| self.indents.get(line)).filter(|_| of_map);
        indent.copied().unwrap_or_else(|| span.start.col())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(Frame { anchor, start, filling, .. }) = self.stack.pop() else { return Ok(()) };
        let node = match filling {
            Filling::List(items) => Node::List(items),
            Filling::Map { items, .. } => {
                if let Some(key) = repeated(&items) {
                    return Err(at(start, format!("the map that begins here has the key `{}` twice", quoted(key))));
                }
                Node::Map(items)
            }
        };
        self.keep_anchored(&node, anchor)?;
        self.attach(node, start)
    }

    fn node(&mut self, node: Node<'a>, anchor: usize, span: Span) -> Result<(), Error> {
        self.budget.take(1)?;
        self.keep_anchored(&node, anchor)?;
        self.place_comments(span);
        self.attach(node, span)
    }

    /// Puts a complete node where it belongs: as a key, a value, an element, or the document.
    fn attach(&mut self, node: Node<'a>, span: Span) -> Result<(), Error> {
        match self.stack.last_mut().map(|frame| &mut frame.filling) {
            None => self.root = Some(node),
            Some(Filling::List(items)) => items.push(node),
            Some(Filling::Map { items, key }) => match (key.take(), node) {
                (Some(key), value) => items.push(Item::Entry { key, value }),
                (None, Node::Leaf(Leaf::Text(text))) => *key = Some(text),
                (None, _) => return Err(at(span, "a key is no text")),
            },
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { filling: Filling::Map { key: None, .. }, .. }))
    }

    fn keep_anchored(&mut self, node: &Node<'a>, anchor: usize) -> Result<(), Error> {
        if anchor == 0 {
            return Ok(());
        }
        let (nodes, depth, bytes) = extent(node);
        self.pay(nodes, bytes)?;
        self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth, bytes });
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Error> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(at(span, "an alias refers to what it stands in"));
        };
        let (nodes, depth, bytes) = (anchored.nodes, anchored.depth, anchored.bytes);
        if self.stack.len() + depth > MAX_DEPTH {
            return Err(at(span, format!("it nests deeper than {MAX_DEPTH} levels")));
        }
        self.pay(nodes, bytes)?;
        let node = self.anchors.get(&id).map(|anchored| anchored.node.clone());
        self.place_comments(span);
        self.attach(node.unwrap_or(Node::Leaf(Leaf::Null)), span)
    }

    /// Accounts for a copy before it is made.
    fn pay(&mut self, nodes: usize, bytes: usize) -> Result<(), Error> {
        self.budget.take(nodes)?;
        self.copied = self.copied.saturating_add(bytes);
        if self.copied > MAX_BYTES {
            return Err(Error::TooLarge { what: format!("its aliases stand for more than {MAX_BYTES} bytes") });
        }
        Ok(())
    }

    /// A comment at the end of a line belongs to what begins on that line; any other to what follows.
    fn comment(&mut self, text: Cow<'a, str>, right: bool, span: Span) {
        if !right {
            self.comments.push((span.start.col(), text));
            return;
        }
        match self.stack.last_mut().map(|frame| &mut frame.filling) {
            None => {}
            Some(Filling::List(items)) => items.insert(items.len().saturating_sub(1), Node::Comment(text)),
            Some(Filling::Map { items, key: Some(_) }) => items.push(Item::Comment(text)),
            Some(Filling::Map { items, key: None }) => items.insert(items.len().saturating_sub(1), Item::Comment(text)),
        }
    }

    /// Puts waiting comments before the node that begins now. Those further to the right closed a map or list and govern nothing.
    fn place_comments(&mut self, span: Span) {
        if self.comments.is_empty() {
            return;
        }
        let Some(frame) = self.stack.last_mut() else { return };
        let column = match (&frame.filling, frame.dashes) {
            // Between two elements the dash counts, not what stands behind it: further to the right is the end of the element before.
            (Filling::List(items), Some(dashes)) if !items.is_empty() => dashes,
            _ => span.start.col(),
        };
        for (_, text) in self.comments.drain(..).filter(|(indent, _)| *indent <= column) {
            match &mut frame.filling {
                Filling::List(items) => items.push(Node::Comment(text)),
                Filling::Map { items, .. } => items.push(Item::Comment(text)),
            }
        }
    }
}

/// Whether an event shows that a document is not empty.
fn holds_something(event: &Event<'_>) -> bool {
    match event {
        // The parser writes what is not there as `~`.
        Event::Scalar(text, style, _, tag) => {
            !matches!(&**text, "" | "~") || *style != ScalarStyle::Plain || tag.is_some()
        }
        Event::Alias(_) | Event::MappingStart(..) | Event::SequenceStart(..) => true,
        _ => false,
    }
}

/// The name of one of YAML's own tags; every other tag makes a text.
fn own_name(tag: &Tag) -> Cow<'_, str> {
    tag.suffix_in_namespace("tag:yaml.org,2002:").unwrap_or(Cow::Borrowed("str"))
}

/// How many nodes a node has, how deep it is, and how long its texts are.
fn extent(node: &Node<'_>) -> (usize, usize, usize) {
    let sum = |(nodes, depth, bytes): (usize, usize, usize), key: usize, value: (usize, usize, usize)| {
        (nodes + value.0, depth.max(value.1 + 1), bytes + key + value.2)
    };
    match node {
        Node::Comment(text) | Node::Leaf(Leaf::Text(text)) => (1, 0, text.len()),
        Node::Leaf(_) => (1, 0, 0),
        Node::List(items) => items.iter().fold((1, 1, 0), |total, item| sum(total, 0, extent(item))),
        Node::Map(items) => items.iter().fold((1, 1, 0), |total, item| match item {
            Item::Comment(text) => (total.0, total.1, total.2 + text.len()),
            Item::Entry { key, value } => sum(total, key.len(), extent(value)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and comments in order, for a look at the structure.
    fn outline(items: &[Item<'_>]) -> String {
        let parts: Vec<String> = items
            .iter()
            .map(|item| match item {
                Item::Comment(text) => format!("#{text}"),
                Item::Entry { key, value } => format!("{key}={}", node(value)),
            })
            .collect();
        parts.join(" ")
    }

    fn node(value: &Node<'_>) -> String {
        match value {
            Node::Comment(text) => format!("#{text}"),
            Node::Leaf(Leaf::Text(text)) => text.to_string(),
            Node::Leaf(Leaf::Int(number)) => number.to_string(),
            Node::Leaf(Leaf::Null) => "null".to_owned(),
            Node::Leaf(_) => "other".to_owned(),
            Node::List(items) => format!("[{}]", items.iter().map(node).collect::<Vec<_>>().join(" ")),
            Node::Map(items) => format!("{{{}}}", outline(items)),
        }
    }

    fn read(text: &str) -> String {
        outline(&parse(text, Comments::WhereRuled).unwrap().items)
    }

    fn complaint(text: &str) -> String {
        parse(text, Comments::WhereRuled).err().expect("it is refused").to_string()
    }

    #[test]
    fn structure_and_order_are_kept() {
        assert_eq!(read("b: 1\na:\n  - x\n  - {y: z}\nc:\n"), "b=1 a=[x {y=z}] c=null");
        assert_eq!(read("\u{feff}---\na: |\n  two\n  lines\n..."), "a=two\nlines\n");
        assert_eq!(read(""), "");
        assert_eq!(read("a: 1\r\nb: x\r\n"), "a=1 b=x");
    }

    #[test]
    fn aliases_are_copies_and_merge_keys_stay_keys() {
        assert_eq!(read("a: &x {k: v}\nb: *x\nc:\n  <<: *x\n  d: 1"), "a={k=v} b={k=v} c={<<={k=v} d=1}");
        assert_eq!(read("a: &k key\n*k : 1"), "a=key key=1");
    }

    #[test]
    fn comments_stand_before_what_they_govern() {
        let text = "# top\n\n# second\na: 1 # right\nb: # on key\n  # first\n  x: 1\n  # tail\nc:\n  - 1 # one\n  # two\n  - 2\nd: 4\ncomment_regex: 5\n";
        assert_eq!(
            read(text),
            "# top # second # right a=1 # on key b={# first x=1} c=[# one 1 # two 2] d=4 comment_regex=5"
        );
        assert_eq!(read("# top\na: 1"), "a=1", "comments cost time where no rule needs them");
        assert_eq!(outline(&parse("# top\na: 1", Comments::All).unwrap().items), "# top a=1");
    }

    #[test]
    fn comments_at_the_end_of_an_element_govern_nothing() {
        for (text, expected) in [
            ("a:\n  - b: 1\n    # tail\n  - c: 2\n", "a=[{b=1} {c=2}]"),
            ("a:\n- b: 1\n  # tail\n- c: 2\n", "a=[{b=1} {c=2}]"),
            ("a:\n  - b: 1\n  # head\n  - c: 2\n", "a=[{b=1} # head {c=2}]"),
            ("a:\n  - - 1\n    # tail\n  - 2\n", "a=[[1] 2]"),
            ("a:\n- - 1\n  # tail\n- 2\n# head\n-   3\n", "a=[[1] 2 # head 3]"),
            ("a:\n  - b: 1\n    c:\n    - 2\n    # tail\n  - 3\n", "a=[{b=1 c=[2]} 3]"),
            ("a:\n    # first\n  - 1\n", "a=[# first 1]"),
            ("a: [1,\n    # two\n    2]\n", "a=[1 # two 2]"),
        ] {
            assert_eq!(outline(&parse(text, Comments::All).unwrap().items), expected, "{text}");
        }
    }

    #[test]
    fn nothing_behind_the_document_is_no_other_one() {
        for text in ["a: 1\n---\n", "a: 1\n...\n---\n# end\n---\n", "a: 1\n...\n"] {
            assert_eq!(read(text), "a=1", "{text}");
        }
        for text in ["a: 1\n---\n''\n", "a: 1\n---\n[]\n", "---\n---\na: 1\n", "a: 1\n---\n---\nx\n"] {
            assert!(complaint(text).contains("several YAML documents"), "{text}");
        }
    }

    #[test]
    fn separators_of_unicode_are_refused_where_it_is_unclear_what_follows() {
        assert_eq!(read("a: \"\\u2028 x\""), "a=\u{2028} x");
        assert_eq!(read("a: x\u{2028}y"), "a=x\u{2028}y");
        for text in ["a: x\u{2028}    y", "\"a\u{2029} b\": 1"] {
            assert!(complaint(text).starts_with("a text has blanks behind a line or paragraph separator"), "{text}");
        }
        assert_eq!(read("a: 1 # \u{2028} x"), "a=1");
    }

    #[test]
    fn many_comments_in_a_row_are_read() {
        let text = format!("{}a: 1\ncomment_regex: x", "# line\n".repeat(500));
        assert_eq!(parse(&text, Comments::WhereRuled).unwrap().items.len(), 502);
    }

    #[test]
    fn complaints_say_where() {
        assert_eq!(complaint("a: 1\nb: [1,\n"), "it is not valid YAML at line 2, column 4");
        assert_eq!(
            complaint("a:\n  b: 1\n  c: 2\n  b: 3"),
            "the map that begins here has the key `b` twice at line 2, column 3"
        );
        assert_eq!(complaint("1: x"), "a key is no text at line 1, column 1");
        assert_eq!(complaint("? [a]\n: x"), "a key is no text at line 1, column 3");
        assert_eq!(complaint("a: &x [*x]"), "an alias refers to what it stands in at line 1, column 8");
        assert_eq!(
            complaint("a: 18446744073709551615"),
            "a value is a whole number beyond 64 bits with sign at line 1, column 4"
        );
        assert!(complaint("- a").contains("no map"));
        assert!(complaint("a: 1\n---\nb: 2").contains("several YAML documents"));
        assert!(complaint("a: *missing").contains("not valid YAML at line 1"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let refer = vec![format!("*a{}", level - 1); 9].join(", ");
            laughs.extend([format!("a{level}: &a{level} [{refer}]\n")]);
        }
        assert!(complaint(&laughs).contains("more than 250000 values"));
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 40].join(", "));
        assert!(complaint(&long).contains("aliases stand for more than"));
        for nested in [
            "[".repeat(100_000),
            format!("a: {}", "[".repeat(100_000)),
            "- ".repeat(100_000),
            format!("a: {}", "{a: ".repeat(100_000)),
        ] {
            assert!(parse(&nested, Comments::All).is_err());
        }
        let comments = "# c\n".repeat(400_000);
        assert!(parse(&comments, Comments::All).is_err());
        let spread = "a:\n# c\n- b\n".repeat(300_000);
        assert!(parse(&spread, Comments::All).is_err());
        let chain: Vec<_> = (1..100).map(|level| format!("a{level}: &a{level} [*a{}]", level - 1)).collect();
        assert!(complaint(&format!("a0: &a0 [x]\n{}", chain.join("\n"))).contains("deeper than 64"));
    }
}
