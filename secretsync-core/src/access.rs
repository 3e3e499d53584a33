//! Which objects of a store a sync may read: templates of canonical addresses.
//!
//! ```
//! use secretsync_core::access::{KeyAccess, KeyTemplate};
//! use secretsync_core::object::ObjectRef;
//!
//! let templates = vec![KeyTemplate::parse("kv/teams/{namespace}/**").unwrap()];
//! let access = KeyAccess::only("ClusterSecretStore main", "shop", templates);
//! assert!(access.admits(&ObjectRef::new("teams/shop/db").within("kv")));
//! assert!(!access.admits(&ObjectRef::new("teams/bank/db").within("kv")));
//! ```

mod template;

use std::sync::Arc;

pub use template::{InvalidKeyTemplate, KeyTemplate};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::object::ObjectRef;

/// Which objects of one store the syncs of one namespace may read. By default all.
///
/// Only the canonical address counts ([`ObjectRef::access_key`]), never what a manifest wrote, so no other spelling of a key gets around it. Every version
/// of an object, and its metadata, are granted with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyAccess(Option<Arc<Grant>>);

#[derive(Debug, Eq, PartialEq)]
struct Grant {
    store: String,
    namespace: String,
    templates: Vec<KeyTemplate>,
}

impl KeyAccess {
    /// Every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The objects that one of the templates matches for `namespace`: none without a template. `store` is what messages call the store:
    /// `ClusterSecretStore main`.
    pub fn only(store: impl Into<String>, namespace: impl Into<String>, templates: Vec<KeyTemplate>) -> Self {
        Self(Some(Arc::new(Grant { store: store.into(), namespace: namespace.into(), templates })))
    }

    /// Whether there may be objects that are not granted.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the object may be read.
    pub fn admits(&self, object: &ObjectRef) -> bool {
        let Some(grant) = &self.0 else { return true };
        let address: Vec<_> = object.access_segments().collect();
        grant.templates.iter().any(|template| template.matches(&grant.namespace, &address))
    }

    /// Whether something below this folder may be read; a folder without a name is the whole container.
    pub fn reaches(&self, folder: &ObjectRef) -> bool {
        let Some(grant) = &self.0 else { return true };
        let address: Vec<_> = folder.access_segments().collect();
        grant.templates.iter().any(|template| template.reaches(&grant.namespace, &address))
    }

    /// Fails where the object may not be read.
    pub fn check(&self, object: &ObjectRef) -> Result<()> {
        if self.admits(object) { Ok(()) } else { Err(self.refusal("read", &object.access_key())) }
    }

    /// Fails where nothing below the folder may be read.
    pub fn check_folder(&self, folder: &ObjectRef) -> Result<()> {
        if self.reaches(folder) { Ok(()) } else { Err(self.refusal("search", &folder.access_key())) }
    }

    /// The failure of a search that gave nothing, where this would take something away: what may not be seen may be there.
    pub(crate) fn blind(&self) -> Error {
        let advice =
            "correct `find` or the store's `conditions[].keys`; delete the target yourself if its sources are gone";
        Error::new(ErrorKind::PermissionDenied, "confirm that sources are gone")
            .because(format!("the search finds nothing that may be read: {}", self.rule()))
            .with_hint(Hint::new(Code::AccessDenied, advice))
    }

    fn refusal(&self, operation: &'static str, key: &str) -> Error {
        let key = plain(key);
        let store = self.0.as_ref().map_or("the store", |grant| &grant.store);
        let advice =
            format!("read what is granted, or have `{key}` granted in `spec.conditions[].keys` of {}", plain(store));
        Error::new(ErrorKind::PermissionDenied, operation)
            .on(format!("`{key}`"))
            .because(self.rule())
            .with_hint(Hint::new(Code::AccessDenied, advice))
    }

    /// The rule in words.
    fn rule(&self) -> String {
        let Some(grant) = &self.0 else { return "everything may be read".to_owned() };
        let mut shown: Vec<_> =
            grant.templates.iter().take(SHOWN).map(|template| format!("`{}`", plain(template.as_str()))).collect();
        match grant.templates.len().saturating_sub(SHOWN) {
            0 => {}
            more => shown.push(format!("{more} more")),
        }
        let granted = if shown.is_empty() { "nothing".to_owned() } else { format!("only {}", shown.join(", ")) };
        format!("{} grants namespace `{}` {granted}", plain(&grant.store), plain(&grant.namespace))
    }
}

