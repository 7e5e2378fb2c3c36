//! Whether a claims set holds now, and whether it has all that RFC 9068 asks for.

use crate::claims::{Claims, RegisteredClaim};
use crate::error::ClaimError;
use crate::numeric_date::NumericDate;

/// When a token may be used: its `exp`, `nbf` and `iat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub(crate) expires_at: Option<NumericDate>,
    pub(crate) not_before: Option<NumericDate>,
    pub(crate) issued_at: Option<NumericDate>,
}

impl Validity {
    /// Checks `exp` (mandatory), `nbf` and `iat` against a clock, `leeway_ms` apart at most.
    ///
    /// Both times in milliseconds since 1970.
    ///
    /// # Errors
    /// [`ClaimError::Missing`] without `exp`, else which of the three does not hold.
    pub fn check(&self, now_unix_ms: u64, leeway_ms: u64) -> Result<(), ClaimError> {
        let expires_at = self
            .expires_at
            .ok_or(ClaimError::Missing(RegisteredClaim::ExpiresAt))?;
        // RFC 7519 section 4.1.4: "the expiration time on or after which the JWT MUST NOT be accepted".
        if now_unix_ms >= expires_at.unix_milliseconds().saturating_add(leeway_ms) {
            return Err(ClaimError::Expired);
        }
        let latest = now_unix_ms.saturating_add(leeway_ms);
        let ahead =
            |date: Option<NumericDate>| date.is_some_and(|date| date.unix_milliseconds() > latest);
        if ahead(self.not_before) {
            return Err(ClaimError::NotYetValid);
        }
        if ahead(self.issued_at) {
            return Err(ClaimError::IssuedInFuture);
        }
        Ok(())
    }
}

/// Checks `exp` (mandatory), `nbf` and `iat` of claims: see [`Validity::check`].
///
/// # Errors
/// [`ClaimError::Missing`] without `exp`, else which of the three does not hold.
pub fn check_times(
    claims: &Claims<'_>,
    now_unix_ms: u64,
    leeway_ms: u64,
) -> Result<(), ClaimError> {
    claims.validity().check(now_unix_ms, leeway_ms)
}

/// Checks that the claims which RFC 9068 section 2.2 requires are all there.
///
/// # Errors
/// [`ClaimError::Missing`] with the first that is not.
pub fn check_access_token_profile(claims: &Claims<'_>) -> Result<(), ClaimError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    /// 2011-03-22T18:43:00Z, the `exp` of RFC 7519's example.
    const MOMENT: u64 = 1_300_819_380_000;

    fn claims(payload: &str) -> Claims<'_> {
        Claims::parse(payload.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn exp_is_mandatory() {
        let missing = Err(ClaimError::Missing(RegisteredClaim::ExpiresAt));
        assert_eq!(check_times(&claims("{}"), 0, 0), missing);
        assert_eq!(
            check_times(&claims(r#"{"nbf":1,"iat":1}"#), MOMENT, u64::MAX),
            missing
        );
    }

    #[test]
    fn a_token_expires_in_the_very_millisecond() {
        let token = claims(r#"{"exp":1300819380}"#);
        assert_eq!(check_times(&token, MOMENT - 1, 0), Ok(()));
        assert_eq!(check_times(&token, MOMENT, 0), Err(ClaimError::Expired));
        let fraction = claims(r#"{"exp":1300819380.25}"#);
        assert_eq!(check_times(&fraction, MOMENT + 249, 0), Ok(()));
        assert_eq!(
            check_times(&fraction, MOMENT + 250, 0),
            Err(ClaimError::Expired)
        );
    }

    #[test]
    fn leeway_stretches_every_date() {
        let token = claims(r#"{"exp":1300819380}"#);
        assert_eq!(check_times(&token, MOMENT + 29_999, 30_000), Ok(()));
        assert_eq!(
            check_times(&token, MOMENT + 30_000, 30_000),
            Err(ClaimError::Expired)
        );
        let early = claims(r#"{"exp":1400000000,"nbf":1300819380}"#);
        assert_eq!(check_times(&early, MOMENT - 30_000, 30_000), Ok(()));
        assert_eq!(
            check_times(&early, MOMENT - 30_001, 30_000),
            Err(ClaimError::NotYetValid)
        );
        let future = claims(r#"{"exp":1400000000,"iat":1300819380}"#);
        assert_eq!(check_times(&future, MOMENT - 30_000, 30_000), Ok(()));
        assert_eq!(
            check_times(&future, MOMENT - 30_001, 30_000),
            Err(ClaimError::IssuedInFuture)
        );
    }

    #[test]
    fn nbf_and_iat_hold_from_their_moment_on() {
        let early = claims(r#"{"exp":1400000000,"nbf":1300819380,"iat":1300819380}"#);
        assert_eq!(check_times(&early, MOMENT, 0), Ok(()));
        assert_eq!(
            check_times(&early, MOMENT - 1, 0),
            Err(ClaimError::NotYetValid)
        );
    }

    #[test]
    fn extreme_clocks_and_leeways_do_not_overflow() {
        let token = claims(r#"{"exp":253402300799,"nbf":253402300799}"#);
        assert_eq!(check_times(&token, u64::MAX, 0), Err(ClaimError::Expired));
        assert_eq!(check_times(&token, 0, u64::MAX), Ok(()));
        assert_eq!(
            check_times(&claims(r#"{"exp":0}"#), 0, 0),
            Err(ClaimError::Expired)
        );
    }

    #[test]
    fn the_access_token_profile_wants_seven_claims() {
        let all = [
            (r#""iss":"i""#, RegisteredClaim::Issuer),
            (r#""exp":1"#, RegisteredClaim::ExpiresAt),
            (r#""aud":"a""#, RegisteredClaim::Audience),
            (r#""sub":"s""#, RegisteredClaim::Subject),
            (r#""client_id":"c""#, RegisteredClaim::ClientId),
            (r#""iat":1"#, RegisteredClaim::IssuedAt),
            (r#""jti":"j""#, RegisteredClaim::JwtId),
        ];
        let without = |left_out: Option<RegisteredClaim>| {
            let members: Vec<_> = all
                .iter()
                .filter(|(_, claim)| Some(*claim) != left_out)
                .map(|(member, _)| *member)
                .collect();
            check_access_token_profile(&claims(&format!("{{{}}}", members.join(","))))
        };
        assert_eq!(without(None), Ok(()));
        for (_, claim) in all {
            assert_eq!(without(Some(claim)), Err(ClaimError::Missing(claim)));
        }
    }
}
