//! A real Envoy beside an issuer whose answer the case decides: for scripted cases without time in them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::audit::{self, Told};
use crate::bootstrap::{bootstrap, cluster, guard, listener};
use crate::envoy::{Envoy, Options};
use crate::http_client::{Connection, Response};
use crate::http_server::{Answer, Server};
use crate::runner::{Host, Ticket};
use crate::script::KeysArrive;
use crate::upstream::{Echo, Upstream};
use crate::verdict::{Outcome, Verdict};
use crate::wire::Wire;
use crate::world::{fill, key_set};

/// A request that is not answered within this waits. Answers of a filter that need no fetch take a millisecond.
const WAITS: Duration = Duration::from_millis(400);
/// How long the proxy may take until its first fetch, and until an audit event is in its log.
const PATIENCE: Duration = Duration::from_secs(10);

/// Envoy with one worker, the filter, an upstream and an issuer.
#[derive(Debug)]
pub struct EnvoyAndIssuer {
    envoy: Envoy,
    issuer: Issuer,
    _upstream: Upstream,
    address: SocketAddr,
    requests: Vec<Asked>,
    /// Events that were taken for the answer of a request already.
    told: BTreeSet<String>,
    /// How much of the log was asked for.
    mark: usize,
}

#[derive(Debug)]
enum Asked {
    Open(Connection),
    Ended(Verdict),
    Left,
}

/// The key endpoint: fetches are held until the case says how they end; later ones end the same way at once.
#[derive(Debug)]
struct Issuer {
    server: Server,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    /// The paths that were asked for.
    fetches: BTreeSet<String>,
    /// For every path.
    answer: Option<Answer>,
    /// For single ones.
    answers: BTreeMap<String, Answer>,
}

impl Issuer {
    fn start() -> Result<Self> {
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let held = Arc::clone(&state);
        let server = Server::start(move |request| {
            let path = request.path;
            let (state, changed) = &*held;
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.fetches.insert(path.clone());
            changed.notify_all();
            loop {
                if let Some(answer) = state.answers.get(&path).or(state.answer.as_ref()) {
                    return answer.clone();
                }
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        })?;
        Ok(Self { server, state })
    }

    /// Ends the fetches, once there is one; those for one path, if that is said.
    fn answer(&self, path: Option<&str>, answer: Answer) -> Result<()> {
        let (state, changed) = &*self.state;
        let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut guard, waited) = changed
            .wait_timeout_while(guard, PATIENCE, |state| match path {
                Some(path) => !state.fetches.contains(path),
                None => state.fetches.is_empty(),
            })
            .unwrap_or_else(PoisonError::into_inner);
        ensure!(!waited.timed_out(), "no fetch is outstanding");
        match path {
            Some(path) => {
                guard.answers.insert(path.to_owned(), answer);
            }
            None => guard.answer = Some(answer),
        }
        changed.notify_all();
        Ok(())
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // Held fetches must end, or their threads would outlive the test's use of them.
        let (state, changed) = &*self.state;
        state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .answer
            .get_or_insert(Answer::json("{}"));
        changed.notify_all();
    }
}

impl EnvoyAndIssuer {
    /// Starts all three for that document, whose keys come from the cluster `issuer`.
    pub fn start(document: &str) -> Result<Self> {
        let (upstream, issuer) = (Upstream::start()?, Issuer::start()?);
        let filter = guard("corpus-remote", &crate::environment::wasm()?, document);
        let clusters = vec![
            cluster("upstream", upstream.address()),
            cluster("issuer", issuer.server.address()),
        ];
        let bootstrap = bootstrap(vec![listener("remote", vec![filter], "upstream")], clusters);
        let envoy = Envoy::start(
            &bootstrap,
            &Options {
                concurrency: 1,
                ..Options::default()
            },
        )?;
        let address = envoy.listener("remote")?;
        Ok(Self {
            envoy,
            issuer,
            _upstream: upstream,
            address,
            requests: Vec::new(),
            told: BTreeSet::new(),
            mark: 0,
        })
    }

