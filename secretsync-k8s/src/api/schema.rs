//! The forms of texts that are in no type.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{GoDuration, KNOWN_GENERATORS, ProviderConfig, StoreInterval};

/// When a window opens.
pub(crate) struct Schedule;

/// A kind that `generatorRef` may name, supported here or not.
pub(crate) struct GeneratorKind;

impl JsonSchema for Schedule {
    fn schema_name() -> Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$";
        json_schema!({"type": "string", "minLength": 1, "pattern": pattern})
    }
}

impl JsonSchema for GeneratorKind {
    fn schema_name() -> Cow<'static, str> {
        "GeneratorKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let referable = KNOWN_GENERATORS.iter().copied().filter(|kind| *kind != "GeneratorState");
        let mut kinds: Vec<_> = referable.chain(["VaultDynamicSecret"]).collect();
        kinds.sort_unstable();
        kinds.dedup();
        json_schema!({"type": "string", "enum": kinds})
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    /// Any text, as in External Secrets Operator: what is no duration is reported by the object's condition, and stops no other object.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

impl JsonSchema for StoreInterval {
    fn schema_name() -> Cow<'static, str> {
        "StoreInterval".into()
    }

    /// Any number and any text, as in External Secrets Operator: what cannot be used is reported by the object's condition.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-int-or-string": true})
    }
}

impl JsonSchema for ProviderConfig {
    fn schema_name() -> Cow<'static, str> {
        "ProviderConfig".into()
    }

    /// What is inside of the providers' own configurations comes from their factories; those of unknown providers are kept as they are.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let anything = generator.subschema_for::<Value>();
        json_schema!({"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": anything})
    }
}
