//! Tokens of a suite: how they are made, and the mint that signs each once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};

use super::clock;
use super::document::{At, Node, Problems};
use super::keys::{Keys, change};
use super::reader::{self, Fields};
use super::text::NUMBER;

/// Claims that hold a NumericDate (RFC 7519 section 2): a shift like `+5m` in them is made one.
const DATES: [&str; 5] = ["exp", "nbf", "iat", "auth_time", "updated_at"];

#[derive(Clone, Debug, Default)]
struct Spec {
    at: At,
    key: Option<String>,
    /// Instead of the key's own, for keys that have several.
    algorithm: Option<String>,
    header: Map<String, Json>,
    claims: Map<String, Json>,
    signature: Signature,
    raw: Option<String>,
    /// `${#}` stands in it: every request has one of its own.
    numbered: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Signature {
    #[default]
    Valid,
    /// One bit is wrong.
    Flipped,
    /// Nothing after the second dot.
    Empty,
}

/// The mint.
#[derive(Default)]
pub(crate) struct Tokens {
    specs: BTreeMap<String, Spec>,
    made: Mutex<HashMap<(String, u64, u64), String>>,
}

impl Tokens {
    /// Reads `tokens: { NAME: { key, algorithm, like, header, claims, signature, raw } }`.
    pub(crate) fn read(node: &Node, keys: &Keys, problems: &mut Problems) -> Self {
        let mut tokens = Self::default();
        for (name, at, node) in reader::map(node, "tokens", problems).unwrap_or_default() {
            if let Some(spec) = tokens.read_one(*at, node, keys, problems) {
                tokens.specs.insert(name.clone(), spec);
            }
        }
        tokens
    }

    fn read_one(&self, at: At, node: &Node, keys: &Keys, problems: &mut Problems) -> Option<Spec> {
        let mut fields = Fields::of(node, "a token", problems)?;
        let mut spec = Spec::default();
        if let Some(like) = fields.text("like", problems) {
            match self.specs.get(&like) {
                Some(known) => spec = known.clone(),
                None => problems.add(at, format!("there is no token `{like}` above")),
            }
        }
        spec.at = at;
        if let Some(key) = fields.text("key", problems) {
            if keys.get(&key).is_none() {
                problems.add(at, format!("there is no key `{key}`"));
            }
            spec.key = Some(key);
        }
        if let Some(algorithm) = fields.text("algorithm", problems) {
            let key = spec.key.as_deref().and_then(|key| keys.get(key));
            let kind = key.map(|key| key.signer.kind());
            if let Some(kind) = kind.filter(|kind| !kind.algorithms().contains(&&*algorithm)) {
                let known = kind.algorithms().join(", ");
                problems.add(at, format!("a {kind} key signs with {known}"));
            }
            spec.algorithm = Some(algorithm);
        }
        for (name, target) in [("header", &mut spec.header), ("claims", &mut spec.claims)] {
            match fields.take(name).map(reader::json) {
                None => {}
                // Nulls stay: in claims they are values, in headers they take a member out.
                Some(Json::Object(members)) => target.extend(members),
                Some(_) => problems.add(at, format!("`{name}` must be a map")),
            }
        }
        match fields.text("signature", problems).as_deref() {
            None => {}
            Some("valid") => spec.signature = Signature::Valid,
            Some("flipped") => spec.signature = Signature::Flipped,
            Some("empty") => spec.signature = Signature::Empty,
            Some(_) => problems.add(at, "`signature` is valid, flipped or empty"),
        }
        spec.raw = fields.text("raw", problems).or(spec.raw);
        let within = |members: &Map<String, Json>| members.values().any(mentions_number);
        spec.numbered = within(&spec.header)
            || within(&spec.claims)
            || spec.raw.as_ref().is_some_and(|raw| raw.contains(NUMBER));
        fields.finish("a token", problems);
        if spec.key.is_none() && spec.raw.is_none() {
            problems.add(at, "a token needs a `key`, or its text as `raw`");
        }
        Some(spec)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.specs.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.specs.contains_key(name)
    }

