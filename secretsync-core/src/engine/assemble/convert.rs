//! stub
use crate::secret::{SecretKey, SecretValue};
use crate::sync::KeyConversion;
pub(crate) fn keys(v: Vec<(String, SecretValue)>, _s: KeyConversion) -> crate::Result<Vec<(SecretKey, SecretValue)>> {
    Ok(v.into_iter().map(|(k, v)| (SecretKey::new(k).unwrap(), v)).collect())
}
