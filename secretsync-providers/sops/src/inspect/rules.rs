//! `.sops.yaml`: which documents are encrypted for whom.

use secretsync_core::error::Result;
use secretsync_core::regex::GoRegex;
use serde_json::{Map, Value};

use crate::document::{Comments, Identity, Item, KeyKind, Leaf, Node, Selector, parse_yaml};
use crate::error::Error;

/// The creation rules of a `.sops.yaml`.
#[derive(Debug)]
pub struct SopsRules(Vec<SopsRule>);

/// One creation rule.
#[derive(Debug)]
pub struct SopsRule {
    path: Option<GoRegex>,
    groups: Vec<Vec<Identity>>,
    threshold: Option<usize>,
    selector: Selector,
    mac_only_encrypted: bool,
}

impl SopsRules {
    /// Reads the text of a `.sops.yaml`; `place` is what messages call it.
    ///
    /// # Errors
    ///
    /// A text that is not YAML, or a rule that cannot be used.
    pub fn parse(text: &[u8], place: &str) -> Result<Self> {
        Self::read(text).map_err(|error| error.into_core("read", format!("the creation rules in `{place}`")))
    }

    fn read(text: &[u8]) -> Result<Self, Error> {
        // With the scalars of sops: `y` and `no` are texts.
        let text = std::str::from_utf8(text).map_err(|_| refused("it is no UTF-8 text"))?;
        let parsed = parse_yaml(text, Comments::WhereRuled).map_err(|error| refused(error.to_string()))?;
        let config = json(&Node::Map(parsed.items));
        let rules = match config.get("creation_rules") {
            None | Some(Value::Null) => &Vec::new(),
            Some(Value::Array(rules)) => rules,
            Some(_) => return Err(refused("`creation_rules` is no list")),
        };
        let rules = rules.iter().enumerate().map(|(index, rule)| SopsRule::read(rule, index));
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are no rules at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first rule that matches a document, by its path from the folder of the `.sops.yaml`.
    pub fn rule(&self, path: &str) -> Option<&SopsRule> {
        self.0.iter().find(|rule| rule.path.as_ref().is_none_or(|pattern| pattern.is_match(path)))
    }
}

impl SopsRule {
    fn read(rule: &Value, index: usize) -> Result<Self, Error> {
        let place = format!("creation_rules[{index}]");
        let text = |name: &str| rule.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let path = text("path_regex").map(GoRegex::new).transpose();
        let path = path.map_err(|_| refused(format!("`{place}.path_regex` cannot be used")))?;
        let rules: Vec<_> =
            Selector::NAMES.into_iter().filter_map(|name| Some((name, text(name)?.to_owned()))).collect();
        let selector = Selector::of(&rules)
            .map_err(|_| refused(format!("`{place}` sets two rules about values, or one that cannot be used")))?;
        let mut groups: Vec<Vec<Identity>> = match rule.get("key_groups").and_then(Value::as_array) {
            Some(groups) if !groups.is_empty() => groups.iter().map(|group| keys(group, 0)).collect(),
            _ => vec![keys(rule, 0)],
        };
        for group in &mut groups {
            group.sort();
            group.dedup();
        }
        Ok(Self {
            path,
            groups,
            threshold: rule.get("shamir_threshold").and_then(Value::as_u64).and_then(|number| number.try_into().ok()),
            selector,
            mac_only_encrypted: rule.get("mac_only_encrypted").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// Whether the rule says which documents it is for: such documents should be encrypted.
    pub fn names_documents(&self) -> bool {
        self.path.is_some()
    }

    pub(super) fn selector(&self) -> &Selector {
        &self.selector
    }

    pub(super) fn groups(&self) -> &[Vec<Identity>] {
        &self.groups
    }

    /// How many groups are needed where there are several.
    pub(super) fn needed(&self) -> Option<usize> {
        let all = self.groups.len();
        (all > 1).then(|| self.threshold.filter(|threshold| *threshold > 0).unwrap_or(all))
    }

    pub(super) fn mac_only_encrypted(&self) -> bool {
        self.mac_only_encrypted
    }
}

/// A tree of the configuration as plain data.
fn json(node: &Node<'_>) -> Value {
    match node {
        Node::Comment(_) | Node::Leaf(Leaf::Null) => Value::Null,
        Node::Leaf(Leaf::Bool(value)) => (*value).into(),
        Node::Leaf(Leaf::Float(number)) => (*number).into(),
        Node::Leaf(Leaf::Int(number)) => (*number).into(),
        Node::Leaf(Leaf::Text(text)) => text.as_ref().into(),
        Node::Leaf(Leaf::Time(text)) => text.as_str().into(),
        Node::List(items) => items.iter().filter(|item| !matches!(item, Node::Comment(_))).map(json).collect(),
        Node::Map(items) => {
            let member = |item: &Item<'_>| match item {
                Item::Entry { key, value } => Some((key.to_string(), json(value))),
                Item::Comment(_) => None,
            };
            merged(items.iter().filter_map(member).collect())
        }
    }
}

/// A map with what its merge key `<<` brings: one map or a list of them, of which the first wins, and own members before all.
fn merged(mut members: Map<String, Value>) -> Value {
    let more = match members.remove("<<") {
        None => Vec::new(),
        Some(Value::Array(maps)) => maps,
        Some(map) => vec![map],
    };
    for (key, value) in
        more.into_iter().filter_map(|map| if let Value::Object(map) = map { Some(map) } else { None }).flatten()
    {
        members.entry(key).or_insert(value);
    }
    Value::Object(members)
}

/// The keys of a rule or key group, each kind under the names that it has in either.
fn keys(group: &Value, depth: usize) -> Vec<Identity> {
    const DEEPEST: usize = 8;
    let mut keys = Vec::new();
    for (kind, names) in [
        (KeyKind::Age, &["age"][..]),
        (KeyKind::AwsKms, &["kms"]),
        (KeyKind::AzureKeyVault, &["azure_keyvault"]),
        (KeyKind::GcpKms, &["gcp_kms"]),
        (KeyKind::HuaweiKms, &["hckms"]),
        (KeyKind::Pgp, &["pgp"]),
        (KeyKind::VaultTransit, &["hc_vault_transit_uri", "hc_vault"]),
    ] {
        for value in names.iter().filter_map(|name| group.get(name)) {
            match value {
                Value::String(list) => keys.extend(list.split(',').filter_map(|text| written(kind, text))),
                Value::Array(list) => keys.extend(list.iter().filter_map(|key| match key {
                    Value::String(text) => written(kind, text),
                    other => structured(kind, other),
                })),
                _ => {}
            }
        }
    }
    if let Some(more) = group.get("merge").and_then(Value::as_array).filter(|_| depth < DEEPEST) {
        keys.extend(more.iter().flat_map(|group| self::keys(group, depth + 1)));
    }
    keys
}

/// A key written as one text: recipient, fingerprint, address, or ARN with `+` and a role.
fn written(kind: KeyKind, text: &str) -> Option<Identity> {
    let text = text.trim();
    (!text.is_empty()).then(|| kind.identity(text, ""))
}

/// A key written as a map.
fn structured(kind: KeyKind, key: &Value) -> Option<Identity> {
    let of = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let name = match kind {
        KeyKind::AwsKms => match of("role") {
            "" => of("arn").to_owned(),
            role => format!("{}+{role}", of("arn")),
        },
        KeyKind::AzureKeyVault => format!("{}/keys/{}", of("vaultUrl").trim_end_matches('/'), of("key")),
        KeyKind::GcpKms => of("resource_id").to_owned(),
        KeyKind::HuaweiKms => of("key_id").to_owned(),
        _ => return None,
    };
    let context = key.get("context").and_then(Value::as_object).into_iter().flatten();
    let mut pairs: Vec<String> =
        context.filter_map(|(name, text)| Some(format!("{name}:{}", text.as_str()?))).collect();
    pairs.sort();
    Some(kind.identity(&name, &pairs.join(",")))
}

fn refused(what: impl Into<String>) -> Error {
    Error::Rules { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SopsRules {
        SopsRules::read(text.as_bytes()).unwrap()
    }

    fn names(rule: &SopsRule) -> Vec<Vec<&str>> {
        rule.groups.iter().map(|group| group.iter().map(|(_, name)| name.as_str()).collect()).collect()
    }

    #[test]
    fn the_first_rule_whose_path_matches_counts() {
        let rules = read(
            "creation_rules:\n- path_regex: prod/.*\\.yaml$\n  age: a\n- path_regex: \\.env$\n  age: b\n- age: c, d\n",
        );
        for (path, expected) in [("prod/x.yaml", vec!["a"]), ("x.env", vec!["b"]), ("other", vec!["c", "d"])] {
            assert_eq!(names(rules.rule(path).unwrap()), [expected], "{path}");
        }
        assert!(rules.rule("x.env").unwrap().names_documents() && !rules.rule("other").unwrap().names_documents());
        assert!(read("creation_rules: []").is_empty() && read("").is_empty());
        assert!(read("creation_rules: [{path_regex: a, age: x}]").rule("b").is_none());
    }

    #[test]
    fn merge_keys_bring_what_a_rule_does_not_have_itself() {
        let rules = read(
            "shared: &shared {age: a, encrypted_regex: ^x$}\nmore: &more {age: b, pgp: c}\ncreation_rules:\n- path_regex: one\n  <<: *shared\n- path_regex: two\n  <<: [*shared, *more]\n- {<<: *shared, age: own}\n",
        );
        for (path, expected) in [("one", vec!["a"]), ("two", vec!["C", "a"]), ("x", vec!["own"])] {
            assert_eq!(names(rules.rule(path).unwrap()), [expected], "{path}");
        }
        assert!(rules.rule("one").unwrap().selector().encrypts(rules.rule("one").unwrap().selector().matches_key("x")));
        assert!(!rules.rule("one").unwrap().selector().encrypts(false));
    }

    #[test]
    fn keys_are_read_in_every_spelling() {
        let rules = read(
            "creation_rules:\n- kms: 'arn:1+role, arn:2'\n  pgp: [85d7 7543]\n  hc_vault_transit_uri: https://v/v1/t/keys/k/\n  azure_keyvault: https://a/keys/n/version\n",
        );
        assert_eq!(
            names(rules.rule("x").unwrap()),
            [vec!["arn:1+role", "arn:2", "https://a/keys/n", "https://v/v1/t/keys/k", "85D77543"]]
        );
        let rules = read(
            "creation_rules:\n- shamir_threshold: 1\n  key_groups:\n  - kms: [{arn: arn:1, role: r, context: {b: x, a: y}}]\n    merge: [{age: [m]}]\n  - hc_vault: [https://v/v1/t/keys/k]\n    azure_keyvault: [{vaultUrl: https://a, key: n, version: v}]\n",
        );
        let rule = rules.rule("x").unwrap();
        assert_eq!(names(rule), [vec!["arn:1+r|a:y,b:x", "m"], vec!["https://a/keys/n", "https://v/v1/t/keys/k"]]);
        assert_eq!(rule.needed(), Some(1));
    }

    #[test]
    fn rules_that_cannot_be_used_are_told_by_their_place() {
        for (text, expected) in [
            ("creation_rules: x", "no list"),
            ("creation_rules: [{path_regex: '('}]", "`creation_rules[0].path_regex`"),
            ("creation_rules: [{}, {encrypted_regex: a, encrypted_suffix: b}]", "`creation_rules[1]`"),
            ("a: [", "not valid YAML"),
        ] {
            let error = SopsRules::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
