//! `target.template`: texts, where they come from and what they make.

use secretsync_core::provider::CredentialRef;
use secretsync_core::sync::{self, TemplateScope, TemplateSpec, TemplateTarget, TemplateText};

use super::check;
use crate::api::external_secret::{MergePolicy, Template, TemplateAs, TemplateFrom, TemplateSource};
use crate::problems::{Problems, plain};

/// Types that make the cluster hand out an identity are refused: a manifest of a namespace must not obtain more than its author may.
pub(super) fn check(template: &Template, problems: &mut Problems) {
    for (index, from) in template.template_from.iter().enumerate() {
        check_from(&format!("spec.target.template.templateFrom[{index}]"), from, problems);
    }
    let annotates = || template.template_from.iter().any(|from| target(from) == Some(TemplateTarget::Annotations));
    match template.secret_type.as_deref() {
        Some(SERVICE_ACCOUNT_TOKEN) if template.metadata.annotations.contains_key(SERVICE_ACCOUNT_NAME) => problems
            .add(format_args!(
                "template.type=\"{SERVICE_ACCOUNT_TOKEN}\" with annotation \"{SERVICE_ACCOUNT_NAME}\" is not allowed"
            )),
        Some(SERVICE_ACCOUNT_TOKEN) if annotates() => problems.add(format_args!(
            "template.type=\"{SERVICE_ACCOUNT_TOKEN}\" with templateFrom target=\"Annotations\" is not allowed"
        )),
        Some(text @ (SERVICE_ACCOUNT_TOKEN | BOOTSTRAP_TOKEN)) => {
            problems.add(format_args!("template.type=\"{text}\" is not allowed"));
        }
        _ => {}
    }
}

/// The template of a sync whose ExternalSecret is in `namespace`: objects of that namespace alone are ever read. `template` has passed [`check()`].
pub(super) fn spec(template: &Template, namespace: &str) -> TemplateSpec {
    let mut spec = TemplateSpec::default();
    spec.merge = template.merge_policy == MergePolicy::Merge;
    spec.from = template.template_from.iter().map(|from| template_from(from, namespace)).collect();
    spec.data.clone_from(&template.data);
    spec.labels.clone_from(&template.metadata.labels);
    spec.annotations.clone_from(&template.metadata.annotations);
    spec
}

fn check_from(path: &str, from: &TemplateFrom, problems: &mut Problems) {
    if target(from).is_none() {
        let text = plain(from.target.as_deref().unwrap_or_default());
        problems.add(format_args!(
            "templateFrom target=\"{text}\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\""
        ));
    }
    for (member, source) in [("configMap", &from.config_map), ("secret", &from.secret)] {
        let Some(TemplateSource { name, items }) = source else { continue };
        check::dns_subdomain(format_args!("{path}.{member}.name"), name, problems);
        for (index, item) in items.iter().enumerate() {
            check::secret_key(format_args!("{path}.{member}.items[{index}].key"), &item.key, problems);
        }
    }
}

/// Texts in the order of External Secrets Operator: ConfigMap, Secret, literal.
fn template_from(from: &TemplateFrom, namespace: &str) -> sync::TemplateFrom {
    let mut texts = Vec::new();
    texts.extend(from.config_map.iter().flat_map(|source| items(source, CredentialRef::config_map, namespace)));
    texts.extend(from.secret.iter().flat_map(|source| items(source, CredentialRef::secret, namespace)));
    texts.extend(from.literal.iter().map(|text| TemplateText::Literal(text.clone())));
    sync::TemplateFrom::new(texts)
        .with_target(target(from).unwrap_or_default())
        .with_decoding(super::source::decoding(from.values_decoding_strategy))
}

fn items<'a>(
    source: &'a TemplateSource,
    reference: fn(String, String) -> CredentialRef,
    namespace: &'a str,
) -> impl Iterator<Item = TemplateText> + 'a {
    source.items.iter().map(move |item| {
        let scope = match item.template_as {
            TemplateAs::KeysAndValues => TemplateScope::KeysAndValues,
            TemplateAs::Values => TemplateScope::Values,
        };
        TemplateText::item(reference(source.name.clone(), item.key.clone()).in_namespace(Some(namespace)), scope)
    })
}

/// What a text makes; `None` for what is no part of a Secret.
fn target(from: &TemplateFrom) -> Option<TemplateTarget> {
    let named = from.target.as_deref().unwrap_or_default();
    let all = [
        ("", TemplateTarget::Data),
        ("data", TemplateTarget::Data),
        ("labels", TemplateTarget::Labels),
        ("annotations", TemplateTarget::Annotations),
    ];
    all.into_iter().find(|(name, _)| named.eq_ignore_ascii_case(name)).map(|(_, target)| target)
}

const BOOTSTRAP_TOKEN: &str = "bootstrap.kubernetes.io/token";
const SERVICE_ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
