//! The ways to break a token, each by its name in the cases.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::segments::{Segments, character, decode_base64url, encode_base64url, position};
use crate::bytes_text;

/// The orders of P-256, P-384 and P-521, big-endian (SEC 2, sections 2.4.2, 2.5.1 and 2.6.1).
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P384_ORDER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
const P521_ORDER: &str = "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409";

/// The order of Ed25519's group, little-endian (RFC 8032 section 5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// One thing to break. What concerns the signed text is done before signing, so that the signature is good.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mangle {
    /// Pad the header with `=` before signing.
    PadHeader,
    /// Pad the payload with `=` before signing.
    PadPayload,
    /// Set unused bits of the payload's last character before signing.
    NonCanonicalPayload,
    /// Put a line break into the payload's base64url before signing.
    PayloadLineBreak,
    /// Pad the signature with `=`.
    PadSignature,
    /// Set unused bits of the signature's last character.
    NonCanonicalSignature,
    /// Replace the first `-` or `_` of the signature by its form in plain base64; without one, the first character by `+`.
    PlainBase64Signature,
    /// Leave the signature out but keep its dot.
    EmptySignature,
    /// Leave the signature and its dot out.
    NoSignature,
    /// Flip the lowest bit of the signature's first byte.
    FlipSignature,
    /// Change a claim after signing.
    ChangePayload,
    /// Cut the signature's last byte off.
    CutSignature,
    /// Append a zero byte to the signature.
    LengthenSignature,
    /// Prepend a zero byte to the signature.
    ZeroBeforeSignature,
    /// ECDSA: the DER form (X.509) instead of r || s.
    DerSignature,
    /// ECDSA: r = 0.
    RZero,
    /// ECDSA: s = 0.
    SZero,
    /// ECDSA: r = s = 0 (CVE-2022-21449).
    RAndSZero,
    /// ECDSA: r = n.
    ROrder,
    /// ECDSA: s = n.
    SOrder,
    /// ECDSA: the other valid s, n - s. JWS allows it.
    OtherS,
    /// EdDSA: s + L, which RFC 8032 section 5.1.7 forbids.
    SPlusOrder,
    /// All bytes of the signature are zero.
    ZeroSignature,
    /// Append to the token.
    Append(String),
    /// Prepend to the token.
    Prepend(String),
    /// A space in the middle of the signature.
    SpaceInside,
    /// Five parts, as an encrypted token has.
    FiveParts,
    /// The flattened JSON serialisation (RFC 7515 section 7.2.2).
    JsonFlattened,
    /// The general JSON serialisation (RFC 7515 section 7.2.1).
    JsonGeneral,
}

impl Mangle {
    pub(super) fn before_signing(&self) -> bool {
        matches!(
            self,
            Self::PadHeader | Self::PadPayload | Self::NonCanonicalPayload | Self::PayloadLineBreak
        )
    }

    pub(super) fn apply(&self, token: &mut Segments) -> Result<()> {
        match self {
            Self::PadHeader => pad(&mut token.header),
            Self::PadPayload => pad(&mut token.payload),
            Self::NonCanonicalPayload => set_unused_bits(&mut token.payload)?,
            Self::PayloadLineBreak => token.payload.insert(4, b'\n'),
            Self::PadSignature => {
                let mut text = token.signature_text();
                pad(&mut text);
                token.signature_text = Some(text);
            }
            Self::NonCanonicalSignature => {
                let mut text = token.signature_text();
                set_unused_bits(&mut text)?;
                token.signature_text = Some(text);
            }
            Self::PlainBase64Signature => {
                let mut text = token.signature_text();
                let index = text
                    .iter()
                    .position(|c| matches!(c, b'-' | b'_'))
                    .unwrap_or(0);
                text[index] = if text[index] == b'_' { b'/' } else { b'+' };
                token.signature_text = Some(text);
            }
            Self::EmptySignature => token.signature.clear(),
            Self::NoSignature => token.whole = Some(token.signing_input()),
            Self::FlipSignature => token.signature[0] ^= 1,
            Self::ChangePayload => {
                let payload =
                    String::from_utf8(decode_base64url(std::str::from_utf8(&token.payload)?)?)?;
                ensure!(payload.contains("alice"), "there is no alice to change");
                token.payload = encode_base64url(payload.replace("alice", "admin").as_bytes());
            }
            Self::CutSignature => {
                token.signature.pop();
            }
            Self::LengthenSignature => token.signature.push(0),
            Self::ZeroBeforeSignature => token.signature.insert(0, 0),
            Self::DerSignature => token.signature = der(half(token, 0)?, half(token, 1)?),
            Self::RZero => zero_half(token, 0)?,
            Self::SZero => zero_half(token, 1)?,
            Self::RAndSZero => {
                zero_half(token, 0)?;
                zero_half(token, 1)?;
            }
            Self::ROrder => set_half(token, 0, &order(token)?)?,
            Self::SOrder => set_half(token, 1, &order(token)?)?,
            Self::OtherS => {
                let other = subtract(&order(token)?, half(token, 1)?);
                set_half(token, 1, &other)?;
            }
            Self::SPlusOrder => {
                let sum = add_little_endian(half(token, 1)?, &ED25519_ORDER);
                set_half(token, 1, &sum)?;
            }
            Self::ZeroSignature => token.signature.fill(0),
            Self::Append(text) => {
                token.whole = Some([token.token(), bytes_text::decode(text)?].concat())
            }
            Self::Prepend(text) => {
                token.whole = Some([bytes_text::decode(text)?, token.token()].concat())
            }
            Self::SpaceInside => {
                let mut whole = token.token();
                whole.insert(whole.len() - 8, b' ');
                token.whole = Some(whole);
            }
            Self::FiveParts => {
                token.whole = Some([token.token().as_slice(), b".AAAA.AAAA"].concat())
            }
            Self::JsonFlattened => token.whole = Some(json(token, false)?),
            Self::JsonGeneral => token.whole = Some(json(token, true)?),
        }
        Ok(())
    }
}

