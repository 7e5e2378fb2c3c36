//! Key sets: of one to four keys of the pool, often with an oddity in one of them or in the set.

use std::sync::Arc;

use portcullis_conformance::random::Random;
use portcullis_jose::encode_base64url as encode;
use serde_json::Value;

use crate::signers::{Signer, USUAL, decode, pool, try_decode};
use crate::tokens::Made;

/// What an issuer has.
#[derive(Debug)]
pub(crate) enum Keys {
    /// The text that stands behind its `jwks_uri`.
    Set(String),
    /// A secret that it shares.
    Secret(Vec<u8>),
}

/// A signer with a key in the set.
pub(crate) struct Holder {
    pub(crate) signer: Arc<Signer>,
    /// The key id that its tokens name, as JSON.
    pub(crate) kid: Option<String>,
    /// The place of its key.
    pub(crate) key: usize,
    /// What is odd about its key.
    pub(crate) kinds: Vec<&'static str>,
}

/// All algorithms for which somebody beside us has an implementation here: node 20 has no ML-DSA.
const ASYMMETRIC: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    "Ed25519",
];

/// Members of a JWK beside those that make the key, as names and JSON.
const MEMBERS: &[(&str, &str)] = &[
    ("use", "\"sig\""),
    ("use", "\"enc\""),
    ("use", "\"SIG\""),
    ("use", "\"other\""),
    ("use", "null"),
    ("use", "1"),
    ("use", "[\"sig\"]"),
    ("key_ops", "[\"verify\"]"),
    ("key_ops", "[\"sign\"]"),
    ("key_ops", "[\"sign\",\"verify\"]"),
    ("key_ops", "[\"verify\",\"verify\"]"),
    ("key_ops", "[\"verify\",\"encrypt\"]"),
    ("key_ops", "[\"verify\",\"x-other\"]"),
    ("key_ops", "[]"),
    ("key_ops", "[1,\"verify\"]"),
    ("key_ops", "\"verify\""),
    ("key_ops", "null"),
    ("alg", "\"RS256\""),
    ("alg", "\"PS256\""),
    ("alg", "\"RS512\""),
    ("alg", "\"ES256\""),
    ("alg", "\"ES384\""),
    ("alg", "\"EdDSA\""),
    ("alg", "\"Ed25519\""),
    ("alg", "\"HS256\""),
    ("alg", "\"RSA-OAEP\""),
    ("alg", "\"ECDH-ES\""),
    ("alg", "\"none\""),
    ("alg", "\"es256\""),
    ("alg", "\"\""),
    ("alg", "null"),
    ("alg", "1"),
    ("ext", "true"),
    ("ext", "\"true\""),
    ("d", "\"AAAA\""),
    ("d", "null"),
    ("p", "\"AAAA\""),
    ("k", "\"AAAA\""),
    ("priv", "\"AAAA\""),
    ("oth", "[]"),
    ("x5c", "[\"AAAA\"]"),
    ("x5c", "\"AAAA\""),
    ("x5t", "\"AAAA\""),
    ("x5t#S256", "1"),
    ("x5u", "\"https://evil.example/x\""),
    ("nbf", "1"),
    ("exp", "1"),
    ("x-unknown", "{\"a\":[1]}"),
    ("", "0"),
    ("__proto__", "{\"use\":\"enc\"}"),
    ("KTY", "\"oct\""),
    ("use", "\"sig\",\"use\":\"enc\""),
];

/// Values of the members that make a key.
const MATERIAL: &[&str] = &[
    "null",
    "1",
    "\"\"",
    "\"AA\"",
    "\"AQAB\"",
    "\"AQ\"",
    "\"Ag\"",
    "\"Aw\"",
    "\"AQAAAAE\"",
    "\"AAEAAQ\"",
    "[]",
    "\"!\"",
    "65537",
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
    "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
    "\"7P///////////////////////////////////////38\"",
    "\"7f________________________________________38\"",
];

