//! The upstream of the tests: it answers with what it received, so a test sees what the filter let through.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::http_client::Response;
use crate::http_server::{Answer, Server};

/// The request as the upstream received it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The method.
    pub method: String,
    /// The target, query included.
    pub path: String,
    /// All headers in order; bytes beyond ASCII appear as the characters of Latin-1.
    pub headers: Vec<(String, String)>,
}

impl Echo {
    /// Reads the answer that the upstream gave.
    pub fn from_response(response: &Response) -> Result<Self> {
        serde_json::from_slice(&response.body)
            .context("this answer is not from the upstream of the tests")
    }

    /// Every value of that (lower-case) header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// A running upstream; it counts its requests.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    requests: Arc<AtomicU64>,
}

impl Upstream {
    /// Starts on a free loopback port.
    pub fn start() -> Result<Self> {
        let requests = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&requests);
        let server = Server::start(move |request| {
            counter.fetch_add(1, Ordering::SeqCst);
            let echo = Echo {
                method: request.method,
                path: request.path,
                headers: request.headers,
            };
            Answer::json(serde_json::to_vec(&echo).unwrap_or_default())
        })?;
        Ok(Self { server, requests })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many requests reached it.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}
