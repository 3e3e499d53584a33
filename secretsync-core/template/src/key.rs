//! Private keys: read from PKCS#8, PKCS#1 and SEC 1, generated, written as Go writes them.

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};

use crate::pem::Block;
use crate::pem::der::{BIT_STRING, INTEGER, NULL, OBJECT, OCTETS, Reader, SEQUENCE, element, integer};
use crate::value::Buffer;

pub(crate) mod curve;

use curve::Curve;

/// A private key, in the one form that all its encodings share.
#[derive(Debug)]
pub(crate) enum PrivateKey {
    /// The number, as long as the curve wants it, and the public point.
    Ec { curve: &'static Curve, scalar: Buffer, point: Vec<u8> },
    /// 32 bytes
    Ed25519(Buffer),
    /// PKCS#1
    Rsa(Buffer),
}

impl PrivateKey {
    /// Any of the three encodings, whatever the block says it is.
    pub(crate) fn from_any(der: &[u8]) -> Option<Self> {
        Self::from_pkcs1(der).or_else(|| Self::from_pkcs8(der)).or_else(|| Self::from_sec1(der, None))
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut fields = Reader(outer.expect(SEQUENCE)?);
        fields.expect(INTEGER)?;
        let mut algorithm = Reader(fields.expect(SEQUENCE)?);
        let key = fields.expect(OCTETS)?;
        if !outer.is_empty() {
            return None;
        }
        match algorithm.expect(OBJECT)? {
            RSA => Self::from_pkcs1(key),
            EC => Self::from_sec1(key, Some(Curve::by_identifier(algorithm.expect(OBJECT)?)?)),
            ED25519 => {
                let seed = Reader(key).expect(OCTETS)?;
                (seed.len() == 32).then(|| Self::Ed25519(seed.into()))
            }
            _ => None,
        }
    }

    /// `RSAPrivateKey` with two primes.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut fields = Reader(outer.expect(SEQUENCE)?);
        if !outer.is_empty() || fields.expect(INTEGER)? != [0] {
            return None;
        }
        let modulus = fields.expect(INTEGER)?;
        for _ in 0..7 {
            let number = fields.expect(INTEGER)?;
            if number.first().is_none_or(|first| *first >= 0x80) {
                return None;
            }
        }
        if !fields.is_empty() {
            return None;
        }
        // Sizes that aws-lc takes are checked for consistency; old small keys can still be converted.
        let checked = (256..=1025).contains(&modulus.len());
        if checked && RsaKeyPair::from_der(der).is_err() {
            return None;
        }
        Some(Self::Rsa(der.into()))
    }

    /// `ECPrivateKey`; the curve is the one given, or the one it names.
    pub(crate) fn from_sec1(der: &[u8], curve: Option<&'static Curve>) -> Option<Self> {
        let mut outer = Reader(der);
        let mut fields = Reader(outer.expect(SEQUENCE)?);
        if !outer.is_empty() || fields.expect(INTEGER)? != [1] {
            return None;
        }
        let scalar = fields.expect(OCTETS)?;
        let named = fields.optional(PARAMETERS).and_then(|named| Reader(named).expect(OBJECT));
        let curve = match curve {
            Some(curve) => curve,
            None => Curve::by_identifier(named?)?,
        };
        Self::from_scalar(curve, scalar)
    }

    /// The key of a curve with this number.
    pub(crate) fn from_scalar(curve: &'static Curve, number: &[u8]) -> Option<Self> {
        let skipped = number.iter().take_while(|byte| **byte == 0).count();
        let digits = &number[skipped..];
        let mut scalar = Buffer::with_capacity(curve.bytes);
        for _ in 0..curve.bytes.checked_sub(digits.len())? {
            scalar.push(0);
        }
        scalar.extend(digits);
        let key = agreement::PrivateKey::from_private_key(curve.agreement, &scalar).ok()?;
        let point = key.compute_public_key().ok()?.as_ref().to_vec();
        Some(Self::Ec { curve, scalar, point })
    }

