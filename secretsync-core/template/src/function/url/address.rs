//! A URL in its parts, read and written as Go's `net/url` does.

use super::escape::{Part, escape, unescape};

#[derive(Default)]
pub(super) struct Address {
    pub(super) scheme: Vec<u8>,
    pub(super) user: Option<UserInfo>,
    pub(super) host: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) opaque: Vec<u8>,
    pub(super) fragment: Vec<u8>,
    /// A question mark with nothing behind it.
    pub(super) empty_query: bool,
}

pub(super) struct UserInfo {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl Address {
    /// The error says what is wrong without showing the text.
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let (text, fragment) = cut(text, b'#');
        if text.iter().any(u8::is_ascii_control) {
            return Err("control character");
        }
        let fragment = unescape(fragment.unwrap_or_default(), Part::Fragment).ok_or("broken escape")?;
        let mut address = Self { fragment, ..Self::default() };
        if text == b"*" {
            address.path = text.to_vec();
            return Ok(address);
        }
        let (scheme, rest) = take_scheme(text)?;
        address.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = cut(rest, b'?');
        address.empty_query = query == Some(b"");
        address.query = query.unwrap_or_default().to_vec();
        if !rest.starts_with(b"/") {
            if !scheme.is_empty() {
                address.opaque = rest.to_vec();
                return Ok(address);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("colon in the first path segment");
            }
        }
        let mut path = rest;
        if let Some(after) = rest.strip_prefix(b"//")
            && (!scheme.is_empty() || !rest.starts_with(b"///"))
        {
            let end = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
            address.authority(&after[..end])?;
            path = &after[end..];
        }
        address.path = unescape(path, Part::Path).ok_or("broken escape")?;
        Ok(address)
    }

    fn authority(&mut self, text: &[u8]) -> Result<(), &'static str> {
        let mut host = text;
        if let Some(at) = text.iter().rposition(|byte| *byte == b'@') {
            self.user = Some(UserInfo::parse(&text[..at]).ok_or("invalid user information")?);
            host = &text[at + 1..];
        }
        let port = if host.starts_with(b"[") {
            let close = host.iter().rposition(|byte| *byte == b']').ok_or("missing ] in the host")?;
            &host[close + 1..]
        } else {
            let colons = host.iter().filter(|byte| **byte == b':').take(2).count();
            if colons > 1 || host.contains(&b'[') || host.contains(&b']') {
                return Err("invalid host");
            }
            host.iter().position(|byte| *byte == b':').map_or(&[][..], |at| &host[at..])
        };
        let port_fits = port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
        if !port_fits {
            return Err("invalid port");
        }
        self.host = unescape(host, Part::Host).ok_or("invalid host")?;
        Ok(())
    }

    /// The host without port and brackets.
    pub(super) fn hostname(&self) -> &[u8] {
        if let Some(inner) = self.host.strip_prefix(b"[")
            && let Some(end) = inner.iter().position(|byte| *byte == b']')
        {
            return &inner[..end];
        }
        cut(&self.host, b':').0
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.scheme.clone();
        if !out.is_empty() {
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.encode_hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if self.empty_query || !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Part::Fragment));
        }
        out
    }

    fn encode_hierarchy(&self, out: &mut Vec<u8>) {
        if !self.host.is_empty() || self.user.is_some() || (!self.scheme.is_empty() && !self.path.is_empty()) {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend(user.encode());
            out.push(b'@');
        }
        out.extend(escape(&self.host, Part::Host));
        let path = if self.path == b"*" { self.path.clone() } else { escape(&self.path, Part::Path) };
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            out.push(b'/');
        }
        // A colon in the first segment would read as a scheme.
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

impl UserInfo {
    /// `name` or `name:password`, escaped.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
        if !text.iter().all(allowed) {
            return None;
        }
        let (name, password) = cut(text, b':');
        let password = match password {
            Some(password) => Some(unescape(password, Part::User)?),
            None => None,
        };
        Some(Self { name: unescape(name, Part::User)?, password })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = escape(&self.name, Part::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escape(password, Part::User));
        }
        out
    }
}

/// The scheme, if there is one, and the rest.
fn take_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme"),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((&[], text))
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(position) => (&text[..position], Some(&text[position + 1..])),
        None => (text, None),
    }
}
