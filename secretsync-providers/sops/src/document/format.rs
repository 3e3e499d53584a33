//! The notation of a document.

use crate::document::dotenv::METADATA;

/// The notation of a document.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Format {
    /// JSON around one value, the bytes of any file.
    Binary,
    Dotenv,
    Ini,
    Json,
    Yaml,
}

impl Format {
    /// The format that a document's name tells, as sops has it.
    pub(crate) fn of(name: &str) -> Self {
        match name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, extension)| extension) {
            "env" => Self::Dotenv,
            "ini" => Self::Ini,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            _ => Self::Binary,
        }
    }

    /// Whether the bytes look like a binary document of sops. That it is a good one shows when it is read.
    pub(crate) fn is_binary_document(bytes: &[u8]) -> bool {
        let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        bytes.trim_ascii_start().starts_with(b"{") && has(b"\"sops\"") && has(b"\"data\"")
    }

    /// The format of a document without a name, told by its metadata. JSON is never taken for a binary document.
    pub(crate) fn guess(text: &str) -> Self {
        if text.trim_start().starts_with('{') {
            return Self::Json;
        }
        // Neither can begin a line of a YAML document that sops wrote.
        let begins = |line: &str| {
            line.strip_prefix(METADATA).is_some_and(|rest| rest.split([':', ' ']).next().unwrap_or(rest).contains('='))
        };
        let ini = |line: &str| line.trim_end() == "[sops]";
        let format = |line| if begins(line) { Some(Self::Dotenv) } else { ini(line).then_some(Self::Ini) };
        text.lines().find_map(format).unwrap_or(Self::Yaml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format_as_for_sops() {
        for (name, format) in [
            ("a.yaml", Format::Yaml),
            ("a/b.yml", Format::Yaml),
            ("a.enc.json", Format::Json),
            (".env", Format::Dotenv),
            ("prod.env", Format::Dotenv),
            ("a.ini", Format::Ini),
            ("a.env.enc", Format::Binary),
            ("a.b/c", Format::Binary),
            ("a.YAML", Format::Binary),
        ] {
            assert_eq!(Format::of(name), format, "{name}");
        }
    }

    #[test]
    fn metadata_tells_the_format_of_a_document_without_a_name() {
        for (text, format) in [
            ("{\"a\": 1}", Format::Json),
            ("a: x\nsops:\n  mac: x", Format::Yaml),
            ("A=1\nsops_mac=ENC[]\n", Format::Dotenv),
            ("[a]\nk = v\n[sops]\nmac = x", Format::Ini),
            ("sops_note: a=b", Format::Yaml),
            ("", Format::Yaml),
        ] {
            assert_eq!(Format::guess(text), format, "{text}");
        }
    }
}
