//! `range`: what can be iterated, and one turn of the loop.

use std::vec;

use super::{Body, Executor, Frame, Held, Run};
use crate::error::{Failure, Problem};
use crate::tree::{Pipeline, Range};
use crate::value::{List, Value};

/// What is left to iterate over.
pub(super) enum Items {
    Count { next: i64, end: i64, make: fn(i64) -> Value },
    Entries(vec::IntoIter<(Value, Value)>),
    List { list: List, next: usize },
}

impl<'t> Executor<'t> {
    pub(super) fn range(&mut self, range: &'t Range) -> Run<()> {
        self.step(range.pipeline.span)?;
        let mark = self.scope.mark();
        let value = self.pipeline(&range.pipeline)?;
        let items = Items::of(&value, range.pipeline.variables.len())
            .map_err(|failure| Problem { failure, span: range.pipeline.span })?;
        if items.is_empty() {
            self.push_list(&range.otherwise, mark, None);
            return Ok(());
        }
        let dot = Some(self.dot.clone());
        let body = Body::Loop { range, items, mark: self.scope.mark() };
        self.frames.push(Frame { body, mark, dot, caller: None });
        Ok(())
    }

    /// One turn of the loop on top of the stack, or its end.
    pub(super) fn iterate(&mut self) -> Run<()> {
        let Some(Frame { body: Body::Loop { range, items, mark }, .. }) = self.frames.last_mut() else {
            return Ok(());
        };
        let (range, mark) = (*range, *mark);
        let Some((index, element)) = items.next() else {
            self.leave();
            return Ok(());
        };
        self.step(range.pipeline.span)?;
        self.scope.truncate(mark);
        self.set_loop_variables(&range.pipeline, index, &element)?;
        self.dot = Held::element(element);
        self.push_list(&range.body, mark, None);
        Ok(())
    }

    /// With one variable it is the element, with two the index comes first.
    fn set_loop_variables(&mut self, pipeline: &Pipeline, index: Value, element: &Value) -> Run<()> {
        let element = Held::element(element.clone());
        match pipeline.variables.as_slice() {
            [] => {}
            [only] if pipeline.assigns => self.assign(*only, element, pipeline.span)?,
            [_] => self.scope.set_below(0, element),
            [first, second, ..] if pipeline.assigns => {
                self.assign(*first, Held::plain(index), pipeline.span)?;
                self.assign(*second, element, pipeline.span)?;
            }
            [..] => {
                self.scope.set_below(0, element);
                self.scope.set_below(1, Held::plain(index));
            }
        }
        Ok(())
    }
}

impl Items {
    fn of(value: &Value, variables: usize) -> Result<Self, Failure> {
        let (count, make): (i64, fn(i64) -> Value) = match value {
            Value::Nil => return Ok(Self::Entries(Vec::new().into_iter())),
            Value::List(list) => return Ok(Self::List { list: list.clone(), next: 0 }),
            Value::Map(map) => {
                let entries = map.entries().into_iter().map(|(key, value)| (Value::Bytes(key), value));
                return Ok(Self::Entries(entries.collect::<Vec<_>>().into_iter()));
            }
            Value::StringMap(map) => {
                let entries = map.iter().map(|(key, value)| (Value::Bytes(key.clone()), Value::Bytes(value.clone())));
                return Ok(Self::Entries(entries.collect::<Vec<_>>().into_iter()));
            }
            Value::Int(count) => (*count, Value::Int),
            Value::Int64(count) => (*count, Value::Int64),
            Value::Byte(count) => (i64::from(*count), |index| Value::Byte(u8::try_from(index).unwrap_or(u8::MAX))),
            Value::Uint(count) => {
                (i64::try_from(*count).unwrap_or(i64::MAX), |index| Value::Uint(index.unsigned_abs()))
            }
            other => {
                return Err(Failure::execute(format!(
                    "range can't iterate over a value of type {}",
                    other.type_name()
                )));
            }
        };
        if variables > 1 {
            return Err(Failure::execute("a range over a number has one variable only"));
        }
        Ok(Self::Count { next: 0, end: count, make })
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Count { next, end, .. } => next >= end,
            Self::Entries(entries) => entries.as_slice().is_empty(),
            Self::List { list, .. } => list.items().is_empty(),
        }
    }

    fn next(&mut self) -> Option<(Value, Value)> {
        match self {
            Self::Count { next, end, make } => {
                if next >= end {
                    return None;
                }
                let value = make(*next);
                *next += 1;
                Some((Value::Nil, value))
            }
            Self::Entries(entries) => entries.next(),
            Self::List { list, next } => {
                let element = list.items().get(*next)?.clone();
                let index = i64::try_from(*next).unwrap_or(i64::MAX);
                *next += 1;
                Some((Value::Int(index), element))
            }
        }
    }
}
