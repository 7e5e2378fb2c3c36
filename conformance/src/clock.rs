//! The machine's clock, as tokens tell the time.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

/// Seconds since 1970 (RFC 7519's NumericDate).
pub fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_secs())?)
}
