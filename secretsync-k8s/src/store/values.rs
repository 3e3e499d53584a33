//! Values that stay as they are.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::secret::{SecretKey, SecretMap, SecretValue};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::snapshot::Metadata;
use crate::credentials::Text;

/// The values in a Secret's JSON that a field manager wrote. `None` if it is no Secret.
pub(super) fn of(json: &[u8], manager: &str) -> Option<SecretMap> {
    let secret: Secret = serde_json::from_slice(json).ok()?;
    let mut values = SecretMap::new();
    for (key, Text(text)) in secret.data.unwrap_or_default() {
        if secret.metadata.managed_fields.owns_key(manager, &key)
            && let Ok(key) = SecretKey::new(key)
        {
            let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
            let length = STANDARD.decode_slice(text.as_bytes(), &mut bytes).ok()?;
            values.insert(key, SecretValue::from(&bytes[..length]));
        }
    }
    Some(values)
}

/// A Secret with its values, which are wiped when it is dropped.
#[derive(Deserialize)]
struct Secret {
    metadata: Metadata,
    data: Option<BTreeMap<String, Text>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_values_that_the_manager_wrote_are_taken() {
        let fields = json!({"f:data": {"f:a": {}, "f:n": {}, "f:gone": {}}});
        let fields = json!([{"manager": "m", "operation": "Apply", "fieldsV1": fields}]);
        let secret = json!({
            "metadata": {"managedFields": fields}, "type": "Opaque", "data": {"a": "czNjcjN0", "b": "Yg==", "n": null},
        });
        let values = of(secret.to_string().as_bytes(), "m").unwrap();
        let shown: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        assert_eq!(shown, [("a", &b"s3cr3t"[..]), ("n", b"")]);
        assert!(of(b"[]", "m").is_none());
    }
}
