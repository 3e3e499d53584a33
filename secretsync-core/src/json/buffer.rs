//! A byte buffer that leaves no copy behind when it grows, and does not grow past its limit.

use zeroize::Zeroizing;

/// A write would have made a [`Buffer`] longer than its limit.
#[derive(Debug)]
pub(crate) struct Overflow;

/// Collects bytes that may be secret.
///
/// A `Vec` that grows frees its old memory as it is; this one wipes it first.
pub(crate) struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

impl Buffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Zeroizing::default(), limit }
    }

    pub(crate) fn extend(&mut self, more: &[u8]) -> Result<(), Overflow> {
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.limit {
            return Err(Overflow);
        }
        if needed > self.bytes.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(needed.max(self.bytes.capacity() * 2)));
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    pub(crate) fn push(&mut self, byte: u8) -> Result<(), Overflow> {
        self.extend(&[byte])
    }

    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}
