//! From data to the desired target: templates.

use std::collections::BTreeMap;

use secretsync_template::{Template, Value};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::{SecretKey, SecretMap, SecretValue};
use crate::store::{Desired, TargetMeta};
use crate::sync::TemplateSpec;

/// Makes the target from the data. Without a template, the data is the target.
///
/// Order and precedence are those of `eso-compat.md` 2.7: the data's own keys stay when the template merges or gives no keys of its own; then each key,
/// label and annotation is rendered over the same root, the data.
pub(crate) fn render(template: Option<&TemplateSpec>, data: SecretMap, meta: TargetMeta) -> Result<Desired> {
    let Some(template) = template else { return Ok(Desired::new(data, meta)) };
    let root = Value::string_map(data.iter().map(|(key, value)| (key.as_str().to_owned(), value.expose().to_vec())));
    let mut desired = Desired::new(SecretMap::new(), meta);
    if template.merge || template.data.is_empty() {
        desired.data = data;
    }
    for (key, text) in &template.data {
        let name = SecretKey::new(&**key).map_err(|error| {
            let hint = Hint::new(Code::KeyInvalid, "choose another key in `spec.target.template.data`");
            Error::new(ErrorKind::InvalidConfig, "use the key").with_source(error).with_hint(hint)
        })?;
        desired.data.insert(name, SecretValue::new(one(key, text, &root)?));
    }
    texts(&template.labels, &root, &mut desired.meta.labels)?;
    texts(&template.annotations, &root, &mut desired.meta.annotations)?;
    Ok(desired)
}

fn texts(templates: &BTreeMap<String, String>, root: &Value, into: &mut BTreeMap<String, String>) -> Result<()> {
    for (key, text) in templates {
        let rendered = String::from_utf8(one(key, text, root)?)
            .map_err(|_| failure(key).because("the result is not UTF-8, and labels and annotations are texts"))?;
        into.insert(key.clone(), rendered);
    }
    Ok(())
}

fn one(key: &str, text: &str, root: &Value) -> Result<Vec<u8>> {
    Template::parse(key, text).and_then(|template| template.render(root)).map_err(|error| {
        let advice = error.hint().map_or_else(|| "correct the template".to_owned(), ToOwned::to_owned);
        failure(key).with_hint(Hint::new(Code::TemplateInvalid, advice)).with_source(error)
    })
}

fn failure(key: &str) -> Error {
    Error::new(ErrorKind::InvalidData, "render")
        .on(format!("the template of `{key}`"))
        .with_hint(Hint::new(Code::TemplateInvalid, "correct the template"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> SecretMap {
        [(SecretKey::new("user").unwrap(), SecretValue::from("ann"))].into_iter().collect()
    }

    fn template(merge: bool, data: &[(&str, &str)]) -> TemplateSpec {
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        TemplateSpec { merge, data, ..TemplateSpec::default() }
    }

    fn keys(desired: &Desired) -> Vec<&str> {
        desired.data.keys().map(SecretKey::as_str).collect()
    }

    #[test]
    fn a_template_with_data_replaces_the_sources_keys_unless_it_merges() {
        for (merge, expected) in [(false, vec!["url"]), (true, vec!["url", "user"])] {
            let template = template(merge, &[("url", "db://{{ .user }}")]);
            let desired = render(Some(&template), data(), TargetMeta::default()).unwrap();
            assert_eq!(keys(&desired), expected);
            assert_eq!(desired.data.get("url").unwrap().expose(), b"db://ann");
        }
    }

    #[test]
    fn a_template_without_data_keeps_the_sources_keys() {
        let mut template = template(false, &[]);
        template.labels.insert("who".to_owned(), "{{ .user }}".to_owned());
        let desired = render(Some(&template), data(), TargetMeta::default()).unwrap();
        assert_eq!(keys(&desired), ["user"]);
        assert_eq!(desired.meta.labels["who"], "ann");
    }

    #[test]
    fn a_failing_template_says_which_and_shows_no_value() {
        let template = template(false, &[("url", "{{ .nope }}")]);
        let error = render(Some(&template), data(), TargetMeta::default()).unwrap_err();
        let text = crate::error::chain(&error);
        assert!(text.starts_with("failed to render the template of `url`: "), "{text}");
        assert!(!text.contains("ann"), "{text}");
    }
}
