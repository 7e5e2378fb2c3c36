//! Compact JWS, JWT claims and JWK sets, read strictly: what a gateway needs to trust an access token.
//!
//! Pure: no I/O, no clock, no randomness. The way of a token, in the order of cost (cheap checks first):
//!
//! 1. [`CompactJws::parse`]: three canonical base64url parts, a strict header ([`Header`]);
//! 2. [`Claims::parse`]: a strict claims set with well-typed registered claims;
//! 3. [`check_type`], [`check_times`], [`check_access_token_profile`]: RFC 8725, RFC 7519 section 4.1, RFC 9068;
//! 4. [`KeySet::candidates`]: the keys of the issuer that may have made the signature;
//! 5. [`Verifier::verify`]: the signature itself, by [`Software`] or by a host's own crypto.
//!
//! Nothing here decides who is trusted: the caller compares issuer, audience and the allowed algorithms.
//! Errors are split by blame: [`TokenError`], [`ClaimError`] and [`SignatureError`] are the token's fault,
//! [`KeySetError`] and [`SkipReason`] the issuer's, [`KeyError`] lies between the two.

mod algorithm;
mod base64url;
mod claims;
mod compact;
mod error;
#[cfg(test)]
mod fixture;
mod header;
mod json;
mod jwk;
mod key_set;
mod limits;
mod numeric_date;
mod public_key;
mod spki;
mod token_type;
mod validity;
mod verify;

pub use algorithm::Algorithm;
pub use claims::{Claims, RegisteredClaim};
pub use compact::CompactJws;
pub use error::{
    ClaimError, JsonError, KeyError, KeySetError, Part, SignatureError, SkipReason, TokenError,
};
pub use header::{Header, KeyHints};
pub use key_set::{Candidates, KeySet, MAX_CANDIDATES, SkippedKey};
pub use limits::{KeySetLimits, Limits};
pub use numeric_date::NumericDate;
pub use public_key::{KeyKind, PublicKey};
pub use token_type::{ExpectedType, check_type};
pub use validity::{check_access_token_profile, check_times};
pub use verify::{Software, Verifier};
