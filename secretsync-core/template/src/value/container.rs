//! Lists and maps: shared, typed as in Go, and dropped without recursion.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Bytes, Value};

/// A Go slice. Immutable; functions that change a list make a new one.
#[derive(Clone)]
pub struct List(Arc<ListItems>);

struct ListItems {
    element: ElementType,
    absent: bool,
    items: Vec<Value>,
}

/// Element type of a [`List`], visible to `typeOf`, `printf "%T"` and `deepEqual`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ElementType {
    /// `[]interface {}`
    Any,
    /// `[]int`
    Int,
    /// `[][]interface {}`
    List,
    /// `[]string`
    Text,
}

impl List {
    /// A list; `items` should be of the element type.
    pub fn new(element: ElementType, items: Vec<Value>) -> Self {
        Self(Arc::new(ListItems { element, absent: false, items }))
    }

    /// Go's nil slice: an empty list that equals nil and is `null` in JSON.
    pub(crate) fn absent(element: ElementType) -> Self {
        Self(Arc::new(ListItems { element, absent: true, items: Vec::new() }))
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.0.absent
    }

    /// Element type.
    pub fn element(&self) -> ElementType {
        self.0.element
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} items]", self.0.items.len())
    }
}

/// A Go `map[string]interface {}`, in key order. Clones share their entries, because `set` and `merge` change a map in place.
#[derive(Clone, Default)]
pub struct Map(Arc<Entries>);

#[derive(Default)]
struct Entries(Mutex<BTreeMap<Bytes, Value>>);

impl Map {
    /// A map of these entries; the last of two equal keys wins.
    pub fn new(entries: impl IntoIterator<Item = (Bytes, Value)>) -> Self {
        Self(Arc::new(Entries(Mutex::new(entries.into_iter().collect()))))
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.lock().get(key).cloned()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// A copy of the entries as they are now, in key order.
    pub fn entries(&self) -> Vec<(Bytes, Value)> {
        self.lock().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Sets a key. The caller makes sure that `value` does not contain this map.
    pub(crate) fn insert(&self, key: Bytes, value: Value) {
        self.lock().insert(key, value);
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        self.lock().remove(key);
    }

    /// Whether both are one map, not just equal.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Bytes, Value>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} entries]", self.len())
    }
}

impl Drop for ListItems {
    fn drop(&mut self) {
        release(std::mem::take(&mut self.items));
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        let entries = std::mem::take(self.0.get_mut().unwrap_or_else(PoisonError::into_inner));
        release(entries.into_values().collect());
    }
}

/// Drops values one level at a time: a template can nest lists deeper than the stack is.
fn release(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::List(List(list)) => {
                if let Some(mut list) = Arc::into_inner(list) {
                    values.append(&mut list.items);
                }
            }
            Value::Map(Map(map)) => {
                if let Some(map) = Arc::into_inner(map) {
                    let entries = std::mem::take(&mut *map.0.lock().unwrap_or_else(PoisonError::into_inner));
                    values.extend(entries.into_values());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeply_nested_values_are_dropped_without_a_stack() {
        let mut value = Value::Nil;
        for _ in 0..200_000 {
            value = Value::List(List::new(ElementType::Any, vec![value]));
            value = Value::Map(Map::new([(Bytes::from("k"), value)]));
        }
        drop(value);
    }
}