const CURVES: &[&str] = &[
    "\"P-256\"",
    "\"P-384\"",
    "\"P-521\"",
    "\"Ed25519\"",
    "\"secp256k1\"",
    "\"X25519\"",
    "\"Ed448\"",
    "\"p-256\"",
    "null",
    "1",
    "\"\"",
];
const KINDS: &[&str] = &[
    "\"RSA\"", "\"EC\"", "\"OKP\"", "\"oct\"", "\"rsa\"", "\"AKP\"", "\"\"", "null", "1",
    "[\"EC\"]",
];
const KIDS: &[&str] = &[
    "null",
    "1",
    "\"\"",
    "\"other\"",
    "[\"k1\"]",
    "\"K1\"",
    "\"k\\u0031\"",
    "{}",
];
const STRANGERS: &[&str] = &[
    "null",
    "1",
    "\"key\"",
    "[]",
    "{}",
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}",
    "{\"kty\":\"oct\",\"kid\":\"k1\",\"alg\":\"HS256\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}",
    "{\"kty\":\"new\",\"kid\":\"k9\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"use\":\"enc\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
];

/// A key as members in order, so that one can come twice.
type Jwk = Vec<(String, String)>;

/// Keys, who signs for them, and the algorithms to accept.
pub(crate) fn make(random: &mut Random) -> (Keys, Vec<Holder>, Vec<&'static str>) {
    if random.once_in(12) {
        return secret(random);
    }
    let count = 1 + random.below(4);
    let mut holders: Vec<Holder> = Vec::new();
    let mut keys: Vec<Jwk> = Vec::new();
    let named = !random.once_in(5);
    for key in 0..count {
        // RSA signatures take long to make; those of odd sizes are there, but rare.
        let place = match random.below(40) {
            0 => random.below(pool().len()),
            1..=6 => random.below(USUAL),
            7..=8 => 6,
            _ => random.below(6),
        };
        let signer = &pool()[place];
        let mut jwk: Jwk = signer
            .jwk
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        let mut kinds = Vec::new();
        let kid = named.then(|| format!("\"k{}\"", key + 1));
        if let Some(kid) = &kid {
            jwk.push(("kid".to_owned(), kid.clone()));
        }
        if random.once_in(3) {
            let algorithm = random.pick(signer.algorithms);
            jwk.push(("alg".to_owned(), format!("\"{algorithm}\"")));
        }
        if random.once_in(3) {
            jwk.push(("use".to_owned(), "\"sig\"".to_owned()));
        }
        if random.once_in(4) {
            kinds.push(spoil(random, &mut jwk));
        }
        keys.push(jwk);
        holders.push(Holder {
            signer: Arc::clone(signer),
            kid,
            key,
            kinds,
        });
    }
    let shown: Vec<String> = keys.iter().map(show).collect();
    (
        Keys::Set(set(random, shown, &mut holders)),
        holders,
        ASYMMETRIC.to_vec(),
    )
}

fn secret(random: &mut Random) -> (Keys, Vec<Holder>, Vec<&'static str>) {
    let size = *random.pick(&[32, 48, 64, 100]);
    let secret: Vec<u8> = (0..size).map(|_| random.byte()).collect();
    let algorithms = match size {
        32 => vec!["HS256"],
        48 => vec!["HS256", "HS384"],
        _ => vec!["HS256", "HS384", "HS512"],
    };
    let holder = Holder {
        signer: Arc::new(Signer::shared(&secret)),
        kid: None,
        key: 0,
        kinds: Vec::new(),
    };
    // Somebody who takes a public key of the issuer, which everybody has, for the secret.
    let public = decode(pool()[1].jwk["x"].as_str().unwrap());
    let other = Holder {
        signer: Arc::new(Signer::shared(&public)),
        kid: None,
        key: 0,
        kinds: vec!["secret: another one"],
    };
    (Keys::Secret(secret), vec![holder, other], algorithms)
}

