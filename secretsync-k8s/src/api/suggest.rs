//! What a misspelt word was probably meant to be.

/// The candidate that `word` was probably meant to be.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let limit = (word.len() / 3).min(3);
    let distance = |candidate: &str| edit_distance(&word.to_lowercase(), &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(far, _)| *far <= limit)
        .min()
        .map(|(_, near)| near)
}

/// Levenshtein's distance, with neighbours swapped counted as one.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_need_resemblance() {
        assert_eq!(closest("valut", ["aws", "vault"]), Some("vault"));
        assert_eq!(closest("creationpolicy", ["creationPolicy", "deletionPolicy"]), Some("creationPolicy"));
        assert_eq!(closest("Name", ["key", "name"]), Some("name"));
        assert_eq!(closest("x", ["y", "name"]), None);
        assert_eq!(closest("wholly", ["name", "key"]), None);
    }
}
