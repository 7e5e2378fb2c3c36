//! Headers: mostly plain, often with one oddity.

use portcullis_conformance::random::Random;

/// Members that a plain header does not have, and values that they should not have.
const ODD: &[&str] = &[
    r#","typ":"JWT""#,
    r#","typ":"jwt""#,
    r#","typ":"at+jwt""#,
    r#","typ":"AT+JWT""#,
    r#","typ":"application/at+jwt""#,
    r#","typ":"dpop+jwt""#,
    r#","typ":"id+jwt""#,
    r#","typ":"logout+jwt""#,
    r#","typ":"""#,
    r#","typ":null"#,
    r#","typ":1"#,
    r#","typ":["JWT"]"#,
    r#","cty":"JWT""#,
    r#","cty":1"#,
    r#","cty":null"#,
    r#","crit":[]"#,
    r#","crit":["b64"]"#,
    r#","crit":["b64"],"b64":true"#,
    r#","crit":["b64"],"b64":false"#,
    r#","crit":["b64","b64"],"b64":true"#,
    r#","crit":["exp"],"exp":1"#,
    r#","crit":["alg"]"#,
    r#","crit":[1]"#,
    r#","crit":"exp""#,
    r#","crit":null"#,
    r#","crit":{}"#,
    r#","b64":false"#,
    r#","b64":true"#,
    r#","b64":null"#,
    r#","b64":"true""#,
    r#","jku":"https://evil.example/jwks""#,
    r#","jku":1"#,
    r#","x5u":"https://evil.example/x""#,
    r#","x5u":{}"#,
    r#","x5c":["AA"]"#,
    r#","x5c":[]"#,
    r#","x5c":"AA""#,
    r#","x5t":"AA""#,
    r#","x5t#S256":7"#,
    r#","jwk":{"kty":"oct","k":"AAAA"}"#,
    r#","jwk":{"kty":"EC"}"#,
    r#","jwk":null"#,
    r#","zip":"DEF""#,
    r#","zip":1"#,
    r#","enc":"A128GCM""#,
    r#","enc":"x""#,
    r#","epk":{}"#,
    r#","nonce":"n","url":"https://a""#,
    r#","nonce":1"#,
    r#","url":[]"#,
    r#","iss":"https://other.example.com""#,
    r#","exp":1"#,
    r#","x":1"#,
    r#","x":1,"x":2"#,
    r#","x":{"y":1,"y":2}"#,
    r#","":null"#,
    r#","__proto__":{"alg":"none"}"#,
    r#","constructor":1"#,
    r#","ALG":"none""#,
    r#","Kid":"k""#,
    r#","x":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]"#,
    r#","x":1e400"#,
    r#","x":-0"#,
    r#","x":01"#,
    r#","x":.5"#,
    r#","x":NaN"#,
    r#","x":'y'"#,
    r#","x":"\ud800""#,
    r#","x":"\udc00\ud800""#,
    r#","x":"\ud83d\ude00""#,
    r#","x":"\u0000""#,
    "\t,\n\"x\"\r:1 ",
    ",\"x\":\"\n\"",
    ",\"x\":\"\u{85}é😀\"",
    ",\"x\":\"\u{feff}\"",
    r#","x":/*c*/1"#,
    ",",
    "}{",
    r#","alg":"none""#,
    r#","al\u0067":"none""#,
    r#","kid":"other","kid":"other""#,
    r#","b\u00364":false"#,
];

/// Algorithms that are written in the place of the right one.
const WRONG: &[&str] = &[
    r#""none""#,
    r#""nOnE""#,
    r#""""#,
    "null",
    "1",
    r#"["ES256"]"#,
    r#""HS256""#,
    r#""RS256""#,
    r#""PS256""#,
    r#""ES256""#,
    r#""ES384""#,
    r#""ES512""#,
    r#""EdDSA""#,
    r#""Ed25519""#,
    r#""RS384""#,
    r#""PS512""#,
    r#""RS1""#,
    r#""es256""#,
    r#""ES256K""#,
    r#""RSA-OAEP""#,
    r#""dir""#,
    r#""Ed448""#,
    r#""ES256 ""#,
    r#""ES\u0032\u0035\u0036""#,
    r#""ML-DSA-44""#,
    r#""A128KW""#,
    r#""__proto__""#,
    r#""constructor""#,
];

/// Key ids that are written in the place of the right one.
const KIDS: &[&str] = &[
    r#""other""#,
    r#""""#,
    r#""K1""#,
    "null",
    "1",
    r#"["k1"]"#,
    "{}",
    r#""k1 ""#,
    r#""k\u0031""#,
    r#""../../dev/null""#,
    r#""k1' OR '1'='1""#,
    r#""\u0000""#,
    r#""é""#,
];

/// A header for that algorithm and key id (as JSON), and how it was made.
pub(crate) fn make(
    random: &mut Random,
    algorithm: &str,
    kid: Option<&str>,
    kinds: &mut Vec<&'static str>,
) -> Vec<u8> {
    let mut alg = format!("\"{algorithm}\"");
    if random.once_in(25) {
        alg = (*random.pick(WRONG)).to_owned();
        kinds.push("header: alg");
    }
    let kid = match random.below(40) {
        0 => {
            kinds.push("header: kid");
            Some((*random.pick(KIDS)).to_owned())
        }
        1 => {
            kinds.push("header: kid");
            Some(format!("\"{}\"", "k".repeat(300)))
        }
        2..=8 => {
            kinds.push("header: no kid");
            None
        }
        _ => kid.map(str::to_owned),
    };
    let kid = kid.map(|kid| format!(",\"kid\":{kid}")).unwrap_or_default();
    let more = if random.once_in(6) {
        kinds.push("header: odd member");
        *random.pick(ODD)
    } else {
        ""
    };
    let mut bytes = match random.below(120) {
        0 => format!("{{\"x\":1{kid}{more}}}"),
        1 => format!("{{{}{more},\"alg\":{alg}}}", kid.trim_start_matches(',')),
        2 => format!(" {{\r\n\t\"alg\" : {alg} {kid}{more} }} "),
        3 => format!("{{\"alg\":{alg}{kid}{more}}}}}"),
        4 => format!("\u{feff}{{\"alg\":{alg}{kid}{more}}}"),
        5 => format!("[{{\"alg\":{alg}{kid}{more}}}]"),
        6 => format!("{{\"alg\":{alg}{kid}{more}"),
        7 => format!("{{\"alg\":{alg},\"alg\":{alg}{kid}{more}}}"),
        8 => format!("{{\"alg\":{alg}{kid}{more},\"x\":\"~\"}}"),
        9 => String::new(),
        10 => "null".to_owned(),
        11 => format!("{{\"alg\":{alg}{kid}{more}}}\0"),
        _ => format!("{{\"alg\":{alg}{kid}{more}}}"),
    }
    .into_bytes();
    // A byte that is no UTF-8, in the place of the one character that is used nowhere else.
    if let Some(place) = bytes.iter().position(|byte| *byte == b'~') {
        bytes[place] = 0xff;
        kinds.push("header: not UTF-8");
    }
    bytes
}
