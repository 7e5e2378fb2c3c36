//! `verify_signature` as Envoy has it, by a library that shares no code with ours; and key pairs.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_abi::fake::FakeFunction;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    VerificationAlgorithm,
};

/// The host's function, done well.
pub(super) fn good() -> FakeFunction {
    FakeFunction::new(|question| Ok(answer(verify(question))))
}

/// The answer as protobuf has it.
pub(super) fn answer(good: bool) -> Vec<u8> {
    if good {
        b"\x08\x01".to_vec()
    } else {
        b"\x12\x26Failed to verify digest. Error code: 0".to_vec()
    }
}

/// Judges a question.
pub(super) fn verify(question: &[u8]) -> bool {
    let [hash, key, signature, text] = fields(question);
    // Up to the key's own bytes: 24 bytes for RSA moduli of 2,048 bits and more, 26 for P-256, 23 for P-384 (RFC 3279, RFC 5480).
    let (algorithm, at): (&dyn VerificationAlgorithm, usize) = match (key.get(..4).unwrap(), hash) {
        ([0x30, 0x59, 0x30, 0x13], b"sha256") => (&signature::ECDSA_P256_SHA256_ASN1, 26),
        ([0x30, 0x76, 0x30, 0x10], b"sha384") => (&signature::ECDSA_P384_SHA384_ASN1, 23),
        // `ring` has no P-521: this host takes every such signature for a bad one.
        ([0x30, 0x81, _, _], b"sha512") => return false,
        ([0x30, 0x82, _, _], b"sha256") => (&signature::RSA_PKCS1_2048_8192_SHA256, 24),
        ([0x30, 0x82, _, _], b"sha384") => (&signature::RSA_PKCS1_2048_8192_SHA384, 24),
        ([0x30, 0x82, _, _], b"sha512") => (&signature::RSA_PKCS1_2048_8192_SHA512, 24),
        other => panic!("no question that we ask: {other:x?}"),
    };
    let verified = UnparsedPublicKey::new(algorithm, &key[at..]).verify(text, signature);
    verified.is_ok()
}

/// The contents of fields 1 to 4, which come in this order, each once.
fn fields(mut message: &[u8]) -> [&[u8]; 4] {
    let fields = [1_u8, 2, 3, 4].map(|number| {
        let (tag, mut rest) = message.split_first().unwrap();
        assert_eq!(*tag, number << 3 | 2);
        let mut length = 0;
        for place in (0..).step_by(7) {
            let (byte, after) = rest.split_first().unwrap();
            length |= usize::from(byte & 0x7f) << place;
            rest = after;
            if *byte < 0x80 {
                break;
            }
        }
        let (content, after) = rest.split_at(length);
        message = after;
        content
    });
    assert!(message.is_empty());
    fields
}

/// A P-256 key pair.
pub(super) struct EcPair {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl EcPair {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    /// The public key, with further members.
    pub(super) fn jwk(&self, more: &str) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"{more}}}"#)
    }

    /// A token with these claims, and further header members.
    pub(super) fn token(&self, claims: &str, more: &str) -> String {
        let header = format!(r#"{{"alg":"ES256"{more}}}"#);
        let input = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        );
        let signature = self.pair.sign(&self.random, input.as_bytes()).unwrap();
        format!("{input}.{}", encode(signature.as_ref()))
    }
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
