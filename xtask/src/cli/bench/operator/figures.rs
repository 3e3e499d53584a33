//! From the requests of an operator to figures. Pure.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;

use crate::rig::cluster::ApiRequest;

/// What an operator asked of the API server about the objects of one namespace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) reads: usize,
    pub(super) secrets: usize,
    pub(super) statuses: usize,
    pub(super) others: usize,
    pub(super) first_secret: Option<Timestamp>,
    pub(super) last_secret: Option<Timestamp>,
    pub(super) last_status: Option<Timestamp>,
}

impl Calls {
    pub(super) fn of(requests: &[ApiRequest], namespace: &str) -> Self {
        let mut calls = Self::default();
        for request in requests.iter().filter(|request| request.namespace == namespace) {
            match (request.verb.as_str(), request.resource.as_str()) {
                ("get", _) => calls.reads += 1,
                ("create" | "patch", "secrets") => {
                    calls.secrets += 1;
                    calls.first_secret = Some(calls.first_secret.map_or(request.at, |first| first.min(request.at)));
                    calls.last_secret = calls.last_secret.max(Some(request.at));
                }
                ("patch", "externalsecrets/status") => {
                    calls.statuses += 1;
                    calls.last_status = calls.last_status.max(Some(request.at));
                }
                ("create" | "patch" | "update" | "delete", _) => calls.others += 1,
                _ => {}
            }
        }
        calls
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, secrets, statuses, others, .. } = self;
        write!(
            f,
            "API-server calls: {reads} reads, {secrets} of Secrets, {statuses} of statuses, {others} other writes"
        )
    }
}

/// How long objects waited, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) p99: f64,
    pub(super) longest: f64,
    pub(super) lost: usize,
}

impl Spread {
    /// From when each object was asked for until its Secret was there.
    pub(super) fn of(requests: &[ApiRequest], made: &[(String, Timestamp)]) -> Self {
        let mut written: HashMap<&str, Timestamp> = HashMap::new();
        for request in requests.iter().filter(|request| request.resource == "secrets" && request.verb != "get") {
            written.entry(&request.name).or_insert(request.at);
        }
        let mut waits: Vec<f64> = Vec::new();
        for (name, at) in made {
            waits.extend(written.get(name.as_str()).map(|written| written.duration_since(*at).as_secs_f64()));
        }
        waits.sort_by(f64::total_cmp);
        let at =
            |part: usize| waits.get((waits.len() * part).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN);
        Self { median: at(50), p99: at(99), longest: at(100), lost: made.len() - waits.len() }
    }
}

pub(super) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
