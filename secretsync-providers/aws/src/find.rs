//! Finding objects by name, path and tags: AWS narrows the list as far as it can, and the exact rules are ours.

mod beginning;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};
use aws_sdk_ssm::types::ParameterStringFilter;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{Found, Query};
use secretsync_core::regex::GoRegex;

use self::beginning::beginning;
use crate::client::Call;
use crate::config::Service;
use crate::error::{Failure, Meaning};
use crate::provider::{Parameters, Secrets};

/// What is looked for, checked.
#[derive(Debug)]
pub(crate) struct Search {
    path: Option<String>,
    name: Option<GoRegex>,
    /// What every matching name begins with, as far as the expression tells.
    beginning: String,
    tags: BTreeMap<String, String>,
}

impl Search {
    /// Checks what is asked of a service.
    pub(crate) fn new(query: &Query, service: Service) -> Result<Self> {
        if query.name.is_none() && query.tags.is_empty() {
            // As External Secrets Operator has it.
            return Err(Error::new(ErrorKind::InvalidConfig, "find objects")
                .because("unexpected find operator: there is neither a name nor a tag to look for")
                .with_hint(Hint::new(
                    Code::ManifestInvalid,
                    "add `find.name` (`regexp: .*` is everything) or `find.tags`",
                )));
        }
        let path = query.path.clone().filter(|path| !path.is_empty());
        if service == Service::ParameterStore && path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(Error::new(ErrorKind::InvalidConfig, "find objects")
                .because("`find.path` is no hierarchy of Parameter Store: it does not begin with a slash")
                .with_hint(Hint::new(
                    Code::ManifestInvalid,
                    "write it as `/app`; parameters without a hierarchy are found by `find.name`",
                )));
        }
        let expression = query.name.as_deref();
        let name = expression.map(GoRegex::new).transpose().map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, "find objects")
                .because("could not compile `find.name.regexp`")
                .with_source(error)
                .with_hint(Hint::new(Code::ManifestInvalid, "correct the regular expression"))
        })?;
        Ok(Self { path, name, beginning: expression.map(beginning).unwrap_or_default(), tags: query.tags.clone() })
    }

    /// The path as Parameter Store knows hierarchies: without a slash at its end.
    fn hierarchy(&self) -> Option<&str> {
        let path = self.path.as_deref()?;
        Some(path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path))
    }

    /// Whether parameters have to be listed by path: AWS's public ones are in no other list. They have no tags that count.
    pub(crate) fn goes_by_path(&self) -> bool {
        self.name.is_some() && self.hierarchy().is_some_and(|path| path == "/aws" || path.starts_with("/aws/"))
    }

    fn matches_name(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|pattern| pattern.is_match(name.as_ref()))
    }

    /// The longest beginning that every match has.
    fn prefix(&self) -> &str {
        match self.path.as_deref() {
            Some(path) if !self.beginning.starts_with(path) => path,
            _ => &self.beginning,
        }
    }
}

/// The secrets that match, by name: all of name, path and tags. Secrets that wait for deletion are not listed.
pub(crate) async fn secrets(service: &Secrets, search: &Search) -> Result<Vec<Found>, Failure> {
    let filters = &filters(search);
    let matches = |entry: &SecretListEntry| {
        let name = entry.name.as_deref().unwrap_or_default();
        let has = |key: &str, value: &str| {
            entry.tags().iter().any(|tag| tag.key() == Some(key) && tag.value().unwrap_or_default() == value)
        };
        !name.is_empty()
            && search.matches_name(name)
            && search.path.as_deref().is_none_or(|path| name.starts_with(path))
            && search.tags.iter().all(|(key, value)| has(key, value))
    };
    let page = |next: Option<String>| async move {
        let asked = service.clients.send(&service.region, Call::ListSecrets, |client| {
            let call = client.list_secrets().max_results(SECRETS_IN_A_PAGE).set_next_token(next.clone());
            call.set_filters((!filters.is_empty()).then(|| filters.clone())).send()
        });
        let page = asked.await?;
        let entries = page.secret_list.ok_or(UNLISTED)?;
        let met = entries.len();
        let names = entries.into_iter().filter(matches).filter_map(|entry| entry.name).collect();
        Ok(Page { met, names, next: page.next_token })
    };
    read_to_the_end(page).await
}

