//! The remote side of a case.

use serde_json::{Value, json};
use xtask::rig::openbao::OpenBao;

/// Puts values in place: `kind` is a remote verb of the cases, `items` a mapping of paths to values or a list of paths.
pub(crate) fn put(bao: &OpenBao, prefix: &str, kind: &str, items: &Value) {
    let listed = items.as_array().into_iter().flatten().map(|path| (path.as_str().unwrap(), &Value::Null));
    let mapped = items.as_object().into_iter().flatten().map(|(path, value)| (path.as_str(), value));
    for (path, value) in mapped.chain(listed) {
        one(bao, kind, &format!("{prefix}/{path}"), value);
    }
}

fn one(bao: &OpenBao, kind: &str, path: &str, value: &Value) {
    let done = match (kind, value) {
        ("kv2", Value::Null) => bao.delete(&format!("secret/data/{path}")),
        ("kv1", Value::Null) => bao.delete(&format!("kv1/{path}")),
        ("kv2", value) => bao.write_text(&format!("secret/data/{path}"), &format!(r#"{{"data": {}}}"#, text(value))),
        ("team", value) => bao.write_text(&format!("team/kv/data/{path}"), &format!(r#"{{"data": {}}}"#, text(value))),
        ("kv1", value) => bao.write_text(&format!("kv1/{path}"), &text(value)),
        ("kv2_meta", value) => bao.write(&format!("secret/metadata/{path}"), &json!({ "custom_metadata": value })),
        ("kv2_purge", _) => bao.delete(&format!("secret/metadata/{path}")),
        ("kv2_destroy", versions) => bao.write(&format!("secret/destroy/{path}"), &json!({ "versions": versions })),
        _ => panic!("unknown remote {kind}"),
    };
    done.unwrap();
}

/// A text is JSON as it stands, so that numbers keep their spelling.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
