//! Text as Go sees it: characters, with every invalid byte as one of its own.

/// The characters of a text and their bytes; an invalid byte reads as U+FFFD.
pub(crate) fn runes(text: &[u8]) -> impl Iterator<Item = (char, &[u8])> {
    text.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let characters = valid.char_indices().map(move |(at, c)| (c, &valid.as_bytes()[at..at + c.len_utf8()]));
        characters.chain(chunk.invalid().chunks(1).map(|byte| (char::REPLACEMENT_CHARACTER, byte)))
    })
}

/// Number of characters.
pub(crate) fn count(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// Upper case by Unicode's one-to-one mapping, which is all that Go knows (`ß` stays).
pub(crate) fn to_upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        // Greek with iota below: the single capital that the full mapping splits in two.
        _ => match u32::from(character) {
            code @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => char::from_u32(code + 8),
            code @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(code + 9),
            _ => None,
        }
        .unwrap_or(character),
    }
}

/// Lower case by Unicode's one-to-one mapping.
pub(crate) fn to_lower(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ if character == 'İ' => 'i',
        _ => character,
    }
}
