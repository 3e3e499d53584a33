//! Divides a large document, so that two threads can decrypt it.

use super::tree::{Item, Node};

/// How many values half of a document has at least: fewer are decrypted before another thread has started.
const LEAST: usize = 1_000;

/// Two halves of a map, each with at least a third of the values; nothing if it is small or has no such place, or there is one processor only.
///
/// A comment stays in one half with the entry behind it: it can decide whether that is encrypted.
pub(super) fn halves<'t, 'a>(items: &'t [Item<'a>]) -> Option<(&'t [Item<'a>], &'t [Item<'a>])> {
    let total: usize = items.iter().map(weight).sum();
    if total < 2 * LEAST {
        return None;
    }
    let mut before = 0;
    let at = items.iter().position(|item| {
        before += weight(item);
        2 * before >= total && matches!(item, Item::Entry { .. })
    })?;
    let smaller = before.min(total - before);
    let several = || std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
    (3 * smaller >= total && several()).then(|| items.split_at(at + 1))
}

/// How many values there are.
fn weight(item: &Item<'_>) -> usize {
    fn of_node(node: &Node<'_>) -> usize {
        match node {
            Node::Comment(_) => 0,
            Node::Leaf(_) => 1,
            Node::List(items) => items.iter().map(of_node).sum(),
            Node::Map(items) => items.iter().map(weight).sum(),
        }
    }
    match item {
        Item::Comment(_) => 0,
        Item::Entry { value, .. } => of_node(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dotenv;
    use super::*;

    /// How many items the halves of a document have.
    fn lengths(text: &str) -> Option<(usize, usize)> {
        let parsed = dotenv::parse(text).unwrap();
        halves(&parsed.items).map(|(front, back)| (front.len(), back.len()))
    }

    #[test]
    fn only_a_large_document_is_divided() {
        assert_eq!(lengths(""), None);
        assert_eq!(lengths(&"a=b\n".repeat(1_999)), None);
        if std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1) {
            assert_eq!(lengths(&"a=b\n".repeat(2_001)), Some((1_001, 1_000)));
        }
    }

    #[test]
    fn a_comment_stays_with_what_it_stands_above() {
        if let Some((front, back)) = lengths(&"#c\n#d\na=b\n".repeat(2_001)) {
            assert_eq!((front, back), (3_003, 3_000));
        }
    }

    #[test]
    fn halves_that_differ_much_stay_one() {
        let one = |size: usize| Item::Entry {
            key: "k".into(),
            value: Node::List(vec![Node::Leaf(super::super::tree::Leaf::Null); size]),
        };
        assert!(halves(&[one(5_000)]).is_none(), "there is nothing to divide, one level further down may be");
        assert!(halves(&[one(100), one(5_000)]).is_none());
    }
}
