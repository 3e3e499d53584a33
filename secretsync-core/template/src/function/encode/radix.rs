//! Base64 and base32 with padding. Decoders skip line ends, take any trailing bits, and say at which byte they stop as Go does.

use crate::value::Buffer;

pub(crate) fn encode_64(bytes: &[u8]) -> Buffer {
    let mut out = Buffer::with_capacity(bytes.len().div_ceil(3) * 4);
    let digit = |number: u32, place: u32| ALPHABET_64[(number >> (6 * place) & 63) as usize];
    let mut blocks = bytes.chunks_exact(3);
    for block in &mut blocks {
        let number = u32::from(block[0]) << 16 | u32::from(block[1]) << 8 | u32::from(block[2]);
        out.extend(&[digit(number, 3), digit(number, 2), digit(number, 1), digit(number, 0)]);
    }
    match *blocks.remainder() {
        [first] => {
            let number = u32::from(first) << 16;
            out.extend(&[digit(number, 3), digit(number, 2), b'=', b'=']);
        }
        [first, second] => {
            let number = u32::from(first) << 16 | u32::from(second) << 8;
            out.extend(&[digit(number, 3), digit(number, 2), digit(number, 1), b'=']);
        }
        _ => {}
    }
    out
}

pub(super) fn encode_32(bytes: &[u8]) -> Buffer {
    let mut out = Buffer::with_capacity(bytes.len().div_ceil(5) * 8);
    for block in bytes.chunks(5) {
        let number = block.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) << (8 * (5 - block.len()));
        let used = (block.len() * 8).div_ceil(5);
        for digit in 0..8 {
            let letter = ALPHABET_32[(number >> (5 * (7 - digit)) & 31) as usize];
            out.push(if digit < used { letter } else { b'=' });
        }
    }
    out
}

pub(crate) fn decode_64(text: &[u8]) -> Result<Buffer, usize> {
    let mut out = Buffer::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut number = 0_u32;
        let mut digits = 0;
        while digits < 4 {
            let Some(byte) = text.get(at) else {
                return if digits == 0 { Ok(out) } else { Err(at - digits) };
            };
            at += 1;
            match (value_64(*byte), byte) {
                (Some(value), _) => {
                    number = number << 6 | u32::from(value);
                    digits += 1;
                }
                (None, b'\r' | b'\n') => {}
                (None, b'=') if digits >= 2 => {
                    check_padding(text, at, digits)?;
                    let bytes = (number << (6 * (4 - digits))).to_be_bytes();
                    out.extend(&bytes[1..digits]);
                    return Ok(out);
                }
                _ => return Err(at - 1),
            }
        }
        out.extend(&number.to_be_bytes()[1..]);
    }
}

/// What may follow the first `=`: a second one after two digits, and line ends.
fn check_padding(text: &[u8], mut at: usize, digits: usize) -> Result<(), usize> {
    let skip = |mut at: usize| {
        while matches!(text.get(at), Some(b'\r' | b'\n')) {
            at += 1;
        }
        at
    };
    if digits == 2 {
        at = skip(at);
        match text.get(at) {
            None => return Err(text.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
    }
    at = skip(at);
    if at < text.len() { Err(at) } else { Ok(()) }
}

pub(super) fn decode_32(text: &[u8]) -> Result<Buffer, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let mut out = Buffer::with_capacity(text.len() / 8 * 5);
    for (index, block) in text.chunks(8).enumerate() {
        let start = index * 8;
        let last = start + 8 >= text.len();
        let digits = block.iter().position(|byte| value_32(*byte).is_none()).unwrap_or(block.len());
        let padded = last && digits >= 2 && block.get(digits) == Some(&b'=');
        if digits < 8 && padded {
            if block.len() < 8 {
                return Err(text.len());
            }
            if let Some(other) = block[digits..].iter().position(|byte| *byte != b'=') {
                return Err(start + digits + other - 1);
            }
            if matches!(digits, 3 | 6) {
                return Err(start + digits);
            }
        } else if digits < block.len() {
            return Err(start + digits);
        } else if digits < 8 {
            return Err(start);
        }
        let number =
            block[..digits].iter().fold(0_u64, |number, byte| number << 5 | u64::from(value_32(*byte).unwrap_or(0)));
        let bytes = (number << (5 * (8 - digits))).to_be_bytes();
        out.extend(&bytes[3..3 + digits * 5 / 8]);
    }
    Ok(out)
}

fn value_64(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn value_32(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

const ALPHABET_64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const ALPHABET_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_survives_a_round_trip() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).map(|index: u8| index.wrapping_mul(37) ^ 0xa5).collect();
            assert_eq!(decode_64(&encode_64(&bytes)).as_deref(), Ok(bytes.as_slice()));
            assert_eq!(decode_32(&encode_32(&bytes)).as_deref(), Ok(bytes.as_slice()));
        }
    }

    #[test]
    fn a_wrong_byte_is_named_by_its_offset() {
        for (text, at) in [("aGVsbG8", 4), ("not base64!", 3), (" aGVsbG8=", 0), ("aGVsbG8==", 8), ("YQ==YQ==", 4)] {
            assert_eq!(decode_64(text.as_bytes()).map(|_| ()), Err(at), "{text}");
        }
    }
}
