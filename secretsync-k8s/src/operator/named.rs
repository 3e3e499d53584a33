//! Which stores and generators an ExternalSecret names, whatever else is wrong with its manifest: whose object it is must be known before anything is said about it
//! (`eso-compat.md` 2.2). Pure.

use std::collections::BTreeSet;

use secretsync_core::provider::StoreOrigin;
use serde_json::Value;

use crate::api::{ClusterSecretStore, Manifest as _};

/// What a manifest names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Named {
    /// The stores and generators that its entries use, sorted.
    pub(super) used: Box<[StoreOrigin]>,
    /// The store of all entries that name no other, also where there is no such entry.
    pub(super) usual: Option<StoreOrigin>,
}

impl Named {
    /// Reads the `spec` of an ExternalSecret of a namespace.
    pub(super) fn read(spec: &Value, namespace: &str) -> Self {
        let usual = store(&spec["secretStoreRef"], namespace);
        let entries = ["data", "dataFrom"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
        let of_entry = |entry: &Value| {
            let source = &entry["sourceRef"];
            let own = [store(&source["storeRef"], namespace), generator(&source["generatorRef"], namespace)];
            if own.iter().any(Option::is_some) { own } else { [usual.clone(), None] }
        };
        let used: BTreeSet<_> = entries.flat_map(of_entry).flatten().collect();
        Self { used: used.into_iter().collect(), usual }
    }

    /// All of them; the usual one may come twice.
    pub(super) fn all(&self) -> impl Iterator<Item = &StoreOrigin> {
        self.used.iter().chain(&self.usual)
    }
}

fn store(reference: &Value, namespace: &str) -> Option<StoreOrigin> {
    let name = reference["name"].as_str()?;
    Some(match reference["kind"].as_str() {
        Some(ClusterSecretStore::KIND) => StoreOrigin::cluster(name),
        _ => StoreOrigin::namespaced(namespace, name),
    })
}

fn generator(reference: &Value, namespace: &str) -> Option<StoreOrigin> {
    Some(StoreOrigin::generator(reference["kind"].as_str()?, namespace, reference["name"].as_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reference_counts_whatever_else_is_there() {
        let spec = json!({
            "secretStoreRef": {"name": "main", "kind": "ClusterSecretStore"},
            "refreshInterval": "often",
            "target": {"manifest": {}},
            "data": [3, {}, {"sourceRef": {"storeRef": {"name": "own"}}}, {"sourceRef": {"storeRef": {"kind": "SecretStore"}}}],
            "dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "p"}}}, {"extract": {"key": "k"}}],
        });
        let named = Named::read(&spec, "shop");
        let used: BTreeSet<_> = named.used.iter().cloned().collect();
        let (main, own) = (StoreOrigin::cluster("main"), StoreOrigin::namespaced("shop", "own"));
        assert_eq!(used, [main.clone(), own.clone(), StoreOrigin::generator("Password", "shop", "p")].into());
        assert_eq!(named.usual, Some(main));
        let unused = Named::read(&json!({"secretStoreRef": {"name": "own"}}), "shop");
        assert_eq!((unused.used.len(), unused.all().collect::<Vec<_>>()), (0, vec![&own]));
        assert_eq!(Named::read(&Value::Null, "shop"), Named::default());
    }
}
