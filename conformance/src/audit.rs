//! Finds the audit event among log lines.

use serde_json::Value;

/// The decision that a log line records, if it does.
pub fn decision(line: &str) -> Option<Value> {
    let start = line.find(r#"{"record":"portcullis.decision."#)?;
    serde_json::from_str(line.get(start..)?).ok()
}

/// The reason code of a decision.
pub fn reason(decision: &Value) -> Option<String> {
    Some(decision["reason"].as_str()?.to_owned())
}
