//! The worlds of the corpus: configuration documents with the test keys filled in.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::keys::key;

/// The document of that name, `{{jwk …}}` filled in.
pub fn document(name: &str) -> Result<String> {
    fill(&text(name)?)
}

/// The document of that name as it is written.
pub fn text(name: &str) -> Result<String> {
    let path = crate::case::directory()
        .join("worlds")
        .join(format!("{name}.yaml"));
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Every world by name.
pub fn all() -> Result<BTreeMap<String, String>> {
    let mut worlds = BTreeMap::new();
    for entry in std::fs::read_dir(crate::case::directory().join("worlds"))? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a world's name is UTF-8")?;
        worlds.insert(name.to_owned(), document(name)?);
    }
    Ok(worlds)
}

/// Replaces every `{{jwk NAME CHANGES}}` by that public key as JSON.
pub fn fill(text: &str) -> Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{jwk ") {
        let (spec, tail) = after.split_once("}}").context("{{jwk without }}")?;
        result.push_str(before);
        result.push_str(&jwk(spec)?.to_string());
        rest = tail;
    }
    result.push_str(rest);
    Ok(result)
}

/// The public key `NAME`, then changes: `member=text` sets a member, `member=["a","b"]` to a list, `-member` removes one.
pub fn jwk(spec: &str) -> Result<Value> {
    let mut words = spec.split_whitespace();
    let mut jwk = key(words.next().context("which key?")?)?.jwk.clone();
    let members = jwk.as_object_mut().context("a JWK is an object")?;
    for change in words {
        if let Some(name) = change.strip_prefix('-') {
            members
                .remove(name)
                .with_context(|| format!("there is no {name} to remove"))?;
        } else if let Some((name, value)) = change.split_once('=') {
            let value = match value.starts_with('[') {
                true => serde_json::from_str(value)?,
                false => Value::from(value),
            };
            members.insert(name.to_owned(), value);
        } else {
            bail!("{change} is neither member=text nor -member");
        }
    }
    Ok(jwk)
}

/// A key set of such keys, as an issuer publishes it.
pub fn key_set<S: AsRef<str>>(specs: &[S]) -> Result<String> {
    let keys = specs
        .iter()
        .map(|spec| jwk(spec.as_ref()))
        .collect::<Result<Vec<_>>>()?;
    Ok(json!({ "keys": keys }).to_string())
}
