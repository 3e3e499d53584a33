//! Control actions: blocks that wait on the parser's stack for their `end`.

use super::{Parsed, Parser, ROOT};
use crate::error::{Failure, Problem};
use crate::lex::{Keyword, Token, TokenKind};
use crate::literal;
use crate::tree::{Branches, Node, Pipeline, Range, Span, Variable, is_blank};
use crate::value::Bytes;

/// A block that waits for its `end`.
pub(super) struct Open {
    pub(super) span: Span,
    block: Block,
    /// The list the block itself stands in.
    outer: Vec<Node>,
    /// Variables in scope before the block.
    scope: usize,
}

enum Block {
    /// `if` or `with`: finished arms, and the pipeline of the one being filled; none after a bare `else`.
    Branches {
        with: bool,
        arms: Vec<(Pipeline, Vec<Node>)>,
        pipeline: Option<Pipeline>,
    },
    /// The body once `else` was seen.
    Range {
        pipeline: Pipeline,
        body: Option<Vec<Node>>,
    },
    Definition {
        name: Bytes,
        outside: Outside,
    },
    Inline {
        name: Bytes,
        argument: Pipeline,
        outside: Outside,
    },
}

/// What a definition cannot see: variables and the range around it.
struct Outside {
    scope: Vec<Variable>,
    range_depth: usize,
}

