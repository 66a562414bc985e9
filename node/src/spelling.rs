//! How far apart two words are spelled: for what somebody may have meant.

/// Levenshtein's distance: insertions, deletions and replacements of one character.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, diagonal), above) in b.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The word that was most likely meant.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + found.chars().count() / 4;
    let near = known.into_iter().map(|word| (distance(found, word), word)).filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_of_a_character_counts() {
        for (one, other, expected) in
            [("", "", 0), ("fire", "fire", 0), ("fire", "fires", 1), ("fier", "fire", 2), ("", "ab", 2)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
