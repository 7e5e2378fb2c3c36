//! An issuer's key endpoint that the tests control: it counts requests, changes its answer, is slow, dies, returns.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::http_server::{Answer, Server};

/// A key endpoint. Every path answers with the same key set.
#[derive(Debug)]
pub struct JwksServer {
    address: SocketAddr,
    state: Arc<State>,
    server: Option<Server>,
}

#[derive(Debug)]
struct State {
    answer: Mutex<Answer>,
    requests: AtomicU64,
}

impl JwksServer {
    /// Serves this key set (JSON) on a free loopback port.
    pub fn start(key_set: &str) -> Result<Self> {
        let state = Arc::new(State {
            answer: Mutex::new(Answer::json(key_set)),
            requests: AtomicU64::new(0),
        });
        let server = serve(SocketAddr::from(([127, 0, 0, 1], 0)), &state)?;
        Ok(Self {
            address: server.address(),
            state,
            server: Some(server),
        })
    }

    /// Where it listens, or will listen again.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests it has received since the start, while it was up.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Changes the key set that it serves.
    pub fn set_keys(&self, key_set: &str) {
        self.set_answer(Answer::json(key_set));
    }

    /// Changes the whole answer: status, delay, hanging up.
    pub fn set_answer(&self, answer: Answer) {
        *self
            .state
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Stops listening and closes every connection.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Listens again at the same address.
    pub fn restart(&mut self) -> Result<()> {
        self.server = None;
        self.server = Some(serve(self.address, &self.state)?);
        Ok(())
    }
}

fn serve(address: SocketAddr, state: &Arc<State>) -> Result<Server> {
    let state = Arc::clone(state);
    Server::start_at(address, move |_request| {
        state.requests.fetch_add(1, Ordering::SeqCst);
        state
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    })
}
