//! Target `signatures`: signatures of every algorithm, good but for what the input changes. Nobody forges, nothing panics, and tables
//! change no verdict.
//!
//! The input's first byte says which signature; then come changes of three bytes each: a place in the signature and bits to flip
//! there. The place `ffff` cuts that many bytes off, `fffe` appends as many zeros, `fffd` takes `s` of an ECDSA signature for `n - s`.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_jose::{
    Algorithm, KeyKind, KeySet, KeySetLimits, Precomputed, PublicKey, SecretEncoding, SecretKey,
    SignatureError, Software, Verifier as _,
};
use serde_json::{Value, json};

/// Public keys, and their signatures over [`INPUT`], made once by other crates than ours (`test-signer`).
const KNOWN: &str = include_str!("signatures/known.json");

const INPUT: &[u8] = b"input";

enum Key {
    Public(Box<PublicKey>),
    Secret(SecretKey),
}

struct Known {
    algorithm: Algorithm,
    key: Key,
    signature: Vec<u8>,
}

/// The orders of P-256, P-384 and P-521, big-endian (SEC 2).
const ORDERS: [&str; 3] = [
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
];

static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let all: Vec<Value> = serde_json::from_str(KNOWN).expect("the known signatures");
    all.iter().map(known).collect()
});

thread_local! {
    /// As every key is verified before its table is made.
    static WITHOUT_TABLES: Precomputed = Precomputed::with_limit(0);

    /// With every key's table.
    static TABLES: Precomputed = {
        let tables = Precomputed::default();
        for known in &*ALL {
            if let Key::Public(key) = &known.key {
                tables.prepare(key);
            }
        }
        for _ in 0..1000 {
            tables.advance();
        }
        tables
    };
}

fn known(entry: &Value) -> Known {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let bytes = |value: &Value| Base64UrlUnpadded::decode_vec(&text(value)).expect("base64url");
    let algorithm = Algorithm::from_name(&text(&entry["algorithm"])).expect("an algorithm");
    let key = if algorithm.is_symmetric() {
        let secret = text(&entry["jwk"]["k"]).into_bytes();
        let secret = SecretKey::read(None, secret, SecretEncoding::Base64url);
        Key::Secret(secret.expect("a secret"))
    } else {
        let set = json!({ "keys": [entry["jwk"]] }).to_string();
        let set = KeySet::parse(set.as_bytes(), &KeySetLimits::default()).expect("a key set");
        Key::Public(Box::new(PublicKey::clone(&set.keys()[0])))
    };
    Known {
        algorithm,
        key,
        signature: bytes(&entry["signature"]),
    }
}

/// Checks one input; says whether its signature is good.
pub fn run(data: &[u8]) -> bool {
    let Some((first, changes)) = data.split_first() else {
        return false;
    };
    let known = &ALL[usize::from(*first) % ALL.len()];
    let mut signature = known.signature.clone();
    for change in changes.chunks_exact(3).take(64) {
        apply(known, &mut signature, change);
    }
    let verdict = verify(known, known.algorithm, &signature);
    if verdict.is_ok() {
        let other = other_s(known);
        let is_known =
            signature == known.signature || Some(signature.as_slice()) == other.as_deref();
        assert!(is_known, "forged: {}", known.algorithm);
    } else {
        assert_ne!(signature, known.signature, "{}", known.algorithm);
    }
    // One key, one signature, and every other name for it.
    for algorithm in Algorithm::ALL {
        let is_same = |name| matches!(name, Algorithm::EdDsa | Algorithm::Ed25519);
        if algorithm != known.algorithm && !(is_same(algorithm) && is_same(known.algorithm)) {
            assert!(verify(known, algorithm, &signature).is_err(), "{algorithm}");
        }
    }
    verdict.is_ok()
}

fn apply(known: &Known, signature: &mut Vec<u8>, change: &[u8]) {
    let (place, value) = (u16::from_be_bytes([change[0], change[1]]), change[2]);
    match place {
        0xffff => signature.truncate(signature.len().saturating_sub(value.into())),
        0xfffe => signature.resize(signature.len() + usize::from(value), 0),
        0xfffd => {
            if let Some(other) = other_s(known) {
                *signature = other;
            }
        }
        place => {
            let length = signature.len().max(1);
            if let Some(byte) = signature.get_mut(usize::from(place) % length) {
                *byte ^= value;
            }
        }
    }
}

/// All verifiers, which agree.
fn verify(known: &Known, algorithm: Algorithm, signature: &[u8]) -> Result<(), SignatureError> {
    let key = match &known.key {
        Key::Secret(secret) => return secret.verify(algorithm, INPUT, signature),
        Key::Public(key) => key,
    };
    let plain = Software.verify(key, algorithm, INPUT, signature);
    let by_tables = TABLES.with(|tables| {
        let has_table = !matches!(
            key.kind(),
            KeyKind::Rsa { .. } | KeyKind::MlDsa44 | KeyKind::MlDsa65 | KeyKind::MlDsa87
        );
        assert_eq!(tables.has_table(key), has_table, "{:?}", key.kind());
        tables.verify(key, algorithm, INPUT, signature)
    });
    assert_eq!(plain, by_tables, "{algorithm}");
    let without = WITHOUT_TABLES.with(|it| it.verify(key, algorithm, INPUT, signature));
    assert_eq!(plain, without, "{algorithm}, without a table");
    plain
}

/// The other signature that anybody can make of an ECDSA signature: `n - s` in the place of `s`.
fn other_s(known: &Known) -> Option<Vec<u8>> {
    let order = match known.algorithm {
        Algorithm::Es256 => ORDERS[0],
        Algorithm::Es384 => ORDERS[1],
        Algorithm::Es512 => ORDERS[2],
        _ => return None,
    };
    let (r, s) = known.signature.split_at(known.signature.len() / 2);
    let mut borrow = 0;
    let mut other: Vec<u8> = (0..s.len())
        .rev()
        .map(|at| {
            let digit = u8::from_str_radix(&order[2 * at..2 * at + 2], 16).expect("hex");
            let difference = i16::from(digit) - i16::from(s[at]) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).expect("a byte")
        })
        .collect();
    other.reverse();
    Some([r, &other].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the names of the corpus promise; every algorithm has a good signature in it.
    #[test]
    fn the_corpus_holds() {
        let (mut good, mut bad) = (0, 0);
        for (name, data) in crate::corpus("signatures") {
            let verified = run(&data);
            if name.starts_with("verify-") || name.starts_with("refuse-") {
                assert_eq!(verified, name.starts_with("verify-"), "{name}");
            }
            good += usize::from(verified);
            bad += usize::from(!verified);
        }
        println!("signatures: {good} good, {bad} bad");
        assert!(good >= Algorithm::ALL.len() && bad >= 3 * Algorithm::ALL.len());
    }

    #[test]
    fn the_other_s_is_good_too() {
        for (index, known) in ALL.iter().enumerate() {
            let is_ecdsa = other_s(known).is_some();
            let input = [u8::try_from(index).unwrap(), 0xff, 0xfd, 0];
            assert!(run(&input));
            let is_another = other_s(known).is_some_and(|other| other != known.signature);
            assert_eq!(is_another, is_ecdsa);
        }
    }
}
