//! `.secretsync`: which keys of which target were written for which owner. Names only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TargetRef;
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretKey;
use crate::store::share::{Share, Shares};

/// Its name. A namespace cannot be called that.
pub(super) const RECORD: &str = ".secretsync";

const HEADER: &str = "# Which keys secretsync wrote below this folder, and for which ExternalSecret. Names only, no values.\n\
                      # Keep this file: without it, files of keys that are gone from their source stay where they are.\n";

/// The content of the file: one line for each target and owner, of which the last one counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    targets: BTreeMap<TargetRef, Shares>,
    /// Targets that a run began to create and did not finish, with their owners.
    unfinished: BTreeSet<(TargetRef, String)>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    target: String,
    owner: String,
    #[serde(default, skip_serializing_if = "is_false")]
    owns: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    unfinished: bool,
    keys: BTreeSet<String>,
}

impl Record {
    /// Reads the file's text. A line without its end is what a killed run left of one: it counts only if it is whole.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut record = Self::default();
        let mut rest = bytes;
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let (line, ended) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&rest[..end], true),
                None => (rest, false),
            };
            rest = &rest[line.len() + usize::from(ended)..];
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match read(line) {
                Some((target, owner, share, unfinished)) => record.put(&target, &owner, share, unfinished),
                None if ended => return Err(unreadable(path, number)),
                None => {}
            }
        }
        Ok(record)
    }

    /// The whole file, one line for each target and owner.
    pub(super) fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (target, shares) in &self.targets {
            for (owner, share) in shares.iter() {
                text.push_str(&write(target, owner, share, self.is_unfinished(target, owner)));
            }
        }
        text
    }

    /// The line of one target and owner, to be added to the file.
    pub(super) fn line(&self, target: &TargetRef, owner: &str) -> String {
        let share = self.targets.get(target).and_then(|shares| shares.iter().find(|(name, _)| *name == owner));
        share.map(|(_, share)| write(target, owner, share, self.is_unfinished(target, owner))).unwrap_or_default()
    }

    /// Who wrote what at a target.
    pub(super) fn shares(&self, target: &TargetRef) -> Shares {
        self.targets.get(target).cloned().unwrap_or_default()
    }

    /// Whether a run began to create a target for this owner and was stopped.
    pub(super) fn is_unfinished(&self, target: &TargetRef, owner: &str) -> bool {
        !self.unfinished.is_empty() && self.unfinished.contains(&(target.clone(), owner.to_owned()))
    }

    /// Replaces what is known about one target and owner.
    pub(super) fn put(&mut self, target: &TargetRef, owner: &str, share: Share, unfinished: bool) {
        self.targets.entry(target.clone()).or_default().insert(owner.to_owned(), share);
        let entry = (target.clone(), owner.to_owned());
        if unfinished {
            self.unfinished.insert(entry);
        } else {
            self.unfinished.remove(&entry);
        }
    }

    /// Takes keys of a target from all other owners, and returns those that lost some.
    pub(super) fn take_over(
        &mut self,
        target: &TargetRef,
        owner: &crate::store::OwnerId,
        keys: &BTreeSet<SecretKey>,
    ) -> Vec<String> {
        self.targets.get_mut(target).map(|shares| shares.take_over(owner, keys)).unwrap_or_default()
    }

    /// Forgets one target and owner.
    pub(super) fn forget(&mut self, target: &TargetRef, owner: &str) {
        self.unfinished.remove(&(target.clone(), owner.to_owned()));
        if let Some(shares) = self.targets.get_mut(target) {
            shares.remove(owner);
            if shares.is_empty() {
                self.targets.remove(target);
            }
        }
    }
}

fn read(line: &[u8]) -> Option<(TargetRef, String, Share, bool)> {
    let Line { target, owner, owns, unfinished, keys } = serde_json::from_slice(line).ok()?;
    let (namespace, name) = target.split_once('/')?;
    let target = TargetRef::new(namespace, name);
    super::folders_of(&target).ok()?;
    // It ends up in messages on terminals.
    if owner.chars().any(char::is_control) {
        return None;
    }
    let keys = keys.into_iter().map(SecretKey::new).collect::<Result<_, _>>().ok()?;
    Some((target, owner, Share { owns, keys }, unfinished))
}

fn write(target: &TargetRef, owner: &str, share: &Share, unfinished: bool) -> String {
    let keys = share.keys.iter().map(|key| key.as_str().to_owned()).collect();
    let line = Line { target: target.to_string(), owner: owner.to_owned(), owns: share.owns, unfinished, keys };
    let mut text = serde_json::to_string(&line).expect("texts and truth values are always JSON");
    text.push('\n');
    text
}

fn unreadable(path: &Path, line: usize) -> Error {
    Error::new(ErrorKind::InvalidData, "read")
        .on(format!("`{}`", path.join(RECORD).display()))
        .because(format!("line {line} is not what secretsync writes there"))
        .with_hint(Hint::new(
            Code::TargetUnwritable,
            "put the file back as it was, or remove it: then files of keys that are gone from their source must be removed by hand",
        ))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(owns: bool, keys: &[&str]) -> Share {
        Share { owns, keys: keys.iter().map(|key| SecretKey::new(*key).unwrap()).collect() }
    }

    fn parse(text: &str) -> Result<Record> {
        Record::parse(Path::new("out"), text.as_bytes())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut record = Record::default();
        record.put(&TargetRef::new("shop", "db"), "shop/a", share(true, &["user", "tls.crt"]), false);
        record.put(&TargetRef::new("shop", "db"), "shop/b", share(false, &[]), true);
        let text = record.text();
        assert_eq!(parse(&text).unwrap(), record);
        assert!(
            text.ends_with("{\"target\":\"shop/db\",\"owner\":\"shop/b\",\"unfinished\":true,\"keys\":[]}\n"),
            "{text}"
        );
    }

    #[test]
    fn the_last_line_counts_and_a_line_that_was_cut_off_does_not() {
        let (old, new) = (
            "{\"target\":\"a/b\",\"owner\":\"a/b\",\"keys\":[\"x\"]}\n",
            "{\"target\":\"a/b\",\"owner\":\"a/b\",\"keys\":[\"y\"]}",
        );
        for (text, key) in [
            (format!("{old}{new}\n"), "y"),
            (format!("{old}{new}"), "y"),
            (format!("{old}{}", &new[..new.len() - 1]), "x"),
            (format!("{old}{{"), "x"),
        ] {
            let shares = parse(&text).unwrap().shares(&TargetRef::new("a", "b"));
            assert_eq!(shares.iter().next().unwrap().1, &share(false, &[key]), "{text}");
        }
    }

    #[test]
    fn a_record_that_could_reach_out_of_its_folder_is_refused() {
        for line in [
            "garbage",
            r#"{"target":"a/b","owner":"a/b","keys":["../../x"]}"#,
            r#"{"target":"../b","owner":"a/b","keys":["x"]}"#,
            r#"{"target":"a/b/c","owner":"a/b","keys":["x"]}"#,
            r#"{"target":"a/..","owner":"a/b","keys":["x"]}"#,
            r#"{"target":"a/b","owner":"a/\u001b[31m","keys":["x"]}"#,
            r#"{"target":"a/b","owner":"a/b","keys":["x"],"digest":"y"}"#,
        ] {
            let error = parse(&format!("# head\n{line}\n")).unwrap_err();
            assert_eq!(
                error.to_string(),
                "failed to read `out/.secretsync`: line 2 is not what secretsync writes there",
                "{line}"
            );
        }
    }
}
