//! The parsed template: what the executor walks.

use std::collections::BTreeMap;

use crate::function::Function;
use crate::value::{Bytes, Value};

/// Byte offsets in the template's text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The root and every `define` and `block`, by name.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) definitions: BTreeMap<Bytes, Vec<Node>>,
    pub(crate) random: bool,
    pub(crate) mints: bool,
    /// Whether anything reads the root.
    pub(crate) reads: bool,
}

#[derive(Debug)]
pub(crate) enum Node {
    Action(Pipeline),
    Break,
    Continue,
    If(Branches),
    Range(Range),
    Template { span: Span, name: Bytes, argument: Option<Pipeline> },
    Text(Bytes),
    With(Branches),
}

/// `if` and `with`: a chain of `else if` is one node, however long.
#[derive(Debug)]
pub(crate) struct Branches {
    pub(crate) arms: Vec<(Pipeline, Vec<Node>)>,
    pub(crate) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) pipeline: Pipeline,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    pub(crate) span: Span,
    /// Variables on the left of `:=` or `=`.
    pub(crate) variables: Vec<Variable>,
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

/// A variable's name, numbered within the template; `$` is number 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Variable(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) span: Span,
    pub(crate) first: Operand,
    pub(crate) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) span: Span,
    pub(crate) term: Term,
}

#[derive(Debug)]
pub(crate) enum Term {
    Bool(bool),
    Chain(Box<Operand>, Vec<Bytes>),
    Dot,
    Field(Vec<Bytes>),
    Function(&'static Function),
    Nil,
    Number(Number),
    Pipeline(Box<Pipeline>),
    Text(Bytes),
    Variable(Variable, Vec<Bytes>),
}

/// A constant that has no type until it is used.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) integer: Option<i64>,
    pub(crate) float: Option<f64>,
    /// Its value where any type is accepted; nothing if it fits no `int`.
    pub(crate) ideal: Option<Value>,
}

/// Whether nothing but space is written: such a definition may be defined again.
pub(crate) fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(text) => String::from_utf8_lossy(text).trim().is_empty(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::Template;

    #[test]
    fn a_template_tells_whether_it_reads_its_data() {
        for (text, reads) in [
            ("plain", false),
            ("{{ randAlphaNum 8 }}", false),
            ("{{ .user }}", true),
            ("{{ $.user }}", true),
            ("{{ . | toJson }}", true),
            ("{{ range $i, $e := until 3 }}{{ . }}{{ end }}", false),
            ("{{ range until 3 }}{{ $.user }}{{ end }}", true),
            ("{{ range until 0 }}{{ else }}{{ .user }}{{ end }}", true),
            ("{{ with genCA `a` 1 }}{{ .Cert }}{{ end }}", false),
            ("{{ with `` }}{{ else }}{{ .user }}{{ end }}", true),
            ("{{ with `` }}{{ else with .user }}{{ . }}{{ end }}", true),
            ("{{ $ca := genCA `a` 1 }}{{ $ca.Cert }}{{ (genCA `a` 1).Key }}", false),
            ("{{ if true }}{{ .user }}{{ end }}", true),
            ("{{ define `x` }}{{ . }}{{ $ }}{{ end }}{{ template `x` 1 }}", false),
            ("{{ define `x` }}{{ . }}{{ end }}{{ template `x` . }}", true),
            ("{{ block `x` .user }}{{ . }}{{ end }}", true),
        ] {
            assert_eq!(Template::parse("t", text).unwrap().reads_data(), reads, "{text}");
        }
    }
}
