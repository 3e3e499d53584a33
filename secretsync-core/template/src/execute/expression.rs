//! Pipelines, commands, fields and variables.

use super::{Executor, Held, Run};
use crate::MissingKey;
use crate::error::{ErrorClass, Failure, Problem, nearest};
use crate::tree::{Command, Operand, Pipeline, Span, Term, Variable};
use crate::value::{Bytes, Value};

impl<'t> Executor<'t> {
    /// Evaluates the commands one after another and sets the variables of the pipeline.
    pub(super) fn pipeline(&mut self, pipeline: &'t Pipeline) -> Run<Value> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value)?);
        }
        let value = value.unwrap_or_default();
        for variable in &pipeline.variables {
            if pipeline.assigns {
                self.assign(*variable, Held::plain(value.clone()), pipeline.span)?;
            } else {
                self.scope.push(*variable, value.clone());
            }
        }
        Ok(value)
    }

    pub(super) fn assign(&mut self, variable: Variable, held: Held, span: Span) -> Run<()> {
        if self.scope.set(variable, held) {
            return Ok(());
        }
        let failure = Failure::execute("undefined variable on the left of `=`").with_hint("declare it first with `:=`");
        Err(Problem { failure, span })
    }

    /// One command; `piped` is the result of the one before it.
    fn command(&mut self, command: &'t Command, piped: Option<Value>) -> Run<Value> {
        let has_arguments = !command.arguments.is_empty() || piped.is_some();
        let Operand { span, term } = &command.first;
        match term {
            Term::Function(function) => self.call(function, &command.arguments, piped, command.span),
            Term::Field(_) | Term::Chain(..) => self.fields(&command.first, &command.arguments, piped),
            Term::Variable(_, names) if !names.is_empty() => self.fields(&command.first, &command.arguments, piped),
            _ if has_arguments => {
                Err(Problem { failure: Failure::execute("can't give argument to non-function"), span: *span })
            }
            Term::Nil => Err(Problem { failure: Failure::execute("nil is not a command"), span: *span }),
            _ => self.operand(&command.first),
        }
    }

    /// The value of an operand where any type will do.
    pub(super) fn operand(&mut self, operand: &'t Operand) -> Run<Value> {
        match &operand.term {
            Term::Bool(value) => Ok(Value::Bool(*value)),
            Term::Dot => Ok(self.dot.value.clone()),
            Term::Function(function) => self.call(function, &[], None, operand.span),
            Term::Nil => Ok(Value::Nil),
            Term::Number(number) => number
                .ideal
                .clone()
                .ok_or_else(|| Problem { failure: Failure::execute("the constant overflows int"), span: operand.span }),
            Term::Pipeline(pipeline) => self.pipeline(pipeline),
            Term::Text(text) => Ok(Value::Bytes(text.clone())),
            Term::Variable(variable, names) if names.is_empty() => {
                Ok(self.variable(*variable, operand.span)?.value.clone())
            }
            Term::Chain(..) | Term::Field(_) | Term::Variable(..) => self.fields(operand, &[], None),
        }
    }

    fn variable(&self, variable: Variable, span: Span) -> Run<&Held> {
        self.scope.get(variable).ok_or_else(|| Problem { failure: Failure::execute("undefined variable"), span })
    }

    /// A field chain; only a method at its end takes arguments.
    fn fields(&mut self, operand: &'t Operand, arguments: &'t [Operand], piped: Option<Value>) -> Run<Value> {
        let has_arguments = !arguments.is_empty() || piped.is_some();
        let (mut held, names) = match &operand.term {
            Term::Field(names) => (self.dot.clone(), names),
            Term::Variable(variable, names) => (self.variable(*variable, operand.span)?.clone(), names),
            Term::Chain(inner, names) => (Held::plain(self.operand(inner)?), names),
            _ => return self.operand(operand),
        };
        for (index, name) in names.iter().enumerate() {
            let last = index + 1 == names.len();
            if let Value::Object(object) = &held.value
                && let Some(method) = object.method(name)
            {
                let receiver = held.value.clone();
                if last {
                    return self.method(method, receiver, arguments, piped, operand.span);
                }
                held = Held::plain(self.method(method, receiver, &[], None, operand.span)?);
                continue;
            }
            held = self
                .field(&held, name, last && has_arguments)
                .map_err(|failure| Problem { failure, span: operand.span })?;
        }
        Ok(held.value)
    }

    fn field(&self, held: &Held, name: &Bytes, has_arguments: bool) -> Result<Held, Failure> {
        let text = String::from_utf8_lossy(name);
        let found = match &held.value {
            Value::Nil if held.element => {
                return Err(Failure::execute(format!("nil pointer evaluating field {text}: the value is null")));
            }
            Value::Nil if self.missing_key == MissingKey::Default => return Ok(Held::plain(Value::Nil)),
            Value::Nil => {
                let message = format!("nil data; no entry for key {text:?}");
                return Err(Failure::new(ErrorClass::MissingKey, message));
            }
            Value::Map(map) => map.get(name),
            Value::StringMap(map) => map.get(name).cloned().map(Value::Bytes),
            other => {
                let message = format!("can't evaluate field {text} in type {}", other.type_name());
                return Err(Failure::execute(message));
            }
        };
        if has_arguments {
            return Err(Failure::execute(format!("{text} is not a function but has arguments")));
        }
        match found {
            Some(value) => Ok(Held::element(value)),
            None if self.missing_key == MissingKey::Default => Ok(Held::plain(Value::Nil)),
            None => Err(missing(&held.value, &text)),
        }
    }
}

/// The keys of the root map are names the user gave; those of any other map come out of a value and stay out of the hint.
fn missing(map: &Value, name: &str) -> Failure {
    let failure = Failure::new(ErrorClass::MissingKey, format!("map has no entry for key {name:?}"));
    let Value::StringMap(map) = map else {
        return failure;
    };
    let keys: Vec<_> = map.keys().filter_map(|key| std::str::from_utf8(key).ok()).collect();
    if keys.is_empty() {
        return failure.with_hint("the data has no keys");
    }
    if let Some(near) = nearest(name, keys.iter().copied()) {
        return failure.with_hint(format!("did you mean `{near}`?"));
    }
    let shown = keys.iter().take(SHOWN_KEYS).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let more = if keys.len() > SHOWN_KEYS { format!(" and {} more", keys.len() - SHOWN_KEYS) } else { String::new() };
    failure.with_hint(format!("the data has the keys {shown}{more}"))
}

const SHOWN_KEYS: usize = 10;
