//! The compact serialisation (RFC 7515 sections 3.1 and 7.1): `header.payload.signature`.

use memchr::memchr;

use crate::base64url;
use crate::error::{Part, TokenError};
use crate::header::Header;
use crate::limits::Limits;

/// A well-formed compact JWS with a header that we understand. Nothing says yet who made it.
#[derive(Debug, Clone)]
pub struct CompactJws<'t> {
    header: Header,
    signing_input: &'t [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> CompactJws<'t> {
    /// Takes a token apart and checks its header.
    ///
    /// # Errors
    /// A [`TokenError`] that names the first thing wrong; the claims are not looked at.
    pub fn parse(token: &'t [u8], limits: &Limits) -> Result<Self, TokenError> {
        if token.len() > limits.token_bytes {
            return Err(TokenError::TooLarge);
        }
        if token.trim_ascii_start().first() == Some(&b'{') {
            return Err(TokenError::JsonSerialization);
        }
        let (header, rest) = part(token).ok_or(TokenError::PartCount)?;
        let (payload, signature) = part(rest).ok_or(TokenError::PartCount)?;
        if memchr(b'.', signature).is_some() {
            let parts = token.split(|byte| *byte == b'.').count();
            // RFC 7516 section 9: a JWE in compact serialisation has five.
            return Err(match parts {
                5 => TokenError::Encrypted,
                _ => TokenError::PartCount,
            });
        }
        let header = base64url::decode(header).ok_or(TokenError::Base64url(Part::Header))?;
        let header = Header::parse(&header, limits)?;
        if signature.is_empty() {
            return Err(TokenError::SignatureMissing);
        }
        // Header and payload with the dot between them: all but the signature and the dot before it.
        let signing_input = token
            .len()
            .checked_sub(signature.len())
            .and_then(|end| end.checked_sub(1))
            .and_then(|end| token.get(..end))
            .ok_or(TokenError::PartCount)?;
        Ok(Self {
            header,
            signing_input,
            payload: base64url::decode(payload).ok_or(TokenError::Base64url(Part::Payload))?,
            signature: base64url::decode(signature)
                .ok_or(TokenError::Base64url(Part::Signature))?,
        })
    }

    /// The checked header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was signed: the first two parts, still encoded (RFC 7515 section 5.2).
    #[must_use]
    pub fn signing_input(&self) -> &'t [u8] {
        self.signing_input
    }

    /// The decoded payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The decoded signature, never empty.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// What stands before the first dot, and what behind it.
