//! Puts a data key together from the parts that several key groups hold.
//!
//! Shamir's scheme over GF(2^8) with the polynomial of AES, as sops has it: a part is one byte of y for each byte of the key, and its x at
//! the end (section 9 of the format).

use zeroize::Zeroizing;

use super::value::DataKey;

/// The length of a part in bytes.
pub(crate) const PART: usize = 33;

/// The data key that the parts give, or nothing if they cannot be parts of one key. With too few of them it is another key, which shows when
/// the first value is decrypted.
pub(crate) fn combine(parts: &[Zeroizing<Vec<u8>>]) -> Option<DataKey> {
    let mut points: Vec<(&[u8], u8)> = Vec::with_capacity(parts.len());
    for part in parts {
        let (x, y) = part.split_last().filter(|(_, y)| y.len() == PART - 1)?;
        if *x == 0 || points.iter().any(|(_, known)| known == x) {
            return None;
        }
        points.push((y, *x));
    }
    if points.len() < 2 {
        return None;
    }
    let mut key = Zeroizing::new([0; PART - 1]);
    for (index, (y, x)) in points.iter().enumerate() {
        let weight =
            weight_at_zero(*x, points.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, (_, x))| *x));
        for (byte, y) in key.iter_mut().zip(*y) {
            *byte ^= multiply(*y, weight);
        }
    }
    Some(key)
}

/// Lagrange's coefficient of the point `x` for the value at zero.
fn weight_at_zero(x: u8, others: impl Iterator<Item = u8>) -> u8 {
    others.fold(1, |weight, other| multiply(weight, multiply(other, inverse(x ^ other))))
}

/// Multiplies without tables and without branches on the factors: they are secret.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & mask(b & 1);
        let carry = mask(a >> 7);
        a = (a << 1) ^ (0x1b & carry);
        b >>= 1;
    }
    product
}

/// All ones for 1, all zeros for 0.
fn mask(bit: u8) -> u8 {
    bit.wrapping_neg()
}

/// `a` to the 254th power.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut result = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(hex: &str) -> Zeroizing<Vec<u8>> {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Zeroizing::new((0..hex.len()).step_by(2).map(byte).collect())
    }

    fn expected() -> [u8; 32] {
        std::array::from_fn(|index| u8::try_from(index).unwrap())
    }

    const TWO_OF_THREE: [&str; 3] = [
        "030b131b1b232b33334b435b5b536b63636b939b9b838bb3b3aba3dbdbd3cbc301",
        "061520333a495c6f7e8d98aba2b1c4d7f6e50b181122374455667380899aafbc02",
        "051f312b256f715b45cfd1fbf5efa1bb859f8a909eb4aae0fed4ca404e547a6003",
    ];

    const THREE_OF_FOUR: [&str; 4] = [
        "1b0c353e0f10191203747d061718013a2b1c050e1fe0e9e213040d162728110a01",
        "4453aaade88f86b19c7049aecbecc5322f78010603c9c0f701764f688daac3b402",
        "5f5e9d90e39a99a4970d3ea3d0f9ca071475161b083c3f020a6b5865b69fcca103",
        "5b9e7c3902bcd33605c10e9070d5fa325114c0853e026d881688474294319e6004",
    ];

    #[test]
    fn every_sufficient_choice_of_the_published_parts_gives_the_key() {
        let of = |choice: &[&str]| combine(&choice.iter().map(|text| part(text)).collect::<Vec<_>>()).map(|key| *key);
        let [a, b, c] = TWO_OF_THREE;
        for choice in [&[a, b][..], &[a, c], &[c, b], &[c, a, b]] {
            assert_eq!(of(choice), Some(expected()));
        }
        let [a, b, c, d] = THREE_OF_FOUR;
        for choice in [&[a, b, c][..], &[d, b, a], &[c, d, b], &[a, b, c, d]] {
            assert_eq!(of(choice), Some(expected()));
        }
        assert!(of(&[a, b]).is_some_and(|key| key != expected()), "too few give another key");
    }

    #[test]
    fn what_cannot_be_parts_of_one_key_is_refused() {
        let good = part(TWO_OF_THREE[0]);
        let zero = Zeroizing::new([&good[..32], &[0]].concat());
        let short = Zeroizing::new(good[1..].to_vec());
        for parts in
            [vec![], vec![good.clone()], vec![good.clone(), good.clone()], vec![good.clone(), zero], vec![good, short]]
        {
            assert!(combine(&parts).is_none());
        }
    }

    #[test]
    fn the_field_is_that_of_aes() {
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
        }
    }
}
