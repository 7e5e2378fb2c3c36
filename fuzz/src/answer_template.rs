//! Target `answer_template`: whatever stands in a body of one's own, and whatever a client asks for, the answer stays what it was
//! written as.
//!
//! The input is `kind, template, 0, path`, the first byte choosing the kind of the text.

use portcullis_engine::{Config, Guard, GuardOptions, RequestHead, Step, UnixTime};
use portcullis_jose::Software;
use serde_json::{Value, json};

const KINDS: [&str; 3] = ["application/json", "text/html", "text/plain"];

/// A request that no text can be hurt by.
const HARMLESS: &[u8] = b"/x";

const NOW: u64 = 1_795_219_200;

/// Checks one input; true if the template was taken.
pub fn run(data: &[u8]) -> bool {
    let (kind, rest) = data.split_first().unwrap_or((&0, &[]));
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let Ok(template) = std::str::from_utf8(parts.next().unwrap_or_default()) else {
        return false;
    };
    let path = parts.next().unwrap_or_default();
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let text = json!({ "body": template, "content_type": kind });
    let document = json!({
        "version": 1, "issuers": [], "default": "deny",
        "routes": [{ "match": { "path": "/nowhere/else" }, "allow": "anonymous" }],
        "answers": { "statuses": { "400": text, "403": text } },
    });
    let Ok(config) = Config::parse(document.to_string().as_bytes()) else {
        return false;
    };
    let options = GuardOptions {
        built_at: UnixTime::from_secs(NOW - 1),
        seed: 1,
        wakes_others: true,
    };
    let mut guard = Guard::new(config, options, Box::new(Software));
    let plain = answer(&mut guard, HARMLESS);
    let answers = plain.zip(answer(&mut guard, path));
    let Some((plain, body)) = answers else {
        return true;
    };
    match kind {
        "application/json" => {
            // Filled in where it was a value, it is one still, and none more.
            if serde_json::from_str::<Value>(&plain).is_ok() {
                let filled = serde_json::from_str::<Value>(&body);
                assert!(filled.is_ok(), "{filled:?}: {body}");
                assert_eq!(structure(&body), structure(&plain), "{body}");
            }
        }
        "text/html" => {
            for sign in ['<', '>', '"', '\''] {
                let count = |text: &str| text.matches(sign).count();
                assert_eq!(count(&body), count(&plain), "{body}");
            }
        }
        _ => {
            let lines = |text: &str| text.matches(['\r', '\n', '\0']).count();
            assert_eq!(lines(&body), lines(&plain), "{body:?}");
        }
    }
    // Eight places at most stand in 16 KiB of text; each takes a KiB.
    let places = template.matches("{{").count();
    assert!(
        body.len() <= template.len() + places * 1024,
        "{}",
        body.len()
    );
    true
}

/// The body of the answer to a request for that path; `None` for the one that is open.
fn answer(guard: &mut Guard, path: &[u8]) -> Option<String> {
    let headers: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"api.example.com"),
        (b":path", path),
    ];
    let head = RequestHead {
        headers: &headers,
        declared: Some(headers.len()),
        source_address: &|| None,
    };
    match guard.begin(UnixTime::from_secs(NOW), 1, &head) {
        Step::Reject(reject) => {
            assert!(matches!(reject.status(), 400 | 403));
            Some(reject.body().to_owned())
        }
        Step::Forward(_) => None,
        other => panic!("neither let through nor refused: {other:?}"),
    }
}

/// What holds a JSON text together: brackets, commas and colons, and a quote for each text.
fn structure(json: &str) -> String {
    let (mut out, mut in_text, mut escaped) = (String::new(), false, false);
    for sign in json.chars() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => {
                in_text = !in_text;
                if in_text {
                    out.push(sign);
                }
            }
            '{' | '}' | '[' | ']' | ',' | ':' if !in_text => out.push(sign),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    /// What the names of the corpus promise, and that nothing in it panics.
    #[test]
    fn the_corpus_holds() {
        let (mut files, mut taken) = (0, 0);
        for (name, data) in crate::corpus("answer_template") {
            let good = super::run(&data);
            assert!(!(name.starts_with("good-") && !good), "{name}");
            assert!(!(name.starts_with("refuse-") && good), "{name}");
            files += 1;
            taken += u32::from(good);
        }
        println!("answer_template: {files} files, {taken} taken");
    }
}