    /// The token as text for the request of that number, made when the clock stood at so many seconds.
    pub(crate) fn get(
        &self,
        name: &str,
        now: u64,
        number: u64,
        keys: &Keys,
    ) -> Result<String, String> {
        let spec = self
            .specs
            .get(name)
            .ok_or_else(|| format!("there is no token `{name}`"))?;
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (name.to_owned(), now, if spec.numbered { number } else { 0 });
        if let Some(token) = made().get(&id) {
            return Ok(token.clone());
        }
        let token = mint(spec, now, number, keys)?;
        made().insert(id, token.clone());
        Ok(token)
    }
}

fn mentions_number(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains(NUMBER),
        Json::Array(items) => items.iter().any(mentions_number),
        Json::Object(members) => members.values().any(mentions_number),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The members with `${#}` filled in.
fn fill(members: &Map<String, Json>, number: u64) -> Map<String, Json> {
    members
        .iter()
        .map(|(name, value)| (name.clone(), numbered(value, number)))
        .collect()
}

fn numbered(value: &Json, number: u64) -> Json {
    match value {
        Json::String(text) => json!(text.replace(NUMBER, &number.to_string())),
        Json::Array(items) => items.iter().map(|item| numbered(item, number)).collect(),
        Json::Object(members) => Json::Object(fill(members, number)),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

fn mint(spec: &Spec, now: u64, number: u64, keys: &Keys) -> Result<String, String> {
    if let Some(raw) = &spec.raw {
        return Ok(raw.replace(NUMBER, &number.to_string()));
    }
    let name = spec.key.as_deref().unwrap_or_default();
    let key = keys
        .get(name)
        .ok_or_else(|| format!("there is no key `{name}`"))?;
    let algorithm = spec.algorithm.as_ref().unwrap_or(&key.algorithm);
    let mut header = Map::new();
    header.insert("alg".to_owned(), json!(algorithm));
    if let Some(kid) = &key.kid {
        header.insert("kid".to_owned(), json!(kid));
    }
    change(&mut header, spec.header.clone());
    let claims: Map<String, Json> = spec
        .claims
        .iter()
        .map(|(name, value)| (name.clone(), date(name, value, now)))
        .collect();
    let (header, claims) = (fill(&header, number), fill(&claims, number));
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = key
        .signer
        .sign(algorithm, message.as_bytes())
        .map_err(|error| format!("line {}: {error}", spec.at.line))?;
    let signature = base64url(&signature);
    let signature = match spec.signature {
        Signature::Valid => signature,
        Signature::Flipped => flip(&signature),
        Signature::Empty => String::new(),
    };
    Ok(format!("{message}.{signature}"))
}

fn date(name: &str, value: &Json, now: u64) -> Json {
    let shift = value
        .as_str()
        .filter(|_| DATES.contains(&name))
        .and_then(clock::shift);
    match shift {
        Some(seconds) => json!(now.saturating_add_signed(seconds)),
        None => value.clone(),
    }
}

fn part(object: &Map<String, Json>) -> String {
    base64url(Json::Object(object.clone()).to_string().as_bytes())
}

/// RFC 4648 section 5 without padding.
fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Changes one bit in the middle; still base64url of the same length.
fn flip(signature: &str) -> String {
    let middle = signature.len() / 2;
    signature
        .char_indices()
        .map(|(index, c)| match (index == middle, c) {
            (true, 'A') => 'B',
            (true, _) => 'A',
            (false, c) => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::document::parse;
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    fn suite(text: &str) -> (Keys, Tokens, Problems) {
        let mut problems = Problems::default();
        let node = parse(text).unwrap();
        let mut fields = Fields::of(&node, "a suite", &mut problems).unwrap();
        let keys = Keys::read(fields.take("keys").unwrap(), &mut problems);
        let tokens = Tokens::read(fields.take("tokens").unwrap(), &keys, &mut problems);
        (keys, tokens, problems)
    }

    #[test]
    fn a_token_is_signed_by_its_key() {
        for (name, algorithm) in [
            ("ES256", Algorithm::ES256),
            ("ES384", Algorithm::ES384),
            ("EdDSA", Algorithm::EdDSA),
            ("RS256", Algorithm::RS256),
            ("PS512", Algorithm::PS512),
        ] {
            let text = format!(
                "keys: {{ k: {{ algorithm: {name} }} }}\n\
                 tokens: {{ t: {{ key: k, claims: {{ sub: a, exp: +5m, aud: x }} }}, f: {{ like: t, signature: flipped }} }}"
            );
            let (keys, tokens, problems) = suite(&text);
            assert!(problems.0.is_empty(), "{problems:?}");
            let jwk = serde_json::from_value(keys.get("k").unwrap().jwk.clone()).unwrap();
            let key = DecodingKey::from_jwk(&jwk).unwrap();
            let mut validation = Validation::new(algorithm);
            validation.set_audience(&["x"]);
            let token = tokens.get("t", 4_000_000_000, 1, &keys).unwrap();
            let claims = decode::<Json>(&token, &key, &validation).unwrap().claims;
            assert_eq!(claims["exp"], 4_000_000_300u64);
            let flipped = tokens.get("f", 4_000_000_000, 1, &keys).unwrap();
            assert!(decode::<Json>(&flipped, &key, &validation).is_err());
        }
    }

    /// One key, several algorithms; and what a header says is its own affair.
    #[test]
    fn a_token_can_name_another_algorithm_of_its_key_or_lie_about_it() {
        let (keys, tokens, problems) = suite(
            "keys: { r: { algorithm: RS256 }, h: { algorithm: HS256, secret: a text of any length } }\n\
             tokens:\n  p: { key: r, algorithm: PS384 }\n  l: { like: p, header: { alg: RS256 } }\n  h: { key: h, algorithm: HS512 }",
        );
        assert!(problems.0.is_empty(), "{problems:?}");
        let alg = |name: &str| {
            let token = tokens.get(name, 0, 1, &keys).unwrap();
            jsonwebtoken::decode_header(&token).unwrap().alg
        };
        assert_eq!(alg("p"), Algorithm::PS384);
        assert_eq!(alg("l"), Algorithm::RS256);
        assert_eq!(alg("h"), Algorithm::HS512);
        let jwk = &keys.get("h").unwrap().jwk;
        assert_eq!((&jwk["kty"], &jwk["alg"]), (&json!("oct"), &json!("HS256")));
        let jwk = serde_json::from_value(keys.get("r").unwrap().jwk.clone()).unwrap();
        let verifies = |name: &str, algorithm| {
            let token = tokens.get(name, 0, 1, &keys).unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let key = DecodingKey::from_jwk(&jwk).unwrap();
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap()
        };
        assert!(verifies("p", Algorithm::PS384));
        assert!(verifies("l", Algorithm::PS384));
        assert!(!verifies("l", Algorithm::RS256));
    }

    #[test]
    fn a_numbered_token_is_another_one_for_every_request() {
        let (keys, tokens, problems) = suite(
            "keys: { k: { algorithm: ES256 } }\n\
             tokens: { n: { key: k, claims: { jti: \"id-${#}\", list: [\"${#}\"] } }, s: { key: k, claims: { jti: a } } }",
        );
        assert!(problems.0.is_empty(), "{problems:?}");
        let jwk = serde_json::from_value(keys.get("k").unwrap().jwk.clone()).unwrap();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        for number in [1, 23] {
            let token = tokens.get("n", 0, number, &keys).unwrap();
            let claims = decode::<Json>(&token, &key, &validation).unwrap().claims;
            assert_eq!(claims["jti"], format!("id-{number}"));
            assert_eq!(claims["list"][0], number.to_string());
        }
        assert_eq!(
            tokens.get("s", 0, 1, &keys).unwrap(),
            tokens.get("s", 0, 2, &keys).unwrap()
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let (_, _, problems) = suite(
            "keys: { k: { algorithm: HS256 }, e: { algorithm: ES256 } }\ntokens:\n  t: { key: x }\n  u: { like: z }\n  v: { key: e, algorithm: ES384 }",
        );
        let text: Vec<String> = problems
            .0
            .iter()
            .map(|(at, message)| format!("{}: {message}", at.line))
            .collect();
        assert_eq!(text.len(), 5, "{text:?}");
        assert_eq!(text[0], "1: a key for HS256 needs its `secret`");
        assert!(text[1].starts_with("3: there is no key `x`"), "{text:?}");
        assert!(text[2].starts_with("4: there is no token `z`"), "{text:?}");
        assert_eq!(text[4], "5: a P-256 key signs with ES256");
    }
}
