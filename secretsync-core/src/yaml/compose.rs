//! Parser events to documents: limits, aliases, merge keys, repeated keys.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle};
use indexmap::IndexMap;

use super::resolve::{Scalar, Tag, plain, tagged};
use super::{Content, Document, Limits, Node, Position, YamlError, YamlErrorKind};

pub(super) fn documents(text: &[u8], limits: &Limits) -> Result<Vec<Document>, YamlError> {
    if text.len() > limits.bytes {
        return Err(YamlError { kind: YamlErrorKind::TooLarge, position: Position { line: 1, column: 1 } });
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = String::from_utf8_lossy(&text[..error.valid_up_to()]);
        let last = before.rsplit('\n').next().unwrap_or_default();
        let position = Position { line: before.matches('\n').count() + 1, column: last.chars().count() + 1 };
        YamlError { kind: YamlErrorKind::NotUtf8, position }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let events = events(text, limits)?;
    let mut composer = Composer {
        events: &events,
        at: 0,
        anchors: HashMap::new(),
        open: Vec::new(),
        depth: 0,
        depth_limit: limits.depth,
        nodes_left: limits.nodes,
        bytes_left: limits.bytes,
        repeated_keys: limits.repeated_keys,
    };
    let mut documents = Vec::new();
    while let Some((event, _)) = events.get(composer.at) {
        if is_structure(event) {
            composer.at += 1;
            continue;
        }
        let root = composer.node()?;
        if !matches!(root.content, Content::Scalar(Scalar::Null)) {
            documents.push(Document { root });
        }
    }
    Ok(documents)
}

/// Aliases are followed by reading the events of their anchor again, so all events are kept.
fn events<'t>(text: &'t str, limits: &Limits) -> Result<Vec<(Event<'t>, Position)>, YamlError> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let mut events = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let kind = match error.kind() {
                ErrorKind::RecursionLimitExceeded => YamlErrorKind::TooDeep,
                _ => YamlErrorKind::Syntax,
            };
            YamlError { kind, position: position(error.marker()) }
        })?;
        let position = position(&span.start);
        // A node has at most a start and an end.
        if events.len() / 2 > limits.nodes {
            return Err(YamlError { kind: YamlErrorKind::TooLarge, position });
        }
        events.push((event, position));
    }
    Ok(events)
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// Whether the event is part of no node.
fn is_structure(event: &Event<'_>) -> bool {
    !matches!(event, Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..))
}

struct Composer<'e> {
    events: &'e [(Event<'e>, Position)],
    at: usize,
    /// Anchor to the index of the event that defines it.
    anchors: HashMap<usize, usize>,
    /// Indices of the events whose lists and mappings are being composed.
    open: Vec<usize>,
    depth: usize,
    depth_limit: usize,
    nodes_left: usize,
    bytes_left: usize,
    repeated_keys: bool,
}

impl<'e> Composer<'e> {
    /// Composes the node at the current event, and moves behind it.
    fn node(&mut self) -> Result<Node, YamlError> {
        let start = self.at;
        let (event, position) = self.next()?;
        match event {
            Event::Alias(anchor) => self.alias(*anchor, position),
            Event::Scalar(_, _, anchor, _) => {
                self.define(*anchor, start);
                let scalar = self.scalar(event, position)?;
                if matches!(scalar, Scalar::Float(value) if !value.is_finite()) {
                    return Err(YamlError { kind: YamlErrorKind::InvalidNumber, position });
                }
                Ok(Node { content: Content::Scalar(scalar), position })
            }
            Event::SequenceStart(_, anchor, _) => {
                self.define(*anchor, start);
                self.nested(start, position, Self::list)
            }
            Event::MappingStart(_, anchor, _) => {
                self.define(*anchor, start);
                self.nested(start, position, Self::mapping)
            }
            _ => Err(YamlError { kind: YamlErrorKind::Syntax, position }),
        }
    }

    fn next(&mut self) -> Result<(&'e Event<'e>, Position), YamlError> {
        let Some((event, position)) = self.events.get(self.at) else {
            return Err(YamlError { kind: YamlErrorKind::Syntax, position: Position { line: 1, column: 1 } });
        };
        self.at += 1;
        Ok((event, *position))
    }

