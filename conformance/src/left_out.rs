//! What the minimal build does with documents: JSON without conditions, credentials, discovery, tenants, further algorithms and
//! answers of one's own it reads, everything else it refuses.

use anyhow::{Context, Result};
use portcullis_jose::SkipReason;
use serde_json::Value;

/// A document in the two forms that matter to the minimal build.
#[derive(Debug)]
pub struct Documents {
    /// All of it, as JSON.
    pub whole: String,
    /// Without the routes that have a condition and the answers of one's own, as JSON.
    pub without_conditions: String,
    /// What the minimal build must say to `whole`, one mistake a use of what it leaves out; empty: it takes it.
    pub mistakes: Vec<String>,
    /// It rests on what is left out: not even the rest of it is anything that the minimal build would take.
    pub is_lost: bool,
}

/// What the minimal build says to a document in YAML, after the place.
pub const NO_YAML: &str = "this is no JSON document, and this build has no YAML (convert it to JSON, or use \
                           token-guard.wasm, which reads YAML too)";

/// What the minimal build says to answers of one's own, after the place.
const NO_ANSWERS: &str = "this build has no answers of one's own and no identity as JSON (use token-guard.wasm, which has them)";

/// What the minimal build says to a header from a named credential, after the place.
const NO_NAMED: &str = "names a credential, and this build has none but `authorization: Bearer` (leave it out, or use \
                        token-guard.wasm, which has them)";

/// Converts a document from YAML.
pub fn documents(yaml: &str) -> Result<Documents> {
    let whole: Value = serde_saphyr::from_str(yaml)
        .map_err(|error| anyhow::anyhow!("no YAML document: {error}"))?;
    let mut rest = whole.clone();
    let routes = rest["routes"]
        .as_array_mut()
        .context("the document has no routes")?;
    let mut mistakes = Vec::new();
    let issuers = whole["issuers"].as_array();
    for (index, issuer) in issuers.into_iter().flatten().enumerate() {
        if issuer["issuer"]
            .as_str()
            .is_some_and(|name| name.contains("{tenant}"))
        {
            mistakes.push(format!(
                "issuers[{index}].issuer: has a place for a tenant, and this build has no tenants (use token-guard.wasm, \
                 which has them)"
            ));
        }
        mistakes.extend(algorithms(index, issuer));
        if issuer.get("discovery").is_some() {
            mistakes.push(format!(
                "issuers[{index}].discovery: asks for discovery, and this build has none (use token-guard.wasm, which has \
                 it, or `jwks`)"
            ));
        }
    }
    let has_credentials = whole.get("credentials").is_some();
    let is_lost = has_credentials || !mistakes.is_empty();
    if has_credentials {
        mistakes.push(
            "credentials: names credentials, and this build has none but `authorization: Bearer` (use token-guard.wasm, \
             which has them)"
                .to_owned(),
        );
    }
    let mut index = 0;
    routes.retain(|route| {
        for several in ["all", "any"] {
            if route.pointer(&format!("/require/{several}")).is_some() {
                mistakes.push(format!(
                    "routes[{index}].require.{several}: demands several credentials, and this build has one (use \
                     token-guard.wasm, which has them)"
                ));
            }
        }
        let conditional = route.get("when").is_some();
        if conditional {
            mistakes.push(format!(
                "routes[{index}].when: is a condition, and this build has no conditions (use token-guard.wasm, which has \
                 them)"
            ));
        }
        index += 1;
        !conditional
    });
    let set = rest
        .pointer_mut("/upstream/set")
        .and_then(Value::as_object_mut);
    if let Some(set) = set {
        set.retain(|name, source| {
            let names_one = source
                .as_str()
                .is_some_and(|text| text.starts_with("credentials."));
            if names_one {
                mistakes.push(format!("upstream.set.{name}: {NO_NAMED}"));
            }
            if source.is_object() {
                mistakes.push(format!("upstream.set.{name}: {NO_ANSWERS}"));
            }
            !source.is_object() && !names_one
        });
    }
    // Read in this order.
    for name in ["filter_state", "answers", "resource", "cors"] {
        if rest
            .as_object_mut()
            .and_then(|members| members.remove(name))
            .is_some()
        {
            mistakes.push(format!("{name}: {NO_ANSWERS}"));
        }
    }
    Ok(Documents {
        whole: whole.to_string(),
        without_conditions: rest.to_string(),
        mistakes,
        is_lost,
    })
}

/// The four that the minimal build has.
const ALGORITHMS: [&str; 4] = ["RS256", "ES256", "EdDSA", "Ed25519"];

/// What it says to an issuer's algorithms, keys and secrets.
fn algorithms(index: usize, issuer: &Value) -> Vec<String> {
    let mut mistakes = Vec::new();
    let items = |name: &str| issuer.pointer(name).and_then(Value::as_array);
    for (at, item) in items("/algorithms").into_iter().flatten().enumerate() {
        let (name, field) = match item.get("name") {
            Some(name) => (name, ".name"),
            None => (item, ""),
        };
        let name = name.as_str().unwrap_or_default();
        if !ALGORITHMS.contains(&name) {
            mistakes.push(format!(
                "issuers[{index}].algorithms[{at}]{field}: is {name}, which this build does not have (use token-guard.wasm, \
                 which has it)"
            ));
        }
    }
    for (at, key) in items("/jwks/keys").into_iter().flatten().enumerate() {
        let is = |name: &str, value: &str| key[name] == value;
        let reason = if is("kty", "AKP") {
            SkipReason::KeyTypeUnknown
        } else if key["alg"]
            .as_str()
            .is_some_and(|alg| !ALGORITHMS.contains(&alg))
        {
            SkipReason::AlgorithmUnsupported
        } else if is("crv", "P-384") || is("crv", "P-521") {
            SkipReason::CurveUnknown
        } else {
            continue;
        };
        mistakes.push(format!(
            "issuers[{index}].jwks.keys[{at}]: is no key that can be used: {reason}"
        ));
    }
    if issuer.get("secrets").is_some() {
        mistakes.push(format!(
            "issuers[{index}].secrets: is for HMACs, and this build has none (use token-guard.wasm, which has them)"
        ));
    }
    mistakes
}