/// A text from outside, fit for one line of a message.
fn plain(text: &str) -> String {
    text.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

const SHOWN: usize = 8;
const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use crate::object::Part;

    fn access(namespace: &str, templates: &[&str]) -> KeyAccess {
        let templates = templates.iter().map(|text| KeyTemplate::parse(text).unwrap()).collect();
        KeyAccess::only("ClusterSecretStore main", namespace, templates)
    }

    fn object(name: &str) -> ObjectRef {
        ObjectRef::new(name).within("kv")
    }

    #[test]
    fn only_what_a_template_matches_is_granted() {
        let access = access("shop", &["kv/teams/{namespace}/**", "kv/shared/*/public", "kv/motd"]);
        for (name, expected) in [
            ("teams/shop/db", true),
            ("teams/shop/a/b/c", true),
            ("teams/shop", false),
            ("teams/shopping/db", false),
            ("teams/bank/db", false),
            ("teams/{namespace}/db", false),
            ("shared/a/public", true),
            ("shared/a/b/public", false),
            ("shared/public", false),
            ("motd", true),
            ("motd/more", false),
            ("Teams/shop/db", false),
            // Letters that only look like those of the template, and dots and escapes that nobody follows.
            ("te\u{430}ms/shop/db", false),
            ("teams/shop\u{200b}/db", false),
            ("teams/ｓｈｏｐ/db", false),
            ("teams/bank%2f..%2fshop/db", false),
            ("teams/%73hop/db", false),
            ("teams/shop%2Fdb", false),
            ("teams\\shop\\db", false),
        ] {
            assert_eq!(access.admits(&object(name)), expected, "{name}");
            assert_eq!(access.check(&object(name)).is_ok(), expected, "{name}");
            let pinned = object(name).with_version("3");
            assert_eq!(access.admits(&pinned), expected, "a version of {name}");
            assert_eq!(access.admits(&pinned.with_part(Part::Metadata)), expected, "metadata of {name}");
        }
        assert!(!access.admits(&ObjectRef::new("teams/shop/db").within("other")), "another container");
        assert!(access.admits(&ObjectRef::new("kv/teams/shop/db")), "where the name says the container itself");
    }

    #[test]
    fn a_namespace_is_never_a_pattern_and_never_several_segments() {
        for namespace in ["*", "**", "{namespace}", "a/b", "", ".", "..", "shop/**"] {
            let access = access(namespace, &["kv/teams/{namespace}/**"]);
            for name in ["teams/shop/db", "teams/a/b/db", "teams//db", "teams/x/y"] {
                assert!(!access.admits(&object(name)), "{namespace:?} {name}");
            }
        }
        assert!(access("*", &["kv/{namespace}/x"]).admits(&object("*/x")), "it is a text like any other");
    }

    #[test]
    fn slashes_of_opaque_names_count() {
        let names = access("shop", &["/teams/{namespace}/**"]);
        for (name, expected) in [("/teams/shop/db", true), ("teams/shop/db", false), ("//teams/shop/db", false)] {
            assert_eq!(names.admits(&ObjectRef::new(name)), expected, "{name}");
        }
        assert!(!access("shop", &["a/*/b"]).admits(&ObjectRef::new("a//b")), "`*` is a segment, not its absence");
    }

    #[test]
    fn the_name_inside_counts_where_the_own_name_says_more() {
        let arn = |name: &str| {
            ObjectRef::new(format!("arn:aws:secretsmanager:eu-west-1:1:secret:{name}-AbCdEf")).known_as(name)
        };
        let access = access("shop", &["teams/{namespace}/*"]);
        assert!(access.admits(&arn("teams/shop/db")));
        assert!(!access.admits(&arn("teams/bank/db")));
        assert!(!access.admits(&ObjectRef::new("arn:aws:secretsmanager:eu-west-1:1:secret:teams/shop/db")));
    }

    #[test]
    fn folders_are_entered_where_something_below_may_be_granted() {
        let access = access("shop", &["kv/teams/{namespace}/**", "kv/shared/*/public"]);
        for (folder, expected) in [
            ("", true),
            ("teams", true),
            ("teams/shop", true),
            ("teams/shop/a/b", true),
            ("teams/bank", false),
            ("shared", true),
            ("shared/a", true),
            ("shared/a/public", false),
            ("shared/a/private", false),
            ("other", false),
        ] {
            assert_eq!(access.reaches(&object(folder)), expected, "{folder}");
            assert_eq!(access.check_folder(&object(folder)).is_ok(), expected, "{folder}");
        }
    }

    #[test]
    fn without_templates_nothing_is_granted_and_without_a_rule_everything() {
        assert!(!access("shop", &[]).admits(&object("a")) && !access("shop", &[]).reaches(&object("")));
        let all = KeyAccess::everything();
        assert!(all.admits(&object("a")) && all.reaches(&object("")) && !all.is_limited());
    }

    #[test]
    fn a_refusal_names_store_rule_and_canonical_key() {
        let error = access("shop", &["kv/teams/{namespace}/**"]).check(&object("teams/bank/db\u{202e}")).unwrap_err();
        assert_eq!(
            chain(&error),
            "failed to read `kv/teams/bank/db\\u{202e}`: ClusterSecretStore main grants namespace `shop` only `kv/teams/{namespace}/**`"
        );
        assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::PermissionDenied, Code::AccessDenied));
        assert_eq!(
            error.hint().unwrap().advice(),
            "read what is granted, or have `kv/teams/bank/db\\u{202e}` granted in `spec.conditions[].keys` of ClusterSecretStore main"
        );
    }
}
