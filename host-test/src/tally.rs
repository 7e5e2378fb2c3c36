//! How often a guest made which host call.

use std::collections::BTreeMap;

/// Counts by the call's name. A guest makes few different ones, so a list is searched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Vec<(&'static str, u64)>);

impl Tally {
    pub(crate) fn add(&mut self, name: &'static str) {
        let same = |known: &str| std::ptr::eq(known, name) || known == name;
        match self.0.iter_mut().find(|(known, _)| same(known)) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((name, 1)),
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one_call() {
        let mut tally = Tally::default();
        for name in ["b", "a", "b"] {
            tally.add(name);
        }
        assert_eq!(tally.counts(), [("a", 1), ("b", 2)].into_iter().collect());
    }
}
