//! The `spec` of a `VaultDynamicSecret`: External Secrets Operator's, field for field.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::StoreOrigin;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::VaultConfig;
use crate::address::segments;

/// The `spec` of a `VaultDynamicSecret`.
#[non_exhaustive]
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultDynamicSecretConfig {
    /// The server, and who asks. `path` and `version` of it mean nothing here.
    pub provider: Option<VaultConfig>,
    /// The path of the request, below `/v1/`.
    pub path: String,
    /// `GET` (also without it) reads, `LIST` lists, `DELETE` deletes, everything else writes `parameters`.
    pub method: Option<String>,
    /// The members of the body of a write.
    #[schemars(with = "Option<Value>")]
    pub parameters: Option<Map<String, Value>>,
    /// The query of a read, each name with its values.
    #[serde(default)]
    pub get_parameters: BTreeMap<String, Vec<String>>,
    /// Which part of the answer becomes keys.
    #[serde(default)]
    #[schemars(extend("default" = "Data"))]
    pub result_type: ResultType,
    /// Whether an answer without content gives no keys instead of a failure.
    #[serde(default)]
    pub allow_empty_response: bool,
    /// The class of the controller that handles it. Whoever reads the manifest decides by it.
    #[serde(rename = "controller")]
    #[schemars(with = "Option<String>")]
    _controller: Option<IgnoredAny>,
    /// How failed calls are tried again. Whoever reads the manifest gives it to the layers; the request itself is never repeated.
    #[serde(default, rename = "retrySettings")]
    #[schemars(schema_with = "retry_settings")]
    _retry_settings: Option<IgnoredAny>,
}

impl VaultDynamicSecretConfig {
    /// A read of a path.
    pub fn new(provider: VaultConfig, path: impl Into<String>) -> Self {
        Self { provider: Some(provider), path: path.into(), ..Self::default() }
    }

    /// The configuration of the server, which must be there.
    pub(super) fn provider(&self, origin: &StoreOrigin) -> Result<&VaultConfig> {
        self.provider.as_ref().ok_or_else(|| {
            invalid(origin, "provider", "no Vault provider config in spec", "add `provider` with `server` and `auth`")
        })
    }
}

impl fmt::Debug for VaultDynamicSecretConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody may have put a secret into the parameters.
        f.debug_struct("VaultDynamicSecretConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

/// `retrySettings`, as whoever reads the manifest reads them.
fn retry_settings(_: &mut SchemaGenerator) -> Schema {
    let properties = json!({"maxRetries": {"type": "integer", "format": "int32"}, "retryInterval": {"type": "string"}});
    json_schema!({"type": "object", "properties": properties})
}

/// Which part of an answer becomes keys.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum ResultType {
    /// The token and what belongs to it.
    Auth,
    /// What an engine hands out.
    #[default]
    Data,
    /// All of it.
    Raw,
}

/// The request, checked.
pub(super) struct Call {
    pub(super) path: String,
    pub(super) verb: Verb,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) result: ResultType,
    pub(super) allow_empty: bool,
}

/// What the request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    Delete,
    List,
    Read,
    Write,
}

impl Call {
    pub(super) fn new(config: &VaultDynamicSecretConfig, origin: &StoreOrigin) -> Result<Self> {
        const ADVICE: &str = "write it as `database/creds/app`";
        let path = segments(&config.path).map_err(|reason| invalid(origin, "path", reason, ADVICE))?;
        if path.is_empty() {
            return Err(invalid(origin, "path", "it is empty", ADVICE));
        }
        let parameters = config.parameters.clone().unwrap_or_default();
        let pairs = |(name, values): (&String, &Vec<String>)| {
            values.iter().map(|value| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        Ok(Self {
            path: path.join("/"),
            verb: match config.method.as_deref().unwrap_or_default() {
                "" | "GET" => Verb::Read,
                "LIST" => Verb::List,
                "DELETE" => Verb::Delete,
                _ => Verb::Write,
            },
            query: config.get_parameters.iter().flat_map(pairs).collect(),
            body: Value::Object(parameters).to_string().into_bytes(),
            result: config.result_type,
            allow_empty: config.allow_empty_response,
        })
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("path", &self.path).field("verb", &self.verb).finish_non_exhaustive()
    }
}

fn invalid(origin: &StoreOrigin, field: &str, detail: &'static str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("`spec.{field}` of {origin}"))
        .because(detail)
        .with_hint(Hint::new(Code::StoreInvalid, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> VaultDynamicSecretConfig {
        serde_json::from_str(text).unwrap()
    }

    fn call(text: &str) -> Result<Call> {
        let config = config(text);
        Call::new(&config, &StoreOrigin::generator("VaultDynamicSecret", "shop", "db"))
    }

    #[test]
    fn methods_are_read_as_in_external_secrets_operator() {
        for (method, verb) in [
            (r#""""#, Verb::Read),
            (r#""GET""#, Verb::Read),
            (r#""LIST""#, Verb::List),
            (r#""DELETE""#, Verb::Delete),
            (r#""POST""#, Verb::Write),
            (r#""PUT""#, Verb::Write),
            (r#""anything""#, Verb::Write),
            ("null", Verb::Read),
        ] {
            let found = call(&format!(r#"{{"path": "/pki/issue/x/", "method": {method}}}"#)).unwrap();
            assert_eq!((found.verb, found.path.as_str()), (verb, "pki/issue/x"), "{method}");
        }
    }

    #[test]
    fn parameters_become_the_body_and_the_query() {
        let found = call(
            r#"{"path": "a/b", "parameters": {"common_name": "x", "ttl": 60}, "getParameters": {"b": ["1", "2"], "a": ["3"]}}"#,
        )
        .unwrap();
        assert_eq!(found.body, br#"{"common_name":"x","ttl":60}"#);
        let pairs: Vec<_> = found.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs, ["a=3", "b=1", "b=2"]);
        assert_eq!(call(r#"{"path": "a"}"#).unwrap().body, b"{}");
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["", "/", "a/../b", "a/./b", "a\\u0000"] {
            let error = call(&format!(r#"{{"path": "{path}"}}"#)).unwrap_err();
            assert!(error.to_string().contains("`spec.path` of VaultDynamicSecret shop/db"), "{error}");
        }
    }
}
