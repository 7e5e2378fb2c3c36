//! The bounds on what requests can make the guard hold or do.

use std::time::Duration;

use portcullis_policy::Section;

use crate::waiting::MOST_FLIGHTS;

/// A bucket of failures: `burst` at once, refilled at `per_minute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) burst: u32,
    pub(crate) per_minute: u32,
}

/// All bounds.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Longest token.
    pub(crate) token_bytes: usize,
    /// Memory of the cache of verified tokens.
    pub(crate) cache_bytes: u64,
    /// The document says how much that is.
    pub(crate) cache_is_stated: bool,
    /// Longest key set.
    pub(crate) key_set_bytes: usize,
    /// Longest value of an identity header.
    pub(crate) header_value_bytes: usize,
    /// Most requests that wait at once.
    pub(crate) waiting_requests: usize,
    /// Most bytes that waiting requests hold.
    pub(crate) waiting_bytes: usize,
    /// How long a request waits.
    pub(crate) waiting_time: Duration,
    /// Failed verifications of one source address.
    pub(crate) source_failures: Bucket,
    /// Failed verifications in all.
    pub(crate) total_failures: Bucket,
    /// Source addresses whose failures are remembered.
    pub(crate) sources: usize,
    /// Tenants that no list names and that keep their keys.
    pub(crate) kept_tenants: usize,
    /// Fetches for tenants that no good token has proven.
    pub(crate) unknown_tenants: Bucket,
    /// Those of them that one source address asks for.
    pub(crate) source_tenants: Bucket,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes: 16 << 10,
            cache_bytes: 64 << 20,
            cache_is_stated: false,
            key_set_bytes: 256 << 10,
            header_value_bytes: 4 << 10,
            waiting_requests: 256,
            waiting_bytes: 4 << 20,
            waiting_time: Duration::from_secs(5),
            source_failures: Bucket {
                burst: 100,
                per_minute: 6000,
            },
            total_failures: Bucket {
                burst: 1000,
                per_minute: 24_000,
            },
            sources: 4096,
            kept_tenants: 1000,
            unknown_tenants: Bucket {
                burst: 100,
                per_minute: 60,
            },
            source_tenants: Bucket {
                burst: 10,
                per_minute: 6,
            },
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Option<Limits> {
    let default = Limits::default();
    let cache = section.optional("cache_bytes", |field| field.bytes(0..=1 << 30));
    let waiting = section.optional("waiting", |field| read_waiting(&mut field.section()?));
    let failures = section.optional("failures", |field| read_failures(&mut field.section()?));
    let tenants = section.optional("tenants", |field| read_tenants(&mut field.section()?));
    let mut limits = Limits {
        token_bytes: bytes(section, "token_bytes", default.token_bytes, 256, 64 << 10),
        cache_bytes: cache.unwrap_or(default.cache_bytes),
        cache_is_stated: cache.is_some(),
        key_set_bytes: bytes(
            section,
            "key_set_bytes",
            default.key_set_bytes,
            1 << 10,
            1 << 20,
        ),
        header_value_bytes: bytes(
            section,
            "header_value_bytes",
            default.header_value_bytes,
            64,
            32 << 10,
        ),
        ..default
    };
    if let Some((requests, bytes, time)) = waiting {
        limits.waiting_requests = requests;
        limits.waiting_bytes = bytes;
        limits.waiting_time = time;
    }
    if let Some((source, total, sources)) = failures {
        limits.source_failures = source;
        limits.total_failures = total;
        limits.sources = sources;
    }
    if let Some((kept, unknown, of_source)) = tenants {
        limits.kept_tenants = kept;
        limits.unknown_tenants = unknown;
        limits.source_tenants = of_source;
    }
    Some(limits)
}

/// More are kept than can be fetched for at once, so that there is always one that can make room.
const FEWEST_TENANTS: u32 = 100;

const _: () = assert!(MOST_FLIGHTS < FEWEST_TENANTS as usize);

fn read_tenants(section: &mut Section<'_>) -> Option<(usize, Bucket, Bucket)> {
    let default = Limits::default();
    Some((
        section.or("kept", default.kept_tenants, |field| {
            field.count(FEWEST_TENANTS..=10_000)
        }),
        bucket(section, "unknown", default.unknown_tenants),
        bucket(section, "unknown_per_source", default.source_tenants),
    ))
}

fn read_waiting(section: &mut Section<'_>) -> Option<(usize, usize, Duration)> {
    let default = Limits::default();
    Some((
        section.or("requests", default.waiting_requests, |field| {
            field.count(0..=65_536)
        }),
        bytes(section, "bytes", default.waiting_bytes, 0, 256 << 20),
        section.or("time", default.waiting_time, |field| {
            field.duration(Duration::from_millis(10)..=Duration::from_secs(60))
        }),
    ))
}

fn read_failures(section: &mut Section<'_>) -> Option<(Bucket, Bucket, usize)> {
    let default = Limits::default();
    Some((
        bucket(section, "per_source", default.source_failures),
        bucket(section, "total", default.total_failures),
        section.or("sources", default.sources, |field| field.count(16..=65_536)),
    ))
}

fn bucket(section: &mut Section<'_>, name: &'static str, default: Bucket) -> Bucket {
    section.or(name, default, |field| {
        let mut section = field.section()?;
        let range = 1..=1_000_000;
        let burst = section.required("burst", |field| field.integer(range.clone()));
        let per_minute = section.required("per_minute", |field| field.integer(range.clone()));
        Some(Bucket {
            burst: u32::try_from(burst?).ok()?,
            per_minute: u32::try_from(per_minute?).ok()?,
        })
    })
}

fn bytes(
    section: &mut Section<'_>,
    name: &'static str,
    default: usize,
    from: u64,
    to: u64,
) -> usize {
    section.or(name, default, |field| {
        usize::try_from(field.bytes(from..=to)?).ok()
    })
}