    fn define(&mut self, anchor: usize, event: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, event);
        }
    }

    fn alias(&mut self, anchor: usize, position: Position) -> Result<Node, YamlError> {
        let Some(&start) = self.anchors.get(&anchor) else {
            return Err(YamlError { kind: YamlErrorKind::Syntax, position });
        };
        if self.open.contains(&start) {
            return Err(YamlError { kind: YamlErrorKind::AliasLoop, position });
        }
        let behind = std::mem::replace(&mut self.at, start);
        let node = self.node()?;
        self.at = behind;
        Ok(Node { position, ..node })
    }

    fn nested(
        &mut self,
        start: usize,
        position: Position,
        compose: impl FnOnce(&mut Self) -> Result<Content, YamlError>,
    ) -> Result<Node, YamlError> {
        self.charge(0, position)?;
        if self.depth == self.depth_limit {
            return Err(YamlError { kind: YamlErrorKind::TooDeep, position });
        }
        self.depth += 1;
        self.open.push(start);
        let content = compose(self)?;
        self.open.pop();
        self.depth -= 1;
        Ok(Node { content, position })
    }

    fn charge(&mut self, bytes: usize, position: Position) -> Result<(), YamlError> {
        let left = self.nodes_left.checked_sub(1).zip(self.bytes_left.checked_sub(bytes));
        let Some((nodes, bytes)) = left else {
            return Err(YamlError { kind: YamlErrorKind::TooLarge, position });
        };
        (self.nodes_left, self.bytes_left) = (nodes, bytes);
        Ok(())
    }

    fn scalar(&mut self, event: &Event<'_>, position: Position) -> Result<Scalar, YamlError> {
        let Event::Scalar(text, style, _, tag) = event else {
            return Err(YamlError { kind: YamlErrorKind::InvalidKey, position });
        };
        self.charge(text.len(), position)?;
        let tag = tag.as_deref().map(kind);
        match tag {
            None if *style == ScalarStyle::Plain => Ok(plain(text)),
            None => Ok(Scalar::Text(text.to_string())),
            Some(tag) => tagged(tag, text).ok_or(YamlError { kind: YamlErrorKind::InvalidTag, position }),
        }
    }

    fn list(&mut self) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        while !self.skip(&Event::SequenceEnd) {
            items.push(self.node()?);
        }
        Ok(Content::List(items))
    }

    fn mapping(&mut self) -> Result<Content, YamlError> {
        let mut members = IndexMap::new();
        // Whether the member of each index was written here and not merged into here.
        let mut written = Vec::new();
        while !self.skip(&Event::MappingEnd) {
            let (event, position) = self.next()?;
            if is_merge(event) {
                let value = self.node()?;
                merge(value, &mut members)?;
                written.resize(members.len(), false);
                continue;
            }
            self.at -= 1;
            let key = self.key(position)?;
            let value = self.node()?;
            let (index, _) = members.insert_full(key, value);
            written.resize(members.len(), false);
            if std::mem::replace(&mut written[index], true) && !self.repeated_keys {
                return Err(YamlError { kind: YamlErrorKind::DuplicateKey, position });
            }
        }
        Ok(Content::Mapping(members))
    }

    /// Composes a key. Unlike a value it may be infinite.
    fn key(&mut self, position: Position) -> Result<String, YamlError> {
        let start = self.at;
        let (event, _) = self.next()?;
        let scalar = match event {
            Event::Scalar(_, _, anchor, _) => {
                self.define(*anchor, start);
                self.scalar(event, position)?
            }
            Event::Alias(anchor) => {
                let defined = self.anchors.get(anchor).and_then(|&start| self.events.get(start));
                let Some((event, _)) = defined else {
                    return Err(YamlError { kind: YamlErrorKind::Syntax, position });
                };
                self.scalar(event, position)?
            }
            _ => return Err(YamlError { kind: YamlErrorKind::InvalidKey, position }),
        };
        scalar.text().ok_or(YamlError { kind: YamlErrorKind::InvalidKey, position })
    }

    fn skip(&mut self, wanted: &Event<'_>) -> bool {
        let found = self.events.get(self.at).is_some_and(|(event, _)| event == wanted);
        self.at += usize::from(found);
        found
    }
}

fn is_merge(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
        Event::Scalar(text, _, _, Some(tag)) => text == "<<" && tag.parts() == (CORE, "merge"),
        _ => false,
    }
}

/// Of a list of mappings the first has the last word.
fn merge(node: Node, members: &mut IndexMap<String, Node>) -> Result<(), YamlError> {
    let kind = YamlErrorKind::InvalidMerge;
    let error = node.error(kind);
    match node.content {
        Content::Mapping(merged) => members.extend(merged),
        Content::List(items) => {
            for item in items.into_iter().rev() {
                let error = item.error(kind);
                let Content::Mapping(merged) = item.content else { return Err(error) };
                members.extend(merged);
            }
        }
        Content::Scalar(_) => return Err(error),
    }
    Ok(())
}

fn kind(tag: &granit_parser::Tag) -> Tag {
    match tag.parts() {
        (CORE, "binary") => Tag::Binary,
        (CORE, "bool") => Tag::Bool,
        (CORE, "float") => Tag::Float,
        (CORE, "int") => Tag::Int,
        (CORE, "null") => Tag::Null,
        _ => Tag::Text,
    }
}

const CORE: &str = "tag:yaml.org,2002:";
