//! Claims: mostly good, often with one oddity.

use portcullis_conformance::random::Random;

use crate::{AUDIENCE, ISSUER};

/// Long ago, and long to come: no run comes near.
const BEFORE: &str = "1000000000";
const AFTER: &str = "4102444800";

const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "1",
    "-1",
    "0",
    "-0",
    "0.5",
    "1e400",
    "-1e400",
    "1e300",
    "1e10",
    "4102444800.75",
    "4.1024448e9",
    "1000000000.5",
    "99999999999999",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "253402300799",
    "253402300800",
    "9e12",
    "\"\"",
    "\"x\"",
    "\" \"",
    "[]",
    "{}",
    "[1]",
    "[null]",
    r#"["a"]"#,
    r#"[["a"]]"#,
    r#"{"a":1}"#,
    r#"["a","a"]"#,
    "\"4102444800\"",
    "\"1000000000\"",
    "4102444800",
    "1000000000",
    r#""https://login.example.com""#,
    r#""https://api.example.com""#,
    r#"["https://login.example.com"]"#,
    r#"["https://api.example.com"]"#,
    r#"["other","https://api.example.com"]"#,
    r#"["https://api.example.com",1]"#,
    r#"["https://api.example.com",null]"#,
    r#"[["https://api.example.com"]]"#,
    r#"{"0":"https://api.example.com"}"#,
    r#""https://login.example.com/""#,
    r#""HTTPS://login.example.com""#,
    r#""https:\/\/login.example.com""#,
    r#""https:\u002f\u002fapi.example.com""#,
    r#""https://api.example.com https://other""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\u0000""#,
    "\"é😀\u{85}\"",
    "\"\n\"",
    "01",
    "NaN",
    ".5",
    "1.",
    "+1",
    "0x1",
    "'a'",
    "Infinity",
];

const MORE: &[&str] = &[
    r#""x":1"#,
    r#""x":1,"x":2"#,
    r#""x":{"y":1,"y":2}"#,
    r#""exp":4102444801"#,
    r#""exp":1"#,
    r#""iss":"https://evil.example.com""#,
    r#""\u0065xp":1"#,
    r#""is\u0073":"https://login.example.com""#,
    r#""aud":"https://api.example.com""#,
    r#""x":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"#,
    r#""x":[[[[[[[[1]]]]]]]]"#,
    r#""x":1e400"#,
    r#""x":-0.0"#,
    r#""x":123456789012345678901234567890"#,
    r#""x":0.1"#,
    r#""x":1e-400"#,
    r#""x":9007199254740993"#,
    r#""":0"#,
    r#""__proto__":{"iss":"x"}"#,
    r#""constructor":{}"#,
    r#""toString":"a""#,
    r#""x":"\ud83d\ude00""#,
    r#""x":"\ud800""#,
    r#""\ud800":1"#,
    r#""x":"\u0000""#,
    "\"x\":\"\u{2028}\"",
    "\"\u{e9}\":\"e\u{301}\"",
    r#""scope":"a b""#,
    r#""scope":["a","b"]"#,
    r#""scope":1"#,
    r#""scp":["a"]"#,
    r#""scope":" a  b ""#,
    r#""client_id":"app""#,
    r#""client_id":1"#,
    r#""azp":"app""#,
    r#""azp":1"#,
    r#""nonce":"n""#,
    r#""events":{}"#,
    r#""events":[]"#,
    r#""at_hash":"x""#,
    r#""c_hash":1"#,
    r#""cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#,
    r#""cnf":{}"#,
    r#""cnf":null"#,
    r#""cnf":1"#,
    r#""act":{"sub":"b"}"#,
    r#""nbf":1000000000.5"#,
    r#""iat":4102444800"#,
    r#""iat":1000000000.25"#,
    r#""iat":"1000000000""#,
    r#""iat":-1"#,
    r#""nbf":-1"#,
    r#""nbf":4102444800"#,
    r#""jti":1"#,
    r#""jti":"""#,
    r#""acr":1"#,
    r#""auth_time":"x""#,
    r#""x":tru"#,
    r#""x":1,"#,
    r#""EXP":1"#,
    r#""Exp":1,"Iss":"x""#,
    r#""x":/**/1"#,
];

/// Claims as JSON text, and how they were made.
pub(crate) fn make(random: &mut Random, kinds: &mut Vec<&'static str>) -> Vec<u8> {
    let mut members = vec![
        ("iss", format!("\"{ISSUER}\"")),
        ("aud", format!("\"{AUDIENCE}\"")),
        ("exp", AFTER.to_owned()),
    ];
    if random.once_in(2) {
        members.push(("nbf", BEFORE.to_owned()));
        members.push(("iat", BEFORE.to_owned()));
    }
    if random.once_in(2) {
        members.push(("sub", "\"alice\"".to_owned()));
        members.push(("jti", format!("\"{}\"", random.below(1_000_000))));
    }
    if random.once_in(7) {
        let place = random.below(members.len());
        members[place].1 = (*random.pick(VALUES)).to_owned();
        kinds.push("claims: odd value");
    }
    if random.once_in(40) {
        drop(members.remove(random.below(members.len())));
        kinds.push("claims: one is missing");
    }
    let mut members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    if random.once_in(7) {
        members.insert(
            random.below(members.len() + 1),
            (*random.pick(MORE)).to_owned(),
        );
        kinds.push("claims: odd member");
    }
    if random.once_in(200) {
        members.push(format!("\"pad\":\"{}\"", "p".repeat(13_000)));
        kinds.push("claims: long");
    }
    let inside = members.join(",");
    let mut bytes = match random.below(150) {
        0 => format!(" {{\n{inside}\r\t}} "),
        1 => format!("{{{inside}}}x"),
        2 => format!("\u{feff}{{{inside}}}"),
        3 => format!("[{{{inside}}}]"),
        4 => format!("{{{inside}"),
        5 => format!("{{{inside},}}"),
        6 => format!("{{{inside},\"x\":\"~\"}}"),
        7 => format!("{{{inside},\"~\":1}}"),
        8 => (*random.pick(&[
            "",
            "{}",
            "[]",
            "null",
            "1",
            "\"x\"",
            "true",
            " ",
            "{\"exp\":4102444800}",
        ]))
        .to_owned(),
        9 => format!("{{{inside}}}\0"),
        10 => format!("{{{inside}}}{{}}"),
        _ => format!("{{{inside}}}"),
    }
    .into_bytes();
    if let Some(place) = bytes.iter().position(|byte| *byte == b'~') {
        // Overlong, half a surrogate, cut short: none of it is UTF-8.
        let bad: &[u8] = random.pick::<&[u8]>(&[
            &[0xff][..],
            &[0xc0, 0x80],
            &[0xed, 0xa0, 0x80],
            &[0xe2, 0x82],
        ]);
        bytes.splice(place..=place, bad.iter().copied());
        kinds.push("claims: not UTF-8");
    }
    bytes
}
