//! Mutations of valid requests: of the token, the path, the headers and the rest of the head.

use anyhow::Result;

use crate::case;
use crate::mint::{Recipe, Signer, decode_base64url, encode_base64url, mint};
use crate::oracle::ValidToken;
use crate::random::Random;

/// The reasons of cases whose tokens no route of any world may accept.
const ALWAYS_BAD: [&str; 12] = [
    "signature_invalid",
    "algorithm_refused",
    "key_unknown",
    "key_unsuitable",
    "key_ambiguous",
    "token_header_refused",
    "token_malformed",
    "token_type_refused",
    "claims_malformed",
    "claim_missing",
    "issuer_unknown",
    "token_expired",
];

/// What a forger would write instead, in header or claims.
const FORGERIES: [(&str, &str); 22] = [
    ("ES256", "none"),
    ("ES256", "HS256"),
    ("RS256", "HS256"),
    ("EdDSA", "nOnE"),
    ("ES256", "ES384"),
    ("ES256", "ES256K"),
    ("RS256", "RS384"),
    ("RS256", "PS256"),
    ("PS256", "RS256"),
    ("EdDSA", "Ed25519"),
    ("ES384", "ES256"),
    ("ES512", "HS512"),
    ("ML-DSA-44", "ML-DSA-65"),
    ("HS256", "HS512"),
    ("\"kid\":\"es_a\"", "\"kid\":\"es_2\""),
    ("\"kid\"", "\"jku\""),
    ("at+jwt", "dpop+jwt"),
    ("login.example.test", "partner.example.test"),
    ("api.example.test", "admin.example.test"),
    ("\"sub\":\"", "\"sub\":\"admin\",\"x\":\""),
    ("\"exp\":1", "\"exp\":2"),
    ("{", "{\"scope\":\"admin internal orders:special\","),
];

/// A request head, as mutable as it gets.
#[derive(Debug, Clone)]
pub struct Head {
    /// All headers, pseudo headers among them.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Nothing was changed: the world allows it for certain.
    pub untouched: bool,
}

/// Targets that the world has routes for, with the methods that they take.
const TARGETS: [(&str, &str); 12] = [
    ("GET", "/orders/42"),
    ("GET", "/orders/a-b_c?x=1&y=%2f"),
    ("GET", "/orders/special"),
    ("POST", "/orders"),
    ("GET", "/reports"),
    ("DELETE", "/admin/users/7"),
    ("GET", "/partner"),
    ("GET", "/gold"),
    ("GET", "/tenants/acme/items"),
    ("GET", "/public/index.html"),
    ("GET", "/greeting"),
    ("GET", "/nowhere"),
];

const PATH_PIECES: [&str; 16] = [
    "..",
    ".",
    "/",
    "//",
    "%2e",
    "%2e%2e/",
    "%2f",
    "%5c",
    "\\",
    ";",
    "%00",
    "%c0%af",
    "?",
    "#",
    "%",
    "/public/../",
];

const HEADER_NAMES: [&str; 14] = [
    "x-user",
    "X-USER",
    "x_user",
    "x.user",
    "x-tenant",
    "x_roles",
    "connection",
    "authorization",
    "Authorization",
    "transfer-encoding",
    "content-length",
    "host",
    "x-forwarded-for",
    "content-type",
];

/// A valid request of a random token and target, without mutation.
pub fn plain(random: &mut Random, tokens: &[ValidToken]) -> Head {
    let (method, path) = random.pick(&TARGETS);
    let authority = if random.once_in(8) {
        "internal.example.test"
    } else {
        "api.example.test"
    };
    let token = random.pick(tokens);
    let mut headers = vec![
        (b":method".to_vec(), method.as_bytes().to_vec()),
        (b":scheme".to_vec(), b"https".to_vec()),
        (b":authority".to_vec(), authority.as_bytes().to_vec()),
        (b":path".to_vec(), path.as_bytes().to_vec()),
        (b"user-agent".to_vec(), b"mutant/1".to_vec()),
    ];
    if !random.once_in(16) {
        headers.push((
            b"authorization".to_vec(),
            [b"Bearer ", token.text.as_slice()].concat(),
        ));
    }
    Head {
        headers,
        untouched: true,
    }
}

