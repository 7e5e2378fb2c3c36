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

    /// The item at `place` and behind it those others that are `kept`, by place; `None` if there is none at `place`.
    pub(crate) fn led_by(self, place: usize, kept: impl Fn(usize) -> bool) -> Option<Self> {
        if self.further.is_empty() {
            return (place == 0).then_some(self);
        }
        let mut first = None;
        let mut further = Vec::new();
        let all = std::iter::once(self.first).chain(self.further);
        for (at, item) in all.enumerate() {
            if at == place {
                first = Some(item);
            } else if kept(at) {
                further.push(item);
            }
        }
        first.map(|first| Self { first, further })
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
        let led = |place, kept: &[usize]| {
            let kept = three().led_by(place, |other| kept.contains(&other));
            kept.map(list)
        };
        assert_eq!(led(0, &[1, 2]), Some(vec![1, 2, 3]));
        assert_eq!(led(2, &[0, 1, 2]), Some(vec![3, 1, 2]));
        assert_eq!(led(1, &[0]), Some(vec![2, 1]));
        assert_eq!(led(1, &[]), Some(vec![2]));
        assert_eq!(led(3, &[0, 1, 2]), None);
        let one = |place| NonEmpty::of(7).led_by(place, |_| true).map(list);
        assert_eq!((one(0), one(1)), (Some(vec![7]), None));
        assert_eq!(list(three().map(|item| item * 2)), [2, 4, 6]);
    }
}
