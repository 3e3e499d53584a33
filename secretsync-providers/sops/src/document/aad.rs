//! Where a value stands: its additional authenticated data, and its path in messages.

use std::fmt::Write as _;

use crate::error::quoted;

/// The way from the top of the document to the value at hand.
///
/// The authenticated form joins the keys with colons, ends with one, and knows nothing of list indices (section 3 of the format). So a value
/// moved to another key fails, while two swapped elements of one list are left to the MAC.
#[derive(Default)]
pub(crate) struct Place<'t> {
    aad: String,
    steps: Vec<Step<'t>>,
}

enum Step<'t> {
    Index(usize),
    Key(&'t str),
}

impl<'t> Place<'t> {
    /// Goes down to a key.
    pub(crate) fn enter_key(&mut self, key: &'t str) {
        self.aad.push_str(key);
        self.aad.push(':');
        self.steps.push(Step::Key(key));
    }

    /// Goes down to an element of a list.
    pub(crate) fn enter_index(&mut self, index: usize) {
        self.steps.push(Step::Index(index));
    }

    /// Goes back up one step.
    pub(crate) fn leave(&mut self) {
        if let Some(Step::Key(key)) = self.steps.pop() {
            self.aad.truncate(self.aad.len() - key.len() - 1);
        }
    }

    /// Whether these keys, one in the other, lead here.
    pub(crate) fn is<const N: usize>(&self, keys: [&str; N]) -> bool {
        self.steps.len() == N
            && self.steps.iter().zip(keys).all(|(step, key)| matches!(step, Step::Key(name) if *name == key))
    }

    /// The path of a key below here, for a message.
    pub(crate) fn path_to(&self, key: &str) -> String {
        if self.steps.is_empty() { quoted(key) } else { format!("{self}.{}", quoted(key)) }
    }

    /// What the value's tag authenticates beside the value.
    pub(crate) fn aad(&self) -> &[u8] {
        if self.aad.is_empty() { b":" } else { self.aad.as_bytes() }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Index(index) => write!(path, "[{index}]")?,
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => write!(path, ".{key}")?,
            }
        }
        f.write_str(&quoted(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_add_nothing_to_the_authenticated_data_but_show_in_the_path() {
        let mut place = Place::default();
        assert_eq!(place.aad(), b":");
        place.enter_key("hosts");
        place.enter_index(2);
        place.enter_key("a:b");
        assert_eq!(place.aad(), b"hosts:a:b:");
        assert_eq!(place.to_string(), "hosts[2].a:b");
        assert!(!place.is(["hosts", "a:b"]), "a list is another place");
        place.leave();
        place.leave();
        assert_eq!(place.aad(), b"hosts:");
    }
}
