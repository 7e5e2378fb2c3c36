//! Counters of what the guard does: a closed set of series, counted here and carried to the host by the adapter.

use crate::reason::Reason;

/// What kind of metric a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows; the drained value is an increment.
    Counter,
    /// A distribution; the adapter records single values.
    Histogram,
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $suffix:literal;)+) => {
        /// Something countable that is no decision.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Count { $($(#[doc = $doc])+ $name,)+ }

        impl Count {
            /// Every count, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What is counted, in a sentence for people.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }

            /// The name of the series.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => concat!("portcullis.", $suffix),)+ }
            }
        }
    };
}

events! {
    /// A verified token was found in the cache, its key alive.
    CacheHit = "cache.hit";
    /// A token was not in the cache.
    CacheMiss = "cache.miss";
    /// A verified token was put in the cache.
    CacheInserted = "cache.inserted";
    /// A cached token made room for others.
    CacheEvicted = "cache.evicted";
    /// A cached token was dropped because it expired or its key left the key set.
    CacheDropped = "cache.dropped";
    /// A signature was verified and is good.
    SignatureGood = "signature.good";
    /// A signature was verified and is bad.
    SignatureBad = "signature.bad";
    /// A signature was verified by the host's own crypto.
    VerifyHost = "verify.host";
    /// A signature was verified in the filter.
    VerifySoftware = "verify.software";
    /// The host's own crypto was asked and gave no answer; the filter verified instead.
    VerifyHostFailed = "verify.host_failed";
    /// A request came with a good token of an algorithm that its issuer is leaving behind (`until`).
    AlgorithmRetiring = "algorithm.retiring";
    /// A key set was fetched and taken into use.
    KeysLoaded = "keys.fetch.loaded";
    /// A fetch of a key set timed out.
    KeysTimedOut = "keys.fetch.timed_out";
    /// A fetch of a key set could not be sent or got no answer.
    KeysUnreachable = "keys.fetch.unreachable";
    /// A fetch of a key set was answered with another status than 200.
    KeysStatus = "keys.fetch.status";
    /// A fetched key set was larger than `limits.key_set_bytes`.
    KeysTooLarge = "keys.fetch.too_large";
    /// A fetched key set was malformed. An empty one is not: its issuer has withdrawn all keys.
    KeysMalformed = "keys.fetch.malformed";
    /// An issuer's metadata was fetched and says where its keys are.
    MetadataLoaded = "discovery.loaded";
    /// A fetch of an issuer's metadata brought none: no answer, another status than 200, or too long.
    MetadataFailed = "discovery.failed";
    /// Fetched metadata was malformed, or says no usable place for keys.
    MetadataMalformed = "discovery.malformed";
    /// Fetched metadata is about another issuer, and was refused.
    MetadataIssuer = "discovery.issuer_differs";
    /// Fetched metadata names an origin that `discovery.clusters` does not, and was refused.
    MetadataOrigin = "discovery.origin_unknown";
    /// A fetch was started because a token named an unknown key.
    KeysUnknownKid = "keys.refetch.unknown_kid";
    /// A fetch was paid for a tenant that a token named and no good token has proven (`limits.tenants.unknown`).
    TenantAsked = "tenant.asked";
    /// The issuer said that there is no such tenant. It is not counted among the failed fetches.
    TenantDenied = "tenant.denied";
    /// A tenant that a token named was proven by a good token, and keeps its keys.
    TenantProven = "tenant.proven";
    /// A proven tenant made room for another one (`limits.tenants.kept`). Its cached tokens are verified anew.
    TenantEvicted = "tenant.evicted";
    /// A key set that another worker fetched was taken into use (`shared`).
    SharedTaken = "shared.taken";
    /// A key set was fetched and put into shared data for other workers.
    SharedPublished = "shared.published";
    /// Another worker was fetching a key set, and this one waited for it.
    SharedAwaited = "shared.awaited";
    /// What shared data had was refused: no guard with this secret wrote it there. It was fetched instead.
    SharedRefused = "shared.refused";
    /// What shared data had was left: it is older than it may be, or than what this worker has.
    SharedOutdated = "shared.outdated";
    /// Shared data did not take what was written, or others were always faster.
    SharedUnwritten = "shared.unwritten";
    /// A request began to wait.
    WaitStarted = "wait.started";
    /// A waiting request was woken by a reply.
    WaitWoken = "wait.woken";
    /// A waiting request waited too long.
    WaitExpired = "wait.expired";
    /// The client of a waiting request left.
    WaitCancelled = "wait.cancelled";
    /// The host's clock jumped back.
    ClockBackward = "clock.backward";
}

