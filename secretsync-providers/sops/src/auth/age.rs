//! age identities, and the data keys that they unwrap.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::x25519::Identity;
use age::{DecryptError, Decryptor};
use secretsync_core::provider::Ambient;
use zeroize::Zeroizing;

use crate::document::PART;
use crate::error::Error;

/// The identities of a store. Keys are wiped by the library when dropped.
#[derive(Default)]
pub(crate) struct Identities {
    usable: Vec<Identity>,
    /// Identities of kinds that are not supported, for the message when nothing else fits.
    unusable: Vec<String>,
}

/// Why no identity unwrapped a data key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoFit {
    Damaged,
    NoIdentity,
}

impl Identities {
    /// Adds the identities of a key file: one on each line, or several with blanks between them; lines with `#` are comments. `from` names it
    /// in messages.
    pub(crate) fn add(&mut self, from: &str, text: &[u8]) -> Result<(), Error> {
        let refused =
            |what: &'static str, advice| Err(Error::Identity { from: from.to_owned(), what: what.into(), advice });
        let Ok(text) = std::str::from_utf8(text) else { return refused("is no UTF-8 text", USE_X25519) };
        if text.contains("BEGIN AGE ENCRYPTED FILE") || text.starts_with("age-encryption.org/") {
            return refused(
                "holds identities behind a passphrase, which nobody is there to type",
                "decrypt the key file with `age -d` and store the result",
            );
        }
        if text.contains("PRIVATE KEY-----") {
            return refused("holds an SSH or PEM key, which is not supported", USE_X25519);
        }
        let before = (self.usable.len(), self.unusable.len());
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if !line.starts_with('#') {
                line.split_whitespace().try_for_each(|word| self.add_one(from, number, word))?;
            }
        }
        match (self.usable.len() > before.0, self.unusable.get(before.1)) {
            (true, _) => Ok(()),
            (false, None) => refused("holds no age identity", USE_X25519),
            (false, Some(only)) => Err(Error::Identity {
                from: only.clone(),
                what: "and nothing else was found".into(),
                advice: USE_X25519,
            }),
        }
    }

    fn add_one(&mut self, from: &str, line: usize, word: &str) -> Result<(), Error> {
        let upper = Zeroizing::new(word.to_ascii_uppercase());
        let unsupported = if upper.starts_with("AGE-PLUGIN-") {
            Some("an identity of an age plugin")
        } else if upper.starts_with("AGE-SECRET-KEY-PQ-") {
            Some("a post-quantum age identity")
        } else {
            None
        };
        if let Some(kind) = unsupported {
            self.unusable.push(format!("{from} holds {kind} on line {line}, which is not supported"));
            return Ok(());
        }
        if let Ok(identity) = word.parse() {
            self.usable.push(identity);
            return Ok(());
        }
        let what = if word.starts_with("age1") {
            "a recipient, the public half,"
        } else {
            "something that is no age identity"
        };
        Err(Error::Identity {
            from: from.to_owned(),
            what: format!("holds {what} on line {line}").into(),
            advice: USE_X25519,
        })
    }

    /// Whether there is no identity to try.
    pub(crate) fn is_empty(&self) -> bool {
        self.usable.is_empty()
    }

    /// Remembers what could not be used, for the message when nothing else fits.
    pub(crate) fn note(&mut self, what: String) {
        self.unusable.push(what);
    }

    /// What could not be used, in words.
    pub(crate) fn unusable(&self) -> impl Iterator<Item = &str> {
        self.unusable.iter().map(String::as_str)
    }

    /// The data key, or part of it, in an armored age file.
    pub(crate) fn unwrap(&self, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, NoFit> {
        let decryptor = Decryptor::new(ArmoredReader::new(wrapped.trim().as_bytes())).map_err(|_| NoFit::Damaged)?;
        let identities = self.usable.iter().map(|identity| identity as &dyn age::Identity);
        let reader = decryptor.decrypt(identities).map_err(|error| match error {
            DecryptError::NoMatchingKeys => NoFit::NoIdentity,
            _ => NoFit::Damaged,
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        reader.take(LONGEST as u64).read_to_end(&mut bytes).map_err(|_| NoFit::Damaged)?;
        Ok(bytes)
    }
}

/// One byte more than a part of a data key has: what is longer is neither.
const LONGEST: usize = PART + 1;

const USE_X25519: &str = "store a key file as `age-keygen` writes it, with a line `AGE-SECRET-KEY-1…`";

/// What an environment offers.
#[derive(Default)]
pub(crate) struct Offered {
    /// What can be used of all sources together. There may be nothing.
    pub(crate) identities: Identities,
    /// The first source that cannot be used. That matters only where no other serves.
    pub(crate) refused: Option<Refused>,
}

/// A source of keys that cannot be used.
pub(crate) struct Refused {
    pub(crate) error: Error,
    /// Whether nothing that somebody named can be used. What is in the file where sops looks by itself may be there for other programs.
    pub(crate) decides: bool,
}

impl Offered {
    /// The identities of `SOPS_AGE_KEY`, of `SOPS_AGE_KEY_FILE`, and of the file that sops looks for in the user's configuration.
    pub(crate) async fn by(ambient: Ambient) -> Self {
        let offered = tokio::task::spawn_blocking(move || Self::read(&ambient)).await;
        offered.unwrap_or_else(|_| Self {
            identities: Identities::default(),
            refused: Some(Refused { error: Error::Interrupted, decides: true }),
        })
    }

    fn read(ambient: &Ambient) -> Self {
        let mut offered = Self::default();
        if let Some(text) = ambient.secret("SOPS_AGE_KEY") {
            let added = offered.identities.add("SOPS_AGE_KEY", text.expose());
            offered.note(added);
        }
        if let Some(path) = ambient.path("SOPS_AGE_KEY_FILE") {
            let added = offered.add_file(&path);
            offered.note(added);
        }
        if let Some(refused) = &mut offered.refused {
            refused.decides = offered.identities.is_empty();
        }
        if let Some(path) = default_file(ambient) {
            match offered.add_file(&path) {
                Err(Error::KeyFile { kind: io::ErrorKind::NotFound, .. }) => {}
                added => offered.note(added),
            }
        }
        for name in ["SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"] {
            if ambient.path(name).is_some() {
                let what = format!("{name} is not used: secretsync runs no programs and reads no SSH keys");
                offered.identities.note(what);
            }
        }
        offered
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let text = read(path).map_err(|error| Error::key_file(path.display(), &error))?;
        self.identities.add(&format!("`{}`", path.display()), &text)
    }

    fn note(&mut self, added: Result<(), Error>) {
        if let Err(error) = added {
            self.identities.note(format!("an age key of the environment cannot be used: {error}"));
            self.refused.get_or_insert(Refused { error, decides: false });
        }
    }
}

fn default_file(ambient: &Ambient) -> Option<PathBuf> {
    let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
    let folder = ambient.path("XDG_CONFIG_HOME").or_else(|| Some(ambient.path("HOME")?.join(below_home)))?;
    Some(folder.join("sops/age/keys.txt"))
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LARGEST_KEY_FILE));
    let capacity = u64::try_from(LARGEST_KEY_FILE).unwrap_or(u64::MAX);
    File::open(path)?.take(capacity).read_to_end(&mut text)?;
    Ok(text)
}

