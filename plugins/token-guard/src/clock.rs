//! The host's clock as the engine takes it.

use portcullis_abi::Host;
use portcullis_engine::UnixTime;

/// The time; zero, on which the engine denies, when the host doesn't tell it.
pub(crate) fn now(host: &Host<'_>) -> UnixTime {
    host.now().map_or(UnixTime::default(), UnixTime::from_nanos)
}
