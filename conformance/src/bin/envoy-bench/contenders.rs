//! Who takes part: no filter, Envoy's own filters in the forms that people run, and the guard.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use portcullis_conformance::bootstrap::{guard, listener};
use serde_json::{Value, json};

use crate::filters::{Document, ext_authz, jwt_authn, rbac};
use crate::tokens::{Minted, Tokens};

/// The contender that everything is compared with.
pub(crate) const NO_FILTER: &str = "no filter";
/// jwt_authn as it comes: every token is verified every time.
pub(crate) const JWT_AUTHN: &str = "jwt_authn";
/// jwt_authn with its token cache.
pub(crate) const JWT_AUTHN_CACHE: &str = "jwt_authn, cache";
/// jwt_authn with its cache, and RBAC on the scope claim: what comes nearest to the guard's work.
pub(crate) const NATIVE_PAIR: &str = "jwt_authn, cache + RBAC";
/// ext_authz, which asks a server over HTTP about each request.
pub(crate) const EXT_AUTHZ: &str = "ext_authz, HTTP";
/// The guard and a token it has met.
pub(crate) const GUARD_WARM: &str = "token-guard, warm";
/// The same, told to write no audit lines.
pub(crate) const GUARD_SILENT: &str = "token-guard, warm, audit log: none";
/// The same, its audit lines written to Envoy's log.
pub(crate) const GUARD_LOGGED: &str = "token-guard, warm, audit lines written";
/// The guard and tokens it has not met.
pub(crate) const GUARD_FIRST: &str = "token-guard, first seen";
/// The same, told to write no audit lines.
pub(crate) const GUARD_FIRST_SILENT: &str = "token-guard, first seen, audit log: none";
/// The guard and tokens it has not met, told to verify signatures by itself.
pub(crate) const GUARD_ALONE: &str = "token-guard, first seen, no host crypto";

/// A wasm filter that reads the head and does nothing else: what none can go below.
pub(crate) const LEAST: &str = "least wasm filter: reads the head";
/// The same, asking Envoy about one signature.
pub(crate) const LEAST_VERIFYING: &str = "least wasm filter: verifies too";

/// Bytes of cache of the first-seen listeners: a fraction of the tokens that are sent to them.
const SMALL_CACHE: &str = "64KiB";

/// Which of the two Envoys a contender lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// The filter's lines are dropped below warnings: what is measured is filters, not a log.
    Dropped,
    /// The filter's lines are written from level info on.
    Written,
}

/// What the guard's cache must know of the tokens that are sent, or the numbers would mean something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    /// No guard takes part.
    Nothing,
    /// All of them.
    All,
    /// Next to none.
    Few,
}

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
    /// Where it runs.
    pub(crate) log: Log,
    /// What must hold of its tokens.
    pub(crate) cached: Cached,
}

impl Contender {
    /// A contender whose listener has these filters.
    pub(crate) fn new(
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
            log: if name == GUARD_LOGGED {
                Log::Written
            } else {
                Log::Dropped
            },
            cached: match name {
                GUARD_WARM | GUARD_SILENT | GUARD_LOGGED => Cached::All,
                GUARD_FIRST | GUARD_FIRST_SILENT | GUARD_ALONE => Cached::Few,
                _ => Cached::Nothing,
            },
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

impl Minted {
    /// What a contender is sent. Whoever verifies each time gets other tokens each time: one that comes again is easier on the
    /// processor's caches.
    pub(crate) fn script_for(&self, contender: &str) -> &Path {
        match contender {
            JWT_AUTHN | GUARD_FIRST | GUARD_FIRST_SILENT | GUARD_ALONE | LEAST_VERIFYING => {
                &self.fresh
            }
            _ => &self.same,
        }
    }
}

/// Everybody.
pub(crate) fn all(wasm: &Path, tokens: &Tokens, authorizer: SocketAddr) -> Vec<Contender> {
    let mut all = vec![bare(tokens)];
    let native: [(&str, Vec<Value>); 4] = [
        (JWT_AUTHN, vec![jwt_authn(tokens, false)]),
        (JWT_AUTHN_CACHE, vec![jwt_authn(tokens, true)]),
        (NATIVE_PAIR, vec![jwt_authn(tokens, true), rbac()]),
        (EXT_AUTHZ, vec![ext_authz(authorizer)]),
    ];
    for (name, filters) in native {
        let each = |minted: &Minted| {
            let script = minted.script_for(name);
            Contender::new(name, Some(minted.name), filters.clone(), script)
        };
        all.extend(tokens.algorithms.iter().map(each));
    }
    let plain = Document::default();
    let guards = [
        (GUARD_WARM, plain),
        (
            GUARD_SILENT,
            Document {
                audit: Some("none"),
                ..plain
            },
        ),
        (GUARD_LOGGED, plain),
        (
            GUARD_FIRST,
            Document {
                cache_bytes: Some(SMALL_CACHE),
                ..plain
            },
        ),
        (
            GUARD_FIRST_SILENT,
            Document {
                cache_bytes: Some(SMALL_CACHE),
                audit: Some("none"),
                ..plain
            },
        ),
        (
            GUARD_ALONE,
            Document {
                cache_bytes: Some(SMALL_CACHE),
                host_crypto: Some("never"),
                ..plain
            },
        ),
    ];
    for (name, document) in guards {
        for minted in &tokens.algorithms {
            // What a written line costs does not depend on the algorithm.
            if name == GUARD_LOGGED && minted.name != "ES256" {
                continue;
            }
            // A VM of its own for each: no listener warms another one's cache.
            let vm_id = format!("{name} {}", minted.name);
            let filter = guard(&vm_id, wasm, &document.text(tokens));
            all.push(Contender::new(
                name,
                Some(minted.name),
                vec![filter],
                minted.script_for(name),
            ));
        }
    }
    all
}

/// No filter but the router.
pub(crate) fn bare(tokens: &Tokens) -> Contender {
    Contender::new(NO_FILTER, None, Vec::new(), &tokens.none)
}

/// The guard, not under load.
pub(crate) fn guarded(wasm: &Path, tokens: &Tokens) -> Contender {
    let filter = guard("start", wasm, &Document::default().text(tokens));
    Contender::new(GUARD_WARM, None, vec![filter], &tokens.none)
}
