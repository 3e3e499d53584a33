//! Bodies of requests that hold secrets.

use secretsync_core::json::Json;
use zeroize::Zeroizing;

/// A JSON object of texts. It is wiped when it is dropped.
pub(crate) fn body(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    object(fields, "", "")
}

/// A JSON object of lists with one text each.
pub(super) fn lists(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    object(fields, "[", "]")
}

fn object(fields: &[(&str, &str)], open: &str, close: &str) -> Zeroizing<Vec<u8>> {
    // Room for every character escaped, so that no buffer grows and leaves secrets behind.
    let room = fields.iter().map(|(name, text)| 6 * (name.len() + text.len()) + 8).sum::<usize>() + 2;
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    body.push(b'{');
    for (index, (name, text)) in fields.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&Json::text(*name).compact());
        body.push(b':');
        body.extend_from_slice(open.as_bytes());
        body.extend_from_slice(&Json::text(*text).compact());
        body.extend_from_slice(close.as_bytes());
    }
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_arrives_as_it_is() {
        let odd = "\"\\\n\u{1}ä😀</script>";
        let parsed: serde_json::Value = serde_json::from_slice(&body(&[("a", odd), ("b", "")])).unwrap();
        assert_eq!(parsed, serde_json::json!({"a": odd, "b": ""}));
        assert_eq!(&**body(&[]), b"{}");
        assert_eq!(&**lists(&[("a", "b"), ("c", "d")]), br#"{"a":["b"],"c":["d"]}"#);
    }
}
