//! What fetches for tenants that nobody has proven may cost, and who pays.

use std::collections::BTreeMap;

use super::HOUR;

/// The document's `limits.tenants`: at once, and in a minute. Multiples of 60 refill without a remainder.
const ALL: (u64, u64) = (90, 600);
const ONE_SOURCE: (u64, u64) = (3, 60);

/// Whose payments for one tenant come back to their own buckets: those of the last so many. Others get theirs with time.
const MOST_PAYERS: usize = 16;

/// How full a bucket is at least and at most, in thousandths: it is not always certain what came back.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    size: (u64, u64),
    least: u64,
    most: u64,
    at: u64,
}

impl Bucket {
    const fn full(size: (u64, u64), now: u64) -> Self {
        let most = size.0 * 1000;
        Self {
            size,
            least: most,
            most,
            at: now,
        }
    }

    fn refill(&mut self, now: u64) {
        let gain = (now - self.at) * self.size.1 / 60;
        self.at = now;
        self.raise(gain, true);
    }

    fn raise(&mut self, by: u64, is_certain: bool) {
        let full = self.size.0 * 1000;
        self.most = (self.most + by).min(full);
        if is_certain {
            self.least = (self.least + by).min(full);
        }
    }

    const fn take(&mut self) {
        self.least = self.least.saturating_sub(1000);
        self.most = self.most.saturating_sub(1000);
    }
}

/// Who paid for a fetch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payer {
    source: u16,
    is_regular: bool,
    /// The guard may have forgotten it with the tenant.
    pub(crate) may_be_forgotten: bool,
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    strangers: Bucket,
    regulars: Bucket,
    sources: BTreeMap<u16, Bucket>,
    /// Until when a source is a regular.
    good: BTreeMap<u16, u64>,
}

impl Buckets {
    pub(crate) const fn new() -> Self {
        Self {
            strangers: Bucket::full(ALL, 0),
            regulars: Bucket::full(ALL, 0),
            sources: BTreeMap::new(),
            good: BTreeMap::new(),
        }
    }

    /// A source showed a new token that is good.
    pub(crate) fn vouch(&mut self, source: u16, now: u64) {
        self.good.insert(source, now + HOUR);
    }

    fn is_regular(&self, source: u16, now: u64) -> bool {
        self.good.get(&source).is_some_and(|until| now < *until)
    }

    fn both(&mut self, source: u16, is_regular: bool, now: u64) -> [&mut Bucket; 2] {
        let own = self
            .sources
            .entry(source)
            .or_insert(Bucket::full(ONE_SOURCE, now));
        let all = if is_regular {
            &mut self.regulars
        } else {
            &mut self.strangers
        };
        own.refill(now);
        all.refill(now);
        [own, all]
    }

    /// A source was refused for want of budget: it had to be.
    pub(crate) fn check_refused(&mut self, source: u16, now: u64) {
        let is_regular = self.is_regular(source, now);
        let [own, all] = self.both(source, is_regular, now);
        assert!(
            own.least < 1000 || all.least < 1000,
            "refused though there is enough: {own:?} {all:?}"
        );
    }

    /// A source paid for a fetch: it must have had enough.
    pub(crate) fn pay(&mut self, source: u16, now: u64) -> Payer {
        let is_regular = self.is_regular(source, now);
        let [own, all] = self.both(source, is_regular, now);
        assert!(
            own.most >= 1000 && all.most >= 1000,
            "fetched beyond the budget: {own:?} {all:?}"
        );
        own.take();
        all.take();
        Payer {
            source,
            is_regular,
            may_be_forgotten: false,
        }
    }

    /// A tenant is proven: who paid gets it back.
    pub(crate) fn give_back(&mut self, paid: &[Payer], now: u64) {
        let remembered = paid.len().saturating_sub(MOST_PAYERS);
        for (at, payer) in paid.iter().enumerate() {
            let [own, all] = self.both(payer.source, payer.is_regular, now);
            all.raise(1000, !payer.may_be_forgotten);
            own.raise(1000, !payer.may_be_forgotten && at >= remembered);
        }
    }
}
