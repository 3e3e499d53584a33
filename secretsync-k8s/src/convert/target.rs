//! `target`: the Secret, its template and the policies.

use secretsync_core::store::TargetMeta;
use secretsync_core::sync::{self, TemplateSpec};

use super::check;
use crate::api::Metadata;
use crate::api::external_secret::{CreationPolicy, DeletionPolicy, MergePolicy, Target, Template};
use crate::api::names::LAST_APPLIED_ANNOTATION;
use crate::problems::Problems;

pub(super) fn check(target: &Target, problems: &mut Problems) {
    if let Some(name) = &target.name {
        check::dns_subdomain("spec.target.name", name, problems);
    }
    check_policies(target, problems);
    if let Some(template) = &target.template {
        check_template(template, problems);
    }
    for (path, asked) in [
        ("spec.target.manifest", target.manifest.is_some()),
        ("spec.target.keepPrevious", target.keep_previous.is_some()),
        ("spec.target.restart", target.restart.is_some()),
    ] {
        if asked {
            problems.unsupported(path);
        }
    }
}

/// Type, labels and annotations that no template makes. Without a template the target gets those of the ExternalSecret, as in External Secrets
/// Operator; kubectl's copy of the last manifest is left out, see [`LAST_APPLIED_ANNOTATION`].
pub(super) fn meta(target: &Target, metadata: &Metadata) -> TargetMeta {
    let mut meta = TargetMeta::default();
    meta.immutable = target.immutable;
    if let Some(template) = &target.template {
        meta.secret_type = template.secret_type.clone().filter(|text| !text.is_empty());
        meta.finalizers.clone_from(&template.metadata.finalizers);
    } else {
        meta.labels.clone_from(&metadata.labels);
        meta.annotations.clone_from(&metadata.annotations);
        meta.annotations.remove(LAST_APPLIED_ANNOTATION);
    }
    meta
}

pub(super) fn template(template: &Template) -> TemplateSpec {
    let mut spec = TemplateSpec::default();
    // A template that makes no data leaves the data as it is.
    spec.merge = template.merge_policy == MergePolicy::Merge || template.data.is_empty();
    spec.data.clone_from(&template.data);
    spec.labels.clone_from(&template.metadata.labels);
    spec.annotations.clone_from(&template.metadata.annotations);
    spec
}

pub(super) fn policies(target: &Target) -> (sync::CreationPolicy, sync::DeletionPolicy) {
    let creation = match target.creation_policy {
        CreationPolicy::CreateOrMerge => sync::CreationPolicy::CreateOrMerge,
        CreationPolicy::Merge => sync::CreationPolicy::Merge,
        CreationPolicy::None => sync::CreationPolicy::None,
        CreationPolicy::Orphan => sync::CreationPolicy::Orphan,
        CreationPolicy::Owner => sync::CreationPolicy::Owner,
    };
    let deletion = match target.deletion_policy {
        DeletionPolicy::Delete => sync::DeletionPolicy::Delete,
        DeletionPolicy::Merge => sync::DeletionPolicy::Merge,
        DeletionPolicy::Retain => sync::DeletionPolicy::Retain,
    };
    (creation, deletion)
}

fn check_policies(target: &Target, problems: &mut Problems) {
    match (target.deletion_policy, target.creation_policy) {
        (DeletionPolicy::Delete, CreationPolicy::Merge | CreationPolicy::None | CreationPolicy::CreateOrMerge) => problems.add(
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
        ),
        (DeletionPolicy::Merge, CreationPolicy::None) => {
            problems.add("deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with");
        }
        _ => {}
    }
}

/// Types that make the cluster hand out an identity are refused: a manifest of a namespace must not obtain more than its author may.
fn check_template(template: &Template, problems: &mut Problems) {
    if !template.template_from.is_empty() {
        problems.unsupported("spec.target.template.templateFrom");
    }
    match template.secret_type.as_deref() {
        Some(SERVICE_ACCOUNT_TOKEN) if template.metadata.annotations.contains_key(SERVICE_ACCOUNT_NAME) => problems
            .add(format_args!(
                "template.type=\"{SERVICE_ACCOUNT_TOKEN}\" with annotation \"{SERVICE_ACCOUNT_NAME}\" is not allowed"
            )),
        Some(text @ (SERVICE_ACCOUNT_TOKEN | BOOTSTRAP_TOKEN)) => {
            problems.add(format_args!("template.type=\"{text}\" is not allowed"));
        }
        _ => {}
    }
}

const BOOTSTRAP_TOKEN: &str = "bootstrap.kubernetes.io/token";
const SERVICE_ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
