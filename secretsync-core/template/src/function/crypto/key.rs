//! `genPrivateKey` and `rsaDecrypt`, and how PEM texts become keys.

use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::cost;
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::{Args, Function, Type};
use crate::key::PrivateKey;
use crate::pem::Block;
use crate::value::{Buffer, Value};

use Type::Text;

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("genPrivateKey", &[Text], generate).minting(),
    Function::new("rsaDecrypt", &[Text, Text, Text, Text], decrypt),
];

fn generate(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let key = match args.text(0) {
        b"" | b"rsa" => {
            budget.step(cost::RSA_4096)?;
            PrivateKey::generate_rsa(KeySize::Rsa4096)
        }
        b"ecdsa" => {
            budget.step(cost::SIGNATURE)?;
            PrivateKey::generate_ec()
        }
        b"ed25519" => {
            budget.step(cost::SIGNATURE)?;
            PrivateKey::generate_ed25519()
        }
        b"dsa" => {
            return Err(Failure::execute("DSA keys are not supported: nothing current accepts them")
                .with_hint("use `ecdsa`, `ed25519` or `rsa`"));
        }
        other => {
            let mut out = Buffer::from("Unknown type ");
            out.extend(other);
            return budget.text(out);
        }
    };
    let key = key.ok_or_else(|| Failure::execute("failed to generate private key"))?;
    budget.text(key.block().text())
}

/// A new RSA key of the size that sprig gives certificates.
pub(super) fn generate_for_certificate(budget: &mut Budget) -> Result<PrivateKey, Failure> {
    budget.step(cost::RSA_2048)?;
    PrivateKey::generate_rsa(KeySize::Rsa2048).ok_or_else(|| Failure::execute("error generating rsa key"))
}

/// The first block of a PEM text as a key in any encoding.
pub(super) fn any_from_pem(text: &[u8]) -> Result<PrivateKey, Failure> {
    let (block, _) = Block::take(text).ok_or_else(|| Failure::execute("failed to decode PEM block"))?;
    let key = PrivateKey::from_any(&block.content);
    key.ok_or_else(|| Failure::execute("could not parse private key: unable to parse private key type"))
}

/// The first block of a PEM text as a key in the encoding that its label names.
pub(super) fn labelled_from_pem(text: &[u8]) -> Result<PrivateKey, Failure> {
    let failed = |why: &str| Failure::execute(format!("error parsing private key: {why}"));
    let (block, _) = Block::take(text).ok_or_else(|| failed("no PEM data in input"))?;
    let key = match block.label.as_slice() {
        b"PRIVATE KEY" => PrivateKey::from_pkcs8(&block.content),
        b"RSA PRIVATE KEY" => PrivateKey::from_pkcs1(&block.content),
        b"EC PRIVATE KEY" => PrivateKey::from_sec1(&block.content, None),
        b"DSA PRIVATE KEY" => return Err(failed("DSA keys are not supported")),
        _ => return Err(failed("no private key of a known kind in the PEM block")),
    };
    key.ok_or_else(|| failed("the PEM block does not hold the key that its label names"))
}

/// Arguments: scheme, hash, encrypted bytes, key.
fn decrypt(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let encrypted = args.text(2);
    match args.text(0) {
        b"None" => return budget.text(encrypted),
        b"RSA-OAEP" => {}
        _ => {
            return Err(
                Failure::execute("the decryption scheme is not supported").with_hint("use `RSA-OAEP` or `None`")
            );
        }
    }
    let key = match any_from_pem(args.text(3))? {
        key @ PrivateKey::Rsa(_) => key.to_pkcs8(),
        _ => return Err(Failure::execute("could not parse RSA private key: it is a key of another kind")),
    };
    budget.step(cost::SIGNATURE)?;
    let key =
        PrivateDecryptingKey::from_pkcs8(&key).and_then(|key| OaepPrivateDecryptingKey::new(key).map_err(Into::into));
    let key = key.map_err(|_| Failure::execute("could not parse RSA private key: keys have 2048 to 8192 bits"))?;
    let algorithm = match args.text(1) {
        b"SHA1" => &OAEP_SHA1_MGF1SHA1,
        b"SHA512" => &OAEP_SHA512_MGF1SHA512,
        _ => &OAEP_SHA256_MGF1SHA256,
    };
    let mut room = Zeroizing::new(vec![0; key.min_output_size()]);
    let text = key.decrypt(algorithm, encrypted, &mut room, None);
    budget.text(&*text.map_err(|_| Failure::execute("error decrypting data with RSA"))?)
}
