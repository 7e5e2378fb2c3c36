//! Tokens that know about themselves what the model needs to know.

use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::minting;

/// The two issuers. They use the same names for different keys.
pub(super) const ISSUERS: [&str; 2] = ["https://a.example.com", "https://b.example.com"];
/// The names of each issuer's keys.
pub(super) const KIDS: [&str; 4] = ["k0", "k1", "k2", "k3"];
/// The audience that both issuers' entries accept.
pub(super) const AUDIENCE: &str = "https://api.example.com";

/// One of the eight signing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) issuer: usize,
    pub(super) number: usize,
}

static KEYS: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| (1..=8).map(|n| SigningKey::from_bytes(&[n; 32])).collect());

impl Signer {
    fn key(self) -> &'static SigningKey {
        &KEYS[self.issuer * KIDS.len() + self.number]
    }

    /// The public key as a JWK, with the name under which its issuer publishes it.
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
    /// The issuer that it names.
    pub(super) issuer: usize,
    pub(super) for_us: bool,
    pub(super) expires_ms: u64,
    pub(super) not_before_ms: u64,
    pub(super) may_read: bool,
    pub(super) tenant: usize,
    pub(super) subject: String,
}

/// How to make a token, from the bytes of an operation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recipe {
    pub(super) issuer: u8,
    pub(super) number: u8,
    /// Zero makes a good token; each bit something else.
    pub(super) flaw: u8,
    pub(super) detail: u8,
    pub(super) subject: u8,
}

impl Recipe {
    /// Mints at a time in milliseconds.
    pub(super) fn mint(self, now_ms: u64) -> Minted {
        let issuer = usize::from(self.issuer) % ISSUERS.len();
        let number = usize::from(self.number) % KIDS.len();
        let detail = usize::from(self.detail);
        let mut minted = Minted {
            text: String::new(),
            intact: true,
            signer: Signer { issuer, number },
            kid: Some(number),
            issuer,
            for_us: true,
            expires_ms: now_ms + 3_600_000,
            not_before_ms: now_ms.saturating_sub(1000),
            may_read: true,
            tenant: detail % 2,
            subject: format!("user-{}", self.subject % 8),
        };
        // Half of all tokens are good; of the others each has one flaw.
        match self.flaw % 32 {
            16 => minted.kid = None,
            17 => minted.kid = Some(detail % KIDS.len()),
            18 => minted.issuer = 1 - issuer,
            19 => minted.signer.number = detail % KIDS.len(),
            20 => minted.signer.issuer = 1 - issuer,
            21 => minted.for_us = false,
            22 => minted.expires_ms = now_ms.saturating_sub(1000 * detail as u64),
            23 => minted.expires_ms = now_ms + 1000 * (detail as u64 % 60),
            24 => minted.not_before_ms = now_ms + 1000 * (detail as u64 % 60),
            25 => minted.may_read = false,
            26 => minted.subject.push('\n'),
            27 => minted.subject.push('\u{85}'),
            _ => {}
        }
        minted.text = sign(&minted);
        if (28..32).contains(&(self.flaw % 32)) {
            minting::change(&mut minted.text, usize::from(self.number) << 8 | detail);
            minted.intact = false;
        }
        minted
    }
}

fn sign(minted: &Minted) -> String {
    let mut header = json!({"alg": "EdDSA", "typ": "at+jwt"});
    if let Some(kid) = minted.kid {
        header["kid"] = KIDS[kid].into();
    }
    let claims = json!({
        "iss": ISSUERS[minted.issuer],
        "aud": if minted.for_us { AUDIENCE } else { "https://elsewhere.example.com" },
        "sub": minted.subject,
        "exp": minted.expires_ms as f64 / 1000.0,
        "nbf": minted.not_before_ms as f64 / 1000.0,
        "scope": if minted.may_read { "read" } else { "write" },
        "tenant": format!("t{}", minted.tenant),
    });
    minting::sign(minted.signer.key(), &header, &claims)
}