/// What is public of an issuer's keys, and what everybody knows: a forger's secrets (RFC 8725 section 2.1).
const PUBLIC: [&str; 8] = [
    "pem rs_a",
    "jwk rs_a",
    "jwk es_a",
    "jwk ed_a",
    "jwk es384_a",
    "jwk es512_a",
    "jwk ml44_a",
    "text ",
];

/// Tokens that an algorithm was swapped in: HMACs under what is public, under the `kid` that the issuer uses; signatures of one
/// algorithm under the name of another that the key could do.
fn confused_tokens(now: i64) -> Result<Vec<Vec<u8>>> {
    let mut tokens = Vec::new();
    for secret in PUBLIC {
        let kid = secret.split_once(' ').map_or("", |(_, name)| name);
        for algorithm in ["HS256", "HS384", "HS512"] {
            let mut recipe = Recipe {
                signer: Signer::Hmac(secret.to_owned()),
                algorithm: Some(algorithm.to_owned()),
                ..Recipe::default()
            };
            tokens.push(mint(&recipe, now)?);
            recipe.header.insert("kid".to_owned(), kid.into());
            tokens.push(mint(&recipe, now)?);
            for (named, key) in [("RS256", "rs_a"), ("ES256", "es_a"), ("EdDSA", "ed_a")] {
                recipe.header.insert("alg".to_owned(), named.into());
                recipe.header.insert("kid".to_owned(), key.into());
                tokens.push(mint(&recipe, now)?);
            }
        }
    }
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    for named in rsa {
        for signed in rsa.into_iter().filter(|signed| *signed != named) {
            let recipe = Recipe {
                signer: Signer::Key("rs_a".to_owned()),
                algorithm: Some(named.to_owned()),
                signature_algorithm: Some(signed.to_owned()),
                ..Recipe::default()
            };
            tokens.push(mint(&recipe, now)?);
        }
    }
    Ok(tokens)
}

/// The tokens of the corpus that nobody may accept, and confused ones.
pub fn bad_tokens(now: i64) -> Result<Vec<Vec<u8>>> {
    let cases = case::load()?;
    let bad = cases.iter().filter(|case| {
        let reason = case.expect.as_ref().map(|expect| expect.reason.as_str());
        // What another world refuses may be good in this one.
        case.world == "main" && reason.is_some_and(|reason| ALWAYS_BAD.contains(&reason))
    });
    let mut tokens = bad
        .filter_map(|case| case.token.as_ref())
        .map(|recipe| mint(recipe, now))
        .collect::<Result<Vec<_>>>()?;
    tokens.extend(confused_tokens(now)?);
    Ok(tokens)
}

/// Changes something, perhaps several things.
pub fn mutate(head: &mut Head, random: &mut Random, tokens: &[ValidToken], bad: &[Vec<u8>]) {
    head.untouched = false;
    if random.once_in(10) {
        let token = random.pick(bad);
        return on_value(head, b"authorization", |value| {
            *value = [b"Bearer ", token.as_slice()].concat()
        });
    }
    for _ in 0..=random.below(3) {
        match random.below(10) {
            0..=4 => on_value(head, b"authorization", |value| {
                credential(value, random, tokens)
            }),
            5 | 6 => on_value(head, b":path", |value| path(value, random)),
            7 => add_header(head, random),
            8 => {
                let which = random.below(head.headers.len());
                let (name, value) = &mut head.headers[which];
                bytes(if random.once_in(3) { name } else { value }, random);
            }
            _ => reshape(head, random),
        }
    }
}

fn on_value(head: &mut Head, name: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    if let Some((_, value)) = head.headers.iter_mut().find(|(known, _)| known == name) {
        change(value);
    }
}

