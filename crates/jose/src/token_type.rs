//! What kind of JWT it is (RFC 8725 section 3.11): an access token, and not a relative that one key may sign as well.

use crate::claims::Claims;
use crate::error::TokenError;
use crate::header::Header;

/// Which `typ` values a trust anchor accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpectedType {
    /// `at+jwt`, `application/at+jwt`, `JWT`, or none: many issuers do not follow RFC 9068.
    #[default]
    AnyAccessToken,
    /// `at+jwt` or `application/at+jwt` only (RFC 9068 section 4). Goes with
    /// [`check_access_token_profile`](crate::check_access_token_profile).
    AtJwt,
}

/// Claims that give away a relative although its `typ` is `JWT` or absent.
///
/// - `events`: a security event token (RFC 8417), a logout token (OpenID Connect Back-Channel Logout section 2.4);
/// - `at_hash`, `c_hash`: an ID token (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11);
/// - `htm`, `htu`: a DPoP proof (RFC 9449 section 4.2).
const FOREIGN_CLAIMS: [&str; 5] = ["events", "at_hash", "c_hash", "htm", "htu"];

/// Checks that a token is an access token of the expected type.
///
/// Media types are compared without regard to case, and `application/` may be left out (RFC 7515 section 4.1.9).
///
/// # Errors
/// [`TokenError::TypeUnexpected`].
pub fn check_type(
    header: &Header,
    claims: &Claims,
    expected: ExpectedType,
) -> Result<(), TokenError> {
    let is_at_jwt = |typ: &str| {
        typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
    };
    let accepted = match (header.typ.as_deref(), expected) {
        (Some(typ), ExpectedType::AtJwt) => is_at_jwt(typ),
        (Some(typ), ExpectedType::AnyAccessToken) => {
            is_at_jwt(typ) || typ.eq_ignore_ascii_case("JWT")
        }
        (None, ExpectedType::AtJwt) => false,
        (None, ExpectedType::AnyAccessToken) => true,
    };
    if !accepted || FOREIGN_CLAIMS.iter().any(|name| claims.get(name).is_some()) {
        return Err(TokenError::TypeUnexpected);
    }
    Ok(())
}
