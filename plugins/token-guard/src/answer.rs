//! How a request ends at the host: changed and let through, or answered.

use portcullis_abi::{Host, HostError, LocalResponse, LogLevel, Pair, Stream};
use portcullis_engine::{Edits, LocalAnswer, Outcome, Reject, Series, Shadow};

use crate::clock;
use crate::meters::Meters;

/// Makes every change that the permission asks for.
///
/// # Errors
///
/// The first change that the host refused: the request must not go on.
pub(crate) fn apply(stream: &Stream<'_>, edits: &Edits) -> Result<(), HostError> {
    for name in edits.remove() {
        stream.remove_request_header(name)?;
    }
    for (name, value) in edits.set() {
        stream.set_request_header(name.as_bytes(), value)?;
    }
    Ok(())
}

/// As [`apply`], for a request that passes in shadow mode.
///
/// # Errors
///
/// The first change that the host refused: the request must not go on.
pub(crate) fn take_off(stream: &Stream<'_>, shadow: &Shadow) -> Result<(), HostError> {
    for name in shadow.remove() {
        stream.remove_request_header(name)?;
    }
    match shadow.path() {
        Some(path) => stream.set_request_header(b":path", path.as_bytes()),
        None => Ok(()),
    }
}

/// Sends the engine's answer, and writes it down.
pub(crate) fn answer(host: &Host<'_>, stream: &Stream<'_>, meters: &Meters, reject: &Reject) {
    let headers: Vec<Pair<'_>> = reject
        .headers()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let details = format!("portcullis_{}", reject.outcome().reason().code());
    let sent = stream.respond(&LocalResponse {
        status: reject.status(),
        headers: &headers,
        body: reject.body().as_bytes(),
        grpc_status: reject.grpc_status(),
        details: &details,
    });
    if let Err(error) = sent {
        // It stays paused until the host gives it up.
        host.log(
            LogLevel::Error,
            &format!("portcullis: the host does not answer a refused request: {error}"),
        );
    }
    write_down(host, meters, reject.outcome());
}

/// Sends what the guard itself has to say, and writes it down.
pub(crate) fn tell(host: &Host<'_>, stream: &Stream<'_>, meters: &Meters, answer: &LocalAnswer) {
    let headers: Vec<Pair<'_>> = answer
        .headers()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let details = format!("portcullis_{}", answer.outcome().reason().code());
    let sent = stream.respond(&LocalResponse {
        status: answer.status(),
        headers: &headers,
        body: answer.body().as_bytes(),
        grpc_status: None,
        details: &details,
    });
    if let Err(error) = sent {
        host.log(
            LogLevel::Error,
            &format!("portcullis: the host does not answer a request: {error}"),
        );
    }
    write_down(host, meters, answer.outcome());
}

/// As [`answer`], for an answer that the guard did not make and therefore did not count.
pub(crate) fn refuse(host: &Host<'_>, stream: &Stream<'_>, meters: &Meters, reject: &Reject) {
    meters.count(host, Series::Decision(reject.outcome().reason()), 1);
    answer(host, stream, meters, reject);
}

/// The audit event, at level info, which proxies log unless told otherwise; and the latency.
pub(crate) fn write_down(host: &Host<'_>, meters: &Meters, outcome: &Outcome) {
    // What is decided at once takes microseconds: to ask the clock again would be a good part of them.
    let ended = if outcome.is_timed() {
        clock::now(host)
    } else {
        outcome.began()
    };
    if outcome.is_timed() {
        meters.latency(host, outcome, ended);
    }
    if outcome.is_audited() {
        host.log(LogLevel::Info, &outcome.event_line(ended));
    }
    if let Some(trace) = outcome.trace_line() {
        host.log(LogLevel::Info, &trace);
    }
}
