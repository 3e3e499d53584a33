//! Go's printing: `%v`, `Sprint`, `Sprintln`; `printf` is in `verb`.

use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Buffer, Value};

pub(crate) mod quote;
mod verb;

pub(crate) use verb::printf;

/// Appends a value as `%v` prints it.
pub(crate) fn append(out: &mut Buffer, value: &Value, budget: &mut Budget) -> Result<(), Failure> {
    match value {
        Value::Bytes(text) => {
            budget.allocate(text.len())?;
            out.extend(text);
            Ok(())
        }
        value => verb::default(out, value, budget),
    }
}

/// A value as text: texts as they are, everything else as `%v`.
pub(crate) fn to_text(value: &Value, budget: &mut Budget) -> Result<Buffer, Failure> {
    let mut out = Buffer::default();
    append(&mut out, value, budget)?;
    Ok(out)
}

/// `Sprint`: a space between two operands of which neither is a text.
pub(crate) fn print(values: &[Value], budget: &mut Budget) -> Result<Buffer, Failure> {
    let mut out = Buffer::default();
    let mut after_text = true;
    for value in values {
        let text = matches!(value, Value::Bytes(_));
        if !text && !after_text {
            out.push(b' ');
        }
        append(&mut out, value, budget)?;
        after_text = text;
    }
    Ok(out)
}

/// `Sprintln`: spaces between all operands, and a newline.
pub(crate) fn println(values: &[Value], budget: &mut Budget) -> Result<Buffer, Failure> {
    let mut out = Buffer::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        append(&mut out, value, budget)?;
    }
    out.push(b'\n');
    Ok(out)
}
