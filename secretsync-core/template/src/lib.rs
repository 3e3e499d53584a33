#![doc = include_str!("../README.md")]

use std::fmt;
use std::sync::Arc;

mod budget;
mod cache;
mod error;
mod execute;
pub mod float;
mod function;
#[cfg(feature = "crypto")]
mod key;
mod lex;
mod literal;
mod parse;
mod pem;
mod print;
mod regex;
mod rune;
mod time;
mod tree;
mod value;
mod version;
pub mod yaml;

pub use self::regex::{GoRegex, RegexError};
pub use budget::Limits;
pub use cache::TemplateCache;
pub use error::{Error, ErrorClass};
pub use value::{Buffer, Bytes, ElementType, List, Map, Object, Value};

/// Names of all functions that templates can call, in no order.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    function::names()
}

/// A parsed template: cheap to clone, shared between threads. `Debug` shows its name only.
#[derive(Clone)]
pub struct Template(Arc<Parsed>);

struct Parsed {
    name: String,
    text: String,
    tree: tree::Tree,
    limits: Limits,
    missing_key: MissingKey,
}

/// How a template is read and rendered.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Options {
    /// What encloses an action.
    pub delimiters: Delimiters,
    /// How much the template may use.
    pub limits: Limits,
    /// What a field that the data does not have means.
    pub missing_key: MissingKey,
}

impl Options {
    /// Default delimiters and limits; a missing key is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the delimiters.
    #[must_use]
    pub fn with_delimiters(mut self, delimiters: Delimiters) -> Self {
        self.delimiters = delimiters;
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the meaning of a missing key.
    #[must_use]
    pub fn with_missing_key(mut self, missing_key: MissingKey) -> Self {
        self.missing_key = missing_key;
        self
    }
}

/// What encloses an action.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Delimiters {
    left: String,
    right: String,
}

impl Delimiters {
    /// An empty text stands for the default, as in Go.
    pub fn new(left: impl Into<String>, right: impl Into<String>) -> Self {
        let or_default = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        Self { left: or_default(left.into(), "{{"), right: or_default(right.into(), "}}") }
    }
}

/// `{{` and `}}`.
impl Default for Delimiters {
    fn default() -> Self {
        Self::new("", "")
    }
}

/// What a field means that the data does not have.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum MissingKey {
    /// It is nil, printed as `<no value>`: Go's `missingkey=default`.
    Default,
    /// Rendering fails with [`ErrorClass::MissingKey`]: Go's `missingkey=error`.
    #[default]
    Error,
}

impl Template {
    /// Parses a template with the default [`Options`]. `name` is the name of its root definition and shows in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        Self::parse_with(name, text, &Options::default())
    }

    /// Parses a template. Errors are of class [`Parse`](ErrorClass::Parse), [`Function`](ErrorClass::Function) or
    /// [`Limit`](ErrorClass::Limit).
    pub fn parse_with(name: &str, text: &str, options: &Options) -> Result<Self, Error> {
        let Options { delimiters, limits, missing_key } = options;
        let tree = parse::parse(name, text, (&delimiters.left, &delimiters.right), limits)?;
        Ok(Self(Arc::new(Parsed {
            name: name.to_owned(),
            text: text.to_owned(),
            tree,
            limits: *limits,
            missing_key: *missing_key,
        })))
    }

    /// Renders with `data` as dot and `$`, usually a [`Value::string_map`]. The work is bounded by the [`Limits`] and never blocks on
    /// anything but the processor; buffers that held values are wiped, the result is the caller's to wipe.
    pub fn render(&self, data: &Value) -> Result<Vec<u8>, Error> {
        let Parsed { name, text, tree, limits, missing_key } = &*self.0;
        execute::execute(execute::Source { name, text, tree, limits: *limits, missing_key: *missing_key }, data)
    }

    /// Name of the root definition.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether the text calls, anywhere, a function whose result changes from run to run (`now`, `randAlphaNum`, `genCA`, …): such a
    /// template should be rendered only when its data changed.
    pub fn is_random(&self) -> bool {
        self.0.tree.random
    }

    /// Whether it makes something from nothing: a password, a key, a certificate (`randAlphaNum`, `uuidv4`, `genPrivateKey`, `genCA`…). What only varies
    /// with salt or the clock (`bcrypt`, `encryptAES`, `now`, `date`…) is made of the data each time, and does not count.
    pub fn mints(&self) -> bool {
        self.0.tree.mints
    }

    /// Whether it reads its data anywhere: what does not, renders alike whatever they are, but for what it [mints](Self::mints).
    pub fn reads_data(&self) -> bool {
        self.0.tree.reads
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("name", &self.0.name).finish_non_exhaustive()
    }
}
