//! The three parts of a token while it is made, and their base64url.

use anyhow::{Context, Result};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Header and payload are encoded when they are first needed; what is done to the encoded text stays.
#[derive(Debug)]
pub(super) struct Segments {
    /// Encoded header.
    pub(super) header: Vec<u8>,
    /// Encoded payload.
    pub(super) payload: Vec<u8>,
    /// The signature's bytes, until something sets the encoded form.
    pub(super) signature: Vec<u8>,
    /// The encoded signature, when it isn't simply that of `signature`.
    pub(super) signature_text: Option<Vec<u8>>,
    /// The whole token, when it isn't simply the parts joined by dots.
    pub(super) whole: Option<Vec<u8>>,
}

impl Segments {
    pub(super) fn new(header: Vec<u8>, payload: Vec<u8>) -> Self {
        Self {
            header: encode_base64url(&header),
            payload: encode_base64url(&payload),
            signature: Vec::new(),
            signature_text: None,
            whole: None,
        }
    }

    pub(super) fn signing_input(&self) -> Vec<u8> {
        [self.header.as_slice(), b".", &self.payload].concat()
    }

    pub(super) fn signature_text(&self) -> Vec<u8> {
        self.signature_text
            .clone()
            .unwrap_or_else(|| encode_base64url(&self.signature))
    }

    pub(super) fn token(&self) -> Vec<u8> {
        match &self.whole {
            Some(token) => token.clone(),
            None => [
                self.signing_input().as_slice(),
                b".",
                &self.signature_text(),
            ]
            .concat(),
        }
    }
}

/// base64url without padding (RFC 7515 section 2).
pub fn encode_base64url(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0_u32, |group, (i, byte)| {
            group | u32::from(*byte) << (16 - 8 * i)
        });
        for i in 0..=chunk.len() {
            text.push(ALPHABET[(group >> (18 - 6 * i)) as usize & 63]);
        }
    }
    text
}

/// The inverse, for what this module or `jsonwebtoken` has encoded.
pub(crate) fn decode_base64url(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut group, mut bits) = (0_u32, 0);
    for character in text.bytes() {
        group = group << 6 | position(character)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
            group &= (1 << bits) - 1;
        }
    }
    Ok(bytes)
}

/// The value of one character of the alphabet.
pub(super) fn position(character: u8) -> Result<u32> {
    let position = ALPHABET
        .iter()
        .position(|known| *known == character)
        .context("not base64url")?;
    Ok(u32::try_from(position)?)
}

/// The character of a value below 64.
pub(super) fn character(position: u32) -> u8 {
    ALPHABET[position as usize]
}
