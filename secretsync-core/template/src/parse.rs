//! Template text to tree. Blocks are kept on a stack of our own; only parentheses recurse, within one depth limit.

use std::collections::HashMap;

use crate::budget::Limits;
use crate::error::{Error, Failure, Problem};
use crate::lex::{Lexer, Token, TokenKind};
use crate::tree::{Node, Span, Tree, Variable};
use crate::value::Bytes;

mod control;
mod expression;
mod number;

use control::Open;

/// Parses `text`; `name` is the name of its root definition.
pub(crate) fn parse(name: &str, text: &str, delimiters: (&str, &str), limits: &Limits) -> Result<Tree, Error> {
    let mut parser = Parser::new(name, text, delimiters, limits);
    parser.run().map_err(|Problem { failure, span }| failure.at(name, None, text, span.start, span.end))
}

type Parsed<T> = Result<T, Problem>;

struct Parser<'t> {
    name: &'t str,
    text: &'t str,
    limits: &'t Limits,
    lexer: Lexer<'t>,
    /// A token given back.
    peeked: Option<Token>,
    tree: Tree,
    /// The list that is being filled.
    nodes: Vec<Node>,
    /// Blocks that wait for their `end`.
    open: Vec<Open>,
    parentheses: usize,
    /// Variables in scope, innermost last.
    scope: Vec<Variable>,
    names: HashMap<&'t str, Variable>,
    range_depth: usize,
}

impl<'t> Parser<'t> {
    fn new(name: &'t str, text: &'t str, (left, right): (&'t str, &'t str), limits: &'t Limits) -> Self {
        Self {
            name,
            text,
            limits,
            lexer: Lexer::new(text, left, right),
            peeked: None,
            tree: Tree::default(),
            nodes: Vec::new(),
            open: Vec::new(),
            parentheses: 0,
            scope: vec![ROOT],
            names: HashMap::from([("$", ROOT)]),
            range_depth: 0,
        }
    }

    fn run(&mut self) -> Parsed<Tree> {
        if self.text.len() > self.limits.template_bytes {
            let failure = Failure::limit("template_bytes", self.limits.template_bytes);
            return Err(Problem { failure, span: Span::default() });
        }
        loop {
            let token = self.next()?;
            match token.kind {
                TokenKind::End => break,
                TokenKind::Text => {
                    let text = &self.text[token.start..token.end];
                    self.nodes.push(Node::Text(Bytes::from(text)));
                }
                TokenKind::LeftDelimiter => self.action(token)?,
                _ => return self.unexpected(token, "input"),
            }
        }
        if let Some(open) = self.open.last() {
            let failure =
                Failure::parse("unexpected EOF: a block has no {{end}}").with_hint("close the block with {{end}}");
            return Err(Problem { failure, span: open.span });
        }
        let nodes = std::mem::take(&mut self.nodes);
        self.define(Bytes::from(self.name), nodes, Span::default())?;
        Ok(std::mem::take(&mut self.tree))
    }

    fn action(&mut self, left: Token) -> Parsed<()> {
        let token = self.next_non_space()?;
        if let TokenKind::Keyword(keyword) = token.kind {
            return self.control(keyword, token, left);
        }
        self.give_back(token);
        let pipeline = self.pipeline("command", TokenKind::RightDelimiter)?;
        self.nodes.push(Node::Action(pipeline));
        Ok(())
    }

    fn next(&mut self) -> Parsed<Token> {
        if let Some(token) = self.peeked.take() {
            return Ok(token);
        }
        self.lexer.next().map_err(|(failure, start, end)| Problem { failure, span: Span { start, end } })
    }

    fn next_non_space(&mut self) -> Parsed<Token> {
        loop {
            let token = self.next()?;
            if token.kind != TokenKind::Space {
                return Ok(token);
            }
        }
    }

    fn peek(&mut self) -> Parsed<Token> {
        let token = self.next()?;
        self.give_back(token);
        Ok(token)
    }

    fn peek_non_space(&mut self) -> Parsed<Token> {
        let token = self.next_non_space()?;
        self.give_back(token);
        Ok(token)
    }

    fn give_back(&mut self, token: Token) {
        self.peeked = Some(token);
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space()?;
        if token.kind == kind { Ok(token) } else { self.unexpected(token, context) }
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Parsed<T> {
        let message = match token.kind {
            TokenKind::End => format!("unexpected EOF in {context}"),
            TokenKind::RightDelimiter => format!("unexpected end of the action in {context}"),
            _ => format!("unexpected {:?} in {context}", &self.text[token.start..token.end]),
        };
        Self::fail(message, token)
    }

    fn fail<T>(message: impl Into<String>, token: Token) -> Parsed<T> {
        Err(Problem { failure: Failure::parse(message), span: Span { start: token.start, end: token.end } })
    }

    fn text_of(&self, token: Token) -> &'t str {
        &self.text[token.start..token.end]
    }

    /// Fails when blocks and parentheses are nested too deeply.
    fn check_nesting(&self, token: Token) -> Parsed<()> {
        if self.open.len() + self.parentheses < self.limits.nesting {
            return Ok(());
        }
        let failure = Failure::limit("nesting", self.limits.nesting);
        Err(Problem { failure, span: Span { start: token.start, end: token.end } })
    }

    /// The number of a variable's name.
    fn variable(&mut self, name: &'t str) -> Variable {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.names.entry(name).or_insert(Variable(next))
    }
}

const ROOT: Variable = Variable(0);
