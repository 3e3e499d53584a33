//! Pipelines, commands, operands.

use super::{Parsed, Parser, ROOT, number};
use crate::error::{ErrorClass, Failure, Problem, nearest};
use crate::function;
use crate::lex::{Token, TokenKind};
use crate::literal;
use crate::tree::{Command, Operand, Pipeline, Span, Term};
use crate::value::Bytes;

impl Parser<'_> {
    /// `variables :=`, then commands between `|`, up to `end`, which is consumed.
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<Pipeline> {
        let start = self.peek_non_space()?.start;
        let mut pipeline = Pipeline { span: Span { start, end: start }, ..Pipeline::default() };
        self.declarations(&mut pipeline, context)?;
        loop {
            let token = self.next_non_space()?;
            if token.kind == end {
                return Self::checked(pipeline, token, context);
            }
            match token.kind {
                TokenKind::Bool
                | TokenKind::Character
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::LeftParenthesis
                | TokenKind::Nil
                | TokenKind::Number
                | TokenKind::QuotedText
                | TokenKind::RawText
                | TokenKind::Variable => {
                    self.give_back(token);
                    let command = self.command()?;
                    pipeline.span.end = command.span.end;
                    pipeline.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
    }

    fn checked(pipeline: Pipeline, end: Token, context: &str) -> Parsed<Pipeline> {
        if pipeline.commands.is_empty() {
            return Self::fail(format!("missing value for {context}"), end);
        }
        for (stage, command) in pipeline.commands.iter().enumerate().skip(1) {
            let literal =
                matches!(command.first.term, Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text(_));
            if literal {
                let message = format!("non executable command in pipeline stage {}", stage + 1);
                return Err(Problem { failure: Failure::parse(message), span: command.span });
            }
        }
        Ok(pipeline)
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, pipeline: &mut Pipeline, context: &str) -> Parsed<()> {
        loop {
            let token = self.peek_non_space()?;
            if token.kind != TokenKind::Variable {
                return Ok(());
            }
            self.next_non_space()?;
            let before = self.lexer;
            let next = self.next_non_space()?;
            match next.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    pipeline.assigns = next.kind == TokenKind::Assign;
                    self.declare(pipeline, token);
                    return Ok(());
                }
                TokenKind::Comma => {
                    self.declare(pipeline, token);
                    let next = self.peek_non_space()?;
                    if context != "range" || pipeline.variables.len() > 1 {
                        return Self::fail(format!("too many declarations in {context}"), next);
                    }
                    if !matches!(
                        next.kind,
                        TokenKind::Variable | TokenKind::RightDelimiter | TokenKind::RightParenthesis
                    ) {
                        return Self::fail("range can only initialize variables", next);
                    }
                }
                _ => {
                    self.lexer = before;
                    self.give_back(token);
                    return Ok(());
                }
            }
        }
    }

    fn declare(&mut self, pipeline: &mut Pipeline, token: Token) {
        let variable = self.variable(self.text_of(token));
        pipeline.variables.push(variable);
        self.scope.push(variable);
    }

    /// Operands between spaces, up to `|` (consumed) or the end of the pipeline (left).
    fn command(&mut self) -> Parsed<Command> {
        let start = self.peek_non_space()?;
        let mut first = None;
        let mut arguments = Vec::new();
        let mut end = start.start;
        loop {
            if let Some(operand) = self.operand()? {
                end = operand.span.end;
                if first.is_none() {
                    first = Some(operand);
                } else {
                    arguments.push(operand);
                }
            }
            let token = self.next()?;
            match token.kind {
                TokenKind::Space => {}
                TokenKind::RightDelimiter | TokenKind::RightParenthesis => {
                    self.give_back(token);
                    break;
                }
                TokenKind::Pipe => break,
                _ => return self.unexpected(token, "operand"),
            }
        }
        let Some(first) = first else {
            return Self::fail("empty command", start);
        };
        Ok(Command { span: Span { start: start.start, end }, first, arguments })
    }

    /// A term and the fields after it; nothing if no term is next.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next_non_space()?;
        let Some(term) = self.term(token)? else {
            self.give_back(token);
            return Ok(None);
        };
        let mut span = Span { start: token.start, end: self.end_of(token, &term) };
        let mut fields = Vec::new();
        while self.peek()?.kind == TokenKind::Field {
            let field = self.next()?;
            span.end = field.end;
            fields.push(self.field_name(field));
        }
        if fields.is_empty() {
            return Ok(Some(Operand { span, term }));
        }
        let term = match term {
            Term::Field(mut names) => {
                names.append(&mut fields);
                Term::Field(names)
            }
            Term::Variable(variable, mut names) => {
                names.append(&mut fields);
                Term::Variable(variable, names)
            }
            Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text(_) => {
                return Self::fail("unexpected . after a literal", token);
            }
            term @ (Term::Chain(..) | Term::Function(_) | Term::Pipeline(_)) => {
                let inner = Span { start: token.start, end: self.end_of(token, &term) };
                Term::Chain(Box::new(Operand { span: inner, term }), fields)
            }
        };
        Ok(Some(Operand { span, term }))
    }

    fn end_of(&self, token: Token, term: &Term) -> usize {
        match term {
            Term::Pipeline(pipeline) => {
                let rest = &self.text[pipeline.span.end..];
                pipeline.span.end + rest.find(')').map_or(0, |at| at + 1)
            }
            _ => token.end,
        }
    }

    fn term(&mut self, token: Token) -> Parsed<Option<Term>> {
        let text = self.text_of(token);
        Ok(Some(match token.kind {
            TokenKind::Identifier => self.function(token)?,
            TokenKind::Dot => {
                self.tree.reads |= self.dot_is_root();
                Term::Dot
            }
            TokenKind::Nil => Term::Nil,
            TokenKind::Bool => Term::Bool(text == "true"),
            TokenKind::Field => {
                self.tree.reads |= self.dot_is_root();
                Term::Field(vec![self.field_name(token)])
            }
            TokenKind::Variable => {
                let variable = self.variable(text);
                if !self.scope.contains(&variable) {
                    return Self::fail(format!("undefined variable {text:?}"), token);
                }
                self.tree.reads |= variable == ROOT && !self.is_defining();
                Term::Variable(variable, Vec::new())
            }
            TokenKind::Character | TokenKind::Complex | TokenKind::Number => match number::parse(text, token.kind) {
                Ok(number) => Term::Number(number),
                Err(failure) => {
                    return Err(Problem { failure, span: Span { start: token.start, end: token.end } });
                }
            },
            TokenKind::QuotedText | TokenKind::RawText => match literal::unquote(text) {
                Some(text) => Term::Text(Bytes::from(text)),
                None => return Self::fail("invalid syntax in a quoted text", token),
            },
            TokenKind::LeftParenthesis => {
                self.check_nesting(token)?;
                self.parentheses += 1;
                let pipeline = self.pipeline("parenthesized pipeline", TokenKind::RightParenthesis)?;
                self.parentheses -= 1;
                Term::Pipeline(Box::new(pipeline))
            }
            _ => return Ok(None),
        }))
    }

    fn function(&mut self, token: Token) -> Parsed<Term> {
        let name = self.text_of(token);
        if let Some(function) = function::find(name) {
            self.tree.random |= function.random;
            self.tree.mints |= function.mints;
            return Ok(Term::Function(function));
        }
        let mut failure = Failure::new(ErrorClass::Function, format!("function {name:?} not defined"));
        if REFUSED.contains(&name) {
            failure = failure
                .with_hint("templates reach neither the environment nor the network: put the value into the data");
        } else if let Some(near) = nearest(name, function::names()) {
            failure = failure.with_hint(format!("did you mean `{near}`?"));
        }
        Err(Problem { failure, span: Span { start: token.start, end: token.end } })
    }

    /// The name after the dot.
    fn field_name(&self, token: Token) -> Bytes {
        Bytes::from(&self.text[token.start + 1..token.end])
    }
}

/// Functions of sprig that read the machine they run on.
const REFUSED: [&str; 3] = ["env", "expandenv", "getHostByName"];
