//! Differential test: tokens minted, varied and damaged, judged by us and by `jsonwebtoken`.
//!
//! Both must say the same of every token, or the difference stands in [`STRICTER`] or [`KINDER`] with its reason. Each entry of
//! those lists must occur, so that they say what is so. The keys reach `jsonwebtoken` as our own
//! [`PublicKey::spki_der`](portcullis_jose::PublicKey::spki_der).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test, which prints its counts"
)]

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use jsonwebtoken::{DecodingKey, EncodingKey, Validation, jwk::Jwk};
use portcullis_jose::{
    Claims, CompactJws, ExpectedType, KeySet, KeySetLimits, Limits, Software, Verifier as _,
    check_times, check_type,
};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// What we refuse (by code) and `jsonwebtoken` accepts.
const STRICTER: &[(&str, &str)] = &[
    (
        "header_duplicate_member",
        "it takes the last of two members that it does not know",
    ),
    (
        "payload_duplicate_member",
        "it takes the last of two members that it does not know",
    ),
    ("header_too_deep", "it nests to 128"),
    ("payload_too_deep", "it nests to 128"),
    ("crit_empty", "it does not act on crit"),
    ("crit_unknown", "it does not act on crit"),
    ("crit_malformed", "it takes null as absent"),
    ("b64_present", "it does not know RFC 7797"),
    ("kid_malformed", "it takes null as absent"),
    ("kid_too_long", "it has no limit"),
    ("kid_unknown", "it leaves the choice of a key to its caller"),
    (
        "key_incompatible",
        "it leaves the choice of a key to its caller",
    ),
    ("typ_malformed", "it takes null as absent"),
    ("typ_unexpected", "it leaves typ to its caller"),
    ("iss_malformed", "it takes a list of issuers"),
    ("sub_malformed", "it reads sub only if it shall be compared"),
    ("jti_malformed", "it does not read jti"),
    ("client_id_malformed", "it does not read client_id"),
    ("iat_malformed", "it does not read iat"),
    ("exp_malformed", "it takes dates after the year 9999"),
    ("issued_in_future", "it does not read iat"),
    ("token_too_large", "it has no limit"),
];

/// What we accept and `jsonwebtoken` refuses, by its message.
const KINDER: &[(&str, &str)] = &[
    (
        "header: JSON error: unknown variant `Ed25519`",
        "it does not know the names of RFC 9864",
    ),
    (
        "header: JSON error: invalid type",
        "it insists on the types of header members that we never read, such as cty and jku",
    ),
];

/// `splitmix64`: seeded, so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, choice: &[&'a T]) -> &'a T {
        choice[self.roll(choice.len())]
    }
}

/// One signer: its algorithm with them, its names with us, its keys.
struct Signer {
    theirs: jsonwebtoken::Algorithm,
    names: &'static [&'static str],
    kid: &'static str,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// Three signers and the set of their keys. The private keys are for this test only.
fn signers() -> (Vec<Signer>, KeySet) {
    use jsonwebtoken::Algorithm::{ES256, EdDSA, RS256};
    let rsa = include_bytes!("keys/TEST_ONLY_rsa_2048.pkcs8.pem");
    let p256 = include_bytes!("keys/TEST_ONLY_p256.pkcs8.pem");
    let ed25519 = include_bytes!("keys/TEST_ONLY_ed25519.pkcs8.pem");
    let private = [
        (
            RS256,
            &["RS256"][..],
            "rsa",
            EncodingKey::from_rsa_pem(rsa).unwrap(),
        ),
        (
            ES256,
            &["ES256"],
            "ec",
            EncodingKey::from_ec_pem(p256).unwrap(),
        ),
        (
            EdDSA,
            &["EdDSA", "EdDSA", "Ed25519"],
            "ed",
            EncodingKey::from_ed_pem(ed25519).unwrap(),
        ),
    ];
    let jwks: Vec<_> = private
        .iter()
        .map(|(algorithm, _, kid, key)| {
            let mut jwk = Jwk::from_encoding_key(key, *algorithm).unwrap();
            jwk.common.key_id = Some((*kid).to_owned());
            serde_json::to_value(jwk).unwrap()
        })
        .collect();
    let json = serde_json::json!({ "keys": jwks }).to_string();
    let set = KeySet::parse(json.as_bytes(), &KeySetLimits::default()).unwrap();
    assert_eq!((set.keys().len(), set.skipped()), (3, &[][..]), "{json}");
    let signers = private
        .into_iter()
        .zip(set.keys())
        .map(|((theirs, names, kid, encoding), key)| {
            let pem = format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                Base64::encode_string(key.spki_der())
            );
            let decoding = match theirs {
                RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
                ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
                _ => DecodingKey::from_ed_pem(pem.as_bytes()),
            };
            Signer {
                theirs,
                names,
                kid,
                encoding,
                decoding: decoding.unwrap(),
            }
        })
        .collect();
    (signers, set)
}

