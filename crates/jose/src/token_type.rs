//! What kind of JWT it is (RFC 8725 section 3.11): an access token, and not a relative that one key may sign as well.

use crate::claims::Claims;
use crate::error::TokenError;
use crate::header::Header;
use crate::json::Json;

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

/// Checks that a token is an access token of the expected type.
///
/// Media types are compared without regard to case, and `application/` may be left out (RFC 7515 section 4.1.9). Any
/// other `typ` is refused: ID and logout tokens and DPoP proofs that say what they are among them. A token that does not
/// say it (`JWT` or no `typ`) is refused if its claims give it away, as those of a logout token or of most ID tokens do.
///
/// # Errors
/// [`TokenError::TypeUnexpected`].
pub fn check_type(
    header: &Header,
    claims: &Claims<'_>,
    expected: ExpectedType,
) -> Result<(), TokenError> {
    let typ = header.typ.as_deref();
    let is = |name: &str| typ.is_some_and(|typ| typ.eq_ignore_ascii_case(name));
    if is("at+jwt") || is("application/at+jwt") {
        return Ok(());
    }
    let vague = typ.is_none() || is("JWT") || is("application/JWT");
    match expected {
        ExpectedType::AnyAccessToken if vague && !gives_itself_away(claims) => Ok(()),
        ExpectedType::AnyAccessToken | ExpectedType::AtJwt => Err(TokenError::TypeUnexpected),
    }
}

/// Whether the claims are those of a relative:
///
/// - `events`, an object: a security event token (RFC 8417 section 2.2), such as a logout token (OpenID Connect
///   Back-Channel Logout 1.0 section 2.4);
/// - `at_hash` or `c_hash`: an ID token (OpenID Connect Core 1.0 sections 3.1.3.6 and 3.3.2.11).
///
/// An ID token may have neither; then only its audience, the client, tells it apart, which the caller compares.
fn gives_itself_away(claims: &Claims<'_>) -> bool {
    claims.get("events").and_then(Json::as_object).is_some()
        || claims.get("at_hash").is_some()
        || claims.get("c_hash").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompactJws, Limits, fixture};

    fn check(header: &str, payload: &str, expected: ExpectedType) -> Result<(), TokenError> {
        let token = fixture::token(header, payload);
        let jws = CompactJws::parse(token.as_bytes(), &Limits::default())?;
        let claims = Claims::parse(jws.payload(), &Limits::default())?;
        check_type(jws.header(), &claims, expected)
    }

    const REFUSED: Result<(), TokenError> = Err(TokenError::TypeUnexpected);

    #[test]
    fn access_token_types_are_accepted_in_any_case() {
        for typ in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/At+Jwt",
        ] {
            let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
            for expected in [ExpectedType::AnyAccessToken, ExpectedType::AtJwt] {
                assert_eq!(check(&header, "{}", expected), Ok(()), "{typ}");
            }
        }
    }

    #[test]
    fn vague_types_are_accepted_only_without_the_profile() {
        for header in [
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"ES256","typ":"JWT"}"#,
            r#"{"alg":"ES256","typ":"jwt"}"#,
            r#"{"alg":"ES256","typ":"application/jwt"}"#,
        ] {
            assert_eq!(check(header, "{}", ExpectedType::AnyAccessToken), Ok(()));
            assert_eq!(check(header, "{}", ExpectedType::AtJwt), REFUSED);
        }
    }

    #[test]
    fn types_of_relatives_are_refused() {
        for typ in [
            "id+jwt",
            "logout+jwt",
            "application/logout+jwt",
            "dpop+jwt",
            "DPoP+JWT",
            "secevent+jwt",
            "token-introspection+jwt",
            "statuslist+jwt",
            "rt+jwt",
            "JOSE",
            "",
            " JWT",
            "application/application/at+jwt",
        ] {
            let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
            for expected in [ExpectedType::AnyAccessToken, ExpectedType::AtJwt] {
                assert_eq!(check(&header, "{}", expected), REFUSED, "{typ:?}");
            }
        }
    }

    #[test]
    fn relatives_without_a_type_are_known_by_their_claims() {
        for payload in [
            r#"{"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}"#,
            r#"{"at_hash":"77QmUPtjPfzWtF2AnpK9RQ"}"#,
            r#"{"c_hash":"77QmUPtjPfzWtF2AnpK9RQ"}"#,
        ] {
            for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","typ":"JWT"}"#] {
                assert_eq!(
                    check(header, payload, ExpectedType::AnyAccessToken),
                    REFUSED
                );
            }
        }
    }

    #[test]
    fn a_token_that_says_it_is_an_access_token_may_have_claims_of_that_name() {
        let payload = r#"{"events":{},"at_hash":"x"}"#;
        let header = r#"{"alg":"ES256","typ":"at+jwt"}"#;
        assert_eq!(check(header, payload, ExpectedType::AnyAccessToken), Ok(()));
        let list = r#"{"events":["order.created"]}"#;
        assert_eq!(
            check(r#"{"alg":"ES256"}"#, list, ExpectedType::AnyAccessToken),
            Ok(())
        );
    }
}
