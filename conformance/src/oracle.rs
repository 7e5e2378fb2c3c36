//! What the world `main` allows, with every algorithm, said a second time and independently of the product: for the mutated
//! requests.

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

use crate::mint::{AUDIENCE, ISSUER, Recipe, Signer, mint};

/// A valid token and what it may do.
#[derive(Debug, Clone)]
pub struct ValidToken {
    /// As it stands behind `Bearer`.
    pub text: Vec<u8>,
    issuer: &'static str,
    audience: &'static str,
    scopes: &'static [&'static str],
    tenant: Option<&'static str>,
    /// What `x-user` must say.
    pub user: &'static str,
}

/// What to mint.
struct Kind {
    signed_by: &'static str,
    algorithm: Option<&'static str>,
    user: &'static str,
    issuer: &'static str,
    audience: &'static str,
    scopes: &'static [&'static str],
    tenant: Option<&'static str>,
}

/// A request as the filter saw it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'r> {
    /// `:method`.
    pub method: &'r [u8],
    /// `:authority`.
    pub authority: &'r [u8],
    /// `:path`.
    pub path: &'r [u8],
    /// Every `Authorization` value.
    pub credentials: &'r [&'r [u8]],
}

/// The world `main` in which issuer A signs with everything.
pub fn document() -> Result<String> {
    let changes = [
        (
            "algorithms: [ES256, RS256, EdDSA, Ed25519]",
            "algorithms: [RS256, RS384, PS256, PS512, ES256, ES384, ES512, EdDSA, Ed25519, ML-DSA-44, ML-DSA-65]",
        ),
        (
            "        - {{jwk rs_a}}\n",
            "        - {{jwk rs_a -alg}}\n        - {{jwk es384_a}}\n        - {{jwk es512_a}}\n        - {{jwk ml44_a}}\n        \
             - {{jwk ml65_a}}\n",
        ),
    ];
    let mut text = crate::world::text("main")?;
    for (old, new) in changes {
        ensure!(text.matches(old).count() == 1, "the world has {old:?} once");
        text = text.replace(old, new);
    }
    crate::world::fill(&text)
}

/// The valid tokens, of many algorithms and for every route; good for a day from `now`.
pub fn valid_tokens(now: i64) -> Result<Vec<ValidToken>> {
    const PARTNER: &str = "https://partner.example.test";
    const ADMIN: &str = "https://admin.example.test";
    let token = |signed_by, user| Kind {
        signed_by,
        algorithm: None,
        user,
        issuer: ISSUER,
        audience: AUDIENCE,
        scopes: &[],
        tenant: None,
    };
    let reports: &[&str] = &["reports:read", "reports:list"];
    let kinds = [
        token("es_a", "alice"),
        token("rs_a", "bob"),
        token("ed_a", "carol"),
        token("es384_a", "heidi"),
        token("es512_a", "ivan"),
        token("ml44_a", "judy"),
        token("ml65_a", "mallory"),
        Kind {
            algorithm: Some("PS256"),
            ..token("rs_a", "niaj")
        },
        Kind {
            algorithm: Some("RS384"),
            ..token("rs_a", "olivia")
        },
        Kind {
            scopes: &["admin", "orders:special", "internal"],
            ..token("es_a", "dave")
        },
        Kind {
            audience: ADMIN,
            scopes: reports,
            ..token("rs_a", "erin")
        },
        Kind {
            scopes: reports,
            tenant: Some("acme"),
            ..token("ed_a", "frank")
        },
        Kind {
            issuer: PARTNER,
            scopes: &["orders:write"],
            ..token("es_2", "grace")
        },
    ];
    kinds
        .into_iter()
        .map(|kind| {
            let Kind {
                signed_by,
                algorithm,
                user,
                issuer,
                audience,
                scopes,
                tenant,
            } = kind;
            let mut claims = Map::new();
            claims.insert("iss".to_owned(), json!(issuer));
            claims.insert("aud".to_owned(), json!(audience));
            claims.insert("sub".to_owned(), json!(user));
            claims.insert("exp".to_owned(), Value::from(now + 86_400));
            if !scopes.is_empty() {
                claims.insert("scope".to_owned(), Value::from(scopes.join(" ")));
            }
            if let Some(tenant) = tenant {
                claims.insert("tenant".to_owned(), json!(tenant));
            }
            let recipe = Recipe {
                signer: Signer::Key(signed_by.to_owned()),
                algorithm: algorithm.map(str::to_owned),
                claims,
                ..Recipe::default()
            };
            Ok(ValidToken {
                text: mint(&recipe, now)?,
                issuer,
                audience,
                scopes,
                tenant,
                user,
            })
        })
        .collect()
}

