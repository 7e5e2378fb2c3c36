//! Unpadded base64url in its one canonical spelling (RFC 7515 section 2, RFC 4648 sections 3.5 and 5).

use base64ct::{Base64UrlUnpadded, Encoding};

/// Decodes `text`, or nothing if it has padding, white space, a foreign character, an impossible length or
/// non-zero bits after the last byte: two spellings of one value must never both be accepted.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(std::str::from_utf8(text).ok()?).ok()
}
