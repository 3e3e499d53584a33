//! Which documents a query finds.

use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{Found, Query};
use secretsync_core::regex::GoRegex;

use crate::address;
use crate::error::Error;

/// The documents among `names` that match: the regular expression is searched for anywhere in the name.
pub(crate) fn matching(names: Vec<String>, query: &Query) -> Result<Vec<Found>, Error> {
    if !query.tags.is_empty() {
        return Err(Error::unsupported("documents have no tags", "find them by `name` or `path`"));
    }
    let folder =
        query.path.as_deref().filter(|path| !path.trim_matches('/').is_empty()).map(address::name).transpose()?;
    let pattern = query.name.as_deref().unwrap_or_default();
    let pattern = GoRegex::new(pattern).map_err(|_| Error::Query {
        what: "the regular expression cannot be used".to_owned(),
        advice: "correct `find.name.regexp`",
    })?;
    let inside = |name: &str| {
        folder.as_deref().is_none_or(|folder| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    };
    Ok(names
        .into_iter()
        .filter(|name| inside(name) && pattern.is_match(name))
        .map(|name| Found::new(ObjectRef::new(name.as_str()), name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl FnOnce(&mut Query)) -> Vec<String> {
        let names = ["app.yaml", "db/prod.yaml", "db/test.json", "dbx/a.yaml"].map(str::to_owned).to_vec();
        let mut query = Query::default();
        change(&mut query);
        matching(names, &query).unwrap().into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn an_empty_query_finds_everything_and_others_narrow_it() {
        assert_eq!(found(|_| ()).len(), 4);
        assert_eq!(found(|query| query.name = Some("prod|json$".into())), ["db/prod.yaml", "db/test.json"]);
        assert_eq!(found(|query| query.path = Some("/db/".into())), ["db/prod.yaml", "db/test.json"]);
        assert_eq!(found(|query| query.path = Some("/".into())).len(), 4);
    }

    #[test]
    fn tags_and_broken_expressions_are_refused() {
        let mut query = Query::default();
        query.name = Some("(".into());
        assert!(matching(Vec::new(), &query).is_err());
        let mut query = Query::default();
        query.tags.insert("a".into(), "b".into());
        assert!(matching(Vec::new(), &query).is_err());
    }
}