fn pad(text: &mut Vec<u8>) {
    text.push(b'=');
    while !text.len().is_multiple_of(4) {
        text.push(b'=');
    }
}

/// The last character of a group that isn't whole carries bits that mean nothing and must be zero.
fn set_unused_bits(text: &mut [u8]) -> Result<()> {
    ensure!(
        !text.len().is_multiple_of(4),
        "a text of whole groups has no unused bits: make the claims a byte longer"
    );
    let last = text.last_mut().context("no text")?;
    *last = character(position(*last)? | 1);
    Ok(())
}

fn half(token: &Segments, index: usize) -> Result<&[u8]> {
    let size = half_size(token)?;
    Ok(&token.signature[index * size..(index + 1) * size])
}

fn half_size(token: &Segments) -> Result<usize> {
    let length = token.signature.len();
    ensure!(
        matches!(length, 64 | 96 | 132),
        "only an ECDSA or Ed25519 signature has two halves"
    );
    Ok(length / 2)
}

fn set_half(token: &mut Segments, index: usize, value: &[u8]) -> Result<()> {
    let size = half_size(token)?;
    token.signature[index * size..(index + 1) * size].copy_from_slice(value);
    Ok(())
}

fn zero_half(token: &mut Segments, index: usize) -> Result<()> {
    set_half(token, index, &vec![0; half_size(token)?])
}

/// The order of the curve whose signatures have this length.
fn order(token: &Segments) -> Result<Vec<u8>> {
    let digits = match half_size(token)? {
        32 => P256_ORDER,
        48 => P384_ORDER,
        _ => P521_ORDER,
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

fn subtract(minuend: &[u8], subtrahend: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference: Vec<u8> = minuend
        .iter()
        .zip(subtrahend)
        .rev()
        .map(|(a, b)| {
            let digit = i16::from(*a) - i16::from(*b) - borrow;
            borrow = i16::from(digit < 0);
            digit.rem_euclid(256) as u8
        })
        .collect();
    difference.reverse();
    difference
}

fn add_little_endian(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            let digit = u16::from(*a) + u16::from(*b) + carry;
            carry = digit >> 8;
            digit as u8
        })
        .collect()
}

/// `SEQUENCE { INTEGER r, INTEGER s }`.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |value: &[u8]| {
        let mut digits: Vec<u8> = value
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        if digits.first().is_none_or(|first| *first >= 0x80) {
            digits.insert(0, 0);
        }
        [&[2, digits.len() as u8], digits.as_slice()].concat()
    };
    let content = [integer(r), integer(s)].concat();
    let length = content.len() as u8;
    let head: &[u8] = if length < 0x80 {
        &[0x30, length]
    } else {
        &[0x30, 0x81, length]
    };
    [head, content.as_slice()].concat()
}

fn json(token: &Segments, general: bool) -> Result<Vec<u8>> {
    let text = |part: &[u8]| String::from_utf8(part.to_vec());
    let (protected, payload, signature) = (
        text(&token.header)?,
        text(&token.payload)?,
        text(&token.signature_text())?,
    );
    let value = if general {
        serde_json::json!({ "payload": payload, "signatures": [{ "protected": protected, "signature": signature }] })
    } else {
        serde_json::json!({ "payload": payload, "protected": protected, "signature": signature })
    };
    if token.whole.is_some() {
        bail!("the token was already broken as a whole");
    }
    Ok(serde_json::to_vec(&value)?)
}
