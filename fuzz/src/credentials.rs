//! Target `credentials`: whatever stands in headers, cookies and the query, only a good token that came once lets a request through,
//! and nothing that an upstream could take for a credential goes on.
//!
//! The input is a target and header lines, separated by line feeds: `/any?a=b`, `cookie: s=\x01`. The bytes 1 and 2 stand for good
//! tokens of two users, the byte 3 for a forged one.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use portcullis_engine::{
    Config, Forward, Guard, GuardOptions, Reason, RequestHead, Step, UnixTime,
};
use portcullis_jose::Software;
use serde_json::{Value, json};

const NOW: u64 = 1_795_219_200;
const ISSUER: &str = "https://login.example.com";
const USERS: [&str; 2] = ["alice", "bob"];

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

/// Two good tokens, and one with another signature.
static TOKENS: LazyLock<[String; 3]> = LazyLock::new(|| {
    let [alice, bob] = USERS.map(sign);
    let (said, _) = alice.rsplit_once('.').expect("three parts");
    let forged = format!("{said}.{}", Base64UrlUnpadded::encode_string(&[1; 64]));
    [alice, bob, forged]
});

fn sign(user: &str) -> String {
    let encode = |value: Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = encode(json!({ "alg": "EdDSA", "kid": "k" }));
    let claims = encode(json!({ "iss": ISSUER, "aud": "api", "sub": user, "exp": NOW + 600 }));
    let input = format!("{header}.{claims}");
    let signature = KEY.sign(input.as_bytes()).to_bytes();
    format!("{input}.{}", Base64UrlUnpadded::encode_string(&signature))
}

/// Any of four credentials at `/any`, two at `/both`, none at `/open`.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let x = Base64UrlUnpadded::encode_string(KEY.verifying_key().as_bytes());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x });
    let document = json!({
        "version": 1,
        "issuers": [{ "issuer": ISSUER, "audiences": ["api"], "algorithms": ["EdDSA"], "jwks": { "keys": [jwk] } }],
        "credentials": {
            "user": { "header": "authorization", "scheme": "Bearer" },
            "workload": { "header": "x-token", "prefix": "w-" },
            "session": { "cookie": "s" },
            "legacy": { "dangerous_query": "t" },
        },
        "routes": [
            { "match": { "path": "/any" }, "require": { "any": [
                { "credential": "user" }, { "credential": "workload" }, { "credential": "session" }, { "credential": "legacy" },
            ] } },
            { "match": { "path": "/both" }, "require": { "all": [{ "credential": "session" }, { "credential": "user" }] } },
            { "match": { "path": "/open" }, "allow": "anonymous" },
        ],
        "default": "deny",
        "upstream": { "set": { "x-user": "claims.sub" } },
        "limits": { "failures": { "total": { "burst": 1_000_000, "per_minute": 1_000_000 },
                                  "per_source": { "burst": 1_000_000, "per_minute": 1_000_000 } } },
    });
    document.to_string()
});

/// What an input comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Let through by a token.
    Permitted,
    /// Let through where everyone is.
    Open,
    /// Refused.
    Refused,
}

/// Checks one input.
pub fn run(data: &[u8]) -> Outcome {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = filled(lines.next().unwrap_or_default());
    let lines: Vec<(Vec<u8>, Vec<u8>)> = lines
        .take(40)
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
            Some((name.to_ascii_lowercase(), filled(value)))
        })
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"api.example.com"),
        (b":path", &target),
    ];
    headers.extend(lines.iter().map(|(name, value)| (&**name, &**value)));
    let head = RequestHead {
        headers: &headers,
        declared: Some(headers.len()),
        source_address: &|| None,
    };
    let config = Config::parse(DOCUMENT.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let options = GuardOptions {
        built_at: UnixTime::from_secs(NOW - 1),
        seed: 1,
        wakes_others: true,
    };
    let mut guard = Guard::new(config, options, Box::new(Software));
    match guard.begin(UnixTime::from_secs(NOW), 1, &head) {
        Step::Forward(forward) => check_forward(&forward, &headers),
        Step::Reject(reject) => {
            let told = reject.outcome().event_line(UnixTime::from_secs(NOW)) + reject.body();
            let signatures = TOKENS.iter().filter_map(|token| token.rsplit('.').next());
            // A path is no place of a credential, and events tell it.
            let path = target
                .split(|byte| *byte == b'?')
                .next()
                .unwrap_or_default();
            let path = String::from_utf8_lossy(path);
            for signature in signatures.filter(|signature| !path.contains(*signature)) {
                assert!(!told.contains(signature), "a credential was told: {told}");
            }
            Outcome::Refused
        }
        other => panic!("all keys are there: {other:?}"),
    }
}

fn filled(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text {
        match byte {
            1..=3 => out.extend_from_slice(TOKENS[usize::from(*byte) - 1].as_bytes()),
            other => out.push(*other),
        }
    }
    out
}