    /// What the audit event of that answer says.
    fn told_of(&mut self, response: &Response, forwarded: bool) -> Result<Option<Told>> {
        // A refusal names its event; what is forwarded takes the next event that allows.
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let named = body["instance"]
            .as_str()
            .and_then(|urn| urn.strip_prefix("urn:uuid:"))
            .map(str::to_owned);
        let told = &self.told;
        let wanted = |decision: &Value| match &named {
            Some(id) if !forwarded => decision["id"] == id.as_str(),
            _ => {
                decision["verdict"] == "allow"
                    && decision["id"].as_str().is_some_and(|id| !told.contains(id))
            }
        };
        let line = self.envoy.wait_for_log(0, PATIENCE, |line| {
            audit::decision(line).is_some_and(|d| wanted(&d))
        })?;
        let decision = audit::decision(&line).context("the event is gone")?;
        self.told.extend(decision["id"].as_str().map(str::to_owned));
        Ok(audit::told(&decision))
    }
}

impl Host for EnvoyAndIssuer {
    fn send(&mut self, wire: &Wire) -> Result<Ticket> {
        let mut connection = Connection::open(self.address)?;
        connection.send(&wire.bytes())?;
        self.requests.push(Asked::Open(connection));
        Ok(Ticket(self.requests.len() - 1))
    }

    fn still_waits(&mut self, ticket: Ticket) -> Result<bool> {
        match self.requests.get_mut(ticket.0) {
            Some(Asked::Open(connection)) => Ok(!connection.has_answer(WAITS)?),
            _ => Ok(false),
        }
    }

    fn verdict(&mut self, ticket: Ticket) -> Result<Verdict> {
        let request = self.requests.get_mut(ticket.0).context("no such request")?;
        let response = match request {
            Asked::Open(connection) => connection.receive()?,
            Asked::Ended(verdict) => return Ok(verdict.clone()),
            Asked::Left => bail!("its client has left"),
        };
        let echo = Echo::from_response(&response).ok();
        let told = self.told_of(&response, echo.is_some())?;
        let outcome = match echo {
            Some(echo) => Outcome::forwarded(echo.path.as_bytes(), echo.headers.into_iter()),
            None => Outcome::answered(response.status, response.headers.into_iter()),
        };
        let verdict = Verdict { told, outcome };
        self.requests[ticket.0] = Asked::Ended(verdict.clone());
        Ok(verdict)
    }

    fn advance(&mut self, _seconds: i64) -> Result<()> {
        bail!("time cannot be moved in Envoy")
    }

    fn set_clock(&mut self, _seconds: i64) -> Result<()> {
        bail!("time cannot be set in Envoy")
    }

    fn keys_arrive(&mut self, path: Option<&str>, how: &KeysArrive) -> Result<()> {
        let answer = match how {
            KeysArrive::Keys(keys) => Answer::json(key_set(keys)?),
            KeysArrive::Body(body) => Answer::json(fill(body)?),
            KeysArrive::Status(status) => Answer {
                status: *status,
                ..Answer::json("")
            },
            KeysArrive::Unreachable => Answer {
                hang_up: true,
                ..Answer::json("")
            },
            KeysArrive::TimedOut => bail!("a case that waits for a time-out is not for Envoy"),
        };
        self.issuer.answer(path, answer)
    }

    fn said(&mut self) -> Vec<String> {
        let mut lines = self.envoy.log();
        let said = lines.split_off(self.mark.min(lines.len()));
        self.mark = lines.len() + said.len();
        said
    }

    fn fetches(&mut self) -> Result<Option<u32>> {
        // The main thread and the worker each have a virtual machine, which each fetch.
        Ok(None)
    }

    fn leave(&mut self, ticket: Ticket) -> Result<()> {
        *self.requests.get_mut(ticket.0).context("no such request")? = Asked::Left;
        // Envoy sees the closed connection a moment later.
        std::thread::sleep(WAITS);
        Ok(())
    }

    fn lose(&mut self, _ticket: Ticket) -> Result<()> {
        bail!("the filter does not lose its state on request")
    }
}