/// Fails unless the world allows this request to pass; gives the token that it passes with.
pub fn may_pass<'t>(seen: &Seen<'_>, tokens: &'t [ValidToken]) -> Result<Option<&'t ValidToken>> {
    ensure!(
        !seen.method.is_empty() && !seen.authority.is_empty(),
        "a request without method or authority passed"
    );
    let segments = segments(seen.path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if segments.first() == Some(&"public") {
        return Ok(None);
    }
    if segments == ["greeting"] && seen.credentials.is_empty() {
        return Ok(None);
    }
    ensure!(
        seen.credentials.len() == 1,
        "passed with {} credentials",
        seen.credentials.len()
    );
    let token = tokens
        .iter()
        .find(|token| is_bearer(seen.credentials[0], &token.text))
        .ok_or_else(|| {
            anyhow::anyhow!("passed with a credential that is none of the valid ones")
        })?;
    let allowed = allows(token, seen.method, &host(seen.authority), &segments);
    ensure!(
        allowed,
        "{} may not {} {segments:?}",
        token.user,
        String::from_utf8_lossy(seen.method)
    );
    Ok(Some(token))
}

fn allows(token: &ValidToken, method: &[u8], host: &str, segments: &[&str]) -> bool {
    let scope = |name| token.scopes.contains(&name);
    let internal = host == "internal.example.test";
    // Every route but the administration takes the issuer's entry as it is: any of its audiences.
    match segments {
        ["greeting"] => true,
        ["orders", _] if internal => scope("internal"),
        ["orders", "special"] => method == b"GET" && scope("orders:special"),
        ["orders", _] => method == b"GET",
        ["orders"] => method == b"POST" && (scope("orders:write") || scope("admin")),
        ["reports"] => scope("reports:list") && scope("reports:read"),
        ["admin", ..] => token.audience == "https://admin.example.test",
        ["partner"] => token.issuer == "https://partner.example.test",
        ["tenants", tenant, "items"] => token.tenant == Some(tenant),
        _ => false,
    }
}

/// `Bearer`, in whatever case, spaces, and exactly that token. Spaces round a field value are not part of it.
fn is_bearer(credential: &[u8], token: &[u8]) -> bool {
    let credential = credential.trim_ascii();
    let (Some(scheme), Some(rest)) = (credential.get(..6), credential.get(6..)) else {
        return false;
    };
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    scheme.eq_ignore_ascii_case(b"bearer") && spaces > 0 && &rest[spaces..] == token
}

fn host(authority: &[u8]) -> String {
    let host = String::from_utf8_lossy(authority).to_ascii_lowercase();
    let host = host
        .rsplit_once(':')
        .map_or(host.as_str(), |(host, _)| host);
    host.trim_end_matches('.').to_owned()
}

/// The decoded segments of a path that has one meaning only; everything else must not have passed.
fn segments(path: &[u8]) -> Result<Vec<String>> {
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    ensure!(
        path.first() == Some(&b'/'),
        "a target that is no path passed"
    );
    ensure!(
        !path.contains(&b'#') && !path.contains(&b'\\'),
        "a path with # or a backslash passed"
    );
    path[1..]
        .split(|byte| *byte == b'/')
        .enumerate()
        .map(|(index, segment)| {
            let decoded = decode(segment)?;
            let last = index == path[1..].split(|byte| *byte == b'/').count() - 1;
            ensure!(!decoded.is_empty() || last, "an empty segment passed");
            ensure!(decoded != "." && decoded != "..", "a dot segment passed");
            ensure!(
                !decoded.contains(['/', '\\', '\0']),
                "an encoded separator passed"
            );
            Ok(decoded)
        })
        .collect()
}

fn decode(segment: &[u8]) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = segment;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        ensure!(after.len() >= 2, "a broken percent encoding passed");
        bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2])?, 16)?);
        rest = &after[2..];
    }
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::{Seen, may_pass, valid_tokens};

    #[test]
    fn the_oracle_knows_the_world() {
        let tokens = valid_tokens(2_000_000_000).unwrap();
        let passes = |method: &str, authority: &str, path: &str, user: Option<&str>| {
            let token = user.map(|user| tokens.iter().find(|token| token.user == user).unwrap());
            let credential = token.map(|token| [b"bearer  ", token.text.as_slice()].concat());
            let credentials: Vec<&[u8]> = credential.iter().map(Vec::as_slice).collect();
            let (method, authority, path) =
                (method.as_bytes(), authority.as_bytes(), path.as_bytes());
            may_pass(
                &Seen {
                    method,
                    authority,
                    path,
                    credentials: &credentials,
                },
                &tokens,
            )
            .is_ok()
        };
        assert!(passes("GET", "api", "/orders/1?x=//", Some("alice")));
        assert!(passes("GET", "API:80", "/public/a", None));
        assert!(passes(
            "GET",
            "internal.example.test",
            "/orders/special",
            Some("dave")
        ));
        for (method, authority, path, user) in [
            ("PUT", "api", "/orders/1", Some("alice")),
            ("GET", "api", "/orders/1", None),
            ("GET", "api", "/orders/special", Some("alice")),
            ("GET", "internal.example.test", "/orders/1", Some("alice")),
            ("GET", "api", "/orders/1%2f2", Some("alice")),
            ("GET", "api", "/public/../orders/1", Some("alice")),
            ("GET", "api", "/public//a", None),
            ("GET", "api", "/admin/x", Some("alice")),
            ("GET", "api", "/partner", Some("alice")),
        ] {
            assert!(
                !passes(method, authority, path, user),
                "{method} {authority} {path} {user:?}"
            );
        }
    }

    #[test]
    fn two_credentials_or_a_changed_one_never_pass() {
        let tokens = valid_tokens(2_000_000_000).unwrap();
        let good = [b"Bearer ", tokens[0].text.as_slice()].concat();
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        for credentials in [
            &[good.as_slice(), &good][..],
            &[&changed],
            &[&good[7..]],
            &[],
        ] {
            let seen = Seen {
                method: b"GET",
                authority: b"api",
                path: b"/orders/1",
                credentials,
            };
            assert!(may_pass(&seen, &tokens).is_err());
        }
    }
}
