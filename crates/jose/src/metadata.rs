//! What an issuer says about itself (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3): its name, and where its
//! keys are. All else in the document is left unread.

use std::fmt;

use serde_json::Value;

use crate::error::JsonError;
use crate::json;

/// The members of an issuer's metadata that lead to its keys. Both are what the document says; neither is trusted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerMetadata {
    issuer: String,
    jwks_uri: String,
}

/// Why a metadata document is refused. The issuer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetadataError {
    /// Longer than [`IssuerMetadata::MOST_BYTES`].
    TooLarge,
    /// Not an acceptable JSON object.
    Json(JsonError),
    /// No `issuer` that is a string.
    IssuerMissing,
    /// No `jwks_uri` that is a string.
    KeySetUriMissing,
}

impl IssuerMetadata {
    /// Longest document, in bytes. Large providers publish 2 to 8 KiB.
    pub const MOST_BYTES: usize = 64 * 1024;
    /// Deepest nesting of objects and arrays.
    const MOST_DEPTH: usize = 16;

    /// Reads a metadata document.
    ///
    /// # Errors
    /// [`MetadataError`] if it cannot be read, or one of the two members is missing.
    pub fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        if json.len() > Self::MOST_BYTES {
            return Err(MetadataError::TooLarge);
        }
        let mut document =
            json::parse_object(json, Self::MOST_DEPTH).map_err(MetadataError::Json)?;
        let mut text = |name| match document.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Ok(Self {
            issuer: text("issuer").ok_or(MetadataError::IssuerMissing)?,
            jwks_uri: text("jwks_uri").ok_or(MetadataError::KeySetUriMissing)?,
        })
    }

    /// `issuer`: who the document says that it is about. INVARIANT for the caller: unless this equals the issuer that was
    /// asked for, byte for byte, the document must not be used (RFC 8414 section 3.3).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `jwks_uri`: where the keys are said to be.
    #[must_use]
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }
}

impl MetadataError {
    /// The stable name of this error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "metadata_too_large",
            Self::Json(JsonError::NotUtf8) => "metadata_not_utf8",
            Self::Json(JsonError::Syntax) => "metadata_not_json",
            Self::Json(JsonError::DuplicateMember) => "metadata_duplicate_member",
            Self::Json(JsonError::TooDeep) => "metadata_too_deep",
            Self::Json(JsonError::NotAnObject) => "metadata_not_object",
            Self::IssuerMissing => "metadata_issuer_missing",
            Self::KeySetUriMissing => "metadata_jwks_uri_missing",
        }
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(error) => return write!(f, "the metadata cannot be read: {error}"),
            Self::TooLarge => "the metadata is too long",
            Self::IssuerMissing => "there is no text `issuer`",
            Self::KeySetUriMissing => "there is no text `jwks_uri`",
        })
    }
}

impl std::error::Error for MetadataError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<IssuerMetadata, MetadataError> {
        IssuerMetadata::parse(text.as_bytes())
    }

    #[test]
    fn issuer_and_key_set_are_read_and_the_rest_is_not() {
        let metadata = parse(
            r#"{"issuer":"https://a","jwks_uri":"https://a/k","token_endpoint":7,"x":{"jwks_uri":"https://evil"}}"#,
        )
        .unwrap();
        assert_eq!(metadata.issuer(), "https://a");
        assert_eq!(metadata.jwks_uri(), "https://a/k");
    }

    #[test]
    fn what_does_not_lead_to_keys_is_refused() {
        let deep = format!(
            r#"{{"issuer":"i","jwks_uri":"u","x":{}{}}}"#,
            "[".repeat(16),
            "]".repeat(16)
        );
        let long = format!(
            r#"{{"issuer":"i","jwks_uri":"u"}}{}"#,
            " ".repeat(IssuerMetadata::MOST_BYTES)
        );
        for (text, error) in [
            ("", MetadataError::Json(JsonError::Syntax)),
            ("<html>", MetadataError::Json(JsonError::Syntax)),
            ("[]", MetadataError::Json(JsonError::NotAnObject)),
            (&deep, MetadataError::Json(JsonError::TooDeep)),
            (&long, MetadataError::TooLarge),
            (
                r#"{"issuer":"a","issuer":"b","jwks_uri":"u"}"#,
                MetadataError::Json(JsonError::DuplicateMember),
            ),
            (
                r#"{"issuer":"a","jwks_uri":"u","jwks_ur\u0069":"v"}"#,
                MetadataError::Json(JsonError::DuplicateMember),
            ),
            (r#"{"jwks_uri":"u"}"#, MetadataError::IssuerMissing),
            (
                r#"{"issuer":["a"],"jwks_uri":"u"}"#,
                MetadataError::IssuerMissing,
            ),
            (r#"{"issuer":"a"}"#, MetadataError::KeySetUriMissing),
            (
                r#"{"issuer":"a","jwks_uri":null}"#,
                MetadataError::KeySetUriMissing,
            ),
            (
                r#"{"issuer":"a","JWKS_URI":"u"}"#,
                MetadataError::KeySetUriMissing,
            ),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(
            IssuerMetadata::parse(b"{\"issuer\":\"\xff\"}"),
            Err(MetadataError::Json(JsonError::NotUtf8))
        );
    }
}
