//! Walks the tree and writes the result. Blocks and template calls are frames on a stack of our own, so only parentheses recurse.

use std::slice;

use crate::MissingKey;
use crate::budget::{Budget, Limits};
use crate::error::{Error, Failure, Problem};
use crate::print;
use crate::tree::{Branches, Node, Pipeline, Range, Span, Tree};
use crate::value::{Buffer, Bytes, Value};

mod call;
mod expression;
mod range;
mod scope;

use range::Items;
use scope::{Held, Scope};

/// What a rendering needs of a parsed template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'t> {
    pub(crate) name: &'t str,
    pub(crate) text: &'t str,
    pub(crate) tree: &'t Tree,
    pub(crate) limits: Limits,
    pub(crate) missing_key: MissingKey,
}

/// Renders the root definition with `data` as dot.
pub(crate) fn execute(source: Source<'_>, data: &Value) -> Result<Vec<u8>, Error> {
    let mut executor = Executor {
        tree: source.tree,
        missing_key: source.missing_key,
        budget: Budget::new(source.limits),
        output: Buffer::with_capacity(source.text.len().min(source.limits.output_bytes)),
        dot: Held::plain(data.clone()),
        scope: Scope::new(data.clone()),
        frames: Vec::new(),
        calls: 0,
        definition: Bytes::from(source.name),
    };
    match executor.run() {
        Ok(()) => Ok(executor.output.into_vec()),
        Err(Problem { failure, span }) => {
            let definition = String::from_utf8_lossy(&executor.definition);
            Err(failure.at(source.name, Some(&definition), source.text, span.start, span.end))
        }
    }
}

type Run<T> = Result<T, Problem>;

struct Executor<'t> {
    tree: &'t Tree,
    missing_key: MissingKey,
    budget: Budget,
    output: Buffer,
    dot: Held,
    scope: Scope,
    frames: Vec<Frame<'t>>,
    /// Template calls that have not returned.
    calls: usize,
    /// Name of the definition that runs, for errors.
    definition: Bytes,
}

/// A list of nodes or a loop that is not finished, and what to restore after it.
struct Frame<'t> {
    body: Body<'t>,
    /// Variables before it.
    mark: usize,
    dot: Option<Held>,
    caller: Option<Caller>,
}

enum Body<'t> {
    List(slice::Iter<'t, Node>),
    Loop { range: &'t Range, items: Items, mark: usize },
}

struct Caller {
    base: usize,
    definition: Bytes,
}

impl<'t> Executor<'t> {
    fn run(&mut self) -> Run<()> {
        let root = self.definition.clone();
        if let Some(nodes) = self.tree.definitions.get(&root) {
            self.push_list(nodes, self.scope.mark(), None);
        }
        while let Some(frame) = self.frames.last_mut() {
            match &mut frame.body {
                Body::List(nodes) => match nodes.next() {
                    Some(node) => self.node(node)?,
                    None => self.leave(),
                },
                Body::Loop { .. } => self.iterate()?,
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &'t Node) -> Run<()> {
        match node {
            Node::Text(text) => self.write(text, Span::default()),
            Node::Action(pipeline) => {
                self.step(pipeline.span)?;
                let value = self.pipeline(pipeline)?;
                if pipeline.variables.is_empty() { self.print(&value, pipeline.span) } else { Ok(()) }
            }
            Node::If(branches) => self.branches(branches, false),
            Node::With(branches) => self.branches(branches, true),
            Node::Range(range) => self.range(range),
            Node::Template { span, name, argument } => self.template(*span, name, argument.as_ref()),
            Node::Break => {
                self.unwind();
                self.leave();
                Ok(())
            }
            Node::Continue => {
                self.unwind();
                Ok(())
            }
        }
    }

    fn branches(&mut self, branches: &'t Branches, with: bool) -> Run<()> {
        let mark = self.scope.mark();
        for (pipeline, nodes) in &branches.arms {
            self.step(pipeline.span)?;
            let value = self.pipeline(pipeline)?;
            if value.is_true() {
                let dot = with.then(|| std::mem::replace(&mut self.dot, Held::plain(value)));
                self.push_list(nodes, mark, dot);
                return Ok(());
            }
        }
        self.push_list(&branches.otherwise, mark, None);
        Ok(())
    }

    fn template(&mut self, span: Span, name: &Bytes, argument: Option<&'t Pipeline>) -> Run<()> {
        self.step(span)?;
        let Some((name, nodes)) = self.tree.definitions.get_key_value(name) else {
            let message = format!("template {:?} not defined", String::from_utf8_lossy(name));
            return Err(Problem { failure: Failure::execute(message), span });
        };
        self.calls += 1;
        self.budget.call_depth(self.calls).map_err(|failure| Problem { failure, span })?;
        let argument = match argument {
            Some(pipeline) => self.pipeline(pipeline)?,
            None => Value::Nil,
        };
        let mark = self.scope.mark();
        let base = self.scope.enter(argument.clone());
        let definition = std::mem::replace(&mut self.definition, name.clone());
        let dot = std::mem::replace(&mut self.dot, Held::plain(argument));
        let caller = Some(Caller { base, definition });
        self.frames.push(Frame { body: Body::List(nodes.iter()), mark, dot: Some(dot), caller });
        Ok(())
    }

    fn push_list(&mut self, nodes: &'t [Node], mark: usize, dot: Option<Held>) {
        self.frames.push(Frame { body: Body::List(nodes.iter()), mark, dot, caller: None });
    }

    /// Ends the innermost frame.
    fn leave(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        self.scope.truncate(frame.mark);
        if let Some(dot) = frame.dot {
            self.dot = dot;
        }
        if let Some(caller) = frame.caller {
            self.calls -= 1;
            self.scope.leave(caller.base);
            self.definition = caller.definition;
        }
    }

    /// Ends frames up to the innermost loop.
    fn unwind(&mut self) {
        while matches!(self.frames.last(), Some(Frame { body: Body::List(_), .. })) {
            self.leave();
        }
    }

    /// Writes the result of an action.
    fn print(&mut self, value: &Value, span: Span) -> Run<()> {
        match value {
            Value::Bytes(text) => self.write(text, span),
            Value::Nil => self.write(NO_VALUE, span),
            value => {
                let mut text = Buffer::default();
                print::append(&mut text, value, &mut self.budget).map_err(|failure| Problem { failure, span })?;
                self.write(&text, span)
            }
        }
    }

    fn write(&mut self, text: &[u8], span: Span) -> Run<()> {
        self.budget
            .step(1)
            .and_then(|()| self.budget.output(text.len()))
            .map_err(|failure| Problem { failure, span })?;
        self.output.extend(text);
        Ok(())
    }

    fn step(&mut self, span: Span) -> Run<()> {
        self.budget.step(1).map_err(|failure| Problem { failure, span })
    }
}

/// What an action writes for nil.
pub(crate) const NO_VALUE: &[u8] = b"<no value>";