fn part(token: &[u8]) -> Option<(&[u8], &[u8])> {
    let (part, rest) = token.split_at_checked(memchr(b'.', token)?)?;
    Some((part, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn parse(token: &str) -> Result<CompactJws<'_>, TokenError> {
        CompactJws::parse(token.as_bytes(), &Limits::default())
    }

    fn error(token: &str) -> TokenError {
        parse(token).expect_err(token)
    }

    /// `{"alg":"ES256"}`
    const HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";

    #[test]
    fn a_token_is_taken_apart() {
        let token = fixture::token(r#"{"alg":"ES256"}"#, r#"{"sub":"s"}"#);
        let jws = parse(&token).unwrap();
        assert_eq!(jws.header().algorithm, crate::Algorithm::Es256);
        assert_eq!(jws.payload(), br#"{"sub":"s"}"#);
        assert_eq!(jws.signature(), [0, 0, 0]);
        assert_eq!(
            jws.signing_input(),
            token.strip_suffix(".AAAA").unwrap().as_bytes()
        );
    }

    #[test]
    fn a_token_beyond_the_limit_is_refused_before_it_is_read() {
        let limits = Limits {
            token_bytes: 100,
            ..Limits::default()
        };
        let token = format!("{HEADER}.{}.AAAA", "A".repeat(100 - HEADER.len() - 6));
        assert_eq!(token.len(), 100);
        assert!(CompactJws::parse(token.as_bytes(), &limits).is_ok());
        let longer = format!("{token}AAAA");
        assert_eq!(
            CompactJws::parse(longer.as_bytes(), &limits).err(),
            Some(TokenError::TooLarge)
        );
        assert_eq!(
            CompactJws::parse(&[b'.'; 101], &limits).err(),
            Some(TokenError::TooLarge)
        );
    }

    #[test]
    fn anything_but_three_parts_is_refused() {
        for token in ["", ".", "a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "......"] {
            assert_eq!(error(token), TokenError::PartCount, "{token:?}");
        }
        assert_eq!(error(&format!("{HEADER}.e30")), TokenError::PartCount);
        assert_eq!(error(&format!("{HEADER}.e30.AAAA.")), TokenError::PartCount);
    }

    #[test]
    fn a_jwe_is_told_apart() {
        // RFC 7516 appendix A.1, shortened.
        assert_eq!(
            error("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOa.48V1.5eym.XFBo"),
            TokenError::Encrypted
        );
        assert_eq!(error("...."), TokenError::Encrypted);
    }

    #[test]
    fn json_serialisations_are_refused() {
        for token in [
            r#"{"protected":"eyJhbGciOiJFUzI1NiJ9","payload":"e30","signature":"AAAA"}"#,
            r#"{"payload":"e30","signatures":[{"protected":"a.b","signature":"AAAA"}]}"#,
            " \n{}",
            "{a.b.c}",
        ] {
            assert_eq!(error(token), TokenError::JsonSerialization, "{token}");
        }
    }

    #[test]
    fn each_part_must_be_canonical_base64url() {
        for bad in ["AB", "A", "AA==", "AA+A", " AA", "AA%3D", "AAAA\n"] {
            assert_eq!(
                error(&format!("{bad}.e30.AAAA")),
                TokenError::Base64url(Part::Header),
                "{bad:?}"
            );
            assert_eq!(
                error(&format!("{HEADER}.{bad}.AAAA")),
                TokenError::Base64url(Part::Payload),
                "{bad:?}"
            );
            assert_eq!(
                error(&format!("{HEADER}.e30.{bad}")),
                TokenError::Base64url(Part::Signature),
                "{bad:?}"
            );
        }
        let bytes = [HEADER.as_bytes(), b".e30.\xff\xfe\xfd\xfc"].concat();
        let parsed = CompactJws::parse(&bytes, &Limits::default());
        assert_eq!(parsed.err(), Some(TokenError::Base64url(Part::Signature)));
    }

    #[test]
    fn white_space_and_trailing_bytes_are_refused() {
        let token = format!("{HEADER}.e30.AAAA");
        for bad in [
            format!(" {token}"),
            format!("{token} "),
            format!("{token}\0"),
            format!("{token}\r\n"),
            format!("{token}="),
        ] {
            assert!(matches!(error(&bad), TokenError::Base64url(_)), "{bad:?}");
        }
        assert_eq!(error(&format!("{token}.")), TokenError::PartCount);
    }

    #[test]
    fn a_missing_signature_is_refused() {
        assert_eq!(
            error(&format!("{HEADER}.e30.")),
            TokenError::SignatureMissing
        );
    }

    #[test]
    fn an_unsecured_token_is_called_that() {
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"NoNe"}"#] {
            let header = fixture::encode(header.as_bytes());
            assert_eq!(error(&format!("{header}.e30.")), TokenError::AlgorithmNone);
            assert_eq!(
                error(&format!("{header}.e30.AAAA")),
                TokenError::AlgorithmNone
            );
        }
    }

    #[test]
    fn an_empty_header_is_no_json_and_an_empty_payload_is_for_the_claims_to_judge() {
        assert_eq!(
            error(".e30.AAAA"),
            TokenError::Json(Part::Header, crate::JsonError::Syntax)
        );
        assert_eq!(parse(&format!("{HEADER}..AAAA")).unwrap().payload(), b"");
    }
}
