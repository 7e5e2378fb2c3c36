//! `jsonwebtoken` as a judge, used as its documentation has it: the header's `kid` picks keys of the set, without one all are tried.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::key_sets::Keys;
use crate::{AUDIENCE, Batch, ISSUER, Verdict};

thread_local! {
    static IS_JUDGING: Cell<bool> = const { Cell::new(false) };
}

/// Its panics are verdicts: they shall not fill the log.
pub(crate) fn quiet() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !IS_JUDGING.get() {
            others(panic);
        }
    }));
}

/// The verdict on each token.
pub(crate) fn judge(batch: &Batch) -> Vec<Verdict> {
    let keys = match &batch.keys {
        Keys::Secret(secret) => Ok(vec![(None, Ok(DecodingKey::from_secret(secret)))]),
        Keys::Set(text) => read(text),
    };
    let algorithms: Vec<Algorithm> = batch
        .algorithms
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    let tokens = batch.tokens.iter();
    match keys {
        Ok(keys) => tokens
            .map(|token| verdict(&token.text, &keys, &algorithms))
            .collect(),
        Err(why) => tokens.map(|_| Err(why.clone())).collect(),
    }
}

/// A key and its id, or why it can't be read.
type Key = (Option<String>, Result<DecodingKey, String>);

/// The keys of a set. INVARIANT: none is symmetric; a secret that is published is nobody's.
fn read(text: &str) -> Result<Vec<Key>, String> {
    let set: Value = serde_json::from_str(text).map_err(|error| format!("set: {error}"))?;
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Err("set: no list of keys".to_owned());
    };
    let read = keys.iter().map(|key| {
        let kid = key.get("kid").and_then(Value::as_str).map(str::to_owned);
        let decoded = serde_json::from_value::<Jwk>(key.clone())
            .map_err(|error| format!("key: {error}"))
            .and_then(|jwk| DecodingKey::from_jwk(&jwk).map_err(|error| format!("key: {error}")))
            .and_then(|key| match key.family() {
                AlgorithmFamily::Hmac => Err("key: symmetric".to_owned()),
                _ => Ok(key),
            });
        (kid, decoded)
    });
    Ok(read.collect())
}

fn verdict(token: &[u8], keys: &[Key], algorithms: &[Algorithm]) -> Verdict {
    let header = decode_header(token).map_err(|error| format!("header: {}", told(&error)))?;
    let is_secret = matches!(keys, [(_, Ok(key))] if key.family() == AlgorithmFamily::Hmac);
    let fits = |kid: &Option<String>| is_secret || header.kid.is_none() || *kid == header.kid;
    let mut refusals = Vec::new();
    for (_, key) in keys.iter().filter(|(kid, _)| fits(kid)) {
        let key = match key {
            Ok(key) => key,
            Err(why) => {
                refusals.insert(0, why.clone());
                continue;
            }
        };
        let family = algorithms
            .iter()
            .copied()
            .filter(|algorithm| algorithm.family() == key.family());
        let mut validation = Validation::new(header.alg);
        validation.algorithms = family.collect();
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // It panics on some keys, such as one of Ed25519 with 31 bytes. That is no acceptance.
        IS_JUDGING.set(true);
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decode::<Map<String, Value>>(token, key, &validation)
        }));
        IS_JUDGING.set(false);
        match decoded {
            Ok(Ok(read)) => return Ok(read.claims),
            Ok(Err(error)) => refusals.push(told(&error)),
            Err(_) => refusals.push("panic".to_owned()),
        }
    }
    Err(refusals.into_iter().next().unwrap_or("no key".to_owned()))
}

/// Its message, without the place in the text.
fn told(error: &jsonwebtoken::errors::Error) -> String {
    let message = error.to_string();
    let end = message.find(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}
