//! Variables and dot.

use crate::tree::Variable;
use crate::value::Value;

/// A value that dot or a variable stands for.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) value: Value,
    /// It is an element of a list or map. Go tells a nil element (a field of it fails as a nil pointer) from nil data (a missing key).
    pub(super) element: bool,
}

impl Held {
    pub(super) fn plain(value: Value) -> Self {
        Self { value, element: false }
    }

    pub(super) fn element(value: Value) -> Self {
        Self { value, element: true }
    }
}

/// Variables on one stack; a template sees those above its base only.
#[derive(Debug)]
pub(super) struct Scope {
    variables: Vec<(Variable, Held)>,
    base: usize,
}

impl Scope {
    pub(super) fn new(root: Value) -> Self {
        Self { variables: vec![(ROOT, Held::plain(root))], base: 0 }
    }

    pub(super) fn mark(&self) -> usize {
        self.variables.len()
    }

    pub(super) fn truncate(&mut self, mark: usize) {
        self.variables.truncate(mark);
    }

    pub(super) fn push(&mut self, variable: Variable, value: Value) {
        self.variables.push((variable, Held::plain(value)));
    }

    pub(super) fn get(&self, variable: Variable) -> Option<&Held> {
        self.variables[self.base..].iter().rev().find(|(name, _)| *name == variable).map(|(_, held)| held)
    }

    /// Assigns to the innermost variable of that name; `false` if there is none.
    pub(super) fn set(&mut self, variable: Variable, held: Held) -> bool {
        match self.variables[self.base..].iter_mut().rev().find(|(name, _)| *name == variable) {
            Some((_, place)) => {
                *place = held;
                true
            }
            None => false,
        }
    }

    /// Sets the variable that is `depth` below the top, whatever its name.
    pub(super) fn set_below(&mut self, depth: usize, held: Held) {
        if let Some((_, place)) = self.variables.iter_mut().rev().nth(depth) {
            *place = held;
        }
    }

    /// Begins a template with its own `$`; gives the base to restore.
    pub(super) fn enter(&mut self, root: Value) -> usize {
        let base = std::mem::replace(&mut self.base, self.variables.len());
        self.push(ROOT, root);
        base
    }

    pub(super) fn leave(&mut self, base: usize) {
        self.base = base;
    }
}

const ROOT: Variable = Variable(0);
