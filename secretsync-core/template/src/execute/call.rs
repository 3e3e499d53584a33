//! Function calls: argument count, types, short circuit.

use super::{Executor, Run};
use crate::error::{Failure, Problem};
use crate::function::{Args, Body, Function, Type};
use crate::tree::{Number, Operand, Span, Term};
use crate::value::Value;

impl<'t> Executor<'t> {
    pub(super) fn call(
        &mut self,
        function: &'static Function,
        operands: &'t [Operand],
        piped: Option<Value>,
        span: Span,
    ) -> Run<Value> {
        let located = |failure| Problem { failure, span };
        check_count(function, operands.len() + usize::from(piped.is_some())).map_err(located)?;
        self.step(span)?;
        let body = match function.body {
            Body::And => return self.short_circuit(false, operands, piped),
            Body::Or => return self.short_circuit(true, operands, piped),
            Body::Call(body) => body,
        };
        let values = self.arguments(function, Vec::with_capacity(operands.len() + 1), operands, piped, span)?;
        body(Args(&values), &mut self.budget).map_err(|failure| located(failure.in_function(function.name)))
    }

    /// A method: the receiver is its first argument.
    pub(super) fn method(
        &mut self,
        method: &'static Function,
        receiver: Value,
        operands: &'t [Operand],
        piped: Option<Value>,
        span: Span,
    ) -> Run<Value> {
        let located = |failure| Problem { failure, span };
        check_count(method, operands.len() + usize::from(piped.is_some()) + 1).map_err(located)?;
        self.step(span)?;
        let values = self.arguments(method, vec![receiver], operands, piped, span)?;
        match method.body {
            Body::Call(body) => {
                body(Args(&values), &mut self.budget).map_err(|failure| located(failure.in_function(method.name)))
            }
            Body::And | Body::Or => Ok(Value::Nil),
        }
    }

    /// Evaluates the arguments after those in `values`.
    fn arguments(
        &mut self,
        function: &'static Function,
        mut values: Vec<Value>,
        operands: &'t [Operand],
        piped: Option<Value>,
        span: Span,
    ) -> Run<Vec<Value>> {
        let located = |failure| Problem { failure, span };
        for operand in operands {
            let parameter = function.parameter(values.len()).unwrap_or(Type::Any);
            values.push(self.argument(parameter, operand)?);
        }
        if let Some(value) = piped {
            let parameter = function.parameter(values.len()).unwrap_or(Type::Any);
            values.push(validate(value, parameter).map_err(located)?);
        }
        let weight = values.iter().map(Value::weight).sum();
        self.budget.step(weight).map_err(located)?;
        Ok(values)
    }

    /// `and`, `or`: the first operand that decides, or the last.
    fn short_circuit(&mut self, decisive: bool, operands: &'t [Operand], piped: Option<Value>) -> Run<Value> {
        let mut value = Value::Nil;
        for operand in operands {
            value = self.argument(Type::Any, operand)?;
            if value.is_true() == decisive {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// The value of an operand as a parameter of that type; constants take the type.
    fn argument(&mut self, parameter: Type, operand: &'t Operand) -> Run<Value> {
        let located = |failure| Problem { failure, span: operand.span };
        match &operand.term {
            Term::Nil if parameter.takes_nil() => Ok(Value::Nil),
            Term::Nil => Err(located(Failure::execute(format!("cannot assign nil to {}", parameter.name())))),
            Term::Bool(_) | Term::Number(_) | Term::Text(_) if parameter == Type::Any => self.operand(operand),
            Term::Bool(_) | Term::Number(_) | Term::Text(_) => constant(&operand.term, parameter).map_err(located),
            _ => validate(self.operand(operand)?, parameter).map_err(located),
        }
    }
}

fn check_count(function: &Function, count: usize) -> Result<(), Failure> {
    let wanted = function.parameters.len();
    let fits = if function.rest.is_some() { count >= wanted } else { count == wanted };
    if fits {
        return Ok(());
    }
    let at_least = if function.rest.is_some() { "at least " } else { "" };
    Err(Failure::execute(format!("wrong number of args for {}: want {at_least}{wanted} got {count}", function.name)))
}

fn validate(value: Value, parameter: Type) -> Result<Value, Failure> {
    if parameter.accepts(&value) {
        return Ok(value);
    }
    let message = match value {
        Value::Nil => format!("invalid value; expected {}", parameter.name()),
        value => format!("wrong type for value; expected {}; got {}", parameter.name(), value.type_name()),
    };
    Err(Failure::execute(message))
}

/// A constant as a value of the parameter's type.
fn constant(term: &Term, parameter: Type) -> Result<Value, Failure> {
    let value = match (parameter, term) {
        (Type::Bool, Term::Bool(value)) => Some(Value::Bool(*value)),
        (Type::Float, Term::Number(Number { float: Some(value), .. })) => Some(Value::Float(*value)),
        (Type::Int, Term::Number(Number { integer: Some(value), .. })) => Some(Value::Int(*value)),
        #[cfg(feature = "crypto")]
        (Type::Counter, Term::Number(Number { integer: Some(value @ 0..), .. })) => Some(Value::Int(*value)),
        #[cfg(feature = "crypto")]
        (Type::HashAlgorithm, Term::Text(text)) => Some(Value::Bytes(text.clone())),
        (Type::Text, Term::Text(text)) => Some(Value::Bytes(text.clone())),
        _ => None,
    };
    value.ok_or_else(|| Failure::execute(format!("the constant is no {}", parameter.name())))
}
