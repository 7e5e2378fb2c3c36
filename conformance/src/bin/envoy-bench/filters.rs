//! What each filter is told: all ask the same of a token and tell the upstream the same two things about it.

use std::net::SocketAddr;

use portcullis_conformance::bootstrap::cluster;
use serde_json::{Value, json};

use crate::authorizer::{CLIENT_HEADER, USER_HEADER};
use crate::tokens::{AUDIENCE, ISSUER, Tokens};

/// The cluster of the server that ext_authz asks.
const AUTHORIZER: &str = "authorizer";

/// What is particular about one guard's document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Document {
    /// `limits.cache_bytes`.
    pub(crate) cache_bytes: Option<&'static str>,
    /// `audit.log`.
    pub(crate) audit: Option<&'static str>,
    /// `crypto.host`.
    pub(crate) host_crypto: Option<&'static str>,
}

impl Document {
    /// The document: what jwt_authn and RBAC below ask for, and the headers that they set.
    pub(crate) fn text(self, tokens: &Tokens) -> String {
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
            "upstream": { "set": { USER_HEADER: "claims.sub", CLIENT_HEADER: "claims.client_id" } },
        });
        if let Some(bytes) = self.cache_bytes {
            document["limits"] = json!({ "cache_bytes": bytes });
        }
        if let Some(log) = self.audit {
            document["audit"] = json!({ "log": log });
        }
        if let Some(host) = self.host_crypto {
            document["crypto"] = json!({ "host": host });
        }
        document.to_string()
    }
}

/// Envoy's JWT filter. Like the guard it takes the token off the request.
pub(crate) fn jwt_authn(tokens: &Tokens, cache: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": tokens.key_set.to_string() },
        "payload_in_metadata": "payload",
        "claim_to_headers": [
            { "header_name": USER_HEADER, "claim_name": "sub" },
            { "header_name": CLIENT_HEADER, "claim_name": "client_id" },
        ],
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
pub(crate) fn rbac() -> Value {
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

/// External authorization over HTTP. Envoy sends the token by itself; the two headers come from the answer.
pub(crate) fn ext_authz(authorizer: SocketAddr) -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "http_service": {
                "server_uri": { "uri": format!("http://{authorizer}"), "cluster": AUTHORIZER, "timeout": "5s" },
                "authorization_response": { "allowed_upstream_headers": { "patterns": [
                    { "exact": USER_HEADER }, { "exact": CLIENT_HEADER },
                ] } },
            },
        }
    })
}

/// The clusters that the filters name.
pub(crate) fn clusters(authorizer: SocketAddr) -> Vec<Value> {
    vec![cluster(AUTHORIZER, authorizer)]
}
