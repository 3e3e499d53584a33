//! The remote side of a case.

use serde_json::{Value, json};
use xtask::rig::moto::Moto;

use super::servers::Servers;

/// The region of the stores of AWS.
pub(crate) const REGION: &str = "us-east-1";

/// Puts values in place: `kind` is a remote verb of the cases, `items` a mapping of paths to values or a list of paths.
pub(crate) fn put(servers: &Servers, prefix: &str, kind: &str, items: &Value) {
    let listed = items.as_array().into_iter().flatten().map(|path| (path.as_str().unwrap(), &Value::Null));
    let mapped = items.as_object().into_iter().flatten().map(|(path, value)| (path.as_str(), value));
    for (path, value) in mapped.chain(listed) {
        one(servers, kind, &format!("{prefix}/{path}"), value);
    }
}

fn one(servers: &Servers, kind: &str, path: &str, value: &Value) {
    let (bao, moto) = (&servers.bao, &servers.moto);
    let done = match (kind, value) {
        ("kv2", Value::Null) => bao.delete(&format!("secret/data/{path}")),
        ("kv1", Value::Null) => bao.delete(&format!("kv1/{path}")),
        ("kv2", value) => bao.write_text(&format!("secret/data/{path}"), &format!(r#"{{"data": {}}}"#, text(value))),
        ("team", value) => bao.write_text(&format!("team/kv/data/{path}"), &format!(r#"{{"data": {}}}"#, text(value))),
        ("kv1", value) => bao.write_text(&format!("kv1/{path}"), &text(value)),
        ("kv2_meta", value) => bao.write(&format!("secret/metadata/{path}"), &json!({ "custom_metadata": value })),
        ("kv2_purge", _) => bao.delete(&format!("secret/metadata/{path}")),
        ("kv2_destroy", versions) => bao.write(&format!("secret/destroy/{path}"), &json!({ "versions": versions })),
        ("sm", value) => return secret(moto, path, value),
        ("ssm", value) => return parameter(moto, &format!("/{path}"), value),
        _ => panic!("unknown remote {kind}"),
    };
    done.unwrap();
}

/// A secret of Secrets Manager: `string` or `binary`, with `tags`, and `id` for the version.
fn secret(moto: &Moto, name: &str, value: &Value) {
    let call = |operation: &str, body: Value| moto.call(REGION, &format!("secretsmanager.{operation}"), &body);
    if value.is_null() {
        call("DeleteSecret", json!({"SecretId": name, "ForceDeleteWithoutRecovery": true})).unwrap();
        return;
    }
    let mut body = match value["binary"].as_str() {
        Some(binary) => json!({"SecretBinary": binary}),
        None => json!({"SecretString": value["string"]}),
    };
    if let Some(id) = value["id"].as_str() {
        body["ClientRequestToken"] = id.into();
    }
    if call("DescribeSecret", json!({"SecretId": name})).is_ok() {
        body["SecretId"] = name.into();
        call("PutSecretValue", body).unwrap();
    } else {
        body["Name"] = name.into();
        body["Tags"] = tags(value);
        call("CreateSecret", body).unwrap();
    }
}

/// A parameter: a `string`, of a `type`, with `tags`.
fn parameter(moto: &Moto, name: &str, value: &Value) {
    let call = |operation: &str, body: Value| moto.call(REGION, &format!("AmazonSSM.{operation}"), &body);
    if value.is_null() {
        call("DeleteParameter", json!({"Name": name})).unwrap();
        return;
    }
    let kind = value["type"].as_str().unwrap_or("SecureString");
    let mut body = json!({"Name": name, "Value": value["string"], "Type": kind});
    if call("GetParameter", json!({"Name": name})).is_ok() {
        body["Overwrite"] = true.into();
    } else {
        body["Tags"] = tags(value);
    }
    call("PutParameter", body).unwrap();
}

fn tags(value: &Value) -> Value {
    let tags = value["tags"].as_object().into_iter().flatten();
    tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A text is JSON as it stands, so that numbers keep their spelling.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
