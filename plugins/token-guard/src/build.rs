//! When this module was built: a clock that says less is wrong.

use portcullis_engine::UnixTime;

/// Seconds since 1970 of a time at which this code was already being written: 2026-11-01T00:00:00Z. For builds that
/// don't say when they are made.
const WRITTEN_SECS: u64 = 1_793_491_200;

/// `PORTCULLIS_BUILD_EPOCH` in seconds since 1970 (a build sets it to the time of the commit, so that builds stay
/// reproducible), but never less than the constant above.
const BUILT_SECS: u64 = match option_env!("PORTCULLIS_BUILD_EPOCH") {
    Some(text) => parse(text),
    None => WRITTEN_SECS,
};

/// When this module was built.
pub(crate) const BUILT_AT: UnixTime = UnixTime::from_secs(BUILT_SECS);

#[expect(
    clippy::panic,
    reason = "evaluated by the compiler only: a bad value stops the build"
)]
const fn parse(text: &str) -> u64 {
    match u64::from_str_radix(text, 10) {
        Ok(seconds) if seconds > WRITTEN_SECS => seconds,
        Ok(_) => WRITTEN_SECS,
        Err(_) => panic!("PORTCULLIS_BUILD_EPOCH must be a number of seconds since 1970"),
    }
}
