//! DER: a reader of definite lengths that goes one element at a time, without recursion, and a writer.

#[cfg(feature = "crypto")]
use crate::value::Buffer;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'d>(pub(crate) &'d [u8]);

impl<'d> Reader<'d> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element: tag and content.
    pub(crate) fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        // Tags above 30 do not occur in keys and certificates.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                // DER wants the shortest form.
                if length < 0x80 || bytes[0] == 0 {
                    return None;
                }
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The next element if it has this tag.
    pub(crate) fn expect(&mut self, wanted: u8) -> Option<&'d [u8]> {
        let (tag, content) = self.next()?;
        (tag == wanted).then_some(content)
    }

    /// The next element if it has this tag; otherwise nothing is read.
    pub(crate) fn optional(&mut self, wanted: u8) -> Option<&'d [u8]> {
        if self.0.first() != Some(&wanted) {
            return None;
        }
        self.expect(wanted)
    }
}

/// One element whose content is the parts one after another.
#[cfg(feature = "crypto")]
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Buffer {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Buffer::with_capacity(length + 6);
    out.push(tag);
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        out.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | u8::try_from(bytes.len() - skipped).unwrap_or(0));
        out.extend(&bytes[skipped..]);
    }
    for part in parts {
        out.extend(part);
    }
    out
}

/// A number of any size, given without a sign.
#[cfg(feature = "crypto")]
pub(crate) fn integer(number: &[u8]) -> Buffer {
    let skipped = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[skipped..];
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, digits])
}

pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
#[cfg(feature = "crypto")]
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;

#[cfg(all(test, feature = "crypto"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 127, 128, 255, 256, 65_536] {
            let content = vec![7; length];
            let written = element(OCTETS, &[&content, b"x"]);
            let mut reader = Reader(&written);
            assert_eq!(reader.expect(OCTETS).map(<[u8]>::len), Some(length + 1));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn a_number_is_as_short_as_it_can_be_and_never_negative() {
        assert_eq!(*integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(*integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(*integer(&[]), [2, 1, 0]);
    }
}
