//! Whether a claims set holds now, and whether it has all that RFC 9068 asks for.

use crate::claims::{Claims, RegisteredClaim};
use crate::error::ClaimError;

/// Checks `exp` (mandatory), `nbf` and `iat` against a clock, `leeway_ms` apart at most.
///
/// Both times in milliseconds since 1970.
///
/// # Errors
/// [`ClaimError::Missing`] without `exp`, else which of the three does not hold.
pub fn check_times(claims: &Claims, now_unix_ms: u64, leeway_ms: u64) -> Result<(), ClaimError> {
    let expires_at = claims
        .expires_at()
        .ok_or(ClaimError::Missing(RegisteredClaim::ExpiresAt))?;
    // RFC 7519 section 4.1.4: "the expiration time on or after which the JWT MUST NOT be accepted".
    if now_unix_ms >= expires_at.unix_milliseconds().saturating_add(leeway_ms) {
        return Err(ClaimError::Expired);
    }
    let latest = now_unix_ms.saturating_add(leeway_ms);
    if claims
        .not_before()
        .is_some_and(|date| date.unix_milliseconds() > latest)
    {
        return Err(ClaimError::NotYetValid);
    }
    if claims
        .issued_at()
        .is_some_and(|date| date.unix_milliseconds() > latest)
    {
        return Err(ClaimError::IssuedInFuture);
    }
    Ok(())
}

/// Checks that the claims which RFC 9068 section 2.2 requires are all there.
///
/// # Errors
/// [`ClaimError::Missing`] with the first that is not.
pub fn check_access_token_profile(claims: &Claims) -> Result<(), ClaimError> {
    for claim in [
        RegisteredClaim::Issuer,
        RegisteredClaim::ExpiresAt,
        RegisteredClaim::Audience,
        RegisteredClaim::Subject,
        RegisteredClaim::ClientId,
        RegisteredClaim::IssuedAt,
        RegisteredClaim::JwtId,
    ] {
        if !claims.has(claim) {
            return Err(ClaimError::Missing(claim));
        }
    }
    Ok(())
}
