//! One or more of something. The first needs no allocation: nearly every request has one token.

/// One or more.
#[derive(Debug)]
pub(crate) struct NonEmpty<T> {
    pub(crate) first: T,
    pub(crate) further: Vec<T>,
}

impl<T> NonEmpty<T> {
    pub(crate) const fn of(first: T) -> Self {
        Self {
            first,
            further: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.further.push(item);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.further)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        std::iter::once(&mut self.first).chain(&mut self.further)
    }

    pub(crate) fn map<U>(self, mut change: impl FnMut(T) -> U) -> NonEmpty<U> {
        NonEmpty {
            first: change(self.first),
            further: self.further.into_iter().map(change).collect(),
        }
    }

    /// The same with the item at `place` first; unchanged if there is none.
    pub(crate) fn led_by(mut self, place: usize) -> Self {
        let other = place.checked_sub(1);
        if let Some(other) = other.and_then(|place| self.further.get_mut(place)) {
            std::mem::swap(&mut self.first, other);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_item_can_lead() {
        let three = || {
            let mut three = NonEmpty::of(1);
            three.push(2);
            three.push(3);
            three
        };
        let list = |items: NonEmpty<i32>| items.iter().copied().collect::<Vec<_>>();
        assert_eq!(list(three().led_by(0)), [1, 2, 3]);
        assert_eq!(list(three().led_by(2)), [3, 2, 1]);
        assert_eq!(list(three().led_by(3)), [1, 2, 3]);
        assert_eq!(list(three().map(|item| item * 2)), [2, 4, 6]);
    }
}
