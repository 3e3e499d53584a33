//! What a document may cost before it is refused: it comes from a repository that others write to.

/// The size of a document in bytes. 10,000 values take about 3 MB.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// How many maps and lists may enclose a value. It bounds every recursion over a document.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many values a document may have, copies made by YAML aliases included.
pub(crate) const MAX_NODES: usize = 250_000;

/// How many wrapped copies of the data key, or of parts of it, a document may have.
pub(crate) const MAX_KEYS: usize = 256;

/// The size of one wrapped data key: an age file for one recipient takes about 400 bytes.
pub(crate) const MAX_WRAPPED: usize = 16 << 10;
