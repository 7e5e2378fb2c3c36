//! Tokens of tenants, that know about themselves what the model needs to know.

use std::sync::{LazyLock, OnceLock};

use ed25519_dalek::SigningKey;
use serde_json::json;

use super::names::{TENANTS, Tenant};
use crate::minting;
use crate::tape::BUILT_AT;

/// The names of every tenant's keys: the same for all.
pub(super) const KIDS: [&str; 3] = ["k0", "k1", "k2"];

/// One of a tenant's signing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) tenant: Tenant,
    pub(super) number: usize,
}

static KEYS: LazyLock<Vec<OnceLock<SigningKey>>> =
    LazyLock::new(|| (0..TENANTS * KIDS.len()).map(|_| OnceLock::new()).collect());

impl Signer {
    fn key(self) -> &'static SigningKey {
        let at = self.tenant.index() * KIDS.len() + self.number;
        KEYS[at].get_or_init(|| {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&at.to_le_bytes());
            SigningKey::from_bytes(&seed)
        })
    }

    /// The public key as a JWK, with the name under which its tenant publishes it.
    pub(super) fn jwk(self) -> serde_json::Value {
        minting::jwk(self.key(), KIDS[self.number])
    }
}

/// What a token is, apart from its text.
#[derive(Debug, Clone)]
pub(super) struct Minted {
    pub(super) text: String,
    /// Nobody changed it after it was signed.
    pub(super) intact: bool,
    pub(super) signer: Signer,
    /// The `kid` that it names, if any.
    pub(super) kid: Option<usize>,
    /// The tenant whose token it says it is.
    pub(super) tenant: Tenant,
    /// Its `iss`, which may be written so that it is nobody's.
    pub(super) issuer: String,
    pub(super) for_us: bool,
    pub(super) expires_ms: u64,
    pub(super) not_before_ms: u64,
    pub(super) subject: String,
}

/// How to make a token, from the bytes of an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    pub(super) tenant: Tenant,
    pub(super) number: u8,
    /// Under sixteen makes a good token; each other number something else.
    pub(super) flaw: u8,
    pub(super) detail: u8,
}

impl Recipe {
    /// A good token under the first key.
    pub(super) const fn good(tenant: Tenant) -> Self {
        Self {
            tenant,
            number: 0,
            flaw: 0,
            detail: 0,
        }
    }

    /// Mints at a time in milliseconds.
    pub(super) fn mint(self, now_ms: u64) -> Minted {
        let detail = usize::from(self.detail);
        // Mostly the key that is published at first.
        let number = usize::from(self.number.saturating_sub(160)) % KIDS.len();
        let tenant = self.tenant;
        let mut minted = Minted {
            text: String::new(),
            intact: true,
            signer: Signer { tenant, number },
            kid: Some(number),
            tenant,
            issuer: tenant.issuer(),
            for_us: true,
            expires_ms: now_ms + 3_600_000,
            not_before_ms: now_ms.saturating_sub(1000),
            subject: format!("user-{}", detail % 4),
        };
        match self.flaw % 32 {
            16 => minted.kid = None,
            17 => minted.kid = Some(detail % KIDS.len()),
            18 => minted.signer.number = detail % KIDS.len(),
            19..=22 => minted.signer.tenant = tenant.other(self.detail),
            23 => minted.for_us = false,
            24 => minted.expires_ms = now_ms.saturating_sub(1000 * detail as u64),
            25 => minted.expires_ms = now_ms + 1000 * (detail as u64 % 60),
            26 => minted.not_before_ms = now_ms + 1000 * (detail as u64 % 60),
            27 => minted.issuer = disguised(&minted.issuer, detail),
            _ => {}
        }
        minted.text = sign(&minted);
        if (28..30).contains(&(self.flaw % 32)) {
            // In the signature: elsewhere it would make a token of who knows whom.
            let place = minted.text.len() - 1 - detail % 80;
            minting::change(&mut minted.text, place);
            minted.intact = false;
        }
        minted
    }
}

/// An issuer's name as somebody might take it for the same.
fn disguised(issuer: &str, how: usize) -> String {
    match how % 6 {
        0 => format!("{issuer}/"),
        1 => issuer.replacen("https", "HTTPS", 1),
        2 => issuer.replacen(".example.com", ".example.com:443", 1),
        3 => issuer.replacen("example.com/", "example.com//", 1),
        4 => format!("{issuer}?"),
        _ => format!(" {issuer}"),
    }
}

/// A good token that is always the same, for many tenants at once.
pub(super) fn lasting(tenant: Tenant) -> &'static Minted {
    static TOKENS: LazyLock<Vec<OnceLock<Minted>>> =
        LazyLock::new(|| (0..TENANTS).map(|_| OnceLock::new()).collect());
    TOKENS[tenant.index()].get_or_init(|| {
        let mut minted = Recipe::good(tenant).mint(BUILT_AT);
        minted.expires_ms = BUILT_AT + 1_000_000_000_000;
        minted.text = sign(&minted);
        minted
    })
}

fn sign(minted: &Minted) -> String {
    let mut header = json!({"alg": "EdDSA", "typ": "at+jwt"});
    if let Some(kid) = minted.kid {
        header["kid"] = KIDS[kid].into();
    }
    let claims = json!({
        "iss": minted.issuer,
        "aud": if minted.for_us { "https://api.example.com" } else { "https://elsewhere.example.com" },
        "sub": minted.subject,
        "exp": minted.expires_ms as f64 / 1000.0,
        "nbf": minted.not_before_ms as f64 / 1000.0,
    });
    minting::sign(minted.signer.key(), &header, &claims)
}
