//! What came of a request, in the same terms wherever it ran.

use std::fmt;

use anyhow::{Result, ensure};

use crate::audit::Told;
use crate::case::{Expect, Request};

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the audit event said; none when there was no event.
    pub told: Option<Told>,
    /// Where the request went.
    pub outcome: Outcome,
}

/// Where a request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream received it like this, headers in lower case and sorted; pseudo headers and what a proxy adds
    /// of its own are left out.
    Forwarded {
        /// The target.
        path: String,
        /// One character a byte (Latin-1).
        headers: Vec<(String, String)>,
    },
    /// The client was answered.
    Answered {
        /// The status.
        status: u16,
        /// In lower case and sorted; only what a guard decides (see [`ANSWER_HEADERS`]).
        headers: Vec<(String, String)>,
    },
    /// It waits.
    Waiting,
}

/// The headers of an answer that must be the same everywhere.
pub const ANSWER_HEADERS: [&str; 14] = [
    "www-authenticate",
    "content-type",
    "retry-after",
    "allow",
    "cache-control",
    "grpc-status",
    "grpc-message",
    "vary",
    "x-help",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
];

/// Headers that Envoy adds to what it forwards, or uses up itself.
const OF_THE_PROXY: [&str; 6] = [
    "host",
    "x-request-id",
    "x-forwarded-proto",
    "x-envoy-expected-rq-timeout-ms",
    "transfer-encoding",
    "connection",
];

impl Outcome {
    /// A forwarded request in the comparable form.
    pub fn forwarded(path: &[u8], headers: impl Iterator<Item = (String, String)>) -> Self {
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        // RFC 9110 section 7.6.1: the next hop removes what Connection lists. What it would not see does not count.
        let listed: Vec<String> = headers
            .iter()
            .filter(|(name, _)| name == "connection")
            .flat_map(|(_, value)| value.split(','))
            .map(|option| option.trim().to_ascii_lowercase())
            .collect();
        headers.retain(|(name, _)| {
            !name.starts_with(':')
                && !OF_THE_PROXY.contains(&name.as_str())
                && !listed.contains(name)
        });
        headers.sort();
        Self::Forwarded {
            path: crate::http_client::latin1(path),
            headers,
        }
    }

    /// An answer in the comparable form.
    pub fn answered(status: u16, headers: impl Iterator<Item = (String, String)>) -> Self {
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| ANSWER_HEADERS.contains(&name.as_str()))
            .collect();
        headers.sort();
        Self::Answered { status, headers }
    }
}

impl Verdict {
    /// Fails with the difference when this isn't what the case expects of that request.
    pub fn check(&self, expect: &Expect, request: &Request) -> Result<()> {
        let told = self.told.as_ref();
        ensure!(
            told.is_some_and(|told| told.reason == expect.reason && told.shadow == expect.shadow),
            "expected reason {}{}, got {self}",
            expect.reason,
            if expect.shadow { " in shadow mode" } else { "" }
        );
        match &self.outcome {
            Outcome::Forwarded { path, headers } => {
                let Some(wanted) = &expect.forwarded else {
                    anyhow::bail!("expected status {:?}, got {self}", expect.status);
                };
                let sent = String::from_utf8_lossy(&crate::bytes_text::decode(&request.path)?)
                    .into_owned();
                let wanted_path = wanted.path.as_ref().unwrap_or(&sent);
                ensure!(
                    path == wanted_path,
                    "the upstream got path {path}, not {wanted_path}"
                );
                for (name, values) in &wanted.headers {
                    let got: Vec<&String> = headers
                        .iter()
                        .filter(|(n, _)| n == name)
                        .map(|(_, v)| v)
                        .collect();
                    ensure!(
                        got == values.iter().collect::<Vec<_>>(),
                        "the upstream got {name}: {got:?}, not {values:?}"
                    );
                }
                for name in &wanted.absent {
                    ensure!(
                        !headers.iter().any(|(n, _)| n == name),
                        "the upstream got {name}: {headers:?}"
                    );
                }
            }
            Outcome::Answered { status, headers } => {
                ensure!(
                    Some(*status) == expect.status,
                    "expected status {:?}, got {self}",
                    expect.status
                );
                let header = |name: &str| {
                    headers
                        .iter()
                        .find(|(n, _)| n == name)
                        .map(|(_, v)| v.as_str())
                };
                let challenges = headers.iter().filter(|(n, _)| n == "www-authenticate");
                let challenges: Vec<&String> = challenges.map(|(_, value)| value).collect();
                let mut wanted: Vec<&String> = expect.www_authenticate.iter().collect();
                wanted.sort();
                ensure!(
                    challenges == wanted,
                    "WWW-Authenticate is {challenges:?}, not {wanted:?}"
                );
                for (name, value) in &expect.headers {
                    ensure!(
                        header(name) == Some(value),
                        "{name} is {:?}, not {value}",
                        header(name)
                    );
                }
            }
            Outcome::Waiting => anyhow::bail!("it still waits"),
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Forwarded { .. } => write!(f, "forwarded")?,
            Outcome::Answered { status, .. } => write!(f, "{status}")?,
            Outcome::Waiting => write!(f, "waiting")?,
        }
        match &self.told {
            Some(told) if told.shadow => write!(f, " {} in shadow mode", told.reason),
            Some(told) => write!(f, " {}", told.reason),
            None => Ok(()),
        }
    }
}
