//! Target `compact_jws`: whatever comes as a token, nothing panics, nothing has two spellings, nobody forges.
//!
//! The input is read twice: as a token; and, if it has a line break, as a header and a claims set that we encode and sign
//! ourselves, so that mutations reach the JSON below base64url and valid tokens stay valid.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use portcullis_jose::{
    Algorithm, Claims, CompactJws, ExpectedType, KeySet, KeySetLimits, Limits, Software,
    Verifier as _, check_access_token_profile, check_times, check_type,
};
use serde_json::Value;

/// The public keys of RFC 7515 appendices A.2 and A.3 and of RFC 8037 appendix A.2.
const RFC_KEYS: &str = include_str!("../corpus/key_set/rfc-keys.json");

/// The signed examples of those RFCs: the only inputs whose signatures the keys above have ever made.
const RFC_TOKENS: [&str; 3] = [
    include_str!("../corpus/compact_jws/rfc-7515-a2-rs256"),
    include_str!("../corpus/compact_jws/rfc-7515-a3-es256"),
    include_str!("../corpus/compact_jws/rfc-8037-a4-eddsa"),
];

/// 2011-03-22T18:42:59Z in milliseconds, the last second of RFC 7519's example.
const NOW: u64 = 1_300_819_379_000;

static RFC_SET: LazyLock<KeySet> = LazyLock::new(|| {
    KeySet::parse(RFC_KEYS.as_bytes(), &KeySetLimits::default()).expect("the RFCs' keys")
});

static OUR_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

static OUR_SET: LazyLock<KeySet> = LazyLock::new(|| {
    let x = text(OUR_KEY.verifying_key().as_bytes());
    let json = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"ours","x":"{x}"}}]}}"#);
    KeySet::parse(json.as_bytes(), &KeySetLimits::default()).expect("our own key")
});

/// What became of an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// As a token, it carries a signature of one of the RFCs' keys.
    pub verified: bool,
    /// As a header and claims, it made an access token that holds at the time of the RFCs' example.
    pub permitted: bool,
}

/// Checks one input.
pub fn run(data: &[u8]) -> Outcome {
    let verified = read_token(data);
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let permitted = match (lines.next(), lines.next()) {
        (Some(header), Some(claims)) => sign_and_read(header, claims),
        _ => false,
    };
    Outcome {
        verified,
        permitted,
    }
}

/// The input as a token, against keys whose private halves are not at hand.
fn read_token(token: &[u8]) -> bool {
    let limits = Limits::default();
    let Ok(jws) = CompactJws::parse(token, &limits) else {
        return false;
    };
    assert!(token.len() <= limits.token_bytes);
    // INVARIANT: one value, one spelling. What was decoded, encoded again, is what came.
    let parts: Vec<_> = token.split(|byte| *byte == b'.').collect();
    let [_, payload, signature] = parts[..] else {
        panic!("{} parts", parts.len());
    };
    assert_eq!(text(jws.payload()).as_bytes(), payload);
    assert_eq!(text(jws.signature()).as_bytes(), signature);
    assert!(!signature.is_empty());
    let signed = token
        .strip_suffix(signature)
        .and_then(|rest| rest.strip_suffix(b"."));
    assert_eq!(Some(jws.signing_input()), signed);
    read_claims(&jws);
    let verified = verify(&jws, &RFC_SET);
    if verified {
        assert!(
            RFC_TOKENS
                .iter()
                .any(|known| known.as_bytes().starts_with(jws.signing_input())),
            "a forged signature"
        );
    }
    verified
}

