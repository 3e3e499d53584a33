//! Tokens that are given: by a Secret, a variable or a file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use reqwest::header::HeaderValue;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

/// A token that a header can carry.
pub(crate) struct Token(SecretValue);

impl Token {
    /// Takes the text without the white space around it. `None` where no token can look like that.
    pub(super) fn parse(text: &SecretValue) -> Option<Self> {
        let token = text.expose().trim_ascii();
        let printable = !token.is_empty() && token.iter().all(|byte| matches!(byte, 0x20..=0x7e));
        printable.then(|| Self(SecretValue::from(token)))
    }

    /// The header's value, hidden from logs. Copies that the HTTP stack makes of it are out of reach of wiping.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_bytes(self.0.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether it is the very same token.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The token in a Secret.
pub(crate) async fn referenced(credentials: &dyn CredentialSource, reference: &CredentialRef) -> Result<Token> {
    let text = credentials.resolve(reference).await?;
    Token::parse(&text).ok_or_else(|| unusable(&reference.to_string()))
}

/// The token of the environment: what `bao` and `vault` themselves would use.
pub(crate) fn ambient(ambient: &Ambient) -> Result<Token> {
    for name in ["BAO_TOKEN", "VAULT_TOKEN"] {
        if let Some(text) = ambient.secret(name) {
            return Token::parse(&text).ok_or_else(|| unusable(&format!("the variable {name}")));
        }
    }
    let Some(home) = ambient.path("HOME") else { return Err(missing()) };
    match read(&home.join(".vault-token")) {
        Ok(text) => Token::parse(&text).ok_or_else(|| unusable("the file ~/.vault-token")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(missing().with_source(error)),
    }
}

pub(super) fn read(path: &Path) -> std::io::Result<SecretValue> {
    // One buffer of fixed size: a growing one would leave pieces of the token behind.
    let mut text = Zeroizing::new([0; TOKEN_FILE_LIMIT]);
    let mut file = File::open(path)?;
    let mut length = 0;
    while length < text.len() {
        match file.read(&mut text[length..])? {
            0 => return Ok(SecretValue::from(&text[..length])),
            read => length += read,
        }
    }
    Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is too big for a token"))
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "find").on("a Vault token in the environment").with_hint(Hint::new(
        Code::CredentialMissing,
        "set BAO_TOKEN or VAULT_TOKEN, or log in with `bao login` or `vault login`, which writes ~/.vault-token",
    ))
}

fn unusable(place: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("the Vault token in {place}"))
        .because("it is empty or contains non-printable characters")
        .with_hint(Hint::new(Code::VaultTokenInvalid, "store the token alone, as plain text"))
}

/// Tokens have about 100 characters, batch tokens a few hundred.
const TOKEN_FILE_LIMIT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use secretsync_core::error::chain;

    use super::*;

    fn environment(pairs: &'static [(&str, &str)]) -> Ambient {
        Ambient::new(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, text)| OsString::from(text)))
    }

    fn text(token: &Token) -> &str {
        token.0.expose_str().unwrap()
    }

    #[test]
    fn white_space_around_a_token_is_trimmed_and_odd_characters_are_refused() {
        let parse = |text: &str| Token::parse(&SecretValue::from(text));
        assert_eq!(text(&parse(" hvs.abc\r\n").unwrap()), "hvs.abc");
        for bad in ["", " \n", "hvs.\u{0}abc", "hvs.a\nb", "hvs.ä", "hvs.\u{7f}"] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn the_environment_is_asked_in_the_order_of_the_official_programs() {
        let both = environment(&[("BAO_TOKEN", "s.bao"), ("VAULT_TOKEN", "hvs.vault")]);
        assert_eq!(text(&ambient(&both).unwrap()), "s.bao");
        assert_eq!(
            text(&ambient(&environment(&[("VAULT_TOKEN", "hvs.vault"), ("BAO_TOKEN", "")])).unwrap()),
            "hvs.vault"
        );
    }

    #[test]
    fn the_token_file_is_the_last_resort_and_loses_its_line_break() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".vault-token"), "hvs.file\n").unwrap();
        let path = home.path().as_os_str().to_owned();
        let found = ambient(&Ambient::new(move |name| (name == "HOME").then(|| path.clone()))).unwrap();
        assert_eq!(text(&found), "hvs.file");
    }

    #[test]
    fn an_environment_without_a_token_says_how_to_get_one() {
        let error = ambient(&environment(&[("HOME", "/nonexistent")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.hint().unwrap().code(), Code::CredentialMissing);
        assert!(error.hint().unwrap().advice().contains("VAULT_TOKEN"));
        assert_eq!(chain(&error), "failed to find a Vault token in the environment");
    }
}
