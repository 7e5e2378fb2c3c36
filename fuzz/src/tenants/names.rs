//! The document, and which tenants its entries have: told by hand, not by the engine.

use std::sync::LazyLock;

/// The document that the guard runs. The smallest number of tenants that can be kept is 100.
pub(super) const DOCUMENT: &str = r#"{
  "version": 1,
  "issuers": [
    {"issuer": "https://l.example.com/{tenant}/v2.0", "tenants": ["acme-2", "acme", "Acme"],
     "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"], "leeway": "5s",
     "jwks": {"uri": "https://l.example.com/keys/{tenant}?of={tenant}", "cluster": "l",
       "timeout": "2s", "refresh": "1m", "cooldown": "5s", "stale": "30s"}},
    {"issuer": "https://d.example.com/{tenant}", "tenants": ["acme", "b.c"],
     "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"], "leeway": "5s",
     "discovery": {"cluster": "d", "timeout": "2s", "refresh": "1m", "cooldown": "5s", "stale": "30s"}},
    {"issuer": "https://p.example.com/{tenant}/v2.0", "tenants": {"pattern": "[a-z0-9-]{1,8}"},
     "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"], "leeway": "5s",
     "jwks": {"uri": "https://p.example.com/{tenant}/keys", "cluster": "p",
       "timeout": "2s", "refresh": "1m", "cooldown": "5s", "stale": "30s"}},
    {"issuer": "https://o.example.com/t/{tenant}", "tenants": {"pattern": "[A-Za-z0-9.]{1,6}"},
     "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"], "leeway": "5s",
     "discovery": {"cluster": "o", "kind": "oauth", "clusters": {"https://k.example.com": "k"},
       "timeout": "2s", "refresh": "1m", "cooldown": "5s", "stale": "30s"}}
  ],
  "routes": [
    {"match": {"path": "/open"}, "allow": "anonymous"},
    {"match": {"path": "/any"}, "require": {}},
    {"match": {"path": "/p"}, "require": {"issuers": ["https://p.example.com/{tenant}/v2.0"]}},
    {"match": {"path": "/t/{id}"}, "require": {}, "when": "issuer.tenant == path.id"}
  ],
  "default": "deny",
  "upstream": {"set": {"x-subject": "subject", "x-issuer": "issuer"}},
  "limits": {
    "cache_bytes": "64KiB",
    "waiting": {"requests": 28, "bytes": "256KiB", "time": "3s"},
    "failures": {"per_source": {"burst": 6, "per_minute": 60}, "total": {"burst": 200, "per_minute": 600}, "sources": 1024},
    "tenants": {"kept": 100, "unknown": {"burst": 90, "per_minute": 600}, "unknown_per_source": {"burst": 3, "per_minute": 60}}
  }
}"#;

/// How many entries the document has. The first two list their tenants, the others have patterns.
pub(super) const ENTRIES: usize = 4;
const BEFORE: [&str; ENTRIES] = [
    "https://l.example.com/",
    "https://d.example.com/",
    "https://p.example.com/",
    "https://o.example.com/t/",
];
const AFTER: [&str; ENTRIES] = ["/v2.0", "", "/v2.0", ""];

/// Names that somebody might put in the place of a tenant. Those behind are no tenant of any entry, or of few.
const NAMES: [&str; 16] = [
    "acme",
    "acme-2",
    "Acme",
    "b.c",
    "acm",
    "a",
    "12345678",
    "123456",
    "ACME",
    "123456789",
    ".",
    "..",
    "",
    "acme/x",
    "%61cme",
    "acm\u{e9}",
];

/// How many more tenants both patterns have: more than are kept.
pub(super) const CROWD: usize = 176;

static ALL: LazyLock<Vec<String>> = LazyLock::new(|| {
    let crowd = (0..CROWD).map(|n| format!("c{n}"));
    NAMES
        .iter()
        .map(|name| (*name).to_owned())
        .chain(crowd)
        .collect()
});

/// All names, for tables by [`Tenant::index`].
pub(super) const TENANTS: usize = ENTRIES * (NAMES.len() + CROWD);

/// What a token names: an entry's name with something in the place of its tenant, whether it is one or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenant {
    pub(super) entry: usize,
    name: usize,
}

