//! `urlParse` and `urlJoin`.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Bytes, Map, Value};

mod address;
mod escape;

use address::{Address, UserInfo};

use Type::{Dict, Text};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("urlJoin", &[Dict], join), Function::new("urlParse", &[Text], parse)];

fn parse(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let address = Address::parse(args.text(0)).map_err(|reason| Failure::execute(format!("no URL: {reason}")))?;
    let userinfo = address.user.as_ref().map(UserInfo::encode).unwrap_or_default();
    let hostname = address.hostname().to_vec();
    let entries = [
        ("fragment", address.fragment),
        ("host", address.host),
        ("hostname", hostname),
        ("opaque", address.opaque),
        ("path", address.path),
        ("query", address.query),
        ("scheme", address.scheme),
        ("userinfo", userinfo),
    ];
    let mut map = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        map.push((Bytes::from(key), budget.text(value)?));
    }
    Ok(Value::Map(Map::new(map)))
}

fn join(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let part = |key: &str| match args.dict(0).and_then(|map| map.get(key.as_bytes())) {
        None => Ok(Vec::new()),
        Some(Value::Bytes(text)) => Ok(text.to_vec()),
        Some(other) => Err(Failure::execute(format!("`{key}` must be a text; found {}", other.type_name()))),
    };
    let userinfo = part("userinfo")?;
    let user = if userinfo.is_empty() {
        None
    } else {
        Some(UserInfo::parse(&userinfo).ok_or_else(|| Failure::execute("`userinfo` is not escaped"))?)
    };
    let address = Address {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user,
        empty_query: false,
    };
    budget.text(address.encode())
}
