//! Versions and constraints.

use std::cmp::Ordering;

use super::{Args, Function, Type};
use crate::error::Failure;
use crate::value::{Kind, Object, Value};
use crate::version::Version;
use crate::version::constraint::Constraints;

use Type::{Any, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("semver", &[Text], |args, _| parse(args.text(0)).map(value)),
    Function::new("semverCompare", &[Text, Text], |args, _| compare(args)),
];

/// Methods of a version.
pub(crate) const METHODS: &[Function] = &[
    Function::new("Compare", &[Any, Type::Version], |args, _| {
        Ok(Value::Int(match ordering(args)? {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))
    }),
    Function::new("Equal", &[Any, Type::Version], |args, _| Ok(Value::Bool(ordering(args)? == Ordering::Equal))),
    Function::new("GreaterThan", &[Any, Type::Version], |args, _| {
        Ok(Value::Bool(ordering(args)? == Ordering::Greater))
    }),
    Function::new("IncMajor", &[Any], |args, _| Ok(value(version(args, 0)?.next_major()))),
    Function::new("IncMinor", &[Any], |args, _| Ok(value(version(args, 0)?.next_minor()))),
    Function::new("IncPatch", &[Any], |args, _| Ok(value(version(args, 0)?.next_patch()))),
    Function::new("LessThan", &[Any, Type::Version], |args, _| Ok(Value::Bool(ordering(args)? == Ordering::Less))),
    Function::new("Major", &[Any], |args, _| Ok(Value::Uint(version(args, 0)?.major))),
    Function::new("Metadata", &[Any], |args, _| Ok(Value::text(version(args, 0)?.metadata.as_str()))),
    Function::new("Minor", &[Any], |args, _| Ok(Value::Uint(version(args, 0)?.minor))),
    Function::new("Original", &[Any], |args, _| Ok(Value::text(version(args, 0)?.original.as_str()))),
    Function::new("Patch", &[Any], |args, _| Ok(Value::Uint(version(args, 0)?.patch))),
    Function::new("Prerelease", &[Any], |args, _| Ok(Value::text(version(args, 0)?.prerelease.as_str()))),
    Function::new("String", &[Any], |args, _| Ok(Value::text(version(args, 0)?.to_string()))),
];

fn parse(text: &[u8]) -> Result<Version, Failure> {
    let version = std::str::from_utf8(text).ok().and_then(Version::parse);
    version.ok_or_else(|| Failure::execute("the text is no semantic version"))
}

fn compare(args: Args<'_>) -> Result<Value, Failure> {
    let constraints = std::str::from_utf8(args.text(0)).ok().and_then(Constraints::parse);
    let constraints = constraints.ok_or_else(|| Failure::execute("improper version constraint"))?;
    Ok(Value::Bool(constraints.allow(&parse(args.text(1))?)))
}

fn value(version: Version) -> Value {
    Value::Object(Object::new(Kind::Version(version)))
}

fn version(args: Args<'_>, index: usize) -> Result<&Version, Failure> {
    if let Value::Object(object) = args.value(index)
        && let Kind::Version(version) = object.kind()
    {
        return Ok(version);
    }
    Err(Failure::execute("the value is no version"))
}

fn ordering(args: Args<'_>) -> Result<Ordering, Failure> {
    Ok(version(args, 0)?.compare(version(args, 1)?))
}