impl Parser<'_> {
    pub(super) fn control(&mut self, keyword: Keyword, token: Token, left: Token) -> Parsed<()> {
        match keyword {
            Keyword::Block | Keyword::Define => self.definition(keyword, token, left),
            Keyword::Break | Keyword::Continue => self.jump(keyword, token),
            Keyword::Else => self.otherwise(token),
            Keyword::End => {
                self.expect(TokenKind::RightDelimiter, "end")?;
                self.close(token)
            }
            Keyword::If | Keyword::With => self.branches(keyword == Keyword::With, token, left),
            Keyword::Range => self.range(token, left),
            Keyword::Template => self.template(),
        }
    }

    /// Whether the dot is the data here. Elsewhere it is made of a pipeline, which has read the data itself if it is made of them.
    pub(super) fn dot_is_root(&self) -> bool {
        self.open.iter().all(|open| match &open.block {
            Block::Branches { with, pipeline, .. } => !with || pipeline.is_none(),
            Block::Range { body, .. } => body.is_some(),
            Block::Definition { .. } | Block::Inline { .. } => false,
        })
    }

    /// Whether `$` is an argument here, and not the data.
    pub(super) fn is_defining(&self) -> bool {
        self.open.iter().any(|open| matches!(open.block, Block::Definition { .. } | Block::Inline { .. }))
    }

    fn branches(&mut self, with: bool, token: Token, left: Token) -> Parsed<()> {
        let scope = self.scope.len();
        let pipeline = self.pipeline(if with { "with" } else { "if" }, TokenKind::RightDelimiter)?;
        let block = Block::Branches { with, arms: Vec::new(), pipeline: Some(pipeline) };
        self.push_open(block, scope, token, left)
    }

    fn range(&mut self, token: Token, left: Token) -> Parsed<()> {
        let scope = self.scope.len();
        let pipeline = self.pipeline("range", TokenKind::RightDelimiter)?;
        self.range_depth += 1;
        self.push_open(Block::Range { pipeline, body: None }, scope, token, left)
    }

    fn definition(&mut self, keyword: Keyword, token: Token, left: Token) -> Parsed<()> {
        if keyword == Keyword::Define && !self.open.is_empty() {
            return self.unexpected(token, "a block: {{define}} stands at the top level only");
        }
        let context = if keyword == Keyword::Define { "define clause" } else { "block clause" };
        let name = self.template_name(context)?;
        let argument = match keyword {
            Keyword::Define => {
                self.expect(TokenKind::RightDelimiter, context)?;
                None
            }
            _ => Some(self.pipeline(context, TokenKind::RightDelimiter)?),
        };
        let outside = Outside {
            scope: std::mem::replace(&mut self.scope, vec![ROOT]),
            range_depth: std::mem::take(&mut self.range_depth),
        };
        let block = match argument {
            Some(argument) => Block::Inline { name, argument, outside },
            None => Block::Definition { name, outside },
        };
        self.push_open(block, 1, token, left)
    }

    fn push_open(&mut self, block: Block, scope: usize, token: Token, left: Token) -> Parsed<()> {
        self.check_nesting(token)?;
        let outer = std::mem::take(&mut self.nodes);
        self.open.push(Open { span: Span { start: left.start, end: token.end }, block, outer, scope });
        Ok(())
    }

    fn jump(&mut self, keyword: Keyword, token: Token) -> Parsed<()> {
        let (name, node) = match keyword {
            Keyword::Break => ("{{break}}", Node::Break),
            _ => ("{{continue}}", Node::Continue),
        };
        self.expect(TokenKind::RightDelimiter, name)?;
        if self.range_depth == 0 {
            return Self::fail(format!("{name} outside {{{{range}}}}"), token);
        }
        self.nodes.push(node);
        Ok(())
    }

    fn template(&mut self) -> Parsed<()> {
        let start = self.peek_non_space()?.start;
        let name = self.template_name("template clause")?;
        let token = self.next_non_space()?;
        let argument = if token.kind == TokenKind::RightDelimiter {
            None
        } else {
            self.give_back(token);
            Some(self.pipeline("template clause", TokenKind::RightDelimiter)?)
        };
        let end = argument.as_ref().map_or(token.start, |pipeline| pipeline.span.end);
        self.nodes.push(Node::Template { span: Span { start, end }, name, argument });
        Ok(())
    }

    fn template_name(&mut self, context: &str) -> Parsed<Bytes> {
        let token = self.next_non_space()?;
        if !matches!(token.kind, TokenKind::QuotedText | TokenKind::RawText) {
            return self.unexpected(token, context);
        }
        match literal::unquote(self.text_of(token)) {
            Some(name) => Ok(Bytes::from(name)),
            None => Self::fail("invalid syntax in a quoted text", token),
        }
    }

    /// `else`, `else if` or `else with`.
    fn otherwise(&mut self, token: Token) -> Parsed<()> {
        let next = self.next_non_space()?;
        let nodes = std::mem::take(&mut self.nodes);
        let Some(open) = self.open.last_mut() else {
            return self.unexpected(token, "input: no block is open");
        };
        match (&mut open.block, next.kind) {
            (Block::Range { body: body @ None, .. }, TokenKind::RightDelimiter) => {
                *body = Some(nodes);
                self.range_depth -= 1;
                Ok(())
            }
            (Block::Branches { arms, pipeline, .. }, TokenKind::RightDelimiter) if pipeline.is_some() => {
                arms.extend(pipeline.take().map(|pipeline| (pipeline, nodes)));
                Ok(())
            }
            (Block::Branches { with, arms, pipeline }, TokenKind::Keyword(keyword))
                if pipeline.is_some() && keyword == (if *with { Keyword::With } else { Keyword::If }) =>
            {
                arms.extend(pipeline.take().map(|pipeline| (pipeline, nodes)));
                let context = if *with { "with" } else { "if" };
                let parsed = self.pipeline(context, TokenKind::RightDelimiter)?;
                if let Some(Open { block: Block::Branches { pipeline, .. }, .. }) = self.open.last_mut() {
                    *pipeline = Some(parsed);
                }
                Ok(())
            }
            (_, TokenKind::RightDelimiter) => self.unexpected(token, "this block"),
            _ => self.unexpected(next, "else"),
        }
    }

    /// `end`: the innermost block is complete.
    fn close(&mut self, token: Token) -> Parsed<()> {
        let Some(Open { span, block, outer, scope }) = self.open.pop() else {
            return self.unexpected(token, "input: no block is open");
        };
        let nodes = std::mem::replace(&mut self.nodes, outer);
        self.scope.truncate(scope);
        match block {
            Block::Branches { with, mut arms, pipeline } => {
                let otherwise = match pipeline {
                    Some(pipeline) => {
                        arms.push((pipeline, nodes));
                        Vec::new()
                    }
                    None => nodes,
                };
                let branches = Branches { arms, otherwise };
                self.nodes.push(if with { Node::With(branches) } else { Node::If(branches) });
            }
            Block::Range { pipeline, body: Some(body) } => {
                self.nodes.push(Node::Range(Range { pipeline, body, otherwise: nodes }));
            }
            Block::Range { pipeline, body: None } => {
                self.range_depth -= 1;
                self.nodes.push(Node::Range(Range { pipeline, body: nodes, otherwise: Vec::new() }));
            }
            Block::Definition { name, outside } => {
                self.restore(outside);
                self.define(name, nodes, span)?;
            }
            Block::Inline { name, argument, outside } => {
                self.restore(outside);
                self.define(name.clone(), nodes, span)?;
                self.nodes.push(Node::Template { span, name, argument: Some(argument) });
            }
        }
        Ok(())
    }

    fn restore(&mut self, outside: Outside) {
        self.scope = outside.scope;
        self.range_depth = outside.range_depth;
    }

    /// Adds a definition; a name may be defined twice only if one of the two is blank.
    pub(super) fn define(&mut self, name: Bytes, nodes: Vec<Node>, span: Span) -> Parsed<()> {
        match self.tree.definitions.get(&name) {
            Some(known) if !is_blank(known) && !is_blank(&nodes) => {
                let message = format!("multiple definition of template {:?}", String::from_utf8_lossy(&name));
                Err(Problem { failure: Failure::parse(message), span })
            }
            Some(known) if !is_blank(known) => Ok(()),
            _ => {
                self.tree.definitions.insert(name, nodes);
                Ok(())
            }
        }
    }
}
