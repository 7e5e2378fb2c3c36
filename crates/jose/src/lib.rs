//! Compact JWS, JWT claims and JWK sets, read strictly: what a gateway needs to trust an access token.
//!
//! Pure: no I/O, no clock, no randomness. The way of a token, in the order of cost (cheap checks first):
//!
//! 1. [`CompactJws::parse`]: three canonical base64url parts, a strict header ([`Header`]);
//! 2. [`Claims::parse`]: a strict claims set with well-typed registered claims;
//! 3. [`check_type`], [`check_times`], [`check_access_token_profile`]: RFC 8725, RFC 7519 section 4.1, RFC 9068;
//! 4. [`KeySet::candidates`]: the keys of the issuer that may have made the signature;
//! 5. [`Verifier::verify`]: the signature itself, by [`Precomputed`], [`Software`] or a host's own crypto.
//!
//! ```
//! use portcullis_jose::{
//!     Claims, CompactJws, KeySet, KeySetLimits, Limits, Software, Verifier as _, check_times,
//! };
//!
//! // RFC 7515 appendix A.3.
//! let keys = br#"{"keys":[{"kty":"EC","crv":"P-256",
//!     "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
//!     "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
//! let token = b"eyJhbGciOiJFUzI1NiJ9.\
//!     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
//!     DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
//!
//! let set = KeySet::parse(keys, &KeySetLimits::default())?;
//! let jws = CompactJws::parse(token, &Limits::default())?;
//! let claims = Claims::parse(jws.payload(), &Limits::default())?;
//! assert_eq!(claims.issuer(), Some("joe"));
//! check_times(&claims, 1_300_819_379_000, 0)?;
//! let algorithm = jws.header().algorithm;
//! let made_it = set
//!     .candidates(algorithm, jws.header().kid.as_deref())?
//!     .into_iter()
//!     .any(|key| Software.verify(key, algorithm, jws.signing_input(), jws.signature()).is_ok());
//! assert!(made_it);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An HMAC is checked by a `SecretKey` in place of the last two steps: never by a key of a set.
//!
//! Nothing here decides who is trusted: the caller compares issuer, audience and the allowed algorithms.
//! Errors are split by blame: [`TokenError`], [`ClaimError`] and [`SignatureError`] are the token's fault,
//! [`KeySetError`], [`SkipReason`] and [`MetadataError`] the issuer's, [`KeyError`] lies between the two.

mod algorithm;
mod base64url;
mod claims;
mod compact;
mod error;
#[cfg(test)]
mod fixture;
mod hash;
mod header;
mod json;
mod jwk;
mod key_set;
mod limits;
mod metadata;
#[cfg(feature = "more-algorithms")]
mod ml_dsa;
mod numeric_date;
mod precomputed;
mod public_key;
mod rsa_key;
#[cfg(feature = "more-algorithms")]
mod secret_key;
mod spki;
mod token_type;
mod validity;
mod verify;
mod x509_signature;

pub use algorithm::Algorithm;
pub use base64url::encode as encode_base64url;
pub use claims::{Claims, RegisteredClaim};
pub use compact::CompactJws;
pub use error::{
    ClaimError, JsonError, KeyError, KeySetError, Part, SignatureError, SkipReason, TokenError,
};
pub use header::{Header, KeyHints};
pub use json::{Json, Members};
pub use key_set::{Candidates, KeySet, MAX_CANDIDATES, MAX_SLOW_CANDIDATES, SkippedKey};
pub use limits::{KeySetLimits, Limits};
pub use metadata::{IssuerMetadata, MetadataError};
pub use numeric_date::NumericDate;
pub use precomputed::Precomputed;
pub use public_key::{KeyKind, PublicKey};
#[cfg(feature = "more-algorithms")]
pub use secret_key::{DerivedKey, SecretEncoding, SecretKey, SecretKeyError};
pub use token_type::{ExpectedType, check_type};
pub use validity::{Validity, check_access_token_profile, check_times};
pub use verify::{Software, Verifier};
pub use x509_signature::X509Signature;
