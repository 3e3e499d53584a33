//! Which objects a sync needs, each once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::error::Result;
use crate::object::{ObjectRef, Read};
use crate::provider::{Found, RemoteRef};
use crate::sync::{Origin, ProviderKey, Selection, SyncSpec};

/// An object under the engine's name of its provider.
pub type ObjectKey = (ProviderKey, ObjectRef);

/// The objects that a sync needs: for each entry, and as the set that is fetched.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// The object of each `data` entry.
    pub(crate) data: Vec<ObjectRef>,
    /// The objects of each `dataFrom` entry.
    pub(crate) data_from: Vec<Members>,
    /// Every object once, for each provider.
    pub(crate) objects: BTreeMap<ProviderKey, BTreeSet<ObjectRef>>,
}

/// What a `dataFrom` entry takes its keys from.
#[derive(Debug)]
pub(crate) enum Members {
    /// The members of one object.
    Of(ObjectRef),
    /// Whole objects under the names they were found by.
    Found(Vec<Found>),
}

impl Reads {
    /// Names every object, and refuses those that the spec may not read. `found` holds what each `find` entry found, in order of the entries; without it those entries name nothing yet.
    pub(crate) fn of(
        spec: &SyncSpec,
        found: &mut impl Iterator<Item = Vec<Found>>,
        address: impl Fn(&ProviderKey, &RemoteRef) -> Result<ObjectRef>,
    ) -> Result<Self> {
        let address = |key: &ProviderKey, remote: &RemoteRef| {
            let object = address(key, remote)?;
            spec.access_to(key).check(&object)?;
            Ok(object)
        };
        let mut reads = Self::default();
        for (index, entry) in spec.data_from.iter().enumerate() {
            let members = match &entry.selection {
                Selection::Extract { remote, .. } => Members::Of(
                    address(&entry.provider, remote).map_err(|error| at(&Origin::data_from(index, entry), error))?,
                ),
                Selection::Generate { name } => Members::Of(
                    address(&entry.provider, &RemoteRef::new(name))
                        .map_err(|error| at(&Origin::data_from(index, entry), error))?,
                ),
                Selection::Find(_) => Members::Found(found.next().unwrap_or_default()),
            };
            reads.add(&entry.provider, members.objects());
            reads.data_from.push(members);
        }
        for (index, entry) in spec.data.iter().enumerate() {
            let object =
                address(&entry.provider, &entry.remote).map_err(|error| at(&Origin::data(index, entry), error))?;
            reads.add(&entry.provider, std::iter::once(&object));
            reads.data.push(object);
        }
        Ok(reads)
    }

    /// The objects whose reading mints something, or may do so.
    pub(crate) fn issuing(&self) -> impl Iterator<Item = ObjectKey> + '_ {
        self.every().filter(|(_, object)| object.read() == Read::Issuing)
    }

    /// Every object, with its provider.
    pub(crate) fn every(&self) -> impl Iterator<Item = ObjectKey> + '_ {
        self.objects.iter().flat_map(|(key, objects)| objects.iter().map(|object| (key.clone(), object.clone())))
    }

    /// Whether nothing is read but what is issued.
    pub(crate) fn only_issue(&self) -> bool {
        self.every().all(|(_, object)| object.read() == Read::Issuing)
    }

    /// Takes note that reading these objects mints nothing after all.
    pub(crate) fn relax(&mut self, spec: &SyncSpec, harmless: &HashSet<ObjectKey>) {
        let relax = |key: &ProviderKey, object: &mut ObjectRef| {
            if harmless.contains(&(key.clone(), object.clone())) {
                *object = object.clone().with_read(Read::Repeatable);
            }
        };
        for (entry, members) in spec.data_from.iter().zip(&mut self.data_from) {
            members.objects_mut().for_each(|object| relax(&entry.provider, object));
        }
        for (entry, object) in spec.data.iter().zip(&mut self.data) {
            relax(&entry.provider, object);
        }
        for (key, objects) in &mut self.objects {
            let relaxed = std::mem::take(objects).into_iter().map(|mut object| {
                relax(key, &mut object);
                object
            });
            objects.extend(relaxed);
        }
    }

    fn add<'a>(&mut self, provider: &ProviderKey, objects: impl Iterator<Item = &'a ObjectRef>) {
        self.objects.entry(provider.clone()).or_default().extend(objects.cloned());
    }
}

impl Members {
    fn objects(&self) -> Box<dyn Iterator<Item = &ObjectRef> + '_> {
        match self {
            Self::Of(object) => Box::new(std::iter::once(object)),
            Self::Found(found) => Box::new(found.iter().map(|one| &one.object)),
        }
    }

    fn objects_mut(&mut self) -> Box<dyn Iterator<Item = &mut ObjectRef> + '_> {
        match self {
            Self::Of(object) => Box::new(std::iter::once(object)),
            Self::Found(found) => Box::new(found.iter_mut().map(|one| &mut one.object)),
        }
    }
}

/// Says which entry of the spec a failure belongs to.
pub(crate) fn at(origin: &Origin, error: crate::error::Error) -> crate::error::Error {
    error.within("process", origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OwnerId, TargetRef};
    use crate::sync::{DataEntry, DataFrom};

    fn spec() -> SyncSpec {
        let provider = ProviderKey::new("p");
        SyncSpec::new(OwnerId::new("n", "s"), TargetRef::new("n", "s"))
            .with_data(DataEntry::new("a", provider.clone(), RemoteRef::new("/x")).with_property("a"))
            .with_data(DataEntry::new("b", provider.clone(), RemoteRef::new("x")).with_property("b"))
            .with_data_from(DataFrom::extract(provider, RemoteRef::new("x")))
    }

    #[test]
    fn many_keys_of_one_object_are_one_read() {
        let address = |_: &ProviderKey, remote: &RemoteRef| Ok(ObjectRef::new(remote.key.trim_matches('/')));
        let reads = Reads::of(&spec(), &mut std::iter::empty(), address).unwrap();
        assert_eq!(reads.objects.values().map(BTreeSet::len).sum::<usize>(), 1);
        assert_eq!(reads.data.len(), 2);
    }

    #[test]
    fn a_reference_that_names_nothing_is_reported_with_its_entry() {
        use crate::error::{Error, ErrorKind};
        let address = |_: &ProviderKey, _: &RemoteRef| Err(Error::new(ErrorKind::InvalidConfig, "address"));
        let error = Reads::of(&spec(), &mut std::iter::empty(), address).unwrap_err();
        assert_eq!(error.to_string(), "failed to process spec.dataFrom[0].extract (key: x)");
    }
}
