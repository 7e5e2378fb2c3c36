//! Finds the audit event among log lines.

use serde_json::Value;

/// The decision that a log line records, if it does.
pub fn decision(line: &str) -> Option<Value> {
    let start = line.find(r#"{"record":"portcullis.decision."#)?;
    serde_json::from_str(line.get(start..)?).ok()
}

/// What a decision says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The reason code.
    pub reason: String,
    /// The request passed whatever was decided.
    pub shadow: bool,
}

/// What a decision says of itself.
pub fn told(decision: &Value) -> Option<Told> {
    Some(Told {
        reason: decision["reason"].as_str()?.to_owned(),
        shadow: decision["mode"] == "shadow",
    })
}
