//! Replacement templates: `$1`, `${name}`, `$$`.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// A group that a template names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Group<'t> {
    Index(usize),
    Name(&'t str),
}

/// A part of a template.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    /// The first of these groups that matched.
    Groups(Vec<usize>),
    /// As it stands.
    Text(&'t [u8]),
}

/// Reads a template; `names` are those of the groups. A `$` that names no group stays.
pub(super) fn pieces<'t>(template: &'t [u8], names: &[Option<String>]) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        let (before, dollar) = rest.split_at(at);
        let behind = &dollar[1..];
        if let Some(behind) = behind.strip_prefix(b"$") {
            pieces.push(Piece::Text(&rest[..=at]));
            rest = behind;
        } else if let Some((group, behind)) = group(behind) {
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Groups(match group {
                Group::Index(index) => vec![index],
                Group::Name(name) => (0..names.len()).filter(|index| names[*index].as_deref() == Some(name)).collect(),
            }));
            rest = behind;
        } else {
            pieces.push(Piece::Text(&rest[..=at]));
            rest = behind;
        }
    }
    pieces.push(Piece::Text(rest));
    // What stands for nothing costs nothing.
    pieces.retain(|piece| {
        !matches!(piece, Piece::Text([])) && !matches!(piece, Piece::Groups(groups) if groups.is_empty())
    });
    pieces
}

/// Reads what stands behind a `$`; returns the group and the rest. A name is as long as letters, digits and underscores go.
fn group(text: &[u8]) -> Option<(Group<'_>, &[u8])> {
    static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("^[\\pL\\p{Nd}_]+").ok());
    let inner = text.strip_prefix(b"{");
    let name_and_more = inner.unwrap_or(text);
    let (name, rest) = name_and_more.split_at(NAME.as_ref()?.find(name_and_more)?.end());
    let rest = if inner.is_some() { rest.strip_prefix(b"}")? } else { rest };
    let name = std::str::from_utf8(name).ok()?;
    let is_index = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    Some(match name.parse() {
        Ok(index) if is_index => (Group::Index(index), rest),
        _ => (Group::Name(name), rest),
    })
}
