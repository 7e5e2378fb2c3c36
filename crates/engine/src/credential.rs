//! The credentials of a request: what stands in their places, as yet unproven.

use std::fmt;

use crate::config::{At, Credentials};
use crate::reason::Reason;

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// As which credential it came, by place in the document.
    pub(crate) credential: usize,
    /// In which place.
    pub(crate) place: usize,
}

/// What stands in the places of credentials, as it came.
#[derive(Default)]
pub(crate) struct Shown<'h> {
    first: Option<(usize, &'h [u8])>,
    /// Mostly empty, which takes no allocation.
    further: Vec<(usize, &'h [u8])>,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: no token is ever shown, not even by accident.
        let places = self.first.iter().chain(&self.further);
        f.debug_list()
            .entries(places.map(|(place, _)| place))
            .finish()
    }
}

impl<'h> Shown<'h> {
    /// Notes a value. Places that share a header show under the first of them.
    pub(crate) fn push(&mut self, place: usize, value: &'h [u8]) {
        match self.first {
            None => self.first = Some((place, value)),
            Some(_) => self.further.push((place, value)),
        }
    }

    fn of(&self, place: usize) -> impl Iterator<Item = &'h [u8]> + '_ {
        let all = self.first.iter().chain(&self.further);
        all.filter(move |(found, _)| *found == place)
            .map(|(_, value)| *value)
    }
}

/// A token as it came (RFC 6750 section 2). Proves nothing.
#[derive(Clone, Copy)]
pub(crate) struct Credential<'h> {
    token: &'h [u8],
    origin: Origin,
}

impl<'h> Credential<'h> {
    /// Takes one of the document's credentials from where it stands.
    ///
    /// # Errors
    /// Why there is something there that is no token.
    pub(crate) fn extract(
        credentials: &Credentials,
        credential: usize,
        shown: &Shown<'h>,
    ) -> Result<Option<Self>, Reason> {
        let mut found = None;
        for (index, place) in credentials.places().iter().enumerate() {
            if place.credential != credential {
                continue;
            }
            let mut values = shown.of(place.shares.unwrap_or(index));
            let Some(value) = values.next() else { continue };
            // RFC 6750 section 2: "Clients MUST NOT use more than one method to transmit the token in each request." Which
            // of two headers the upstream would read is anybody's guess.
            if values.next().is_some() {
                return Err(Reason::CredentialRepeated);
            }
            let token = match &place.at {
                At::Scheme { scheme, .. } => {
                    token_of_scheme(value, scheme, place.shares.unwrap_or(index), credentials)?
                }
                At::Header { prefix, .. } | At::Cookie { prefix, .. } => {
                    Some(token_behind(trim(value), prefix)?)
                }
                At::Query { .. } => Some(token_behind(value, "")?),
            };
            let Some(token) = token else { continue };
            let origin = Origin {
                credential,
                place: index,
            };
            if found.replace(Self { token, origin }).is_some() {
                return Err(Reason::CredentialRepeated);
            }
        }
        Ok(found)
    }

    /// The token of a request that waited.
    pub(crate) const fn of_paused(token: &'h [u8], origin: Origin) -> Self {
        Self { token, origin }
    }

    pub(crate) const fn token(&self) -> &'h [u8] {
        self.token
    }

    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether both are one token: INVARIANT: one token never counts for two credentials. What it says is compared and not its
    /// signature, which whoever has one of some algorithms can spell in a second way.
    pub(crate) fn is_same_token(&self, other: &Self) -> bool {
        fn said(token: &[u8]) -> &[u8] {
            let end = token.iter().rposition(|byte| *byte == b'.');
            end.and_then(|end| token.get(..end)).unwrap_or(token)
        }
        said(self.token) == said(other.token)
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

/// The token behind a scheme (RFC 9110 section 11.4); `None` if the scheme is that of another place in this header.
fn token_of_scheme<'h>(
    value: &'h [u8],
    wanted: &str,
    header: usize,
    credentials: &Credentials,
) -> Result<Option<&'h [u8]>, Reason> {
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
    if !scheme.eq_ignore_ascii_case(wanted.as_bytes()) {
        return if joins(rest, wanted) {
            Err(Reason::CredentialRepeated)
        } else if credentials.knows_scheme(header, scheme) {
            Ok(None)
        } else {
            Err(Reason::CredentialSchemeUnsupported)
        };
    }
    // credentials = "Bearer" 1*SP b64token
    let token = rest
        .get(rest.iter().take_while(|byte| **byte == b' ').count()..)
        .unwrap_or_default();
    if token.is_empty() {
        return Err(Reason::CredentialMalformed);
    }
    Ok(Some(token))
}

/// The token behind a prefix that must be there.
fn token_behind<'h>(value: &'h [u8], prefix: &str) -> Result<&'h [u8], Reason> {
    value
        .strip_prefix(prefix.as_bytes())
        .filter(|token| !token.is_empty())
        .ok_or(Reason::CredentialMalformed)
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

/// Whether a comma joins a credential of this scheme to one of another.
fn joins(rest: &[u8], scheme: &str) -> bool {
    rest.split(|byte| *byte == b',').skip(1).any(|part| {
        let part = trim(part);
        part.split_at_checked(scheme.len())
            .is_some_and(|(start, rest)| {
                start.eq_ignore_ascii_case(scheme.as_bytes()) && rest.first() == Some(&b' ')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extract<'h>(values: &[&'h [u8]]) -> Result<Option<Credential<'h>>, Reason> {
        let mut shown = Shown::default();
        values.iter().for_each(|value| shown.push(0, value));
        Credential::extract(&Credentials::default(), 0, &shown)
    }

    fn read(value: &str) -> Result<Option<&[u8]>, Reason> {
        extract(&[value.as_bytes()])?
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
        assert!(matches!(extract(&[]), Ok(None)));
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
            extract(&[b"Bearer a", b"Bearer a"]),
            Err(Reason::CredentialRepeated)
        ));
    }
}
