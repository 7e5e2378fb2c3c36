//! Documents of any size, and the paths that their routes match: all names of one kind have one length.

use serde_json::{Value, json};

use super::{Direction, Mint, Scale};

/// The audience of all tokens.
pub(super) const AUDIENCE: &str = "https://api.example.com";

/// Memory of the cache where tokens grow: more than the default, which holds some tens of thousands of these tokens.
pub(super) const CACHE: &str = "512MiB";

/// The condition of each route: a claim beside a part of the path, as multi-tenant policies have it.
const CONDITION: &str = "claims.tenant == path.id.split(\"-\")[0]";

/// A path that the route of that number matches.
pub(super) fn path(route: usize) -> String {
    format!("/service-{route:05}/orders/acme-0042")
}

/// The name of the issuer of that number.
pub(super) fn issuer(number: usize) -> String {
    format!("https://login-{number:05}.example.com")
}

/// The document.
pub(super) fn of(scale: Scale, mint: &Mint) -> String {
    let count = |direction| {
        if scale.direction == direction {
            scale.size
        } else {
            1
        }
    };
    let issuers: Vec<Value> = (0..count(Direction::Issuers))
        .map(|number| {
            json!({
                "issuer": issuer(number),
                "audiences": [AUDIENCE],
                "algorithms": ["EdDSA"],
                "jwks": { "keys": [mint.public(number)] },
            })
        })
        .collect();
    let routes: Vec<Value> = (0..count(Direction::Routes))
        .map(|number| {
            let mut route = json!({
                "match": { "methods": ["GET"], "path": format!("/service-{number:05}/orders/{{id}}") },
                "require": { "scopes": { "all": ["orders:read"] } },
            });
            if scale.conditions {
                route["when"] = json!(CONDITION);
            }
            route
        })
        .collect();
    json!({
        "version": 1,
        "issuers": issuers,
        "routes": routes,
        "default": "deny",
        "upstream": { "set": { "x-user": "subject", "x-client": "claims.client_id" } },
        "limits": { "cache_bytes": CACHE },
    })
    .to_string()
}
