//! Slash-separated paths. The `os` forms are the same, as on the reference's platform.

use super::{Args, Function, Type};
use crate::value::Value;

use Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("base", &[Text], |args, budget| budget.text(base(args.text(0)))),
    Function::new("clean", &[Text], |args, budget| budget.text(clean(args.text(0)))),
    Function::new("dir", &[Text], |args, budget| budget.text(dir(args.text(0)))),
    Function::new("ext", &[Text], |args, budget| budget.text(ext(args.text(0)))),
    Function::new("isAbs", &[Text], |args, _| Ok(is_absolute(args))),
    Function::new("osBase", &[Text], |args, budget| budget.text(base(args.text(0)))),
    Function::new("osClean", &[Text], |args, budget| budget.text(clean(args.text(0)))),
    Function::new("osDir", &[Text], |args, budget| budget.text(dir(args.text(0)))),
    Function::new("osExt", &[Text], |args, budget| budget.text(ext(args.text(0)))),
    Function::new("osIsAbs", &[Text], |args, _| Ok(is_absolute(args))),
];

fn is_absolute(args: Args<'_>) -> Value {
    Value::Bool(args.text(0).starts_with(b"/"))
}

/// The last element; `.` for nothing, `/` for nothing but slashes.
fn base(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    match (path.is_empty(), end) {
        (true, _) => b".",
        (false, 0) => b"/",
        (false, end) => path[..end].rsplit(|byte| *byte == b'/').next().unwrap_or_default(),
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    clean(&path[..end])
}

/// From the last dot of the last element on.
fn ext(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.iter().rposition(|byte| *byte == b'.').map_or(&[], |at| &name[at..])
}

/// Without `.`, doubled slashes and, where possible, `..`.
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut elements: Vec<&[u8]> = Vec::new();
    for element in path.split(|byte| *byte == b'/') {
        match element {
            b"" | b"." => {}
            b".." if elements.last().is_some_and(|last| *last != b"..") => {
                elements.pop();
            }
            b".." if rooted => {}
            element => elements.push(element),
        }
    }
    let joined = elements.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
