//! Who takes part: no filter, Envoy's jwt_authn in the forms that people run, and the guard.

use std::path::{Path, PathBuf};

use portcullis_conformance::bootstrap::{guard, listener};
use serde_json::{Value, json};

use crate::tokens::{AUDIENCE, ISSUER, Minted, Tokens};

/// The contender that everything is compared with.
pub(crate) const NO_FILTER: &str = "no filter";
/// jwt_authn as it comes: every token is verified every time.
pub(crate) const JWT_AUTHN: &str = "jwt_authn";
/// jwt_authn with its token cache.
pub(crate) const JWT_AUTHN_CACHE: &str = "jwt_authn, cache";
/// jwt_authn with its cache, and RBAC on the scope claim: what comes nearest to the guard's work.
pub(crate) const NATIVE_PAIR: &str = "jwt_authn, cache + RBAC";
/// The guard and a token it has met.
pub(crate) const GUARD_WARM: &str = "token-guard, warm";
/// The guard and tokens it has not met.
pub(crate) const GUARD_FIRST: &str = "token-guard, first seen";

/// Bytes of cache of the first-seen listener: a fraction of the tokens that are sent to it.
const SMALL_CACHE: &str = "64KiB";

/// One listener under load.
pub(crate) struct Contender {
    /// What it is.
    pub(crate) name: &'static str,
    /// The algorithm of its tokens; none where no token is sent.
    pub(crate) algorithm: Option<&'static str>,
    /// Its listener, named like [`Contender::title`].
    pub(crate) listener: Value,
    /// The wrk script that loads it.
    pub(crate) script: PathBuf,
}

impl Contender {
    fn new(
        name: &'static str,
        algorithm: Option<&'static str>,
        filters: Vec<Value>,
        script: &Path,
    ) -> Self {
        let mut contender = Self {
            name,
            algorithm,
            listener: Value::Null,
            script: script.to_owned(),
        };
        contender.listener = answering(listener(&contender.title(), filters, "none"));
        contender
    }

    /// Name and algorithm.
    pub(crate) fn title(&self) -> String {
        self.algorithm.map_or_else(
            || self.name.to_owned(),
            |algorithm| format!("{} {algorithm}", self.name),
        )
    }
}

/// Envoy answers itself: an upstream would only add its own noise.
fn answering(mut listener: Value) -> Value {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
        "match": { "prefix": "/" },
        "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } }
    }]);
    listener
}

/// Everybody.
pub(crate) fn all(wasm: &Path, tokens: &Tokens) -> Vec<Contender> {
    let mut all = vec![bare(tokens)];
    let each = |name, filters: &dyn Fn(&Minted) -> Vec<Value>, script: fn(&Minted) -> &Path| {
        tokens
            .algorithms
            .iter()
            .map(|minted| Contender::new(name, Some(minted.name), filters(minted), script(minted)))
            .collect::<Vec<_>>()
    };
    all.extend(each(
        JWT_AUTHN,
        &|_| vec![jwt_authn(tokens, false)],
        |minted| &minted.same,
    ));
    all.extend(each(
        JWT_AUTHN_CACHE,
        &|_| vec![jwt_authn(tokens, true)],
        |minted| &minted.same,
    ));
    all.extend(each(
        NATIVE_PAIR,
        &|_| vec![jwt_authn(tokens, true), rbac()],
        |minted| &minted.same,
    ));
    all.extend(each(
        GUARD_WARM,
        &|minted| {
            vec![guard(
                &format!("warm-{}", minted.name),
                wasm,
                &document(tokens, None),
            )]
        },
        |minted| &minted.same,
    ));
    all.extend(each(
        GUARD_FIRST,
        &|minted| {
            vec![guard(
                &format!("first-{}", minted.name),
                wasm,
                &document(tokens, Some(SMALL_CACHE)),
            )]
        },
        |minted| &minted.fresh,
    ));
    all
}

/// No filter but the router.
pub(crate) fn bare(tokens: &Tokens) -> Contender {
    Contender::new(NO_FILTER, None, Vec::new(), &tokens.none)
}

/// The guard, not under load.
pub(crate) fn guarded(wasm: &Path, tokens: &Tokens) -> Contender {
    Contender::new(
        GUARD_WARM,
        None,
        vec![guard("start", wasm, &document(tokens, None))],
        &tokens.none,
    )
}

/// The guard's document: what jwt_authn and RBAC below ask for, and the subject as a header as they set it.
fn document(tokens: &Tokens, cache: Option<&str>) -> String {
    let mut document = json!({
        "version": 1,
        "issuers": [{
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "jwks": { "keys": tokens.key_set["keys"] },
        }],
        "routes": [{
            "match": { "methods": ["GET"], "path": "/orders/{id}" },
            "require": { "scopes": { "all": ["orders:read"] } },
        }],
        "default": "deny",
        "upstream": { "set": { "x-user": "claims.sub" } },
    });
    if let Some(bytes) = cache {
        document["limits"] = json!({ "cache_bytes": bytes });
    }
    document.to_string()
}

fn jwt_authn(tokens: &Tokens, cache: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": tokens.key_set.to_string() },
        "payload_in_metadata": "payload",
        "claim_to_headers": [{ "header_name": "x-user", "claim_name": "sub" }],
    });
    if cache {
        provider["jwt_cache_config"] = json!({ "jwt_cache_size": 1000 });
    }
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "login": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "login" } }],
        }
    })
}

/// RBAC on the scope claim. It has no notion of a space-separated list: an expression over the whole claim must do.
fn rbac() -> Value {
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "ALLOW",
                "policies": { "read": {
                    "permissions": [{ "and_rules": { "rules": [
                        { "header": { "name": ":method", "string_match": { "exact": "GET" } } },
                        { "url_path": { "path": { "prefix": "/orders/" } } },
                    ] } }],
                    "principals": [{ "sourced_metadata": {
                        "metadata_matcher": {
                            "filter": "envoy.filters.http.jwt_authn",
                            "path": [{ "key": "payload" }, { "key": "scope" }],
                            "value": { "string_match": { "safe_regex": { "regex": "(.* )?orders:read( .*)?" } } },
                        }
                    } }],
                } }
            }
        }
    })
}
