//! `encryptAES` and `decryptAES`: AES-256-CBC under a password used as it is, as sprig has it. It hides, it does not authenticate.

use aes::Aes256;
use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroizing;

use crate::budget::Budget;
use crate::error::Failure;
use crate::function::random::fill;
use crate::function::{Args, Function, Type, decode_64, encode_64};
use crate::value::{Buffer, Value};

use Type::Text;

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("decryptAES", &[Text, Text], decrypt),
    Function::new("encryptAES", &[Text, Text], encrypt).random(),
];

fn encrypt(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = args.text(1);
    if text.is_empty() {
        return budget.text("");
    }
    budget.allocate(text.len().saturating_mul(2))?;
    let mut vector = [0; BLOCK];
    fill(&mut vector)?;
    let mut block = Zeroizing::new(vec![0; text.len() + BLOCK]);
    block[..text.len()].copy_from_slice(text);
    let encrypted = cbc::Encryptor::<Aes256>::new((&*key(args.text(0))).into(), &vector.into())
        .encrypt_padded::<Pkcs7>(&mut block, text.len())
        .map_err(|_| Failure::execute("the text is too long"))?;
    let mut out = Buffer::with_capacity(BLOCK + encrypted.len());
    out.extend(&vector);
    out.extend(encrypted);
    budget.text(encode_64(&out))
}

fn decrypt(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    if args.text(1).is_empty() {
        return budget.text("");
    }
    let decoded =
        decode_64(args.text(1)).map_err(|at| Failure::execute(format!("illegal base64 data at input byte {at}")))?;
    let broken = || Failure::execute("the data is no whole number of cipher blocks behind an initial vector");
    let (vector, encrypted) = decoded.split_first_chunk::<BLOCK>().ok_or_else(broken)?;
    let mut text = Zeroizing::new(encrypted.to_vec());
    let text = cbc::Decryptor::<Aes256>::new((&*key(args.text(0))).into(), vector.into())
        .decrypt_padded::<NoPadding>(&mut text)
        .map_err(|_| broken())?;
    // Go looks at the last byte of the padding only.
    let padding = text.last().copied().map(usize::from).ok_or_else(broken)?;
    let end = text.len().checked_sub(padding);
    let end = end.ok_or_else(|| Failure::execute("the password or the data is wrong"))?;
    budget.text(&text[..end])
}

/// The password, cut or filled with zeros to the length of a key.
fn key(password: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    key
}

const BLOCK: usize = 16;
