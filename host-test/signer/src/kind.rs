//! The kinds of keys, and which algorithms each signs with.

use std::fmt;

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A shared secret, for HMACs.
    Secret,
    /// RSA.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// The curve P-521.
    P521,
    /// The curve Ed25519.
    Ed25519,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Secret,
        Self::Rsa,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The kind that signs with the algorithm of that name.
    #[must_use]
    pub fn of(algorithm: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.algorithms().contains(&algorithm))
    }

    /// The names of the algorithms that it signs with (RFC 7518 section 3.1, RFC 8037, RFC 9864, RFC 9964), the usual one first.
    #[must_use]
    pub const fn algorithms(self) -> &'static [&'static str] {
        match self {
            Self::Secret => &["HS256", "HS384", "HS512"],
            Self::Rsa => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            Self::P256 => &["ES256"],
            Self::P384 => &["ES384"],
            Self::P521 => &["ES512"],
            Self::Ed25519 => &["EdDSA", "Ed25519"],
            Self::MlDsa44 => &["ML-DSA-44"],
            Self::MlDsa65 => &["ML-DSA-65"],
            Self::MlDsa87 => &["ML-DSA-87"],
        }
    }

    /// The algorithm that it signs with unless somebody says otherwise.
    #[must_use]
    pub fn usual_algorithm(self) -> &'static str {
        self.algorithms().first().copied().unwrap_or_default()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        })
    }
}
