//! A file of manifests: Secrets of ours behind documents of others.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

use super::secret::{MANAGED, MARK, Mark, SecretDocument};
use crate::store::TargetRef;
use crate::yaml::{Limits, parse_documents};

/// The documents of a file.
#[derive(Default)]
pub(super) struct Manifests {
    /// Documents that are not ours, byte for byte and in their order, with their separators.
    foreign: Vec<Zeroizing<String>>,
    /// Secrets among them, with the lines they begin on.
    foreign_secrets: BTreeMap<TargetRef, usize>,
    ours: BTreeMap<TargetRef, Entry>,
}

struct Entry {
    document: SecretDocument,
    /// Its text as it was read, which stays as long as nothing changes it.
    text: Zeroizing<String>,
    intact: bool,
}

/// Why a file cannot be understood: the number of the line, and what is wrong with it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Damage(pub(super) usize, pub(super) String);

impl Manifests {
    pub(super) fn parse(text: &str) -> Result<Self, Damage> {
        let mut manifests = Self::default();
        let mut line = 1;
        for part in split(text) {
            manifests.add(part, line)?;
            line += part.matches('\n').count();
        }
        Ok(manifests)
    }

    /// The whole file. Documents that nobody changed are as they were read.
    pub(super) fn text(&self) -> Zeroizing<String> {
        let parts: Vec<_> = self.foreign.iter().chain(self.ours.values().map(|entry| &entry.text)).collect();
        let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len() + 5).sum()));
        for part in parts {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            if !text.is_empty() && !part.starts_with("---") {
                text.push_str("---\n");
            }
            text.push_str(part);
        }
        text
    }

    pub(super) fn get(&self, target: &TargetRef) -> Option<&SecretDocument> {
        self.ours.get(target).map(|entry| &entry.document)
    }

    /// Whether a document's text is as we would write it.
    pub(super) fn is_intact(&self, target: &TargetRef) -> bool {
        self.ours.get(target).is_some_and(|entry| entry.intact)
    }

    /// The line on which a Secret begins that we did not write.
    pub(super) fn foreign_line_of(&self, target: &TargetRef) -> Option<usize> {
        self.foreign_secrets.get(target).copied()
    }

    pub(super) fn put(&mut self, document: SecretDocument) {
        let unchanged = self.ours.get(&document.target).is_some_and(|entry| entry.intact && entry.document == document);
        if !unchanged {
            let text = document.text(true);
            self.ours.insert(document.target.clone(), Entry { document, text, intact: true });
        }
    }

    pub(super) fn remove(&mut self, target: &TargetRef) {
        self.ours.remove(target);
    }

    fn add(&mut self, part: &str, line: usize) -> Result<(), Damage> {
        let documents = parse_documents(part.as_bytes(), &Limits::default())
            .map_err(|error| Damage(line + error.position().line - 1, error.kind().to_string()))?;
        let mut values: Vec<_> =
            documents.iter().map(|document| (line + document.line() - 1, document.to_json())).collect();
        let managed = values.iter().any(|(_, value)| secret_of(value).is_some() && is_managed(value));
        if !managed {
            for (line, value) in &values {
                self.foreign_secrets.extend(secret_of(value).map(|target| (target, *line)));
            }
            self.foreign.push(Zeroizing::new(part.to_owned()));
            return Ok(());
        }
        let (Some((line, value)), true) = (values.pop(), values.is_empty()) else {
            return Err(Damage(line, "two documents without `---` between them begin there".to_owned()));
        };
        let target = secret_of(&value).unwrap_or_else(|| TargetRef::new("", ""));
        if self.ours.contains_key(&target) {
            return Err(Damage(line, format!("a second Secret `{target}` begins there")));
        }
        let comments = part.lines().filter(|line| line.starts_with(MARK));
        let marks = comments.map(Mark::parse).collect::<Option<Vec<_>>>();
        let marks = marks
            .ok_or_else(|| Damage(line, "a comment of secretsync above it is not as it was written".to_owned()))?;
        let document = SecretDocument::from_value(target.clone(), value, marks);
        let intact = document.text(true).as_str() == part;
        self.ours.insert(target, Entry { document, text: Zeroizing::new(part.to_owned()), intact });
        Ok(())
    }
}

/// Cuts a text before each line that begins with `---`. Nothing else in YAML can look like that at the start of a line.
fn split(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let separator =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if separator && at > 0 {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).filter(|part| !part.is_empty()).collect()
}

fn secret_of(value: &Value) -> Option<TargetRef> {
    let is_secret = value["apiVersion"] == "v1" && value["kind"] == "Secret";
    let metadata = &value["metadata"];
    is_secret.then(|| {
        TargetRef::new(
            metadata["namespace"].as_str().unwrap_or_default(),
            metadata["name"].as_str().unwrap_or_default(),
        )
    })
}

fn is_managed(value: &Value) -> bool {
    value["metadata"]["labels"][MANAGED] == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_back_as_it_was() {
        for text in [
            "",
            "# only a note\n",
            "a: 1\n--- # two\nb: |\n  ---\n  x\n---\n...\n",
            "---\nkind: Secret\napiVersion: v1\nmetadata: {name: a}\n",
            "---\n# mine\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b, labels: {reconcile.external-secrets.io/managed: \"true\"}}\n",
        ] {
            assert_eq!(Manifests::parse(text).unwrap().text().as_str(), text);
        }
    }

    #[test]
    fn damage_is_shown_with_its_line_in_the_file() {
        let ours = "metadata: {name: a, namespace: b, labels: {reconcile.external-secrets.io/managed: \"true\"}}\napiVersion: v1\nkind: Secret\n";
        for (text, line) in [
            ("a: 1\n---\nb: 1\nb: 2\n".to_owned(), 4),
            ("a: 1\n---\nb: [\n".to_owned(), 3),
            (format!("x: 1\n---\n{ours}---\n{ours}"), 7),
            (format!("---\n# secretsync {{}}\n{ours}"), 3),
            (format!("---\n{ours}...\n---\n{ours}...\na: 1\n"), 6),
        ] {
            assert_eq!(Manifests::parse(&text).err().map(|damage| damage.0), Some(line), "{text}");
        }
    }
}
