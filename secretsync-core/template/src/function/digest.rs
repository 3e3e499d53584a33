//! Checksums, in hexadecimal; Adler-32 as a decimal number.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Buffer, Value};

use Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("adler32sum", &[Text], |args, budget| budget.text(adler32(args.text(0)).to_string())),
    Function::new("sha1sum", &[Text], hexadecimal::<Sha1>),
    Function::new("sha256sum", &[Text], hexadecimal::<Sha256>),
    Function::new("sha512sum", &[Text], hexadecimal::<Sha512>),
];

fn hexadecimal<D: Digest>(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut out = Buffer::with_capacity(128);
    for byte in D::digest(args.text(0)) {
        out.extend(format!("{byte:02x}").as_bytes());
    }
    budget.text(out)
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1, 0);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}
