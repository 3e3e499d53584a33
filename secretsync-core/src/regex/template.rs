//! Replacement templates: `$1`, `${name}`, `$$`.

/// A group that a template names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Group<'t> {
    Index(usize),
    Name(&'t str),
}

/// Writes `template` with each group replaced by what `value` says. A `$` that names no group stays.
pub(super) fn expand<'v>(template: &str, value: impl Fn(Group<'_>) -> &'v str, out: &mut String) {
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        rest = behind;
        if let Some(behind) = rest.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some((group, behind)) = group(rest) {
            out.push_str(value(group));
            rest = behind;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
}

/// Reads what stands behind a `$`; returns the group and the rest.
fn group(text: &str) -> Option<(Group<'_>, &str)> {
    let inner = text.strip_prefix('{');
    let name_and_more = inner.unwrap_or(text);
    let end = name_and_more.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name_and_more.len());
    let (name, rest) = name_and_more.split_at(end);
    let rest = if inner.is_some() { rest.strip_prefix('}')? } else { rest };
    let is_index = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    match name.parse() {
        _ if name.is_empty() => None,
        Ok(index) if is_index => Some((Group::Index(index), rest)),
        _ => Some((Group::Name(name), rest)),
    }
}
