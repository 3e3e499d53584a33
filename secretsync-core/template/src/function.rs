//! The function table: an allow-list of pure functions with Go's parameter types.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Map, Value};

mod builtin;
mod compare;
#[cfg(feature = "crypto")]
mod crypto;
mod date;
mod dict;
mod digest;
mod encode;
mod json;
mod list;
mod logic;
mod number;
mod path;
mod pem;
mod random;
mod reflect;
mod regex;
mod semver;
mod string;
mod url;
mod yaml;

#[cfg(feature = "crypto")]
pub(crate) use crypto::CERTIFICATE_FIELDS;
pub(crate) use date::METHODS as TIME_METHODS;
pub(crate) use encode::{decode_64, encode_64};
pub(crate) use semver::METHODS as VERSION_METHODS;

/// A function as templates see it.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Type],
    /// Type of any further arguments.
    pub(crate) rest: Option<Type>,
    /// Whether the result changes from run to run.
    pub(crate) random: bool,
    pub(crate) mints: bool,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// `and`: the first false operand, or the last; later ones are not evaluated.
    And,
    Call(fn(Args<'_>, &mut Budget) -> Result<Value, Failure>),
    /// `or`: the first true operand, or the last; later ones are not evaluated.
    Or,
}

/// Parameter types; they decide what a constant becomes and which values are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Type {
    Any,
    /// `[]interface {}`, or nil
    #[cfg(feature = "crypto")]
    Anys,
    Bool,
    /// What `genCA` and its kin return.
    #[cfg(feature = "crypto")]
    Certificate,
    /// `uint32`; no value has this type, so only a literal fits.
    #[cfg(feature = "crypto")]
    Counter,
    /// `map[string]interface {}`, or nil
    Dict,
    /// `float64`
    Float,
    /// A text type of its own; no value has it, so only a literal fits.
    #[cfg(feature = "crypto")]
    HashAlgorithm,
    Int,
    /// `string`
    Text,
    Time,
    Version,
}

impl Function {
    pub(crate) const fn new(
        name: &'static str,
        parameters: &'static [Type],
        body: fn(Args<'_>, &mut Budget) -> Result<Value, Failure>,
    ) -> Self {
        Self { name, parameters, rest: None, random: false, mints: false, body: Body::Call(body) }
    }

    /// With any number of further arguments of one type.
    pub(crate) const fn and_more(mut self, rest: Type) -> Self {
        self.rest = Some(rest);
        self
    }

    /// Whose result changes from run to run.
    pub(crate) const fn random(mut self) -> Self {
        self.random = true;
        self
    }

    /// Whose result is new each time and comes from nothing: a password, a key.
    pub(crate) const fn minting(mut self) -> Self {
        self.mints = true;
        self.random()
    }

    pub(crate) const fn short_circuit(name: &'static str, body: Body) -> Self {
        Self { name, parameters: &[Type::Any], rest: Some(Type::Any), random: false, mints: false, body }
    }

    /// Type of argument `index`, if there may be so many.
    pub(crate) fn parameter(&self, index: usize) -> Option<Type> {
        self.parameters.get(index).copied().or(self.rest)
    }
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            #[cfg(feature = "crypto")]
            Self::Anys => "[]interface {}",
            #[cfg(feature = "crypto")]
            Self::Certificate => "sprig.certificate",
            #[cfg(feature = "crypto")]
            Self::Counter => "uint32",
            #[cfg(feature = "crypto")]
            Self::HashAlgorithm => "sprig.HashAlgorithm",
            Self::Bool => "bool",
            Self::Dict => "map[string]interface {}",
            Self::Float => "float64",
            Self::Int => "int",
            Self::Text => "string",
            Self::Time => "time.Time",
            Self::Version => "*semver.Version",
        }
    }

    pub(crate) fn takes_nil(self) -> bool {
        #[cfg(feature = "crypto")]
        if self == Self::Anys {
            return true;
        }
        matches!(self, Self::Any | Self::Dict)
    }

    /// Whether a value of the data, of a variable or of another function may be passed.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            #[cfg(feature = "crypto")]
            Self::Anys => match value {
                Value::List(list) => list.element() == crate::value::ElementType::Any,
                value => matches!(value, Value::Nil),
            },
            #[cfg(feature = "crypto")]
            Self::Certificate => value.type_name() == self.name(),
            #[cfg(feature = "crypto")]
            Self::Counter | Self::HashAlgorithm => false,
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Dict => matches!(value, Value::Map(_) | Value::Nil),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Text => matches!(value, Value::Bytes(_)),
            Self::Time | Self::Version => value.type_name() == self.name(),
        }
    }
}

/// The arguments of one call, counted and converted to the parameter types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a>(pub(crate) &'a [Value]);

impl<'a> Args<'a> {
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    pub(crate) fn value(self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    /// Arguments from `index` on.
    pub(crate) fn rest(self, index: usize) -> &'a [Value] {
        self.0.get(index..).unwrap_or_default()
    }

    /// A `string` parameter.
    pub(crate) fn text(self, index: usize) -> &'a [u8] {
        match self.value(index) {
            Value::Bytes(text) => text,
            _ => &[],
        }
    }

    /// An `int` parameter.
    pub(crate) fn int(self, index: usize) -> i64 {
        match self.value(index) {
            Value::Int(value) | Value::Int64(value) => *value,
            _ => 0,
        }
    }

    /// A `map[string]interface {}` parameter; nothing for nil.
    pub(crate) fn dict(self, index: usize) -> Option<&'a Map> {
        match self.value(index) {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// Finds a function by name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    TABLE.get(name).copied()
}

/// All names, for suggestions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

static TABLE: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| GROUPS.iter().copied().flatten().map(|function| (function.name, function)).collect());

/// Later groups replace functions of earlier ones.
static GROUPS: &[&[Function]] = &[
    builtin::FUNCTIONS,
    compare::FUNCTIONS,
    #[cfg(feature = "crypto")]
    crypto::CERTIFICATE,
    #[cfg(feature = "crypto")]
    crypto::CIPHER,
    #[cfg(feature = "crypto")]
    crypto::JWK,
    #[cfg(feature = "crypto")]
    crypto::KEY,
    #[cfg(feature = "crypto")]
    crypto::PASSWORD,
    #[cfg(feature = "crypto")]
    crypto::PKCS12,
    date::FUNCTIONS,
    dict::FUNCTIONS,
    digest::FUNCTIONS,
    encode::FUNCTIONS,
    json::FUNCTIONS,
    list::FUNCTIONS,
    logic::FUNCTIONS,
    number::FUNCTIONS,
    path::FUNCTIONS,
    pem::FUNCTIONS,
    random::FUNCTIONS,
    reflect::FUNCTIONS,
    regex::FUNCTIONS,
    semver::FUNCTIONS,
    string::CASE,
    string::FUNCTIONS,
    string::LIST,
    string::SHORTEN,
    url::FUNCTIONS,
    yaml::FUNCTIONS,
];
