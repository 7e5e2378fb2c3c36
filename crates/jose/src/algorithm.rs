//! The algorithms we verify, by their JOSE names.

use std::fmt;

/// A JWS algorithm (RFC 7518 section 3.1, RFC 8037, RFC 9864, RFC 9964). There is no variant for `none`.
///
/// INVARIANT: what is [symmetric](Algorithm::is_symmetric) is checked with a [`SecretKey`](crate::SecretKey) and all others
/// with a [`PublicKey`](crate::PublicKey). Neither type takes the other's algorithms, and no key set holds a secret: a
/// public key can't be made to serve as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// `ES256`: ECDSA on P-256 with SHA-256, signature `r || s` of 64 bytes.
    Es256,
    /// `EdDSA`: the polymorphic name of RFC 8037, deprecated by RFC 9864. Here: Ed25519 keys only.
    EdDsa,
    /// `Ed25519`: the fully specified name of RFC 9864 for the same operation.
    Ed25519,
    /// `RS384`: RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// `RS512`: RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// `PS256`: RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Ps256,
    /// `PS384`: RSASSA-PSS with SHA-384 and a salt of 48 bytes.
    Ps384,
    /// `PS512`: RSASSA-PSS with SHA-512 and a salt of 64 bytes.
    Ps512,
    /// `ES384`: ECDSA on P-384 with SHA-384, signature `r || s` of 96 bytes.
    Es384,
    /// `ES512`: ECDSA on P-521 with SHA-512, signature `r || s` of 132 bytes.
    Es512,
    /// `ML-DSA-44` (FIPS 204) with an empty context.
    MlDsa44,
    /// `ML-DSA-65` (FIPS 204) with an empty context.
    MlDsa65,
    /// `ML-DSA-87` (FIPS 204) with an empty context.
    MlDsa87,
    /// `HS256`: HMAC with SHA-256 under a shared secret.
    Hs256,
    /// `HS384`: HMAC with SHA-384 under a shared secret.
    Hs384,
    /// `HS512`: HMAC with SHA-512 under a shared secret.
    Hs512,
}

impl Algorithm {
    /// Every algorithm, in the order of declaration, those included that this build leaves out.
    pub const ALL: [Self; 17] = [
        Self::Rs256,
        Self::Es256,
        Self::EdDsa,
        Self::Ed25519,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es384,
        Self::Es512,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The name in the `alg` header parameter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether this build can verify it: without the feature `more-algorithms` only the first four are there.
    #[must_use]
    pub const fn is_built(self) -> bool {
        cfg!(feature = "more-algorithms")
            || matches!(
                self,
                Self::Rs256 | Self::Es256 | Self::EdDsa | Self::Ed25519
            )
    }

    /// Whether who can verify can also sign: an HMAC.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// The algorithm of that name, if this build has it. Names are case-sensitive (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name && algorithm.is_built())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for algorithm in Algorithm::ALL {
            let found = Algorithm::from_name(algorithm.name());
            assert_eq!(found, algorithm.is_built().then_some(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.name());
        }
    }

    #[test]
    fn names_are_matched_exactly() {
        for name in [
            "",
            "rs256",
            "RS256 ",
            "eddsa",
            "ED25519",
            "none",
            "hs256",
            "HS1",
            "ES256K",
            "ES521",
            "RS1",
            "Ed448",
            "ml-dsa-44",
            "ML-DSA-44-ES256",
            "HashML-DSA-44",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
    }
}
