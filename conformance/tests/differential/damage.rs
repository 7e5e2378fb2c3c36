//! What happens to a token after it was signed: to its text, to its signature.

use portcullis_conformance::random::Random;
use portcullis_jose::encode_base64url as encode;

use crate::signers::decode;

/// The order of P-256's base point (SEC 2 section 2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// That of Ed25519's, little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A damaged copy of a good token of three parts; `other` is another one.
pub(crate) fn damage(
    random: &mut Random,
    token: &str,
    other: &str,
    algorithm: &str,
    kinds: &mut Vec<&'static str>,
) -> Vec<u8> {
    if random.once_in(2) {
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut signature = decode(signature);
        kinds.push(damage_signature(random, &mut signature, algorithm));
        return format!("{input}.{}", encode(&signature)).into_bytes();
    }
    damage_text(random, token, other, kinds)
}

fn damage_text(
    random: &mut Random,
    token: &str,
    other: &str,
    kinds: &mut Vec<&'static str>,
) -> Vec<u8> {
    let mut bytes = token.as_bytes().to_vec();
    // White space round a header's value is HTTP's, so the first place and the last are left alone.
    let place = 1 + random.below(bytes.len() - 1);
    let letter = *random.pick(b"AQgw_-.=+/ \n0~%\t\0\x80");
    let parts = |token: &str| -> Vec<String> { token.split('.').map(str::to_owned).collect() };
    let mut all = parts(token);
    let part = random.below(3);
    let joined = |all: &[String]| all.join(".").into_bytes();
    match random.below(16) {
        0 => {
            kinds.push("text: a letter replaced");
            bytes[place] = letter;
        }
        1 => {
            kinds.push("text: a letter put in");
            bytes.insert(place, letter);
        }
        2 => {
            kinds.push("text: a letter taken out");
            bytes.remove(place);
        }
        3 => {
            kinds.push("text: cut");
            bytes.truncate(place);
        }
        4 => {
            kinds.push("text: padded");
            all[part].push_str(random.pick::<&str>(&["=", "==", "==="]));
            return joined(&all);
        }
        5 => {
            // The bits behind the last byte, which nobody decodes.
            kinds.push("text: trailing bits");
            const ALPHABET: &[u8] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let last = all[part].pop().unwrap_or('A');
            let at = ALPHABET
                .iter()
                .position(|one| *one == last as u8)
                .unwrap_or(0);
            all[part].push(char::from(ALPHABET[at ^ 1]));
            return joined(&all);
        }
        6 => {
            kinds.push("text: the other alphabet");
            return token.replace('-', "+").replace('_', "/").into_bytes();
        }
        7 => {
            kinds.push("text: an empty part");
            all[part].clear();
            return joined(&all);
        }
        8 => {
            kinds.push("text: parts are missing or too many");
            match random.below(4) {
                0 => drop(all.pop()),
                1 => all.push(String::new()),
                2 => all.insert(part, "e30".to_owned()),
                _ => all.extend(["AA".to_owned(), "AA".to_owned()]),
            }
            return joined(&all);
        }
        9 => {
            kinds.push("text: JSON serialisation");
            return format!(
                r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#,
                all[0], all[1], all[2]
            )
            .into_bytes();
        }
        10 => {
            kinds.push("text: white space inside");
            let white = *random.pick(&[" ", "\t", "\n", "\r\n", "\u{a0}", "\u{feff}"]);
            let at = random.below(all[part].len().max(1)).max(1);
            if all[part].is_char_boundary(at) {
                all[part].insert_str(at, white);
            }
            return joined(&all);
        }
        11 => {
            kinds.push("text: percent-encoded");
            return token.replace('.', "%2E").into_bytes();
        }
        12 => {
            kinds.push("text: unsecured");
            let header = random.pick(&[
                r#"{"alg":"none"}"#,
                r#"{"alg":"None","typ":"JWT"}"#,
                r#"{"typ":"JWT"}"#,
            ]);
            all[0] = encode(header.as_bytes());
            if random.once_in(2) {
                all[2].clear();
            }
            return joined(&all);
        }
        _ => {
            kinds.push("text: parts of two tokens");
            let others = parts(other);
            all[part].clone_from(&others[part]);
            return joined(&all);
        }
    }
    bytes
}

fn damage_signature(random: &mut Random, signature: &mut Vec<u8>, algorithm: &str) -> &'static str {
    let half = signature.len() / 2;
    match (random.below(12), algorithm) {
        (0, _) => {
            let place = random.below(signature.len());
            signature[place] ^= 1 << random.below(8);
            "signature: a bit"
        }
        (1, _) => {
            signature.truncate(random.below(signature.len()));
            "signature: cut"
        }
        (2, _) => {
            signature.push(0);
            "signature: a zero behind"
        }
        (3, _) => {
            signature.insert(0, 0);
            "signature: a zero before"
        }
        (4, _) => {
            signature.fill(0);
            "signature: all zero"
        }
        (5, _) => {
            signature.fill(0xff);
            "signature: all ones"
        }
        (6, _) => {
            signature.rotate_left(half);
            "signature: halves swapped"
        }
        (7, "ES256") => {
            // The other of the two: valid wherever malleable signatures are, and JOSE does not forbid it.
            let s = subtract(&P256_ORDER, &signature[half..]);
            signature.splice(half.., s);
            "signature: s negated"
        }
        (8, "ES256") => {
            let parsed = p256::ecdsa::Signature::from_slice(signature).unwrap();
            *signature = parsed.to_der().as_bytes().to_vec();
            "signature: DER"
        }
        (9, "ES256") => {
            let which = if random.once_in(2) {
                0..half
            } else {
                half..signature.len()
            };
            let value = *random.pick(&[[0; 32], P256_ORDER]);
            signature.splice(which, value);
            "signature: r or s out of range"
        }
        (7 | 8, "EdDSA" | "Ed25519") => {
            let mut carry = 0;
            for (byte, addend) in signature[32..].iter_mut().zip(ED25519_ORDER) {
                let sum = u16::from(*byte) + u16::from(addend) + carry;
                *byte = sum.to_le_bytes()[0];
                carry = sum >> 8;
            }
            "signature: S beyond the order"
        }
        (9, "EdDSA" | "Ed25519") => {
            // A point of small order, or one in a spelling that is not canonical.
            let mut r = [0; 32];
            match random.below(3) {
                0 => r[0] = 1,
                1 => r.copy_from_slice(&[0xff; 32]),
                _ => r = [0xee; 32],
            }
            signature.splice(..32, r);
            "signature: another R"
        }
        (10, _) => {
            signature.extend_from_slice(&signature.clone());
            "signature: twice"
        }
        (11, _) => {
            signature.reverse();
            "signature: backwards"
        }
        _ => {
            let place = random.below(signature.len());
            signature.remove(place);
            "signature: a byte is missing"
        }
    }
}

/// Big-endian; the first is the larger one.
fn subtract(from: &[u8], what: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference: Vec<u8> = from
        .iter()
        .zip(what)
        .rev()
        .map(|(from, what)| {
            let value = i16::from(*from) - i16::from(*what) - borrow;
            borrow = i16::from(value < 0);
            value.rem_euclid(256) as u8
        })
        .collect();
    difference.reverse();
    difference
}