fn ours(token: &str, set: &KeySet, now_ms: u64) -> Result<(), &'static str> {
    let limits = Limits::default();
    let jws = CompactJws::parse(token.as_bytes(), &limits).map_err(|error| error.code())?;
    let claims = Claims::parse(jws.payload(), &limits).map_err(|error| error.code())?;
    check_type(jws.header(), &claims, ExpectedType::AnyAccessToken)
        .map_err(|error| error.code())?;
    check_times(&claims, now_ms, 0).map_err(|error| error.code())?;
    if claims.issuer() != Some(ISSUER) {
        return Err("issuer");
    }
    if !claims.audiences().any(|audience| audience == AUDIENCE) {
        return Err("audience");
    }
    let algorithm = jws.header().algorithm;
    set.candidates(algorithm, jws.header().kid.as_deref())
        .map_err(|error| error.code())?
        .into_iter()
        .map(|key| Software.verify(key, algorithm, jws.signing_input(), jws.signature()))
        .find_map(Result::ok)
        .ok_or("signature")
}

fn theirs(token: &str, signers: &[Signer]) -> Result<(), String> {
    let mut refusal = match jsonwebtoken::decode_header(token) {
        Ok(_) => String::new(),
        Err(error) => format!("header: {error}"),
    };
    for signer in signers {
        let mut validation = Validation::new(signer.theirs);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        match jsonwebtoken::decode::<serde_json::Value>(token, &signer.decoding, &validation) {
            Ok(_) => return Ok(()),
            Err(error) => refusal = format!("{refusal} | {error}"),
        }
    }
    Err(refusal)
}

