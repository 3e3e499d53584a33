//! One object that counts what a rendering uses and ends it at a limit.

use std::collections::HashMap;

use crate::error::Failure;
use crate::regex::GoRegex;
use crate::value::{Buffer, Bytes, ElementType, List, Value};

/// How much a template may use. Every limit is an error of class [`Limit`](crate::ErrorClass::Limit) that names the field.
///
/// Limits count work, not time, so the same template with the same data always ends the same way.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Limits {
    /// Bytes of template text. Default 1 MiB, the most that a Kubernetes object can hold.
    pub template_bytes: usize,
    /// Blocks and parentheses inside one another. Default 200.
    pub nesting: usize,
    /// Templates that call one another. Default 1,000.
    pub call_depth: usize,
    /// Nodes executed, functions called, and elements visited. Default 5,000,000.
    pub steps: usize,
    /// Bytes of the result. Default 8 MiB.
    pub output_bytes: usize,
    /// Bytes of all values made while rendering, counted when made. Default 32 MiB.
    pub allocated_bytes: usize,
    /// Bytes of one compiled regular expression. Default 1 MiB.
    pub regex_bytes: usize,
    /// Lists and maps inside one another, where a value is printed, compared, copied or encoded. Default 100.
    pub value_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            template_bytes: 1 << 20,
            nesting: 200,
            call_depth: 1_000,
            steps: 5_000_000,
            output_bytes: 8 << 20,
            allocated_bytes: 32 << 20,
            regex_bytes: 1 << 20,
            value_depth: 100,
        }
    }
}

/// What is left of the [`Limits`] of one rendering.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    steps: usize,
    output: usize,
    allocated: usize,
    patterns: HashMap<Bytes, GoRegex>,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        let Limits { steps, output_bytes, allocated_bytes, .. } = limits;
        Self { limits, steps, output: output_bytes, allocated: allocated_bytes, patterns: HashMap::new() }
    }

    /// Uses up `count` steps.
    pub(crate) fn step(&mut self, count: usize) -> Result<(), Failure> {
        self.steps = self.steps.checked_sub(count).ok_or_else(|| Failure::limit("steps", self.limits.steps))?;
        Ok(())
    }

    /// Announces `bytes` of the result.
    pub(crate) fn output(&mut self, bytes: usize) -> Result<(), Failure> {
        self.output =
            self.output.checked_sub(bytes).ok_or_else(|| Failure::limit("output_bytes", self.limits.output_bytes))?;
        Ok(())
    }

    /// Announces `bytes` of new values. Called *before* memory is taken wherever a result can be larger than the arguments.
    pub(crate) fn allocate(&mut self, bytes: usize) -> Result<(), Failure> {
        self.allocated = self
            .allocated
            .checked_sub(bytes)
            .ok_or_else(|| Failure::limit("allocated_bytes", self.limits.allocated_bytes))?;
        Ok(())
    }

    /// Fails when templates that call one another are nested too deeply.
    pub(crate) fn call_depth(&self, depth: usize) -> Result<(), Failure> {
        if depth > self.limits.call_depth {
            return Err(Failure::limit("call_depth", self.limits.call_depth));
        }
        Ok(())
    }

    /// Uses a step and fails when values are nested too deeply.
    pub(crate) fn descend(&mut self, depth: usize) -> Result<(), Failure> {
        if depth > self.limits.value_depth {
            return Err(Failure::limit("value_depth", self.limits.value_depth));
        }
        self.step(1)
    }

    /// Most memory of one compiled regular expression.
    pub(crate) fn regex_bytes(&self) -> usize {
        self.limits.regex_bytes
    }

    /// A regular expression that this rendering has compiled before.
    pub(crate) fn pattern(&self, pattern: &[u8]) -> Option<GoRegex> {
        self.patterns.get(pattern).cloned()
    }

    /// Keeps a compiled regular expression, unless there are many already.
    pub(crate) fn keep_pattern(&mut self, pattern: &[u8], compiled: GoRegex) {
        if self.patterns.len() < KEPT_PATTERNS {
            self.patterns.insert(Bytes::from(pattern), compiled);
        }
    }

    /// A text value, counted.
    pub(crate) fn text(&mut self, text: impl Into<Buffer>) -> Result<Value, Failure> {
        let text = text.into();
        self.allocate(text.len() + TEXT_BYTES)?;
        Ok(Value::Bytes(Bytes::from(text)))
    }

    /// A list value, counted.
    pub(crate) fn list(&mut self, element: ElementType, items: Vec<Value>) -> Result<Value, Failure> {
        self.allocate(items.len().saturating_mul(size_of::<Value>()))?;
        Ok(Value::List(List::new(element, items)))
    }

    /// A list of texts (Go's `[]string`), counted.
    pub(crate) fn texts<T: Into<Buffer>>(&mut self, items: impl IntoIterator<Item = T>) -> Result<Value, Failure> {
        let mut list = Vec::new();
        for item in items {
            self.step(1)?;
            list.push(self.text(item)?);
        }
        self.list(ElementType::Text, list)
    }
}

/// What a text value takes beside its bytes.
const TEXT_BYTES: usize = 48;

const KEPT_PATTERNS: usize = 64;
