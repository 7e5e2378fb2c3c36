//! The guard as a judge: a document, a fetched key set, and each token in a request.

use portcullis_engine::{Config, Guard, GuardOptions, Reject, Reply, RequestHead, Step, UnixTime};
use portcullis_jose::{Claims, CompactJws, KeySet, KeySetLimits, Limits, Precomputed};
use serde_json::{Value, json};

use crate::key_sets::Keys;
use crate::tokens::Made;
use crate::{AUDIENCE, Batch, ISSUER, Verdict};

struct Judge<'b> {
    guard: Guard,
    now: UnixTime,
    rand: u128,
    body: &'b [u8],
}

/// The verdict on each token.
pub(crate) fn judge(batch: &Batch) -> Vec<Verdict> {
    let (keys, body): (_, &[u8]) = match &batch.keys {
        Keys::Set(text) => (
            (
                "jwks",
                json!({"uri": "https://login.example.com/jwks", "cluster": "idp"}),
            ),
            text.as_bytes(),
        ),
        Keys::Secret(secret) => {
            let value = portcullis_jose::encode_base64url(secret);
            (
                (
                    "secrets",
                    json!([{"dangerous_inline_secret": value, "encoding": "base64url"}]),
                ),
                b"",
            )
        }
    };
    let mut issuer =
        json!({"issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": batch.algorithms});
    issuer[keys.0] = keys.1;
    let many = json!({"burst": 1_000_000, "per_minute": 1_000_000});
    let document = json!({
        "version": 1,
        "issuers": [issuer],
        "routes": [{"match": {"prefix": "/"}, "require": {}}],
        "default": "deny",
        "limits": {"failures": {"per_source": many, "total": many}},
    });
    let config = Config::parse(document.to_string().as_bytes())
        .unwrap_or_else(|problems| panic!("{problems}"));
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = UnixTime::from_secs(since.unwrap().as_secs());
    let options = GuardOptions {
        built_at: UnixTime::from_secs(now.as_secs() - 86_400),
        seed: 7,
        wakes_others: true,
    };
    let mut judge = Judge {
        guard: Guard::new(config, options, Box::new(Precomputed::default())),
        now,
        rand: 1,
        body,
    };
    for call in judge.guard.start(now, 0) {
        judge.answer(call.flight);
    }
    let verdict = |token: &Made| {
        judge
            .send(&token.text)
            .map(|()| claims(&token.text))
            .map_err(|code| refine(code, token, &batch.keys))
    };
    batch.tokens.iter().map(verdict).collect()
}

impl Judge<'_> {
    fn answer(&mut self, flight: portcullis_engine::FlightId) {
        self.rand += 1;
        let reply = Reply::Response {
            status: 200,
            headers: &[],
            body: self.body,
        };
        let _ = self.guard.complete(flight, self.now, self.rand, reply);
    }

    fn send(&mut self, token: &[u8]) -> Result<(), String> {
        let value = [b"Bearer ", token].concat();
        let headers: &[(&[u8], &[u8])] = &[
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"api.example.com"),
            (b":path", b"/"),
            (b"authorization", &value),
        ];
        self.rand += 1;
        let head = RequestHead {
            headers,
            declared: Some(headers.len()),
            source_address: &|| Some(b"192.0.2.1:4711".to_vec()),
        };
        let mut step = self.guard.begin(self.now, self.rand, &head);
        loop {
            self.rand += 1;
            let pending = match step {
                Step::Forward(_) => return Ok(()),
                Step::Reject(reject) => return Err(why(reject, self.now)),
                Step::Call {
                    flight, pending, ..
                } => {
                    self.answer(flight);
                    pending
                }
                Step::Wait { pending, .. } => pending,
                other => panic!("{other:?}"),
            };
            step = self.guard.resume(pending, self.now, self.rand);
        }
    }
}

/// The cause where there is one, else the reason: as the audit event has them.
fn why(reject: Reject, now: UnixTime) -> String {
    let event: Value = serde_json::from_str(&reject.into_outcome().event_line(now)).unwrap();
    let text = |name: &str| event[name].as_str().map(str::to_owned);
    text("cause").or_else(|| text("reason")).unwrap()
}

/// The claims of a token that was accepted, read as the guard reads them.
fn claims(token: &[u8]) -> serde_json::Map<String, Value> {
    let limits = Limits::default();
    let token = CompactJws::parse(token, &limits).unwrap();
    Claims::parse(token.payload(), &limits).unwrap().to_map()
}

/// Says more than an answer of the guard does: why there is no key, why something is no JSON.
fn refine(code: String, token: &Made, keys: &Keys) -> String {
    let part = match &*code {
        "header_not_json" => Some(0),
        "payload_not_json" => Some(1),
        _ => None,
    };
    if let Some(part) = part {
        return format!("{code}: {}", syntax(&token.text, part));
    }
    let Keys::Set(text) = keys else { return code };
    let read = match KeySet::parse(text.as_bytes(), &KeySetLimits::default()) {
        Err(error) if code.starts_with("keys_") => return format!("set: {}", error.code()),
        Err(_) => return code,
        Ok(read) => read,
    };
    // Without its key others are tried.
    if !code.starts_with("key_")
        && !matches!(
            &*code,
            "kid_unknown" | "signature_invalid" | "signature_malformed"
        )
    {
        return code;
    }
    // The same key may stand there twice: the last one's reason is told.
    let set: Value = serde_json::from_str(text).unwrap_or_default();
    let is_own = |index: usize| {
        let key = &set["keys"][index];
        index == token.key || key["x"] == token.public || key["n"] == token.public
    };
    let mut skipped = read.skipped().iter().rev();
    let skipped = skipped.find(|skipped| is_own(skipped.index));
    match skipped {
        Some(skipped) => format!("key: {}", skipped.reason.code()),
        None => code,
    }
}

fn syntax(token: &[u8], part: usize) -> &'static str {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let part = token.split(|byte| *byte == b'.').nth(part).unwrap();
    let part = Base64UrlUnpadded::decode_vec(std::str::from_utf8(part).unwrap()).unwrap();
    let error = match serde_json::from_slice::<Value>(&part) {
        Ok(_) => return "for us alone",
        Err(error) => error.to_string(),
    };
    for known in ["surrogate", "hex escape", "number out of range"] {
        if error.contains(known) {
            return known;
        }
    }
    "no JSON"
}
