//! `derivePassword`: the Master Password algorithm, which makes the same password from the same words everywhere.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use scrypt::{Params, scrypt};
use zeroize::Zeroizing;

use super::cost;
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::Args;
use crate::value::{Buffer, Value};

/// Arguments: counter, kind of password, password, user, site.
pub(super) fn password(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let Some((_, shapes)) = SHAPES.iter().find(|(name, _)| name.as_bytes() == args.text(1)) else {
        let mut out = Buffer::from("cannot find password template ");
        out.extend(args.text(1));
        return budget.text(out);
    };
    budget.step(cost::SCRYPT)?;
    let failed = || Failure::execute("the password cannot be derived");
    let salt = seed(args.text(3));
    let params = Params::new(15, 8, 2).map_err(|_| failed())?;
    let mut key = Zeroizing::new([0; 64]);
    scrypt(args.text(2), &salt, &params, &mut *key).map_err(|_| failed())?;
    let mut message = seed(args.text(4));
    // Go's parameter is a `uint32`, which keeps the low bits of a larger literal.
    message.extend(&args.int(0).to_be_bytes()[4..]);
    let digest = sign(&Key::new(HMAC_SHA256, &*key), &message);
    let (first, digits) = digest.as_ref().split_first().ok_or_else(failed)?;
    let shape = shapes[usize::from(*first) % shapes.len()];
    let mut out = Buffer::with_capacity(shape.len());
    for (class, digit) in shape.bytes().zip(digits) {
        let alphabet = alphabet(class);
        out.push(alphabet[usize::from(*digit) % alphabet.len()]);
    }
    budget.text(out)
}

/// The name of the algorithm, and a name with its length before it.
fn seed(name: &[u8]) -> Buffer {
    let mut out = Buffer::from("com.lyndir.masterpassword");
    out.extend(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(name);
    out
}

fn alphabet(class: u8) -> &'static [u8] {
    match class {
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        b'v' => b"aeiou",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// Classes of characters, position by position, for each kind of password.
const SHAPES: &[(&str, &[&str])] = &[
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("pin", &["nnnn"]),
    ("short", &["Cvcn"]),
];
