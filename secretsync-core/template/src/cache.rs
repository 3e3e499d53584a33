//! Parsed templates, kept by their text.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, Options, Template};

/// Parses each template once: give the same text again and the parsed template comes back.
///
/// A value of its owner, not a global; shared between threads by reference. It holds at most so many templates and bytes of text; those
/// that were not asked for the longest go first. Texts that do not parse are not kept.
///
/// ```
/// use secretsync_template::{Options, TemplateCache, Value};
///
/// let cache = TemplateCache::new(100, 1 << 20);
/// for user in ["ada", "bob"] {
///     let template = cache.parse("greeting", "Hello {{ .user }}", &Options::default())?;
///     let data = Value::string_map([("user".to_owned(), user.into())]);
///     assert_eq!(template.render(&data)?, format!("Hello {user}").as_bytes());
/// }
/// assert_eq!(cache.len(), 1);
/// # Ok::<(), secretsync_template::Error>(())
/// ```
pub struct TemplateCache {
    most_templates: usize,
    most_bytes: usize,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By hash of name, text and options.
    entries: HashMap<u64, Entry>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

struct Entry {
    template: Template,
    options: Options,
    used: u64,
}

impl TemplateCache {
    /// An empty cache for at most `most_templates` templates with at most `most_bytes` bytes of text together. Memory for the parsed form
    /// comes on top, some 10 times the text.
    pub fn new(most_templates: usize, most_bytes: usize) -> Self {
        Self { most_templates, most_bytes, hasher: RandomState::new(), kept: Mutex::default() }
    }

    /// As [`Template::parse_with`], which runs if there is no template of this name, text and options yet.
    pub fn parse(&self, name: &str, text: &str, options: &Options) -> Result<Template, Error> {
        let hash = self.hasher.hash_one((name, text, options));
        if let Some(template) = self.lock().find(hash, name, text, options) {
            return Ok(template);
        }
        let template = Template::parse_with(name, text, options)?;
        if text.len() <= self.most_bytes && self.most_templates > 0 {
            self.lock().keep(hash, template.clone(), options.clone(), (self.most_templates, self.most_bytes));
        }
        Ok(template)
    }

    /// Number of templates that are kept.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TemplateCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Kept {
    fn find(&mut self, hash: u64, name: &str, text: &str, options: &Options) -> Option<Template> {
        self.clock += 1;
        let entry = self.entries.get_mut(&hash)?;
        let same = entry.template.name() == name && entry.template.text() == text && entry.options == *options;
        if !same {
            return None;
        }
        entry.used = self.clock;
        Some(entry.template.clone())
    }

    fn keep(&mut self, hash: u64, template: Template, options: Options, (most_templates, most_bytes): (usize, usize)) {
        self.remove(hash);
        while self.entries.len() >= most_templates || self.bytes + template.text().len() > most_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(hash, _)| *hash);
            let Some(oldest) = oldest else { return };
            self.remove(oldest);
        }
        self.bytes += template.text().len();
        self.entries.insert(hash, Entry { template, options, used: self.clock });
    }

    fn remove(&mut self, hash: u64) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.bytes -= entry.template.text().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Value};

    fn kept(cache: &TemplateCache, text: &str) -> bool {
        let options = Options::default();
        let hash = cache.hasher.hash_one(("key", text, &options));
        cache.lock().entries.contains_key(&hash)
    }

    fn parse(cache: &TemplateCache, text: &str) -> Template {
        cache.parse("key", text, &Options::default()).unwrap()
    }

    #[test]
    fn the_template_that_was_not_asked_for_the_longest_goes_first() {
        let cache = TemplateCache::new(2, 1000);
        parse(&cache, "a");
        parse(&cache, "b");
        parse(&cache, "a");
        parse(&cache, "c");
        assert_eq!(["a", "b", "c"].map(|text| kept(&cache, text)), [true, false, true]);
    }

    #[test]
    fn the_bytes_of_all_texts_are_bounded() {
        let cache = TemplateCache::new(100, 10);
        for text in ["aaaa", "bbbb", "cccc"] {
            parse(&cache, text);
        }
        assert_eq!(["aaaa", "bbbb", "cccc"].map(|text| kept(&cache, text)), [false, true, true]);
        parse(&cache, "longer than everything");
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.lock().bytes, 8);
    }

    #[test]
    fn other_options_and_names_make_another_template() {
        let cache = TemplateCache::new(10, 1000);
        let data = Value::string_map([]);
        assert_eq!(parse(&cache, "{{repeat 9 `x`}}").render(&data).unwrap(), b"xxxxxxxxx");
        let limits = Limits { output_bytes: 1, ..Limits::default() };
        let limited = cache.parse("key", "{{repeat 9 `x`}}", &Options::new().with_limits(limits)).unwrap();
        assert!(limited.render(&data).is_err());
        assert_eq!(cache.parse("other", "{{repeat 9 `x`}}", &Options::default()).unwrap().name(), "other");
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn a_text_that_does_not_parse_is_not_kept() {
        let cache = TemplateCache::new(10, 1000);
        assert!(cache.parse("key", "{{", &Options::default()).is_err());
        assert!(cache.is_empty());
    }
}