/// A header: mostly plain, sometimes with one member more, or another `alg`.
fn header(dice: &mut Dice, signer: &Signer) -> String {
    let alg = match dice.roll(12) {
        0 => dice.pick(&[
            "none", "HS256", "RS256", "ES256", "EdDSA", "RS512", "nOnE", "",
        ]),
        _ => dice.pick(signer.names),
    };
    let more: &[&str] = &[
        r#","kid":"K""#,
        r#","kid":null"#,
        r#","kid":7"#,
        r#","kid":"""#,
        r#","kid":"ec""#,
        r#","kid":"rsa""#,
        r#","typ":"JWT""#,
        r#","typ":"at+jwt""#,
        r#","typ":"dpop+jwt""#,
        r#","typ":"id+jwt""#,
        r#","typ":null"#,
        r#","typ":["JWT"]"#,
        r#","crit":[]"#,
        r#","crit":["b64"]"#,
        r#","crit":null"#,
        r#","crit":"exp""#,
        r#","b64":false"#,
        r#","b64":true"#,
        r#","cty":1"#,
        r#","jku":"https://evil.example/""#,
        r#","jku":1"#,
        r#","x5c":["AA"]"#,
        r#","x5u":{}"#,
        r#","alg":"none""#,
        r#","x":1,"x":2"#,
        r#","x":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"#,
        r#","":null"#,
        r#","#,
        r#"}{"#,
    ];
    let long = format!(r#","kid":"{}""#, "k".repeat(300));
    let more = match dice.roll(40) {
        0..=19 => String::new(),
        20..=24 => format!(r#","kid":"{}""#, signer.kid),
        25 => long,
        _ => dice.pick(more).to_owned(),
    };
    format!(r#"{{"alg":"{alg}"{more}}}"#)
}

/// Claims: mostly good, sometimes with one of them changed.
fn payload(dice: &mut Dice, now: u64) -> String {
    let (past, future) = (now - 100_000, now + 100_000);
    let (before, after) = (past.to_string(), future.to_string());
    let mut members = vec![
        ("iss", format!("\"{ISSUER}\"")),
        ("aud", format!("\"{AUDIENCE}\"")),
        ("exp", after.clone()),
    ];
    if dice.roll(2) == 0 {
        members.push(("nbf", before.clone()));
        members.push(("iat", before.clone()));
    }
    if dice.roll(2) == 0 {
        members.push(("sub", "\"alice\"".to_owned()));
        members.push(("jti", "\"1\"".to_owned()));
        members.push(("client_id", "\"app\"".to_owned()));
    }
    if dice.roll(3) == 0 {
        let place = dice.roll(members.len());
        let list = format!(r#"["other","{AUDIENCE}"]"#);
        let fraction = format!("{after}.75");
        let date_as_text = format!("\"{after}\"");
        members[place].1 = dice
            .pick(&[
                "null",
                "true",
                "1",
                "-1",
                "0",
                "0.5",
                "1e400",
                "1e300",
                "99999999999999",
                "\"\"",
                "[]",
                "{}",
                "[1]",
                r#"["a"]"#,
                r#"[["a"]]"#,
                &list,
                &before,
                &after,
                &fraction,
                &date_as_text,
                "\"x\"",
                "\"\\ud800\"",
                "253402300799",
                "253402300800",
                "9e12",
                "1e10",
                r#"["https://login.example.com"]"#,
                r#"["https://api.example.com",1]"#,
            ])
            .to_owned();
    }
    match dice.roll(24) {
        0 => drop(members.remove(dice.roll(members.len()))),
        1 => members.push((
            "x",
            dice.pick(&[
                "{\"y\":1,\"y\":2}",
                "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
                "01",
                "NaN",
            ])
            .to_owned(),
        )),
        2 => members.push((dice.pick(&["exp", "iss", "x", "x"]), "1".to_owned())),
        3 => members.extend([("x", "1".to_owned()), ("x", "2".to_owned())]),
        4 => members.push(("pad", format!("\"{}\"", "p".repeat(13_000)))),
        _ => {}
    }
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Damages a token in one place, as text.
fn damage(dice: &mut Dice, token: &str, other: &str) -> String {
    let mut bytes = token.as_bytes().to_vec();
    let place = dice.roll(bytes.len());
    let letter = *dice.pick(
        &[
            b"A", b"Q", b"g", b"w", b"_", b"-", b".", b"=", b"+", b"/", b" ", b"\n", b"0",
        ]
        .map(|one| &one[0]),
    );
    match dice.roll(8) {
        0 => bytes[place] = letter,
        1 => bytes.insert(place, letter),
        2 => drop(bytes.remove(place)),
        3 => bytes.truncate(place),
        4 => bytes.push(letter),
        5 => *bytes.last_mut().unwrap() = letter,
        6 => bytes.insert(0, letter),
        _ => {
            // The parts of two tokens, mixed.
            let (one, two): (Vec<_>, Vec<_>) =
                (token.split('.').collect(), other.split('.').collect());
            let mixed: Vec<_> = (0..3)
                .map(|part| {
                    if dice.roll(2) == 0 {
                        one[part]
                    } else {
                        two[part]
                    }
                })
                .collect();
            return mixed.join(".");
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn we_agree_with_jsonwebtoken_or_know_why_not() {
    let (signers, set) = signers();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut dice = Dice(0x706f_7274_6375_6c6c);
    let mut last = "..".to_owned();
    let (mut tokens, mut both_accept, mut both_refuse) = (0, 0, 0);
    let mut stricter: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kinder: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..5_000 {
        let signer = &signers[round % signers.len()];
        let text = |json: String| Base64UrlUnpadded::encode_string(json.as_bytes());
        let input = format!(
            "{}.{}",
            text(header(&mut dice, signer)),
            text(payload(&mut dice, now))
        );
        let signature =
            jsonwebtoken::crypto::sign(input.as_bytes(), &signer.encoding, signer.theirs).unwrap();
        let minted = format!("{input}.{signature}");
        let damaged: Vec<_> = (0..2).map(|_| damage(&mut dice, &minted, &last)).collect();
        for token in damaged.iter().chain([&minted]) {
            tokens += 1;
            let verdicts = (ours(token, &set, now * 1000), theirs(token, &signers));
            match &verdicts {
                (Ok(()), Ok(())) => both_accept += 1,
                (Err(_), Err(_)) => both_refuse += 1,
                (Err(code), Ok(())) => {
                    let known = STRICTER.iter().find(|(known, _)| known == code);
                    let (code, _) =
                        known.unwrap_or_else(|| panic!("only we refuse, for {code}: {token}"));
                    *stricter.entry(code).or_default() += 1;
                }
                (Ok(()), Err(message)) => {
                    let known = KINDER.iter().find(|(known, _)| message.contains(known));
                    let (part, _) =
                        known.unwrap_or_else(|| panic!("only they refuse, for {message}: {token}"));
                    *kinder.entry(part).or_default() += 1;
                }
            }
        }
        last = minted;
    }
    println!("{tokens} tokens: {both_accept} accepted and {both_refuse} refused by both");
    println!("refused by us alone: {stricter:#?}\nrefused by them alone: {kinder:#?}");
    assert!(
        both_accept * 10 > tokens,
        "too few good tokens to say anything: {both_accept}"
    );
    for (code, why) in STRICTER {
        assert!(
            stricter.contains_key(code),
            "a difference that did not occur: {code}: {why}"
        );
    }
    for (message, why) in KINDER {
        assert!(
            kinder.contains_key(message),
            "a difference that did not occur: {message}: {why}"
        );
    }
}