/// The size of a key file in bytes; allocated once, so that growing leaves no copies behind.
const LARGEST_KEY_FILE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AGE-SECRET-KEY-1ACFQMJYU6AS6JDEWFTRFFGKECZMY8JFU9CXDSYNN4EAEJNWF7J2S3ZQUYM";

    fn add(text: &str) -> Result<Identities, String> {
        let mut identities = Identities::default();
        identities.add("key `k`", text.as_bytes()).map(|()| identities).map_err(|error| error.to_string())
    }

    #[test]
    fn key_files_may_have_comments_blank_lines_and_any_line_ends() {
        for text in [
            format!("# created: 2024\n# public key: age1l5p\n{KEY}\n"),
            format!("\r\n# c\r\n  {KEY}  \r\n\r\n"),
            format!("{KEY} {KEY}"),
            format!("{KEY}\nAGE-PLUGIN-YUBIKEY-1QQQ\n"),
        ] {
            assert!(add(&text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_serve_is_refused_by_name_and_never_quoted() {
        for (text, expected) in [
            ("", "holds no age identity"),
            ("# only a comment", "holds no age identity"),
            ("AGE-PLUGIN-YUBIKEY-1QQQ", "an identity of an age plugin on line 1"),
            ("\nAGE-SECRET-KEY-PQ-1QQQ", "a post-quantum age identity on line 2"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nsecret", "an SSH or PEM key"),
            ("-----BEGIN AGE ENCRYPTED FILE-----\nsecret", "behind a passphrase"),
            ("age1l5pzvjlqecvn4y3ejtzyul49z54mq2sy7jae7xp2xmk92q977u4qy0az6v", "the public half, on line 1"),
            ("AGE-SECRET-KEY-1SECRETTYPO", "no age identity on line 1"),
        ] {
            let complaint = add(text).err().expect("it is refused");
            assert!(complaint.contains(expected), "{complaint}");
            assert!(!complaint.to_uppercase().contains("SECRETTYPO") && !complaint.contains("secret"), "{complaint}");
        }
    }

    #[test]
    fn damaged_entries_are_said_apart_from_foreign_ones() {
        let identities = add(KEY).unwrap();
        assert_eq!(identities.unwrap("").err(), Some(NoFit::Damaged));
        assert_eq!(
            identities.unwrap("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----").err(),
            Some(NoFit::Damaged)
        );
    }
}