/// The parameters that match, by name: path and name, or path and tags, as External Secrets Operator has it.
pub(crate) async fn parameters(service: &Parameters, search: &Search) -> Result<Vec<Found>, Failure> {
    if search.goes_by_path() {
        return by_path(service, search).await;
    }
    match described(service, search).await {
        // The list by path is another right, and the one that readers of External Secrets Operator have. It knows no tags.
        Err(failure) if failure.meaning() == Some(Meaning::Denied) && search.name.is_some() => by_path(service, search)
            .await
            .map_err(|second| if second.meaning() == Some(Meaning::Denied) { failure } else { second }),
        found => found,
    }
}

async fn described(service: &Parameters, search: &Search) -> Result<Vec<Found>, Failure> {
    let filters = &parameter_filters(search)?;
    let page = |next: Option<String>| async move {
        let asked = service.clients.send(&service.region, Call::DescribeParameters, |client| {
            let call = client.describe_parameters().max_results(PARAMETERS_IN_A_PAGE).set_next_token(next.clone());
            call.set_parameter_filters((!filters.is_empty()).then(|| filters.clone())).send()
        });
        let page = asked.await?;
        let names = page.parameters.ok_or(UNLISTED)?.into_iter().map(|entry| entry.name);
        Ok(Page::of(names, search, page.next_token))
    };
    read_to_the_end(page).await
}

async fn by_path(service: &Parameters, search: &Search) -> Result<Vec<Found>, Failure> {
    let path = search.hierarchy().unwrap_or("/");
    let page = |next: Option<String>| async move {
        let asked = service.clients.send(&service.region, Call::GetParametersByPath, |client| {
            // Without decryption: only the names count here.
            let call = client.get_parameters_by_path().path(path).recursive(true).with_decryption(false);
            call.set_next_token(next.clone()).send()
        });
        let page = asked.await?;
        let names = page.parameters.ok_or(UNLISTED)?.into_iter().map(|entry| entry.name);
        Ok(Page::of(names, search, page.next_token))
    };
    read_to_the_end(page).await
}

/// A part of a list.
struct Page {
    /// How many entries it had.
    met: usize,
    /// The names of those that match.
    names: Vec<String>,
    /// Where the next one begins.
    next: Option<String>,
}

impl Page {
    fn of(names: impl Iterator<Item = Option<String>>, search: &Search, next: Option<String>) -> Self {
        let names: Vec<_> = names.collect();
        let met = names.len();
        Self { met, names: names.into_iter().flatten().filter(|name| search.matches_name(name)).collect(), next }
    }
}

/// Reads a list page by page. One may be empty and still not be the last, but none is asked for twice: such a list has no end.
async fn read_to_the_end<F, P>(page: F) -> Result<Vec<Found>, Failure>
where
    F: Fn(Option<String>) -> P + Send,
    P: Future<Output = Result<Page, Failure>> + Send,
{
    let (mut met, mut names, mut next) = (0, Vec::new(), None);
    let mut asked = HashSet::new();
    loop {
        let page = page(next).await?;
        met += page.met;
        names.extend(page.names);
        next = page.next.filter(|token| !token.is_empty());
        let Some(token) = &next else { return Ok(found(names)) };
        if !asked.insert(token.clone()) {
            return Err(Failure::Malformed("its list goes round in a circle"));
        }
        if met > LIMIT {
            return Err(Failure::TooMany);
        }
    }
}

fn found(mut names: Vec<String>) -> Vec<Found> {
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| Found::new(ObjectRef::new(&name), name)).collect()
}

