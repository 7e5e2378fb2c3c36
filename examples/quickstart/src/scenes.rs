//! The demo's requests: what is sent, and what must come of it.

use anyhow::Result;
use serde_json::json;

use crate::issuer::{Issuer, now};

/// The user that the demo's tokens belong to.
pub const USER: &str = "alice";

/// What the reader's token may do.
pub const READ: &str = "orders:read";

/// What the writer's token may do.
pub const WRITE: &str = "orders:read orders:write";

/// One request and its verdict.
pub struct Scene {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// What the request carries, in a few words.
    pub carries: &'static str,
    /// The token, if it has one.
    pub token: Option<String>,
    /// Further headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// The status that the client must get.
    pub status: u16,
    /// The reason that the audit event must give.
    pub reason: &'static str,
    /// What `x-user` the upstream must see; `Some("")` is none at all. `None`: the request must not arrive.
    pub upstream_user: Option<&'static str>,
}

impl Scene {
    fn new(
        request: (&'static str, &'static str),
        carries: &'static str,
        token: Option<String>,
    ) -> Self {
        let (method, path) = request;
        Self {
            method,
            path,
            carries,
            token,
            headers: &[],
            status: 200,
            reason: "authenticated",
            upstream_user: Some(USER),
        }
    }

    fn refused(mut self, status: u16, reason: &'static str) -> Self {
        self.status = status;
        self.reason = reason;
        self.upstream_user = None;
        self
    }

    fn anonymous(mut self) -> Self {
        self.reason = "anonymous";
        self.upstream_user = Some("");
        self
    }

    fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }
}

/// All requests, in the order in which they tell the story.
///
/// # Errors
/// When a token cannot be made.
pub fn all(issuer: &Issuer) -> Result<Vec<Scene>> {
    const ORDER: (&str, &str) = ("GET", "/orders/42");
    let reader = issuer.mint(USER, READ)?;
    let expired = [("iat", json!(now() - 7200)), ("exp", json!(now() - 3600))];
    let scene = |request, carries, token: Result<String>| {
        token.map(|token| Scene::new(request, carries, Some(token)))
    };
    Ok(vec![
        Scene::new(("GET", "/healthz"), "no token (public route)", None).anonymous(),
        Scene::new(("GET", "/healthz"), "a forged x-user on it", None)
            .with(&[("x-user", "admin")])
            .anonymous(),
        Scene::new(ORDER, "no token", None).refused(401, "credential_missing"),
        scene(ORDER, "token: orders:read", issuer.mint(USER, READ))?,
        Scene::new(ORDER, "the same, and a forged x-user", Some(reader.clone()))
            .with(&[("x-user", "admin"), ("X_User", "admin")]),
        scene(
            ("POST", "/orders"),
            "token: orders:read",
            issuer.mint(USER, READ),
        )?
        .refused(403, "scope_insufficient"),
        scene(
            ("POST", "/orders"),
            "token: orders:read orders:write",
            issuer.mint(USER, WRITE),
        )?,
        scene(
            ("GET", "/users/alice"),
            "alice's token",
            issuer.mint(USER, ""),
        )?,
        scene(
            ("GET", "/users/bob"),
            "alice's token",
            issuer.mint(USER, ""),
        )?
        .refused(403, "condition_false"),
        scene(
            ORDER,
            "an expired token",
            issuer.mint_with(USER, READ, &expired),
        )?
        .refused(401, "token_expired"),
        scene(
            ORDER,
            "a token for another API",
            issuer.mint_with(USER, READ, &[("aud", json!("https://other.example"))]),
        )?
        .refused(401, "audience_not_accepted"),
        scene(ORDER, "signed by somebody else", issuer.forge(USER, READ))?
            .refused(401, "signature_invalid"),
        scene(
            ("POST", "/orders"),
            "scopes changed after signing",
            Issuer::tamper(&reader, WRITE),
        )?
        .refused(401, "signature_invalid"),
        scene(ORDER, "\"alg\": \"none\"", Ok(issuer.unsigned(USER, READ)))?
            .refused(401, "algorithm_refused"),
        scene(
            ORDER,
            "public key used as HMAC secret",
            issuer.confused(USER, READ),
        )?
        .refused(401, "algorithm_refused"),
        Scene::new(
            ("GET", "/healthz/..%2forders/42"),
            "a path trick, good token",
            Some(reader.clone()),
        )
        .refused(400, "path_not_canonical"),
        Scene::new(
            ("DELETE", "/orders/42"),
            "token: orders:read",
            Some(reader.clone()),
        )
        .refused(405, "method_not_allowed"),
        Scene::new(("GET", "/admin"), "token: orders:read", Some(reader)).refused(403, "no_route"),
    ])
}
