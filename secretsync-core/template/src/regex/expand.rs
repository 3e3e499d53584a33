//! Replacement templates: `$1`, `${name}`, `$$`.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// A group that a template names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Group<'t> {
    Index(usize),
    Name(&'t str),
}

/// Appends `template` with each group replaced by what `value` says. A `$` that names no group stays.
pub(super) fn expand<'v>(template: &[u8], value: impl Fn(Group<'_>) -> &'v [u8], mut append: impl FnMut(&[u8])) {
    let mut rest = template;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        append(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(b"$") {
            append(b"$");
            rest = behind;
        } else if let Some((group, behind)) = group(rest) {
            append(value(group));
            rest = behind;
        } else {
            append(b"$");
        }
    }
    append(rest);
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
