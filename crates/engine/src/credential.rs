//! The credential of a request: what `Authorization` holds, as yet unproven.

use crate::reason::Reason;

/// A bearer token as it came (RFC 6750 section 2.1). Proves nothing.
#[derive(Clone, Copy)]
pub(crate) struct Credential<'h> {
    token: &'h [u8],
}

impl<'h> Credential<'h> {
    /// Reads the values of all `Authorization` headers.
    ///
    /// # Errors
    /// Why there is something there that is no bearer token.
    pub(crate) fn extract(first: Option<&'h [u8]>, further: bool) -> Result<Option<Self>, Reason> {
        let Some(value) = first else { return Ok(None) };
        // RFC 6750 section 2: "Clients MUST NOT use more than one method to transmit the token in each request." Which
        // of two headers the upstream would read is anybody's guess.
        if further {
            return Err(Reason::CredentialRepeated);
        }
        let value = trim(value);
        let scheme_end = value
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(value.len());
        let (scheme, rest) = value
            .split_at_checked(scheme_end)
            .ok_or(Reason::CredentialMalformed)?;
        if scheme.is_empty() || !scheme.iter().all(|byte| is_token_char(*byte)) {
            return Err(Reason::CredentialMalformed);
        }
        // RFC 9110 section 11.1: the scheme is case-insensitive.
        if !scheme.eq_ignore_ascii_case(b"Bearer") {
            return Err(if joins_bearer(rest) {
                Reason::CredentialRepeated
            } else {
                Reason::CredentialSchemeUnsupported
            });
        }
        // credentials = "Bearer" 1*SP b64token
        let token = rest
            .get(rest.iter().take_while(|byte| **byte == b' ').count()..)
            .unwrap_or_default();
        if token.is_empty() {
            return Err(Reason::CredentialMalformed);
        }
        Ok(Some(Self { token }))
    }

    /// The token of a request that waited.
    pub(crate) const fn of_paused(token: &'h [u8]) -> Self {
        Self { token }
    }

    pub(crate) const fn token(&self) -> &'h [u8] {
        self.token
    }

    /// Checks that the token is one `b64token` (RFC 6750 section 2.1). A cached token passed this when it came first.
    ///
    /// # Errors
    /// [`Reason::CredentialRepeated`] for a list, which proxies make of two headers; else
    /// [`Reason::CredentialMalformed`].
    pub(crate) fn check_characters(&self) -> Result<(), Reason> {
        let mut body = self.token;
        while let [rest @ .., b'='] = body {
            body = rest;
        }
        let fits = |byte: &u8| B64TOKEN.get(usize::from(*byte)) == Some(&true);
        if body.iter().all(fits) && !body.is_empty() {
            return Ok(());
        }
        Err(if self.token.contains(&b',') {
            Reason::CredentialRepeated
        } else {
            Reason::CredentialMalformed
        })
    }
}

/// Optional white space around a field value (RFC 9110 section 5.5).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A character of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token_char(byte: u8) -> bool {
    TCHAR.get(usize::from(byte)) == Some(&true)
}

// Every byte of every header's name and of every first-seen token is looked up here.
const TCHAR: [bool; 256] = table(false);
const B64TOKEN: [bool; 256] = table(true);

/// The characters of `b64token` without `=` (RFC 6750 section 2.1), or those of `token`.
const fn table(b64token: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut rest: &mut [bool] = &mut table;
    let mut byte = 0_u8;
    while let [first, others @ ..] = rest {
        *first = if b64token {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        } else {
            is_tchar(byte)
        };
        byte = byte.wrapping_add(1);
        rest = others;
    }
    table
}

const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a comma joins a bearer credential to one of another scheme.
fn joins_bearer(rest: &[u8]) -> bool {
    rest.split(|byte| *byte == b',').skip(1).any(|part| {
        trim(part)
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"Bearer "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<&[u8]>, Reason> {
        let found = Credential::extract(Some(value.as_bytes()), false)?;
        found
            .map(|credential| credential.check_characters().map(|()| credential.token()))
            .transpose()
    }

    #[test]
    fn takes_one_bearer_token() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc", " Bearer abc\t"] {
            assert_eq!(read(value), Ok(Some(b"abc".as_slice())), "{value:?}");
        }
        assert_eq!(
            read("Bearer a-._~+/0=="),
            Ok(Some(b"a-._~+/0==".as_slice()))
        );
        assert!(matches!(Credential::extract(None, false), Ok(None)));
    }

    #[test]
    fn refuses_all_else() {
        for (value, reason) in [
            ("", Reason::CredentialMalformed),
            ("Bearer", Reason::CredentialMalformed),
            ("Bearer ", Reason::CredentialMalformed),
            ("Bearer\tabc", Reason::CredentialMalformed),
            ("Bearer =", Reason::CredentialMalformed),
            ("Bearer a=b", Reason::CredentialMalformed),
            ("Bearer a b", Reason::CredentialMalformed),
            ("Bearer a\"b", Reason::CredentialMalformed),
            ("Bearer \u{e9}", Reason::CredentialMalformed),
            ("(Bearer) a", Reason::CredentialMalformed),
            ("Bearer a, Bearer b", Reason::CredentialRepeated),
            ("Bearer a,b", Reason::CredentialRepeated),
            ("Basic dXNlcjpwYXNz, Bearer b", Reason::CredentialRepeated),
            ("Basic dXNlcjpwYXNz", Reason::CredentialSchemeUnsupported),
            ("DPoP abc", Reason::CredentialSchemeUnsupported),
            (
                "Digest username=\"a\", realm=\"b\"",
                Reason::CredentialSchemeUnsupported,
            ),
            ("abc", Reason::CredentialSchemeUnsupported),
        ] {
            assert_eq!(read(value), Err(reason), "{value:?}");
        }
        assert!(matches!(
            Credential::extract(Some(b"Bearer a"), true),
            Err(Reason::CredentialRepeated)
        ));
    }
}
