//! What holds of every decision, whatever a guard was asked.

use portcullis_engine::Reject;

/// A refusal is an answer of HTTP, in full.
pub(crate) fn check_reject(reject: &Reject) {
    assert!(
        matches!(reject.status(), 400 | 401 | 403 | 429 | 503),
        "{}",
        reject.status()
    );
    let has = |wanted: &str| reject.headers().any(|(name, _)| name == wanted);
    assert!(reject.status() != 401 || has("www-authenticate"));
    assert!(reject.status() != 429 || has("retry-after"));
    assert!(has("cache-control"));
    serde_json::from_str::<serde_json::Value>(reject.body()).expect("a problem document");
}

/// An event is one short line of JSON, without the token. Gives what it says.
pub(crate) fn check_event(line: &str, token: Option<&str>) -> serde_json::Value {
    assert!(
        line.len() <= 1800 && !line.chars().any(char::is_control),
        "{line:?}"
    );
    if let Some((_, signature)) = token.and_then(|token| token.rsplit_once('.')) {
        assert!(
            signature.is_empty() || !line.contains(signature),
            "a credential in the log"
        );
    }
    serde_json::from_str(line).expect("an event is JSON")
}
