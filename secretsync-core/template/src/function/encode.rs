//! Base64, base32 and hexadecimal. As in sprig, a decoder gives Go's error text as its value instead of failing.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::print;
use crate::value::{Buffer, Value};

mod radix;

pub(crate) use radix::{decode_64, encode_64};

use Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("b32dec", &[Text], |args, budget| decoded("base32", radix::decode_32(args.text(0)), budget)),
    Function::new("b32enc", &[Text], |args, budget| budget.text(radix::encode_32(args.text(0)))),
    Function::new("b64dec", &[Text], |args, budget| decoded("base64", decode_64(args.text(0)), budget)),
    Function::new("b64enc", &[Text], |args, budget| budget.text(encode_64(args.text(0)))),
    Function::new("hexdec", &[Text], hexadecimal),
];

/// The bytes, or Go's text that says where the input is wrong.
fn decoded(name: &str, result: Result<Buffer, usize>, budget: &mut Budget) -> Result<Value, Failure> {
    match result {
        Ok(bytes) => budget.text(bytes),
        Err(at) => budget.text(format!("illegal {name} data at input byte {at}")),
    }
}

fn hexadecimal(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = args.text(0);
    let mut out = Buffer::with_capacity(text.len() / 2);
    for pair in text.chunks(2) {
        let mut byte = 0;
        for digit in pair {
            let Some(value) = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok()) else {
                let byte = Value::Byte(*digit);
                return Ok(print::printf(b"encoding/hex: invalid byte: %#U", &[byte], budget)?.into());
            };
            byte = byte << 4 | value;
        }
        if pair.len() == 1 {
            return budget.text("encoding/hex: odd length hex string");
        }
        out.push(byte);
    }
    budget.text(out)
}
