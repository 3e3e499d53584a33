//! Functions that need keys, ciphers or password hashes. The work is done by maintained crates; what is ours is Go's shape of it.

mod certificate;
mod cipher;
mod derive;
mod jwk;
mod key;
mod password;
mod pkcs12;

pub(crate) use certificate::FIELDS as CERTIFICATE_FIELDS;
pub(super) use certificate::FUNCTIONS as CERTIFICATE;
pub(super) use cipher::FUNCTIONS as CIPHER;
pub(super) use jwk::FUNCTIONS as JWK;
pub(super) use key::FUNCTIONS as KEY;
pub(super) use password::FUNCTIONS as PASSWORD;
pub(super) use pkcs12::FUNCTIONS as PKCS12;

/// Steps that slow work costs, so that a rendering can ask for a few of them and not for thousands.
mod cost {
    pub(super) const BCRYPT: usize = 100_000;
    pub(super) const RSA_2048: usize = 250_000;
    pub(super) const RSA_4096: usize = 1_000_000;
    pub(super) const SCRYPT: usize = 200_000;
    pub(super) const SIGNATURE: usize = 5_000;
}
