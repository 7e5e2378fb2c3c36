//! What must be true of a guard, told without looking into it: its clock, the keys that it was given, who deserves to pass.

use super::mint::{ISSUERS, Minted, Signer};
use crate::tape::BUILT_AT;

/// All times in milliseconds.
pub(super) const LEEWAY: u64 = 5_000;
pub(super) const REFRESH: u64 = 60_000;
pub(super) const STALE: u64 = 30_000;
pub(super) const COOLDOWN: u64 = 5_000;
/// The call's time-out, and the second that the guard waits longer.
pub(super) const FLIGHT: u64 = 2_000 + 1_000;

/// The document that the guard runs.
pub(super) const DOCUMENT: &str = r#"{
  "version": 1,
  "credentials": {"bearer": {"places": [
    {"header": "authorization", "scheme": "Bearer"}, {"header": "x-token"}, {"cookie": "t"}, {"dangerous_query": "t"}
  ]}},
  "issuers": [
    {"issuer": "https://a.example.com", "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"], "leeway": "5s",
     "jwks": {"uri": "https://a.example.com/jwks", "cluster": "a", "timeout": "2s", "refresh": "1m", "cooldown": "5s", "stale": "30s"}},
    {"issuer": "https://b.example.com", "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"], "leeway": "5s",
     "discovery": {"cluster": "b", "timeout": "2s", "refresh": "1m", "cooldown": "5s", "stale": "30s"}}
  ],
  "routes": [
    {"match": {"path": "/open"}, "allow": "anonymous"},
    {"match": {"path": "/maybe"}, "allow": "anonymous", "optional": true},
    {"match": {"path": "/any"}, "require": {}},
    {"match": {"path": "/read"}, "require": {"scopes": {"all": ["read"]}}},
    {"match": {"path": "/b"}, "require": {"issuers": ["https://b.example.com"]}},
    {"match": {"path": "/t/{id}"}, "require": {}, "when": "claims.tenant == path.id"}
  ],
  "default": "deny",
  "upstream": {"set": {"x-subject": "subject"}},
  "limits": {
    "cache_bytes": "12KiB",
    "waiting": {"requests": 4, "bytes": "16KiB", "time": "3s"},
    "failures": {"per_source": {"burst": 5, "per_minute": 60}, "total": {"burst": 50, "per_minute": 600}, "sources": 16}
  }
}"#;

/// Most requests that wait at once, as the document says.
pub(super) const MOST_WAITING: usize = 4;

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Open,
    Maybe,
    Any,
    Read,
    OnlyB,
    Tenant(usize),
    Nowhere,
}

impl Route {
    pub(super) fn of(byte: u8) -> Self {
        match byte % 16 {
            0 => Self::Open,
            1 | 2 => Self::Maybe,
            3..=6 => Self::Any,
            7..=9 => Self::Read,
            10 | 11 => Self::OnlyB,
            12 | 13 => Self::Tenant(0),
            14 => Self::Tenant(1),
            _ => Self::Nowhere,
        }
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Open => "/open",
            Self::Maybe => "/maybe",
            Self::Any => "/any",
            Self::Read => "/read",
            Self::OnlyB => "/b",
            Self::Tenant(0) => "/t/t0",
            Self::Tenant(_) => "/t/t1",
            Self::Nowhere => "/nowhere",
        }
    }

    fn permits(self, token: &Minted) -> bool {
        match self {
            Self::Maybe | Self::Any => true,
            Self::Read => token.may_read,
            Self::OnlyB => token.issuer == 1,
            Self::Tenant(tenant) => token.tenant == tenant,
            // There the token is not even looked at.
            Self::Open | Self::Nowhere => false,
        }
    }
}

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Authorization,
    Header,
    Cookie,
    Query,
}

impl Place {
    pub(super) fn of(byte: u8) -> Self {
        match byte % 8 {
            5 => Self::Header,
            6 => Self::Cookie,
            7 => Self::Query,
            _ => Self::Authorization,
        }
    }
}

/// Keys that the guard was given.
#[derive(Debug, Clone)]
struct Loaded {
    keys: Vec<Signer>,
    until: u64,
}

/// The model.
#[derive(Debug, Default)]
pub(super) struct Model {
    high_water: u64,
    loaded: [Option<Loaded>; ISSUERS.len()],
    last_forced: [Option<u64>; ISSUERS.len()],
}

impl Model {
    /// The guard is told a time; gives the time that it must go by, or `None` if it must not judge.
    pub(super) fn observe(&mut self, host_ms: u64) -> Option<u64> {
        if host_ms < BUILT_AT {
            return None;
        }
        self.high_water = self.high_water.max(host_ms);
        Some(self.high_water)
    }

    pub(super) const fn now(&self) -> u64 {
        self.high_water
    }

    /// The guard took a key set.
    pub(super) fn load(&mut self, issuer: usize, keys: Vec<Signer>) {
        let until = self.high_water + REFRESH + STALE;
        self.loaded[issuer] = Some(Loaded { keys, until });
    }

    fn usable(&self, issuer: usize) -> Option<&Loaded> {
        self.loaded[issuer]
            .as_ref()
            .filter(|loaded| self.high_water < loaded.until)
    }

    /// Whether a token is good now, wherever it goes.
    pub(super) fn is_valid(&self, token: &Minted) -> bool {
        let Some(loaded) = self.usable(token.issuer) else {
            return false;
        };
        // The key under the token's `kid`; without one, any.
        let mut named = loaded
            .keys
            .iter()
            .filter(|key| token.kid.is_none_or(|kid| kid == key.number));
        token.intact
            && named.any(|key| *key == token.signer)
            && token.for_us
            && self.high_water < token.expires_ms + LEEWAY
            && token.not_before_ms <= self.high_water + LEEWAY
            && !token.subject.chars().any(char::is_control)
    }

    /// Whether a request with this token has to pass, as far as the token and the route go.
    pub(super) fn deserves(&self, token: &Minted, route: Route) -> bool {
        self.is_valid(token) && route.permits(token)
    }

    /// A request made the guard fetch: for want of all keys, or of a newer one, which is rationed.
    pub(super) fn note_fetch(&mut self, issuer: usize) {
        if self.usable(issuer).is_none() {
            return;
        }
        if let Some(last) = self.last_forced[issuer] {
            assert!(
                self.high_water - last >= COOLDOWN,
                "a second fetch for unknown keys within the cool-down"
            );
        }
        self.last_forced[issuer] = Some(self.high_water);
    }
}
