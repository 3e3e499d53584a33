//! Changes to the keys of a `dataFrom` entry (`eso-compat.md` 2.6). Names and defaults are External Secrets Operator's.

/// One change to the keys. Any change takes the place of the conversion of keys.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rewrite {
    /// Combines the values, each of them a JSON object.
    Merge(Merge),
    /// Replaces each match of an expression (RE2) in each key; `$1` and `${name}` in the replacement stand for groups.
    Regexp {
        /// The expression.
        source: String,
        /// The replacement.
        target: String,
    },
    /// Renders a Go template for each key, which it knows as `.value`; the result is the new key.
    Transform {
        /// The template's text.
        template: String,
    },
}

/// How the values of a map, each of them a JSON object, become one.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Merge {
    /// What becomes of the merged object.
    pub result: MergeResult,
    /// Keys that are merged last, in this order: of equal members the later one wins. All others are merged in the order of their bytes.
    pub priority: Vec<String>,
    /// Whether a key of `priority` may be missing.
    pub optional_priority: bool,
    /// Whether two objects may have the same member.
    pub conflicts: MergeConflict,
}

/// What happens when two objects have the same member.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MergeConflict {
    /// It is an error, even with equal values.
    #[default]
    Error,
    /// The later one wins.
    LaterWins,
}

/// What becomes of a merged object.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum MergeResult {
    /// Its members take the place of all keys.
    #[default]
    Members,
    /// It becomes the value of this key as compact JSON, beside the others.
    Key(String),
}

impl Rewrite {
    /// Whether it renders a template, which may compute for a while.
    pub(crate) fn renders(&self) -> bool {
        matches!(self, Self::Transform { .. })
    }
}

impl Merge {
    /// Members become keys, no two objects have the same member, nothing has priority.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what becomes of the merged object.
    #[must_use]
    pub fn with_result(mut self, result: MergeResult) -> Self {
        self.result = result;
        self
    }

    /// Names keys that are merged last, in order, and says whether they may be missing.
    #[must_use]
    pub fn with_priority(mut self, keys: Vec<String>, optional: bool) -> Self {
        (self.priority, self.optional_priority) = (keys, optional);
        self
    }

    /// Sets whether two objects may have the same member.
    #[must_use]
    pub fn with_conflicts(mut self, conflicts: MergeConflict) -> Self {
        self.conflicts = conflicts;
        self
    }
}
