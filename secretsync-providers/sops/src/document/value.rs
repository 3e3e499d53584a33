//! One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::aead::array::ArraySize;
use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::time::Time;

/// The key of one document.
pub(crate) type DataKey = Zeroizing<[u8; 32]>;

/// Decrypts the values of one document.
pub(crate) struct Cipher {
    block: Aes256,
    // Nearly every value has the 32-byte nonce that sops writes, so only this one is prepared.
    long: AesGcm<Aes256, U32>,
}

/// A decrypted value.
#[derive(Debug, PartialEq)]
pub(crate) enum Clear {
    Bool(bool),
    Comment,
    Float(f64),
    Int(i64),
    /// UTF-8 but for what binary documents hold.
    Text(Zeroizing<Vec<u8>>),
    /// RFC 3339, as sops prints it.
    Time(String),
}

/// Why a value was not decrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The tag does not fit key, place and ciphertext.
    Forged,
    /// It has the form of an encrypted value, but a part of it cannot be read.
    Malformed,
    /// Its nonce has a length that no program is known to write.
    Nonce,
    /// It does not even look like an encrypted value.
    NotEncrypted,
}

impl Cipher {
    pub(crate) fn new(key: &DataKey) -> Self {
        let block = Aes256::new(&(**key).into());
        Self { long: AesGcm::from(block.clone()), block }
    }

    /// Decrypts the text of a value that stands at the place `aad`.
    pub(crate) fn decrypt(&self, text: &str, aad: &[u8]) -> Result<Clear, Refusal> {
        let parts = Parts::of(text).ok_or(Refusal::NotEncrypted)?;
        let mut nonce = [0; 64];
        let length = STANDARD.decode_slice(parts.nonce, &mut nonce).map_err(|_| Refusal::Malformed)?;
        let nonce = &nonce[..length];
        let mut tag = Tag::default();
        if STANDARD.decode_slice(parts.tag, &mut tag) != Ok(tag.len()) {
            return Err(Refusal::Malformed);
        }
        let mut data = Zeroizing::new(STANDARD.decode(parts.data).map_err(|_| Refusal::Malformed)?);
        match nonce.len() {
            32 => open(&self.long, nonce, &tag, aad, &mut data),
            16 => open(&AesGcm::<_, U16>::from(self.block.clone()), nonce, &tag, aad, &mut data),
            12 => open(&AesGcm::<_, U12>::from(self.block.clone()), nonce, &tag, aad, &mut data),
            _ => Err(Refusal::Nonce),
        }?;
        clear(parts.kind, data)
    }
}

/// The parts of an encrypted value. Text after the closing bracket is ignored, as sops does.
struct Parts<'a> {
    data: &'a str,
    nonce: &'a str,
    tag: &'a str,
    kind: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (data, rest) = text.strip_prefix("ENC[AES256_GCM,data:")?.split_once(',')?;
        let (nonce, rest) = rest.strip_prefix("iv:")?.split_once(',')?;
        let (tag, rest) = rest.strip_prefix("tag:")?.split_once(',')?;
        let rest = rest.strip_prefix("type:")?;
        let (kind, _) = rest.rsplit_once(']')?;
        (!data.is_empty()).then_some(Self { data, nonce, tag, kind })
    }
}

fn open<N: ArraySize>(
    cipher: &AesGcm<Aes256, N>,
    nonce: &[u8],
    tag: &Tag,
    aad: &[u8],
    data: &mut [u8],
) -> Result<(), Refusal> {
    let nonce = <&Nonce<N>>::try_from(nonce).map_err(|_| Refusal::Malformed)?;
    cipher.decrypt_inout_detached(nonce, aad, data.into(), tag).map_err(|_| Refusal::Forged)
}

/// Reads the plain bytes as their type says (section 4 of the format).
fn clear(kind: &str, data: Zeroizing<Vec<u8>>) -> Result<Clear, Refusal> {
    if kind == "comment" {
        return Ok(Clear::Comment);
    }
    if matches!(kind, "bytes" | "str") {
        return Ok(Clear::Text(data));
    }
    let text = std::str::from_utf8(&data).map_err(|_| Refusal::Malformed)?;
    let parsed = match kind {
        "bool" => boolean(text).map(Clear::Bool),
        "float" => text.parse().ok().map(Clear::Float),
        "int" => text.parse().ok().map(Clear::Int),
        "time" => Time::rfc3339(text).map(|time| Clear::Time(time.text())),
        _ => None,
    };
    parsed.ok_or(Refusal::Malformed)
}

