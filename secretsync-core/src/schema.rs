//! JSON schemas of configurations: what the API server of a cluster checks before anybody reads an object.
//!
//! A [`ProviderFactory`](crate::provider::ProviderFactory) gives the schema of its configuration. The types here stand for texts that follow a rule:
//! `#[schemars(with = "ObjectName")]` at a field of type `String`.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// The schema of what a type reads, without references to other schemas.
///
/// ```
/// use secretsync_core::schema;
///
/// assert_eq!(schema::of::<Vec<bool>>()["items"]["type"], "boolean");
/// ```
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The name of an object in a cluster: DNS labels joined by dots, 1 to 253 characters.
#[derive(Debug)]
#[non_exhaustive]
pub struct ObjectName;

/// The name of a namespace: one DNS label, 1 to 63 characters.
#[derive(Debug)]
#[non_exhaustive]
pub struct NamespaceName;

/// A key of a Secret or ConfigMap: 1 to 253 letters, digits, `-`, `.` and `_`.
#[derive(Debug)]
#[non_exhaustive]
pub struct SecretKey;

impl JsonSchema for ObjectName {
    fn schema_name() -> Cow<'static, str> {
        "ObjectName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
        json_schema!({"type": "string", "minLength": 1, "maxLength": 253, "pattern": pattern})
    }
}

impl JsonSchema for NamespaceName {
    fn schema_name() -> Cow<'static, str> {
        "NamespaceName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"})
    }
}

impl JsonSchema for SecretKey {
    fn schema_name() -> Cow<'static, str> {
        "SecretKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$"})
    }
}