/// The error of a search: what may be wrong about it is not what may be wrong about a key.
pub(crate) fn failed(failure: Failure, place: impl Display) -> Error {
    let invalid = failure.meaning() == Some(Meaning::Invalid);
    let error = failure.into_error("find objects", place);
    if !invalid {
        return error;
    }
    error.with_hint(Hint::new(
        Code::ManifestInvalid,
        "check `find.path` and `find.tags`: AWS refuses one of them as it is written",
    ))
}

/// AWS looks at beginnings, and at keys and values of tags apart from each other, so this only makes the list shorter.
fn filters(search: &Search) -> Vec<Filter> {
    let mut filters = Vec::new();
    let mut add = |key, value: &str| {
        if filters.len() < MOST_FILTERS && filterable(value) {
            filters.push(Filter::builder().key(key).values(value).build());
        }
    };
    add(FilterNameStringType::Name, search.prefix());
    for (key, value) in &search.tags {
        add(FilterNameStringType::TagKey, key);
        add(FilterNameStringType::TagValue, value);
    }
    filters
}

fn parameter_filters(search: &Search) -> Result<Vec<ParameterStringFilter>, Failure> {
    let filter = |key: &str, option: &str, value: &str| {
        let filter = ParameterStringFilter::builder().key(key).option(option).values(value).build();
        filter.map_err(|_| Failure::Malformed("a filter has no key"))
    };
    let mut filters = Vec::new();
    if let Some(path) = search.hierarchy() {
        filters.push(filter("Path", "Recursive", path)?);
    } else if !search.beginning.is_empty() {
        filters.push(filter("Name", "BeginsWith", &search.beginning)?);
    }
    // With a name, tags are not looked at.
    if search.name.is_none() {
        for (key, value) in &search.tags {
            filters.push(filter(&format!("tag:{key}"), "Equals", value)?);
        }
    }
    Ok(filters)
}

/// Whether AWS takes a text as the value of a filter, and as what it says: `!` negates.
fn filterable(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b" :_@/+=.-".contains(&byte);
    !text.is_empty() && text.len() <= 512 && text.bytes().all(known)
}

/// An answer that only looks like one of AWS's, an empty one of a proxy for example: it must not pass for a list of nothing, for which targets may be deleted.
const UNLISTED: Failure = Failure::Malformed("it has no list");
const SECRETS_IN_A_PAGE: i32 = 100;
const PARAMETERS_IN_A_PAGE: i32 = 50;
/// AWS's bound.
const MOST_FILTERS: usize = 10;
/// How many names one query may meet; more is a mistake, and memory and time stay bounded.
const LIMIT: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_of_path_and_name_narrows_the_list() {
        let prefix = |path: &str, name: &str| {
            let mut query = Query::default();
            (query.path, query.name) = (Some(path.to_owned()), Some(name.to_owned()));
            Search::new(&query, Service::SecretsManager).unwrap().prefix().to_owned()
        };
        assert_eq!(prefix("app/", "^app/db"), "app/db");
        assert_eq!(prefix("app/db", "^app/"), "app/db");
        assert_eq!(prefix("app/", "db"), "app/");
    }

    #[test]
    fn a_hierarchy_has_no_slash_at_its_end() {
        for (path, hierarchy) in [("/app/", "/app"), ("/app", "/app"), ("/", "/")] {
            let mut query = Query::default();
            (query.path, query.name) = (Some(path.to_owned()), Some(".".to_owned()));
            let filters = parameter_filters(&Search::new(&query, Service::SecretsManager).unwrap()).unwrap();
            assert_eq!(filters[0].values(), [hierarchy]);
        }
    }

    #[test]
    fn what_aws_would_read_otherwise_is_no_filter() {
        let mut query = Query::default();
        query.path = Some("!app".to_owned());
        query.tags = (0..6).map(|index| (format!("k{index}"), "v".to_owned())).collect();
        let filters = filters(&Search::new(&query, Service::SecretsManager).unwrap());
        assert_eq!(filters.len(), MOST_FILTERS);
        assert!(filters.iter().all(|filter| filter.key() != Some(&FilterNameStringType::Name)));
    }
}