/// Reads the request as the upstream gets it, as an upstream would, and compares it with what came.
fn check_forward(forward: &Forward, came: &[(&[u8], &[u8])]) -> Outcome {
    let edits = forward.edits();
    let removed: Vec<&[u8]> = edits.remove().collect();
    let set: Vec<(&str, &[u8])> = edits.set().collect();
    let mut sent: Vec<(&[u8], &[u8])> = came.to_vec();
    sent.retain(|(name, _)| !removed.contains(name));
    for (name, value) in &set {
        sent.retain(|(other, _)| other != &name.as_bytes());
        sent.push((name.as_bytes(), value));
    }
    for (name, value) in &sent {
        let folded = String::from_utf8_lossy(name).replace(['_', '.'], "-");
        assert!(
            !matches!(&*folded, "authorization" | "x-token"),
            "{folded} went on"
        );
        match *name {
            b"cookie" => {
                for cookie in value.split(|byte| *byte == b';') {
                    let name = cookie
                        .split(|byte| *byte == b'=')
                        .next()
                        .unwrap_or_default();
                    let name = name.trim_ascii().to_ascii_lowercase();
                    assert!(
                        name != b"s",
                        "a session went on: {:?}",
                        value.escape_ascii()
                    );
                }
            }
            b":path" => {
                assert!(
                    parameters(value).all(|(name, _)| name != b"t"),
                    "a parameter went on: {:?}",
                    value.escape_ascii()
                );
            }
            _ => {}
        }
    }
    // What nobody could take for ours stays as it came.
    let plain = |(name, _): &&(&[u8], &[u8])| name.starts_with(b"x-other-");
    assert!(came.iter().filter(plain).all(|line| sent.contains(line)));
    let user: Vec<_> = set.iter().filter(|(name, _)| *name == "x-user").collect();
    let reason = forward.outcome().reason();
    if reason == Reason::Anonymous {
        assert!(user.is_empty(), "an identity from nowhere");
        return Outcome::Open;
    }
    assert_eq!(reason, Reason::Authenticated);
    // One of the good tokens stands somewhere in the request, and nobody else is named.
    let [(_, user)] = user.as_slice() else {
        panic!("not one user: {user:?}");
    };
    let at = USERS.iter().position(|known| known.as_bytes() == *user);
    let token = &TOKENS[at.expect("a user that there is")];
    let holds = |value: &[u8]| {
        value
            .windows(token.len())
            .any(|part| part == token.as_bytes())
    };
    let unescaped = came.iter().filter(|(name, _)| *name == b":path");
    let unescaped = unescaped
        .flat_map(|(_, target)| parameters(target))
        .map(|(_, value)| value);
    assert!(
        came.iter().any(|(_, value)| holds(value))
            || unescaped.into_iter().any(|value| holds(&value)),
        "a permit without a token"
    );
    Outcome::Permitted
}

/// Names and values of the query, unescaped, as most servers read them.
fn parameters(target: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    let query = target.splitn(2, |byte| *byte == b'?').nth(1);
    let pairs = query
        .into_iter()
        .flat_map(|query| query.split(|byte| *byte == b'&'));
    pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let mut half = || unescape(halves.next().unwrap_or_default());
        (half(), half())
    })
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Outcome, run};

    /// What the names of the corpus promise, and that nothing in it panics.
    #[test]
    fn the_corpus_holds() {
        let (mut files, mut permits) = (0, 0);
        for (name, data) in crate::corpus("credentials") {
            let outcome = run(&data);
            let promised = match name.split('-').next() {
                Some("permit") => Some(Outcome::Permitted),
                Some("open") => Some(Outcome::Open),
                Some("deny") => Some(Outcome::Refused),
                _ => None,
            };
            assert!(
                promised.is_none_or(|promised| promised == outcome),
                "{name}: {outcome:?}"
            );
            files += 1;
            permits += u32::from(outcome == Outcome::Permitted);
        }
        println!("credentials: {files} files, {permits} permitted");
        assert!(permits > 0);
    }

    /// Requests put together at random from what matters, so that a machine without libFuzzer plays many too.
    #[test]
    fn drawn_requests_hold() {
        const PIECES: [&[u8]; 44] = [
            b"/any",
            b"/both",
            b"/open",
            b"?",
            b"&",
            b"t=",
            b"%74=",
            b"T=",
            b"t[]=",
            b"x=1",
            b"\x01",
            b"\x02",
            b"\x03",
            b"\n",
            b"authorization:",
            b"Bearer ",
            b"bearer  ",
            b"Basic ",
            b", ",
            b"\nx-token:",
            b"w-",
            b"\nX_Token:",
            b"\ncookie:",
            b"s=",
            b"S=",
            b"%73=",
            b"; ",
            b";",
            b"\"",
            b"a=1",
            b"\nauthorization:Bearer \x01",
            b"\nx-token:w-\x01",
            b"\ncookie:s=\x02",
            b"\ncookie:a=1; s=\x01; b=2",
            b"/any?t=\x01",
            b"/any\n",
            b"/both\n",
            b"\nx-other-header:1",
            b"\nconnection:x-user",
            b"\nx-user:root",
            b"$Version=1; ",
            b",",
            b"=",
            b"\x00",
        ];
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 32).unwrap_or(0)
        };
        let mut outcomes = [0_u32; 3];
        for _ in 0..3_000 {
            let mut data = PIECES[draw() % 3].to_vec();
            for _ in 0..1 + draw() % 8 {
                data.extend_from_slice(PIECES[draw() % PIECES.len()]);
            }
            outcomes[run(&data) as usize] += 1;
        }
        println!("credentials: permitted, open, refused: {outcomes:?}");
        assert!(outcomes.iter().all(|count| *count > 10), "{outcomes:?}");
    }
}
