//! An issuer that publishes generation after generation and fails in another way each time.

use std::time::Duration;

use anyhow::Result;

use super::tokens::key_set;
use crate::http_server::Answer;
use crate::jwks_server::JwksServer;

/// The issuer's key endpoint.
#[derive(Debug)]
pub(super) struct Issuer {
    server: JwksServer,
    generation: u64,
    failures: u64,
}

impl Issuer {
    pub(super) fn start() -> Result<Self> {
        Ok(Self {
            server: JwksServer::start(&key_set(0)?)?,
            generation: 0,
            failures: 0,
        })
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Fetches so far.
    pub(super) fn fetches(&self) -> u64 {
        self.server.requests()
    }

    /// Makes that generation the present one.
    pub(super) fn rotate(&mut self, generation: u64) -> Result<()> {
        self.generation = generation;
        self.recover()
    }

    /// Fails, in the next of its ways; says which.
    pub(super) fn fail(&mut self) -> &'static str {
        let answer = |status, body: Vec<u8>| Answer {
            status,
            ..Answer::json(body)
        };
        let ways = 8;
        let (how, answer) = match self.failures % ways {
            0 => ("status 500", answer(500, b"{}".to_vec())),
            1 => (
                "closed connections",
                Answer {
                    hang_up: true,
                    ..answer(200, Vec::new())
                },
            ),
            2 => ("no JSON", answer(200, b"<html>busy</html>".to_vec())),
            3 => (
                "too slow",
                Answer {
                    delay: Duration::from_secs(8),
                    ..answer(200, b"{\"keys\":[]}".to_vec())
                },
            ),
            4 => ("a body of 2 MiB", answer(200, vec![b' '; 2 << 20])),
            5 => ("an empty body", answer(200, Vec::new())),
            6 => ("a redirect", answer(302, b"{}".to_vec())),
            _ => {
                self.server.stop();
                self.failures += 1;
                return "no listener";
            }
        };
        self.server.set_answer(answer);
        self.failures += 1;
        how
    }

    /// Answers again.
    pub(super) fn recover(&mut self) -> Result<()> {
        self.server.set_keys(&key_set(self.generation)?);
        if self.failures.is_multiple_of(8) && self.failures > 0 {
            self.server.restart()?;
        }
        Ok(())
    }
}
