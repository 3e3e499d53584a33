//! The checks of one document.

use jiff::Timestamp;

use super::SopsInspector;
use super::finding::{SopsCheck as Check, SopsFinding as Finding};
use super::leaves;
use super::rules::SopsRule;
use crate::document::{Document, Format};
use crate::error::{Error, quoted};

/// Everything that is wrong with a document, errors before warnings.
pub(super) fn findings(document: &Document<'_>, rule: Option<&SopsRule>, inspector: &SopsInspector) -> Vec<Finding> {
    let mut findings = Vec::new();
    let leaked = values(document, rule, &mut findings);
    mac(document, leaked, inspector, &mut findings);
    if let Some(rule) = rule {
        against_rule(document, rule, &mut findings);
    }
    let metadata = document.metadata();
    if metadata.is_ahead_of(Timestamp::now()) {
        findings
            .push(Finding::warning(Check::Future, "its `lastmodified` lies in the future: a clock is or was wrong"));
    }
    if metadata.groups.only_unsupported() {
        let what =
            "secretsync supports none of its keys: add an age, AWS KMS or Vault transit key with `sops updatekeys`";
        findings.push(Finding::warning(Check::UnsupportedKeys, what));
    }
    findings.sort_by_key(|finding| !finding.error);
    findings
}

/// Looks for plain values; tells whether there are some where the document's own rule has none.
fn values(document: &Document<'_>, rule: Option<&SopsRule>, findings: &mut Vec<Finding>) -> bool {
    // Of a binary document the one value is always encrypted, whatever rules say.
    let other = rule.map(SopsRule::selector).filter(|_| document.format() != Format::Binary);
    let plain = leaves::plain(document.items(), &document.metadata().selector, other);
    for path in &plain.leaked {
        let what = format!("the value at `{path}` is plain, although the document's rule encrypts it");
        findings.push(Finding::error(Check::LeakedValue, what));
    }
    for path in &plain.unruly {
        let what = format!("the value at `{path}` is plain, although the creation rule encrypts it");
        findings.push(Finding::error(Check::LeakedValue, what));
    }
    if let Some(first) = plain.allowed.first() {
        let what = match plain.allowed.len() {
            1 => format!(
                "the value at `{first}` is plain by the document's rule: its key and type can be changed unnoticed"
            ),
            many => format!(
                "{many} values, `{first}` first, are plain by the document's rule: their keys and types can be changed unnoticed"
            ),
        };
        findings.push(Finding::warning(Check::PlainValues, what));
    }
    !plain.leaked.is_empty()
}

fn mac(document: &Document<'_>, leaked: bool, inspector: &SopsInspector, findings: &mut Vec<Finding>) {
    if document.metadata().mac.is_empty() {
        findings.push(Finding::error(Check::Mac, Error::MacMissing.to_string()));
        return;
    }
    if leaked {
        // The first of them would be all that decrypting finds.
        return;
    }
    let Some(data_key) = inspector.data_key(document) else {
        let mut what = "no age key of the environment opens it, so its MAC was not verified".to_owned();
        for unusable in inspector.ring.unusable() {
            what = format!("{what}; {unusable}");
        }
        findings.push(Finding::warning(Check::MacUnchecked, what));
        return;
    };
    let outcome = data_key.and_then(|data_key| document.decrypt(&data_key).map(drop));
    match outcome {
        Ok(()) => {}
        Err(error @ (Error::Forged { .. } | Error::MacMismatch | Error::MacMissing)) => {
            findings.push(Finding::error(Check::Mac, error.to_string()));
        }
        Err(error) => findings.push(Finding::error(Check::Unreadable, error.to_string())),
    }
}

/// Compares who can read the document, and how it was encrypted, with its creation rule.
fn against_rule(document: &Document<'_>, rule: &SopsRule, findings: &mut Vec<Finding>) {
    // Without keys of its own a rule leaves them to whoever encrypts, on the command line or in the environment.
    if rule.groups().iter().any(|group| !group.is_empty()) {
        recipients(document, rule, findings);
    }
    if document.metadata().mac_only_encrypted != rule.mac_only_encrypted() {
        let what = "its `mac_only_encrypted` is not that of the creation rule: encrypt it anew to change that";
        findings.push(Finding::warning(Check::RuleDiffers, what));
    }
}

/// Compares the document's keys with those of its creation rule, group by group.
fn recipients(document: &Document<'_>, rule: &SopsRule, findings: &mut Vec<Finding>) {
    let metadata = document.metadata();
    let groups = metadata.groups.identities();
    let several = groups.len().max(rule.groups().len()) > 1;
    let nothing = Vec::new();
    for index in 0..groups.len().max(rule.groups().len()) {
        let place = if several { format!("key group {}: ", index + 1) } else { String::new() };
        let has = groups.get(index).unwrap_or(&nothing);
        let wanted = rule.groups().get(index).unwrap_or(&nothing);
        for (kind, name) in has.iter().filter(|key| !wanted.contains(key)) {
            let what = format!(
                "{place}{kind} `{}` can read it and is not in the creation rule: run `sops updatekeys`, then `sops rotate`",
                quoted(name)
            );
            findings.push(Finding::error(Check::StaleRecipient, what));
        }
        for (kind, name) in wanted.iter().filter(|key| !has.contains(key)) {
            let what =
                format!("{place}{kind} `{}` of the creation rule cannot read it: run `sops updatekeys`", quoted(name));
            findings.push(Finding::error(Check::MissingRecipient, what));
        }
    }
    // No threshold means all groups, for the writer of a document.
    if several && metadata.groups.needed() != rule.needed() {
        findings.push(Finding::error(Check::RuleDiffers, "its `shamir_threshold` is not that of the creation rule"));
    }
}
