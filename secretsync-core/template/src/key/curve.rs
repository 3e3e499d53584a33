//! The elliptic curves of keys: what encodings call them and which algorithms work on them.

use std::fmt;

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, EcdsaVerificationAlgorithm, ParsedPublicKey,
};

use super::EC;
use crate::pem::der::{OBJECT, SEQUENCE, element};
use crate::value::Buffer;

/// One of the NIST curves.
pub(crate) struct Curve {
    /// As JWK has it.
    pub(crate) name: &'static str,
    /// Object identifier, encoded.
    pub(crate) identifier: &'static [u8],
    /// Length of a coordinate and of a private key.
    pub(crate) bytes: usize,
    pub(crate) agreement: &'static agreement::Algorithm,
    verification: &'static EcdsaVerificationAlgorithm,
}

impl Curve {
    pub(crate) fn by_identifier(identifier: &[u8]) -> Option<&'static Self> {
        CURVES.into_iter().find(|curve| curve.identifier == identifier)
    }

    pub(crate) fn by_name(name: &[u8]) -> Option<&'static Self> {
        CURVES.into_iter().find(|curve| curve.name.as_bytes() == name)
    }

    /// `AlgorithmIdentifier` of keys on this curve.
    pub(crate) fn algorithm(&self) -> Buffer {
        element(SEQUENCE, &[&element(OBJECT, &[EC]), &element(OBJECT, &[self.identifier])])
    }

    /// The point with these coordinates, uncompressed, if it is on the curve.
    pub(crate) fn point(&self, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
        let mut point = vec![4];
        for coordinate in [x, y] {
            point.resize(point.len() + self.bytes.checked_sub(coordinate.len())?, 0);
            point.extend_from_slice(coordinate);
        }
        ParsedPublicKey::new(self.verification, &point).ok()?;
        Some(point)
    }
}

impl fmt::Debug for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

static CURVES: [&Curve; 3] = [&P256, &P384, &P521];

pub(crate) static P256: Curve = Curve {
    name: "P-256",
    identifier: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    bytes: 32,
    agreement: &ECDH_P256,
    verification: &ECDSA_P256_SHA256_ASN1,
};

pub(crate) static P384: Curve = Curve {
    name: "P-384",
    identifier: &[0x2b, 0x81, 0x04, 0x00, 0x22],
    bytes: 48,
    agreement: &ECDH_P384,
    verification: &ECDSA_P384_SHA384_ASN1,
};

pub(crate) static P521: Curve = Curve {
    name: "P-521",
    identifier: &[0x2b, 0x81, 0x04, 0x00, 0x23],
    bytes: 66,
    agreement: &ECDH_P521,
    verification: &ECDSA_P521_SHA512_ASN1,
};
