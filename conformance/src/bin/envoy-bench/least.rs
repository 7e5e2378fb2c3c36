//! The least wasm filter: what no filter can go below on this Envoy, however good its code is.

use anyhow::{Context, Result};
use portcullis_conformance::bootstrap::guard;
use portcullis_conformance::environment;
use portcullis_conformance::mint::encode_base64url;
use portcullis_jose::{
    Algorithm, CompactJws, KeySet, KeySetLimits, Limits, PublicKey, X509Signature,
};
use serde_json::json;

use crate::contenders::{Contender, LEAST, LEAST_VERIFYING};
use crate::tokens::{Minted, Tokens};

/// With every algorithm it reads the head; about the two that Envoy verifies it asks too.
pub(crate) fn contenders(tokens: &Tokens) -> Result<Vec<Contender>> {
    let reading = tokens
        .algorithms
        .iter()
        .map(|minted| contender(LEAST, minted, &[]));
    let verifying = tokens
        .algorithms
        .iter()
        .filter(|minted| minted.name != "EdDSA")
        .map(|minted| contender(LEAST_VERIFYING, minted, &question(tokens, minted)?));
    reading.chain(verifying).collect()
}

fn contender(name: &'static str, minted: &Minted, configuration: &[u8]) -> Result<Contender> {
    let wasm = environment::guests()?.join("guest_least.wasm");
    let mut filter = guard(&format!("{name} {}", minted.name), &wasm, "");
    // A StringValue is text; this is not.
    filter["typed_config"]["config"]["configuration"] = json!({
        "@type": "type.googleapis.com/google.protobuf.BytesValue",
        "value": String::from_utf8(encode_base64url(configuration))?,
    });
    Ok(Contender::new(
        name,
        Some(minted.name),
        vec![filter],
        minted.script_for(name),
    ))
}

/// Envoy's `VerifySignatureArguments` about a token: `hash_function = 1, public_key = 2, signature = 3, text = 4`.
fn question(tokens: &Tokens, minted: &Minted) -> Result<Vec<u8>> {
    let jws = CompactJws::parse(minted.token.as_bytes(), &Limits::default())?;
    let keys = KeySet::parse(
        tokens.key_set.to_string().as_bytes(),
        &KeySetLimits::default(),
    )?;
    let algorithm = Algorithm::from_name(minted.name).context("an algorithm")?;
    let allows = |key: &&PublicKey| key.allows(algorithm);
    let mut fitting = keys.keys().iter().map(AsRef::as_ref).filter(allows);
    let key = fitting.next().context("its key")?;
    let signature = X509Signature::of(key, algorithm, jws.signature())?;
    let fields: [(u8, &[u8]); 4] = [
        (1, b"sha256"),
        (2, key.spki_der()),
        (3, signature.as_bytes()),
        (4, jws.signing_input()),
    ];
    let mut message = Vec::new();
    for (number, content) in fields {
        message.push(number << 3 | 2);
        // A varint of two bytes, the second of them zero where it need not be there: up to 16 KiB, and no content is longer.
        let length = u16::try_from(content.len())?;
        message.extend([(length & 0x7f) as u8 | 0x80, u8::try_from(length >> 7)?]);
        message.extend_from_slice(content);
    }
    Ok(message)
}