/// The credential: its bytes, its parts, the parts of other tokens.
fn credential(value: &mut Vec<u8>, random: &mut Random, tokens: &[ValidToken]) {
    let other = &random.pick(tokens).text;
    let token = value.strip_prefix(b"Bearer ").unwrap_or(value).to_vec();
    let mut parts: Vec<Vec<u8>> = token
        .split(|byte| *byte == b'.')
        .map(<[u8]>::to_vec)
        .collect();
    let others: Vec<&[u8]> = other.split(|byte| *byte == b'.').collect();
    match random.below(11) {
        0..=2 => return bytes(value, random),
        8..=10 => forge(&mut parts, random),
        3 => {
            let index = random.below(parts.len());
            if let Some(part) = others.get(index) {
                parts[index] = part.to_vec();
            }
        }
        4 => {
            let index = random.below(parts.len());
            if !parts[index].is_empty() {
                bytes(&mut parts[index], random);
            }
        }
        5 => {
            let index = random.below(parts.len());
            let part = parts[index].clone();
            parts.insert(index, part);
        }
        6 => {
            parts.pop();
        }
        _ => parts.swap(0, 1.min(token.split(|byte| *byte == b'.').count() - 1)),
    }
    *value = [b"Bearer ", parts.join(&b'.').as_slice()].concat();
}

/// Changes what header or claims say, in good base64url, under the old signature.
fn forge(parts: &mut [Vec<u8>], random: &mut Random) {
    let index = random.below(parts.len().min(2));
    let part = &mut parts[index];
    let Some(mut text) = std::str::from_utf8(part)
        .ok()
        .and_then(|text| decode_base64url(text).ok())
    else {
        return;
    };
    if random.once_in(3) {
        bytes(&mut text, random);
    } else {
        let (old, new) = random.pick(&FORGERIES);
        text = String::from_utf8_lossy(&text)
            .replacen(old, new, 1)
            .into_bytes();
    }
    *part = encode_base64url(&text);
}

fn path(value: &mut Vec<u8>, random: &mut Random) {
    if random.once_in(3) {
        return bytes(value, random);
    }
    let at = random.below(value.len() + 1);
    let piece = random.pick(&PATH_PIECES).bytes();
    value.splice(at..at, piece);
}

fn add_header(head: &mut Head, random: &mut Random) {
    let name = random.pick(&HEADER_NAMES).as_bytes().to_vec();
    let value = match random.below(4) {
        0 => b"x-user, close".to_vec(),
        1 => b"admin".to_vec(),
        2 => head
            .headers
            .last()
            .map(|(_, value)| value.clone())
            .unwrap_or_default(),
        _ => (0..random.below(40)).map(|_| random.byte()).collect(),
    };
    let at = random.below(head.headers.len() + 1);
    head.headers.insert(at, (name, value));
}

/// Removes, repeats or multiplies headers.
fn reshape(head: &mut Head, random: &mut Random) {
    let which = random.below(head.headers.len());
    match random.below(40) {
        0..=15 if head.headers.len() > 1 => {
            head.headers.remove(which);
        }
        16..=38 => {
            let header = head.headers[which].clone();
            head.headers
                .insert(random.below(head.headers.len() + 1), header);
        }
        _ => {
            let header = head.headers[which].clone();
            head.headers.extend(std::iter::repeat_n(header, 1030));
        }
    }
}

/// Changes bytes: flips a bit, replaces, inserts, removes, repeats or cuts off.
fn bytes(value: &mut Vec<u8>, random: &mut Random) {
    if value.is_empty() {
        value.push(random.byte());
        return;
    }
    let at = random.below(value.len());
    match random.below(7) {
        0 | 1 => value[at] ^= 1 << random.below(8),
        2 => value[at] = random.byte(),
        3 => value.insert(at, random.byte()),
        4 => {
            value.remove(at);
        }
        5 => value.truncate(at),
        _ => {
            let end = (at + 1 + random.below(16)).min(value.len());
            let piece = value[at..end].to_vec();
            value.splice(at..at, piece);
        }
    }
}
