//! Lines for the log that belong to no request: what an operator should look at.

use crate::config::Undiscovered;
use crate::escape::push_json;
use crate::metrics::Count;
use crate::waiting::Hop;

/// Most lines between two drains. More say nothing new, and the counters go on.
const MOST: usize = 8;

/// Longest name of an issuer in a line, escaped, in bytes.
const ISSUER: usize = 256;

/// Lines since the adapter last drained them.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    lines: Vec<String>,
}

impl Notices {
    /// INVARIANT: a line has no text of the document in it, nor any other that a stranger chose: issuer and message are ours.
    pub(crate) fn discovery_refused(&mut self, issuer: &str, why: Undiscovered) {
        self.push(issuer, "its metadata is refused", why.message());
    }

    /// INVARIANT: the same.
    #[cfg(feature = "shared")]
    pub(crate) fn sharing(&mut self, issuer: &str, what: &'static str, why: &'static str) {
        self.push(issuer, what, why);
    }

    /// Once for all failures in a row.
    pub(crate) fn fetch_failed(&mut self, issuer: &str, hop: Hop, why: Count) {
        let what = match hop {
            Hop::Metadata => "its metadata cannot be fetched",
            Hop::Keys | Hop::Another(_) => "its keys cannot be fetched",
        };
        let why = match why {
            Count::KeysTimedOut => "no answer in time",
            Count::KeysUnreachable => "no answer",
            Count::KeysStatus => "answered with another status than 200",
            Count::KeysTooLarge => "longer than allowed",
            _ => "malformed",
        };
        self.push(issuer, what, why);
    }

    fn push(&mut self, issuer: &str, what: &str, why: &str) {
        if self.lines.len() >= MOST {
            return;
        }
        let mut line = String::from("issuer `");
        push_json(&mut line, issuer, ISSUER);
        line.push_str("`: ");
        line.push_str(what);
        line.push_str(": ");
        line.push_str(why);
        self.lines.push(line);
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = String> + '_ {
        self.lines.drain(..)
    }
}
