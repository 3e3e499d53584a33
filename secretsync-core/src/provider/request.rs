//! What a provider sends, told in advance: how many requests, and what they cost.

use super::Query;
use crate::object::ObjectRef;

/// What a provider is asked for, as [`requests`](super::Provider::requests) takes it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// One [`fetch`](super::Provider::fetch) of these objects.
    Fetch(&'a [ObjectRef]),
    /// One [`find`](super::Provider::find).
    Find(&'a Query),
}

/// One request to the other side.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// What the other side calls it: `GetSecretValue`. `read` or `find` where it has no names.
    pub kind: &'static str,
    /// What it costs, where somebody sends a bill.
    pub cost: Option<Cost>,
}

/// What a request costs, in billionths of a US dollar: from and to, where a list leaves the answer to circumstances that manifests do not tell.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// At least.
    pub least: u32,
    /// At most.
    pub most: u32,
    /// Where the price stands.
    pub list: &'static PriceList,
}

/// A list of prices.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PriceList {
    /// Whose prices, of what, and where they hold.
    pub name: &'static str,
    /// When they were looked up, `2026-11`.
    pub date: &'static str,
    /// The prices, in words.
    pub terms: &'static str,
}

impl Asked<'_> {
    /// A request for each object, and one for a search: what a provider sends that knows no better.
    pub fn one_by_one(&self) -> Vec<Request> {
        match self {
            Self::Fetch(objects) => vec![Request::new("read"); objects.len()],
            Self::Find(_) => vec![Request::new("find")],
        }
    }
}

impl Request {
    /// A request that nobody bills.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, cost: None }
    }

    /// Says what it costs.
    #[must_use]
    pub fn costing(mut self, cost: Cost) -> Self {
        self.cost = Some(cost);
        self
    }
}

impl Cost {
    /// So many billionths of a US dollar, from and to.
    pub fn new(least: u32, most: u32, list: &'static PriceList) -> Self {
        Self { least, most, list }
    }
}

impl PriceList {
    /// A list by its name, its date and its prices in words.
    pub const fn new(name: &'static str, date: &'static str, terms: &'static str) -> Self {
        Self { name, date, terms }
    }
}
