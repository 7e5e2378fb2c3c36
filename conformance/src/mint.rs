//! Mints tokens from recipes: a valid token first, then whatever the recipe breaks.

mod mangle;
mod recipe;
mod segments;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

pub use mangle::Mangle;
pub use recipe::{Recipe, Signer};
use segments::Segments;
pub(crate) use segments::decode_base64url;
pub use segments::encode_base64url;

use crate::bytes_text;
use crate::keys::{key, public_pem};
use test_signer::Signer as Private;

/// The issuer of a token that names none: issuer A of the worlds.
pub const ISSUER: &str = "https://login.example.test";
/// The audience of a token that names none.
pub const AUDIENCE: &str = "https://api.example.test";

/// The token of a recipe at `now` (Unix seconds). Its bytes need not be UTF-8.
pub fn mint(recipe: &Recipe, now: i64) -> Result<Vec<u8>> {
    if let Some(raw) = &recipe.raw {
        return bytes_text::decode(raw);
    }
    let mut segments = Segments::new(header(recipe, now)?, payload(recipe, now)?);
    for mangle in recipe
        .mangle
        .iter()
        .filter(|mangle| mangle.before_signing())
    {
        mangle.apply(&mut segments)?;
    }
    segments.signature = sign(recipe, &segments.signing_input())?;
    for mangle in recipe
        .mangle
        .iter()
        .filter(|mangle| !mangle.before_signing())
    {
        mangle.apply(&mut segments)?;
    }
    Ok(segments.token())
}

fn header(recipe: &Recipe, now: i64) -> Result<Vec<u8>> {
    if let Some(text) = &recipe.header_text {
        return bytes_text::decode(&expand(text, now)?);
    }
    let mut header = Map::new();
    let alg = match (&recipe.algorithm, &recipe.signer) {
        (Some(algorithm), _) => algorithm.as_str(),
        (None, Signer::Key(name)) => key(name)?.algorithm,
        (None, Signer::Hmac(_)) => "HS256",
        (None, Signer::None) => "none",
    };
    header.insert("alg".to_owned(), Value::from(alg));
    if let Signer::Key(name) = &recipe.signer {
        header.insert("kid".to_owned(), Value::from(name.as_str()));
    }
    header.insert("typ".to_owned(), Value::from("at+jwt"));
    merge(&mut header, &recipe.header, &recipe.omit_header, now)?;
    Ok(serde_json::to_vec(&header)?)
}

fn payload(recipe: &Recipe, now: i64) -> Result<Vec<u8>> {
    if let Some(text) = &recipe.payload_text {
        return bytes_text::decode(&expand(text, now)?);
    }
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), Value::from(ISSUER));
    claims.insert("aud".to_owned(), Value::from(AUDIENCE));
    claims.insert("sub".to_owned(), Value::from("alice"));
    claims.insert("iat".to_owned(), Value::from(now - 10));
    claims.insert("exp".to_owned(), Value::from(now + 300));
    merge(&mut claims, &recipe.claims, &recipe.omit_claims, now)?;
    Ok(serde_json::to_vec(&claims)?)
}

fn merge(
    into: &mut Map<String, Value>,
    from: &Map<String, Value>,
    omit: &[String],
    now: i64,
) -> Result<()> {
    for (name, value) in from {
        into.insert(name.clone(), resolve(value, now)?);
    }
    for name in omit {
        into.remove(name)
            .with_context(|| format!("there is no {name} to omit"))?;
    }
    Ok(())
}

/// `"{now+300}"` becomes a number, `{jwk es_x}` an object, `{fill 9}` a long text; texts get their escapes.
fn resolve(value: &Value, now: i64) -> Result<Value> {
    Ok(match value {
        Value::String(text) => resolve_text(text, now)?,
        Value::Array(items) => items
            .iter()
            .map(|item| resolve(item, now))
            .collect::<Result<_>>()?,
        other => other.clone(),
    })
}

fn resolve_text(text: &str, now: i64) -> Result<Value> {
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or_default();
    Ok(if inner.starts_with("now") {
        serde_json::from_str(&with_times(text, now)?)
            .with_context(|| format!("{text} is no time"))?
    } else if let Some(name) = inner.strip_prefix("jwk ") {
        key(name)?.jwk.clone()
    } else if let Some(length) = inner.strip_prefix("fill ") {
        Value::from("x".repeat(length.parse()?))
    } else {
        let bytes = bytes_text::decode(text)?;
        Value::String(String::from_utf8(bytes).context("a claim must be UTF-8")?)
    })
}

/// Replaces `{nest 3}` by `[[[]]]`, then times.
fn expand(text: &str, now: i64) -> Result<String> {
    let text = match text.split_once("{nest ") {
        Some((before, after)) => {
            let (depth, tail) = after.split_once('}').context("{nest without }")?;
            let depth: usize = depth.parse().context("{nest DEPTH}")?;
            [before, &"[".repeat(depth), &"]".repeat(depth), tail].concat()
        }
        None => text.to_owned(),
    };
    with_times(&text, now)
}

/// Replaces `{now}`, `{now+300}`, `{now-10}` and `{now+0.5}` by numbers.
fn with_times(text: &str, now: i64) -> Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{now") {
        let (expression, tail) = after.split_once('}').context("{now without }")?;
        let (whole, fraction) = expression.split_once('.').unwrap_or((expression, ""));
        let offset: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().context("{now+SECONDS}")?
        };
        result.push_str(before);
        result.push_str(&(now + offset).to_string());
        if !fraction.is_empty() {
            result.push('.');
            result.push_str(fraction);
        }
        rest = tail;
    }
    result.push_str(rest);
    Ok(result)
}

/// The signature's bytes; none where nobody signs.
fn sign(recipe: &Recipe, input: &[u8]) -> Result<Vec<u8>> {
    let asked = recipe.signature_algorithm.as_ref();
    let asked = asked.or(recipe.algorithm.as_ref()).map(String::as_str);
    Ok(match &recipe.signer {
        Signer::None => Vec::new(),
        Signer::Key(name) => {
            let key = key(name)?;
            key.signer.sign(asked.unwrap_or(key.algorithm), input)?
        }
        Signer::Hmac(secret) => {
            let secret = match secret.split_once(' ') {
                Some(("pem", name)) => public_pem(name)?,
                Some(("jwk", name)) => serde_json::to_vec(&key(name)?.jwk)?,
                Some(("text", text)) => bytes_text::decode(text)?,
                _ => bail!("an HMAC secret is `pem KEY`, `jwk KEY` or `text TEXT`"),
            };
            Private::from_secret(&secret).sign(asked.unwrap_or("HS256"), input)?
        }
    })
}

#[cfg(test)]
mod tests;