    /// A key on P-256.
    pub(crate) fn generate_ec() -> Option<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok()?;
        let scalar = pair.private_key().as_be_bytes().ok()?;
        Self::from_scalar(&curve::P256, scalar.as_ref())
    }

    pub(crate) fn generate_ed25519() -> Option<Self> {
        let seed = Ed25519KeyPair::generate().ok()?.seed().ok()?.as_be_bytes().ok()?;
        Some(Self::Ed25519(seed.as_ref().into()))
    }

    pub(crate) fn generate_rsa(size: KeySize) -> Option<Self> {
        Self::from_pkcs8(RsaKeyPair::generate(size).ok()?.as_der().ok()?.as_ref())
    }

    pub(crate) fn to_pkcs8(&self) -> Buffer {
        let (algorithm, key) = match self {
            Self::Ec { curve, scalar, point } => (curve.algorithm(), sec1(scalar, &[], point)),
            Self::Ed25519(seed) => (element(SEQUENCE, &[&element(OBJECT, &[ED25519])]), element(OCTETS, &[seed])),
            Self::Rsa(key) => (rsa_algorithm(), key.clone()),
        };
        element(SEQUENCE, &[&integer(&[0]), &algorithm, &element(OCTETS, &[&key])])
    }

    /// PKCS#1 or SEC 1 where there is such a form, as sprig writes keys; PKCS#8 otherwise.
    pub(crate) fn block(&self) -> Block {
        match self {
            Self::Ec { curve, scalar, point } => {
                let parameters = element(PARAMETERS, &[&element(OBJECT, &[curve.identifier])]);
                Block::new("EC PRIVATE KEY", sec1(scalar, &parameters, point))
            }
            Self::Ed25519(_) => Block::new("PRIVATE KEY", self.to_pkcs8()),
            Self::Rsa(key) => Block::new("RSA PRIVATE KEY", key.clone()),
        }
    }
}

/// `AlgorithmIdentifier` of RSA keys.
pub(crate) fn rsa_algorithm() -> Buffer {
    element(SEQUENCE, &[&element(OBJECT, &[RSA]), &element(NULL, &[])])
}

/// `SubjectPublicKeyInfo` of a key whose encoding is `key`.
pub(crate) fn public_key_info(algorithm: &[u8], key: &[u8]) -> Buffer {
    element(SEQUENCE, &[algorithm, &element(BIT_STRING, &[&[0], key])])
}

/// `AlgorithmIdentifier` of Ed25519.
pub(crate) fn ed25519_algorithm() -> Buffer {
    element(SEQUENCE, &[&element(OBJECT, &[ED25519])])
}

fn sec1(scalar: &[u8], parameters: &[u8], point: &[u8]) -> Buffer {
    let public = element(PUBLIC, &[&element(BIT_STRING, &[&[0], point])]);
    element(SEQUENCE, &[&integer(&[1]), &element(OCTETS, &[scalar]), parameters, &public])
}

/// `[0]` and `[1]` of `ECPrivateKey`.
const PARAMETERS: u8 = 0xa0;
const PUBLIC: u8 = 0xa1;
/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_survives_its_encodings() {
        let keys =
            [PrivateKey::generate_ec(), PrivateKey::generate_ed25519(), PrivateKey::generate_rsa(KeySize::Rsa2048)];
        for key in keys {
            let key = key.unwrap();
            let again = PrivateKey::from_pkcs8(&key.to_pkcs8()).unwrap();
            assert_eq!(again.to_pkcs8(), key.to_pkcs8());
            let again = PrivateKey::from_any(&key.block().content).unwrap();
            assert_eq!(again.to_pkcs8(), key.to_pkcs8());
        }
    }

    #[test]
    fn a_scalar_that_is_no_key_is_refused() {
        assert!(PrivateKey::from_scalar(&curve::P256, &[0; 32]).is_none());
        assert!(PrivateKey::from_scalar(&curve::P256, &[0xff; 32]).is_none());
        assert!(PrivateKey::from_scalar(&curve::P256, &[1; 33]).is_none());
        assert!(PrivateKey::from_scalar(&curve::P256, &[1]).is_some());
    }

    #[test]
    fn a_broken_encoding_is_refused() {
        let key = PrivateKey::generate_rsa(KeySize::Rsa2048).unwrap().to_pkcs8();
        for end in 0..key.len() {
            assert!(PrivateKey::from_any(&key[..end]).is_none());
        }
        let mut changed = key.to_vec();
        changed[200] ^= 1;
        assert!(PrivateKey::from_any(&changed).is_none());
    }
}
