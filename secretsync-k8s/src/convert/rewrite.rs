//! `dataFrom[].rewrite`.

use secretsync_core::sync;

use crate::api::external_secret::{ConflictPolicy, Merge, MergeStrategy, PriorityPolicy, Rewrite};
use crate::problems::Problems;

pub(super) fn check(path: &str, rewrites: &[Rewrite], problems: &mut Problems) {
    for (index, rewrite) in rewrites.iter().enumerate() {
        let Rewrite { merge, regexp, transform } = rewrite;
        if usize::from(merge.is_some()) + usize::from(regexp.is_some()) + usize::from(transform.is_some()) != 1 {
            problems.at(
                format_args!("{path}.rewrite[{index}]"),
                "must have exactly one member: `merge`, `regexp` or `transform`",
            );
        }
    }
}

/// The changes of an entry that has passed [`check`].
pub(super) fn rewrites(rewrites: &[Rewrite]) -> Vec<sync::Rewrite> {
    rewrites.iter().filter_map(rewrite).collect()
}

fn rewrite(rewrite: &Rewrite) -> Option<sync::Rewrite> {
    if let Some(rule) = &rewrite.merge {
        return Some(sync::Rewrite::Merge(merge(rule)));
    }
    if let Some(rule) = &rewrite.regexp {
        return Some(sync::Rewrite::Regexp { source: rule.source.clone(), target: rule.target.clone() });
    }
    let rule = rewrite.transform.as_ref()?;
    Some(sync::Rewrite::Transform { template: rule.template.clone() })
}

fn merge(rule: &Merge) -> sync::Merge {
    let result = match rule.strategy {
        MergeStrategy::Extract => sync::MergeResult::Members,
        MergeStrategy::Json => sync::MergeResult::Key(rule.into.clone()),
    };
    let conflicts = match rule.conflict_policy {
        ConflictPolicy::Error => sync::MergeConflict::Error,
        ConflictPolicy::Ignore => sync::MergeConflict::LaterWins,
    };
    sync::Merge::new()
        .with_result(result)
        .with_priority(rule.priority.clone(), rule.priority_policy == PriorityPolicy::IgnoreNotFound)
        .with_conflicts(conflicts)
}