/// One metric series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// `portcullis.decisions.verdict.<verdict>.reason.<reason>`: decisions by verdict and reason.
    Decision(Reason),
    /// `portcullis.latency_us`: microseconds from the request head to the decision, of requests that waited for keys or
    /// whose token's signature was verified. What is decided at once is not among them.
    Latency,
    /// Everything else.
    Count(Count),
    /// `portcullis.shadow.verdict.<verdict>.reason.<reason>`: decisions that were not enforced, apart from the others so that
    /// nobody is alarmed by them.
    Shadow(Reason),
}

impl Series {
    /// Every series that exists; at most 250.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::always().chain(Self::of_shadow_mode())
    }

    /// The series of every configuration. They come first in [`Series::all`].
    pub fn always() -> impl Iterator<Item = Self> {
        let decisions = Reason::ALL.iter().copied().map(Self::Decision);
        decisions
            .chain([Self::Latency])
            .chain(Count::ALL.iter().copied().map(Self::Count))
    }

    /// The series that a configuration needs which has something in shadow mode.
    pub fn of_shadow_mode() -> impl Iterator<Item = Self> {
        Reason::ALL.iter().copied().map(Self::Shadow)
    }

    /// The name to define the metric by.
    pub fn name(self) -> String {
        match self {
            Self::Decision(reason) => decision("decisions", reason),
            Self::Shadow(reason) => decision("shadow", reason),
            Self::Latency => "portcullis.latency_us".to_owned(),
            Self::Count(count) => count.name().to_owned(),
        }
    }

    /// What to define the metric as.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Latency => Kind::Histogram,
            Self::Decision(_) | Self::Shadow(_) | Self::Count(_) => Kind::Counter,
        }
    }

    /// The position in [`Series::all`], for a table of the host's metric numbers.
    pub const fn index(self) -> usize {
        match self {
            Self::Decision(reason) => reason as usize,
            Self::Latency => Reason::ALL.len(),
            Self::Count(count) => Reason::ALL
                .len()
                .saturating_add(1)
                .saturating_add(count as usize),
            Self::Shadow(reason) => Reason::ALL
                .len()
                .saturating_add(1)
                .saturating_add(Count::ALL.len())
                .saturating_add(reason as usize),
        }
    }
}

fn decision(kind: &str, reason: Reason) -> String {
    format!(
        "portcullis.{kind}.verdict.{}.reason.{}",
        reason.verdict().code(),
        reason.code()
    )
}

/// Counts since the adapter last drained them.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    // A request touches two or three series: a list of them is drained faster than a table of all.
    pending: Vec<(Series, u64)>,
}

impl Metrics {
    pub(crate) fn count(&mut self, count: Count) {
        self.add(Series::Count(count), 1);
    }

    pub(crate) fn add_count(&mut self, count: Count, delta: u64) {
        if delta > 0 {
            self.add(Series::Count(count), delta);
        }
    }

    pub(crate) fn add(&mut self, series: Series, delta: u64) {
        match self.pending.iter_mut().find(|(known, _)| *known == series) {
            Some((_, total)) => *total = total.saturating_add(delta),
            None => self.pending.push((series, delta)),
        }
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Series, u64)> + '_ {
        self.pending.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_set_of_series_is_closed_small_and_indexed() {
        let names: Vec<String> = Series::all().map(Series::name).collect();
        assert!(names.len() <= 250, "{}", names.len());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for (index, series) in Series::all().enumerate() {
            assert_eq!(series.index(), index);
            assert!(
                series
                    .name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.')
            );
        }
    }

    #[test]
    fn names_are_those_that_stats_tags_expect() {
        assert_eq!(
            Series::Decision(Reason::TokenExpired).name(),
            "portcullis.decisions.verdict.deny.reason.token_expired"
        );
        assert_eq!(
            Series::Shadow(Reason::TokenExpired).name(),
            "portcullis.shadow.verdict.deny.reason.token_expired"
        );
        assert_eq!(Series::Latency.name(), "portcullis.latency_us");
        assert_eq!(
            Series::Count(Count::CacheHit).name(),
            "portcullis.cache.hit"
        );
    }

    #[test]
    fn draining_empties() {
        let mut metrics = Metrics::default();
        metrics.count(Count::CacheHit);
        metrics.count(Count::CacheHit);
        assert_eq!(
            metrics.drain().collect::<Vec<_>>(),
            [(Series::Count(Count::CacheHit), 2)]
        );
        assert_eq!(metrics.drain().count(), 0);
    }
}