fn show(jwk: &Jwk) -> String {
    let members = jwk
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Makes a key odd in one way.
fn spoil(random: &mut Random, jwk: &mut Jwk) -> &'static str {
    let put = |jwk: &mut Jwk, name: &str, value: &str| {
        jwk.retain(|(known, _)| known != name);
        jwk.push((name.to_owned(), value.to_owned()));
    };
    let material: Vec<usize> = (0..jwk.len())
        .filter(|place| matches!(&*jwk[*place].0, "n" | "e" | "x" | "y"))
        .collect();
    let member = *random.pick(&material);
    let text: Value = serde_json::from_str(&jwk[member].1).unwrap();
    let text = text.as_str().unwrap_or_default().to_owned();
    match random.below(16) {
        0 => {
            put(jwk, "kid", random.pick::<&str>(KIDS));
            "key: kid"
        }
        1 => {
            put(jwk, "crv", random.pick::<&str>(CURVES));
            "key: crv"
        }
        2 => {
            put(jwk, "kty", random.pick::<&str>(KINDS));
            "key: kty"
        }
        3 => {
            jwk[member].1 = (*random.pick(MATERIAL)).to_owned();
            "key: material"
        }
        4 => {
            jwk.remove(member);
            "key: material is missing"
        }
        5 => {
            jwk[member].1 = format!(
                "\"{text}{}\"",
                random.pick(&["=", "==", " ", "\\n", "AA", "."])
            );
            "key: material padded"
        }
        6 => {
            let bytes = [&[0][..], &decode(&text)].concat();
            jwk[member].1 = format!("\"{}\"", encode(&bytes));
            "key: a zero before"
        }
        7 => {
            let mut bytes = decode(&text);
            bytes.remove(0);
            jwk[member].1 = format!("\"{}\"", encode(&bytes));
            "key: a byte is missing"
        }
        8 => {
            let mut bytes = decode(&text);
            let last = bytes.len() - 1;
            bytes[last] ^= 1 << random.below(8);
            jwk[member].1 = format!("\"{}\"", encode(&bytes));
            "key: a bit"
        }
        9 => {
            let value = jwk[member].1.clone();
            let name = jwk[member].0.clone();
            jwk.push((name, value));
            "key: a member twice"
        }
        _ => {
            let (name, value) = random.pick(MEMBERS);
            put(jwk, name, value);
            "key: another member"
        }
    }
}

/// The set's text. Where keys come before those of the holders, these know.
fn set(random: &mut Random, mut keys: Vec<String>, holders: &mut [Holder]) -> String {
    match random.below(60) {
        0 => {
            keys.insert(0, (*random.pick(STRANGERS)).to_owned());
            for holder in holders {
                holder.key += 1;
                holder.kinds.push("set: a stranger");
            }
        }
        1 => {
            keys.push((*random.pick(STRANGERS)).to_owned());
            for holder in holders {
                holder.kinds.push("set: a stranger");
            }
        }
        2 => {
            let again = keys[0].clone();
            keys.push(again);
            for holder in holders {
                holder.kinds.push("set: a key twice");
            }
        }
        3 => {
            for number in 0..random.below(70) {
                keys.push(format!("{{\"kty\":\"EC\",\"kid\":\"m{number}\"}}"));
            }
            for holder in holders {
                holder.kinds.push("set: many keys");
            }
        }
        4 => {
            for holder in holders {
                holder.kinds.push("set: malformed");
            }
            let list = keys.join(",");
            return match random.below(6) {
                0 => format!("[{list}]"),
                1 => format!("{{\"keys\":{{\"0\":{}}}}}", keys[0]),
                2 => format!("{{\"keys\":[{list}],\"keys\":[{list}]}}"),
                3 => format!("{{\"keys\":[{list}]"),
                4 => format!("{{\"keys\":[{list}],\"x\":1}} "),
                _ => "{\"keys\":[]}".to_owned(),
            };
        }
        _ => {}
    }
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

/// What npm `jose` minds about the keys that may have signed a token, which its messages do not say.
pub(crate) fn hint(keys: &Keys, token: &Made) -> &'static str {
    let Keys::Set(text) = keys else { return "" };
    let set: Value = serde_json::from_str(text).unwrap_or_default();
    let header = token
        .text
        .split(|byte| *byte == b'.')
        .next()
        .unwrap_or_default();
    let header = std::str::from_utf8(header).ok().and_then(try_decode);
    let header: Value = header
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    let of_ed25519 = |alg: &Value| matches!(alg.as_str(), Some("EdDSA" | "Ed25519"));
    let all = set["keys"].as_array().into_iter().flatten();
    // The same key may stand there twice.
    for key in all.filter(|key| key["x"] == token.public || key["n"] == token.public) {
        if of_ed25519(&key["alg"]) && of_ed25519(&header["alg"]) && key["alg"] != header["alg"] {
            return " [the other name of Ed25519]";
        }
        if !key["ext"].is_null() && !key["ext"].is_boolean() {
            return " [ext]";
        }
        if key["key_ops"].as_array().is_some_and(|all| all.len() > 1) {
            return " [key_ops]";
        }
    }
    ""
}