/// Reads what Go takes for a boolean.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// The text that sops encrypts and hashes for a boolean.
pub(crate) fn bool_text(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=";

    fn cipher() -> Cipher {
        Cipher::new(&Zeroizing::new(std::array::from_fn(|i| u8::try_from(i).unwrap())))
    }

    fn decrypt(aad: &str, data: &str, nonce: &str, tag: &str, kind: &str) -> Result<Clear, Refusal> {
        cipher().decrypt(&format!("ENC[AES256_GCM,data:{data},iv:{nonce},tag:{tag},type:{kind}]"), aad.as_bytes())
    }

    fn text(text: &str) -> Clear {
        Clear::Text(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn values_are_those_of_the_published_vectors() {
        for (value, aad, data, tag, kind) in [
            (text("hello"), "a:", "oiS/qyc=", "s9jMet4pi3DzIEWdLNqE0A==", "str"),
            (text("hello"), "a:b:", "oiS/qyc=", "/nJZv+oICGo1fj376wwyOA==", "str"),
            (Clear::Int(42), "n:", "/nM=", "0eJ91uZyrV5e1MKi9gbCNg==", "int"),
            (Clear::Int(-7), "n:", "53Y=", "JCfbJt5M6tbIu80AGfFqQw==", "int"),
            (Clear::Bool(true), "t:", "njOmog==", "lWftatvLgyYAZI5Hh+0nHQ==", "bool"),
            (Clear::Bool(false), "t:", "jCC/tC0=", "qbJYGeGtWFKwxo4mwiWB8Q==", "bool"),
            (Clear::Float(3.5), "f:", "+W/m", "pnTQ5nx6FxYF2LjRdzM+pQ==", "float"),
            (Clear::Float(1e21), "f:", "+3Hj93guw0VyS3ZOrOFurGLxKNkJ8g==", "2ktWLraFsTShLVP0PAduPA==", "float"),
            (Clear::Float(1e-7), "f:", "+m/j93guw0Vz", "7gd39PsJDM5deqVblExGFA==", "float"),
            (Clear::Float(2.0), "f:", "+A==", "7JNvgUZRLyykeyU5JIY/nA==", "float"),
            (Clear::Comment, ":", "6i+8sy0=", "wsFjvAbzxxqVgIia/hePhg==", "comment"),
            (
                Clear::Time("2024-01-01T00:00:00Z".to_owned()),
                "d:",
                "+HHh82UuwlhyShJOrOturGjxKLM=",
                "riBMd0a53/E2Z6+srurX6g==",
                "time",
            ),
        ] {
            assert_eq!(decrypt(aad, data, NONCE, tag, kind), Ok(value), "{aad} {kind}");
        }
    }

    #[test]
    fn nonces_of_other_writers_are_read() {
        assert_eq!(decrypt("a:", "L2e6d6o=", "AAECAwQFBgcICQoL", "whI7t6H2vseG5XTm0oYsFA==", "str"), Ok(text("hello")));
        assert_eq!(
            decrypt("a:", "DwnMGlY=", "AAECAwQFBgcICQoLDA0ODw==", "6QEAsxkOLWofWG7OLwI1RQ==", "str"),
            Ok(text("hello"))
        );
        assert_eq!(decrypt("a:", "DwnMGlY=", "AAECAwQFBgc=", "6QEAsxkOLWofWG7OLwI1RQ==", "str"), Err(Refusal::Nonce));
    }

    #[test]
    fn a_value_at_another_place_or_with_other_bytes_is_forged() {
        let tag = "s9jMet4pi3DzIEWdLNqE0A==";
        assert_eq!(decrypt("b:", "oiS/qyc=", NONCE, tag, "str"), Err(Refusal::Forged));
        assert_eq!(decrypt("a:", "oyS/qyc=", NONCE, tag, "str"), Err(Refusal::Forged));
        assert_eq!(decrypt("a:", "oiS/qw==", NONCE, tag, "str"), Err(Refusal::Forged));
    }

    #[test]
    fn what_cannot_be_read_is_said_apart_from_what_is_not_encrypted() {
        let tag = "s9jMet4pi3DzIEWdLNqE0A==";
        assert_eq!(decrypt("a:", "oiS/qyc", NONCE, tag, "str"), Err(Refusal::Malformed));
        assert_eq!(decrypt("a:", "oiS/qyc=", NONCE, "AAAA", "str"), Err(Refusal::Malformed));
        assert_eq!(decrypt("a:", "oiS/qyc=", NONCE, tag, "strange"), Err(Refusal::Malformed));
        assert_eq!(decrypt("a:", "oiS/qyc=", NONCE, tag, "int"), Err(Refusal::Malformed));
        for text in [
            "",
            "hello",
            "ENC[]",
            "ENC[AES256_GCM,data:,iv:a,tag:b,type:str]",
            "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str",
        ] {
            assert_eq!(cipher().decrypt(text, b"a:"), Err(Refusal::NotEncrypted), "{text}");
        }
    }
}
