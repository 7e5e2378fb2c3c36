//! The compact serialisation (RFC 7515 sections 3.1 and 7.1): `header.payload.signature`.

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
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::PartCount);
        };
        match parts.count() {
            0 => {}
            2 => return Err(TokenError::Encrypted),
            _ => return Err(TokenError::PartCount),
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