/// A header and claims, signed by us: whoever accepts the header must accept the signature.
fn sign_and_read(header: &[u8], claims: &[u8]) -> bool {
    let input = format!("{}.{}", text(header), text(claims));
    let signature = OUR_KEY.sign(input.as_bytes()).to_bytes();
    let token = format!("{input}.{}", text(&signature));
    let limits = Limits::default();
    let Ok(jws) = CompactJws::parse(token.as_bytes(), &limits) else {
        return false;
    };
    assert_eq!(jws.payload(), claims);
    let seen = jws.header();
    // What a lax reader sees must be what we saw: no member was hidden from it or from us.
    let lax: Value = serde_json::from_slice(header).expect("we are stricter than serde_json");
    assert_eq!(lax["alg"].as_str(), Some(seen.algorithm.name()));
    assert_eq!(
        lax.get("kid").map(|kid| kid.as_str()),
        seen.kid.as_deref().map(Some)
    );
    assert_eq!(
        lax.get("typ").map(|typ| typ.as_str()),
        seen.typ.as_deref().map(Some)
    );
    assert!(lax.get("crit").is_none() && lax.get("b64").is_none());
    for (name, present) in [
        ("jwk", seen.key_hints.jwk),
        ("jku", seen.key_hints.jku),
        ("x5u", seen.key_hints.x5u),
        ("x5c", seen.key_hints.x5c),
    ] {
        assert_eq!(lax.get(name).is_some(), present, "{name}");
    }
    let ours = matches!(seen.algorithm, Algorithm::EdDsa | Algorithm::Ed25519)
        && seen.kid.as_deref().is_none_or(|kid| kid == "ours");
    assert_eq!(verify(&jws, &OUR_SET), ours);
    assert!(!verify(&jws, &RFC_SET), "signed by another key");
    ours && read_claims(&jws)
}

/// Whether the claims are those of an access token that holds [`NOW`].
fn read_claims(jws: &CompactJws<'_>) -> bool {
    let limits = Limits::default();
    let Ok(claims) = Claims::parse(jws.payload(), &limits) else {
        return false;
    };
    let lax: Value =
        serde_json::from_slice(jws.payload()).expect("we are stricter than serde_json");
    assert_eq!(lax.as_object(), Some(&claims.to_map()));
    // A date is read or refused, never overlooked (CVE-2026-25537).
    assert_eq!(claims.expires_at().is_some(), lax.get("exp").is_some());
    assert_eq!(claims.not_before().is_some(), lax.get("nbf").is_some());
    assert_eq!(claims.issued_at().is_some(), lax.get("iat").is_some());
    let audiences = match lax.get("aud") {
        None => 0,
        Some(Value::Array(audiences)) => audiences.len(),
        Some(_) => 1,
    };
    assert_eq!(claims.audiences().count(), audiences);
    let holds = check_times(&claims, NOW, 0).is_ok();
    if holds {
        assert!(
            claims
                .expires_at()
                .is_some_and(|exp| exp.unix_milliseconds() > NOW)
        );
        assert_eq!(
            check_times(&claims, NOW, 1_000),
            Ok(()),
            "leeway never takes away"
        );
    }
    let complete = check_access_token_profile(&claims).is_ok();
    let strict = check_type(jws.header(), &claims, ExpectedType::AtJwt);
    let typed = check_type(jws.header(), &claims, ExpectedType::AnyAccessToken);
    assert!(
        strict.is_err() || typed.is_ok(),
        "the profile accepts no more types"
    );
    assert!(
        !complete
            || ["iss", "sub", "aud", "exp"]
                .iter()
                .all(|name| claims.get(name).is_some())
    );
    holds && typed.is_ok()
}

fn verify(jws: &CompactJws<'_>, set: &KeySet) -> bool {
    let header = jws.header();
    let Ok(candidates) = set.candidates(header.algorithm, header.kid.as_deref()) else {
        return false;
    };
    candidates.into_iter().any(|key| {
        Software
            .verify(key, header.algorithm, jws.signing_input(), jws.signature())
            .is_ok()
    })
}

fn text(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    /// What the names of the corpus promise, and that nothing in it panics.
    #[test]
    fn the_corpus_holds() {
        let (mut files, mut verified, mut permitted) = (0, 0, 0);
        for (name, data) in crate::corpus("compact_jws") {
            let outcome = super::run(&data);
            assert_eq!(outcome.verified, name.starts_with("rfc-"), "{name}");
            if name.starts_with("permit-") {
                assert!(outcome.permitted, "{name}");
            }
            if name.starts_with("refuse-") {
                assert!(!outcome.permitted, "{name}");
            }
            files += 1;
            verified += u32::from(outcome.verified);
            permitted += u32::from(outcome.permitted);
        }
        println!("compact_jws: {files} files, {verified} verified tokens, {permitted} permits");
        assert!(
            verified >= 3 && permitted >= 4,
            "a corpus of refusals says nothing"
        );
    }
}