impl Tenant {
    /// From two bytes of input: mostly one that is.
    pub(super) fn of(entry: u8, name: u8) -> Self {
        let (way, entry) = (usize::from(entry) / ENTRIES, usize::from(entry) % ENTRIES);
        let name = usize::from(name);
        let among = |names: &[usize]| names[name % names.len()];
        match (way % 8, entry) {
            (0, _) => Self {
                entry,
                name: name % NAMES.len(),
            },
            (1, 2 | 3) => Self::of_crowd(entry as u8, name),
            (_, 0) => Self {
                entry,
                name: among(&[0, 1, 2]),
            },
            (_, 1) => Self {
                entry,
                name: among(&[0, 3]),
            },
            (_, 2) => Self {
                entry,
                name: among(&[0, 0, 1, 4, 5, 6]),
            },
            _ => Self {
                entry,
                name: among(&[0, 0, 2, 3, 4, 7, 8]),
            },
        }
    }

    /// One of the many.
    pub(super) fn of_crowd(entry: u8, number: usize) -> Self {
        Self {
            entry: 2 + usize::from(entry) % 2,
            name: NAMES.len() + number % CROWD,
        }
    }

    /// Somebody else: of the same name in another entry, or of the same entry.
    pub(super) fn other(self, byte: u8) -> Self {
        let by = usize::from(byte / 2);
        if byte.is_multiple_of(2) {
            Self {
                entry: (self.entry + 1 + by % (ENTRIES - 1)) % ENTRIES,
                ..self
            }
        } else {
            Self {
                name: (self.name + 1 + by % (NAMES.len() - 1)) % NAMES.len(),
                ..self
            }
        }
    }

    /// A number under [`TENANTS`].
    pub(super) const fn index(self) -> usize {
        self.entry * (NAMES.len() + CROWD) + self.name
    }

    pub(super) fn name(self) -> &'static str {
        &ALL[self.name]
    }

    /// The `iss` of its tokens.
    pub(super) fn issuer(self) -> String {
        format!("{}{}{}", BEFORE[self.entry], self.name(), AFTER[self.entry])
    }

    pub(super) const fn is_listed(self) -> bool {
        self.entry < 2
    }

    /// Whether its entry has it.
    pub(super) fn is_one(self) -> bool {
        let name = self.name();
        let plain = |is: fn(char) -> bool, most: usize| {
            (1..=most).contains(&name.len()) && name.chars().all(is)
        };
        match self.entry {
            0 => ["acme", "acme-2", "Acme"].contains(&name),
            1 => ["acme", "b.c"].contains(&name),
            2 => plain(
                |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
                8,
            ),
            _ => plain(|c| c.is_ascii_alphanumeric() || c == '.', 6) && name != "." && name != "..",
        }
    }

    /// All that lists name.
    pub(super) fn listed() -> impl Iterator<Item = Self> {
        let all = (0..2).flat_map(|entry| (0..NAMES.len()).map(move |name| Self { entry, name }));
        all.filter(|tenant| tenant.is_one())
    }

    /// Whether its metadata says where its keys are.
    pub(super) const fn is_discovered(self) -> bool {
        self.entry % 2 == 1
    }

    /// Where a fetch for it begins.
    pub(super) fn origin(self) -> Place {
        let name = self.name();
        let (cluster, url) = match self.entry {
            0 => ("l", format!("https://l.example.com/keys/{name}?of={name}")),
            1 => (
                "d",
                format!("https://d.example.com/{name}/.well-known/openid-configuration"),
            ),
            2 => ("p", format!("https://p.example.com/{name}/keys")),
            _ => (
                "o",
                format!("https://o.example.com/.well-known/oauth-authorization-server/t/{name}"),
            ),
        };
        Place { cluster, url }
    }

    /// Where its metadata may say that its keys are.
    pub(super) fn key_place(self, elsewhere: bool) -> Place {
        let name = self.name();
        let (cluster, host) = match (self.entry, elsewhere) {
            (1, _) => ("d", "d"),
            (_, true) => ("k", "k"),
            _ => ("o", "o"),
        };
        let url = format!("https://{host}.example.com/keys/{name}");
        Place { cluster, url }
    }
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) cluster: &'static str,
    pub(super) url: String,
}
