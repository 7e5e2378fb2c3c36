//! The known word nearest to a mistyped one.

/// The candidate that differs from `word` by the fewest edits, if by few enough to be a likely slip.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    // Longer words than any field name are no slips, and the work below is quadratic.
    if word.len() > 64 {
        return None;
    }
    let folded = fold(word);
    candidates
        .filter_map(|candidate| {
            let distance = distance(&folded, &fold(candidate));
            let allowed = candidate.chars().count().div_ceil(3).min(3);
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the choice of `-`, `_` or nothing between words are the commonest slips and cost nothing.
fn fold(word: &str) -> Vec<char> {
    word.chars()
        .filter(|c| *c != '-' && *c != '_')
        .flat_map(char::to_lowercase)
        .collect()
}

/// Levenshtein distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(x != y));
            left = replaced
                .min(above.saturating_add(1))
                .min(left.saturating_add(1));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_leaves_strangers() {
        let known = || ["issuers", "audiences", "algorithms", "token_type"].into_iter();
        assert_eq!(nearest("isuers", known()), Some("issuers"));
        assert_eq!(nearest("audience", known()), Some("audiences"));
        assert_eq!(nearest("tokenType", known()), Some("token_type"));
        assert_eq!(nearest("token-type", known()), Some("token_type"));
        assert_eq!(nearest("sender_constrained", known()), None);
        assert_eq!(nearest("", known()), None);
    }
}
