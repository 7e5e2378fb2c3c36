//! The benchmark's tokens: three algorithms, one token to be met again and again, and many to be met once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_conformance::clock;
use portcullis_conformance::scratch::Scratch;
use serde_json::{Value, json};

/// The issuer of the benchmark's tokens. Its keys are given inline: no fetch is measured.
pub(crate) const ISSUER: &str = "https://login.example.com";

/// The audience of the benchmark's tokens.
pub(crate) const AUDIENCE: &str = "https://api.example.com";

/// Different tokens that a first-seen turn cycles through. Many times what the cache of that listener holds, so that
/// each has been forgotten when its turn comes again.
pub(crate) const FRESH: usize = 1500;

/// wrk scripts and keys for every algorithm.
pub(crate) struct Tokens {
    /// The public keys of all algorithms, as a JWK set.
    pub(crate) key_set: Value,
    /// A script that sends no token.
    pub(crate) none: PathBuf,
    /// One entry an algorithm.
    pub(crate) algorithms: Vec<Minted>,
}

/// The tokens of one algorithm.
pub(crate) struct Minted {
    /// The algorithm's name in JOSE.
    pub(crate) name: &'static str,
    /// A script that sends one token over and over.
    pub(crate) same: PathBuf,
    /// A script that sends another token with every request.
    pub(crate) fresh: PathBuf,
    /// The one token.
    pub(crate) token: String,
}

/// Mints all tokens and writes the scripts.
pub(crate) fn mint(scratch: &Scratch) -> Result<Tokens> {
    let mut keys = Vec::new();
    let mut algorithms = Vec::new();
    for (name, algorithm, file) in [
        ("RS256", Algorithm::RS256, "rs_a.pem"),
        ("ES256", Algorithm::ES256, "es_a.pem"),
        ("EdDSA", Algorithm::EdDSA, "ed_a.pem"),
    ] {
        let key = read_key(algorithm, file)?;
        let mut public = Jwk::from_encoding_key(&key, algorithm)?;
        public.common.key_id = Some(name.to_owned());
        keys.push(serde_json::to_value(public)?);
        let tokens = (0..FRESH)
            .map(|number| sign(&key, algorithm, name, number))
            .collect::<Result<Vec<_>>>()?;
        algorithms.push(Minted {
            name,
            same: write_script(scratch, &format!("{name}-same.lua"), &tokens[..1])?,
            fresh: write_script(scratch, &format!("{name}-fresh.lua"), &tokens)?,
            token: tokens.into_iter().next().context("no token")?,
        });
    }
    Ok(Tokens {
        key_set: json!({ "keys": keys }),
        none: write_script(scratch, "none.lua", &[])?,
        algorithms,
    })
}

fn read_key(algorithm: Algorithm, file: &str) -> Result<EncodingKey> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("keys")
        .join(file);
    let pem = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(&pem)?,
        Algorithm::ES256 => EncodingKey::from_ec_pem(&pem)?,
        _ => EncodingKey::from_ed_pem(&pem)?,
    })
}

fn sign(key: &EncodingKey, algorithm: Algorithm, kid: &str, number: usize) -> Result<String> {
    let now = clock::now()?;
    let mut header = Header::new(algorithm);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(kid.to_owned());
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("user-{number:05}"),
        "client_id": "bench",
        "scope": "orders:read",
        "iat": now,
        "exp": now + 6 * 3600,
        "jti": format!("bench-{kid}-{number:05}"),
    });
    Ok(jsonwebtoken::encode(&header, &claims, key)?)
}

/// A wrk script that sends these tokens in turn. Requests are formatted once, before the load begins.
fn write_script(scratch: &Scratch, name: &str, tokens: &[String]) -> Result<PathBuf> {
    let list = tokens
        .iter()
        .map(|token| format!("  \"Bearer {token}\",\n"))
        .collect::<String>();
    let script = format!(
        "local credentials = {{\n{list}}}\n\
         local requests, turn = {{}}, 0\n\
         function init(arguments)\n\
         \x20 for number, credential in ipairs(credentials) do\n\
         \x20   requests[number] = wrk.format(nil, nil, {{ Host = \"api\", Authorization = credential }})\n\
         \x20 end\n\
         \x20 if #requests == 0 then requests[1] = wrk.format(nil, nil, {{ Host = \"api\" }}) end\n\
         end\n\
         function request()\n\
         \x20 turn = turn % #requests + 1\n\
         \x20 return requests[turn]\n\
         end\n"
    );
    scratch.write(name, script.as_bytes())
}
