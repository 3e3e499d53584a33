//! `target`: the Secret and the policies.

use secretsync_core::error::Code;
use secretsync_core::store::TargetMeta;
use secretsync_core::sync;

use super::{check, template};
use crate::api::Metadata;
use crate::api::external_secret::{CreationPolicy, DeletionPolicy, Target};
use crate::api::names::LAST_APPLIED_ANNOTATION;
use crate::problems::Problems;

pub(super) fn check(target: &Target, problems: &mut Problems) {
    if let Some(name) = &target.name {
        check::dns_subdomain("spec.target.name", name, problems);
    }
    check_policies(target, problems);
    if let Some(template) = &target.template {
        template::check(template, problems);
    }
    if target.manifest.is_some() {
        problems.unsupported_as(Code::GenericTarget, "spec.target.manifest");
    }
    for (path, asked) in [
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
