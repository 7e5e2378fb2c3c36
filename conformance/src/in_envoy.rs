//! A real Envoy as a host for cases: a listener a world, the filter, the upstream of the tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::audit;
use crate::bootstrap::{bootstrap, cluster, guard, listener, with_environment};
use crate::envoy::{Envoy, Options};
use crate::http_client;
use crate::runner::{Host, Ticket};
use crate::script::KeysArrive;
use crate::upstream::{Echo, Upstream};
use crate::verdict::{Outcome, Verdict};
use crate::wire::Wire;

/// How long an audit event may take from Envoy's worker to its log.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// Envoy with every world.
#[derive(Debug)]
pub struct Worlds {
    envoy: Envoy,
    upstream: Upstream,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Worlds {
    /// Starts Envoy with a listener for each document.
    pub fn start(documents: &BTreeMap<String, String>) -> Result<Self> {
        let upstream = Upstream::start()?;
        let wasm = crate::environment::wasm()?;
        let variables = crate::keys::environment()?;
        let listeners = documents
            .iter()
            .map(|(name, document)| {
                let filter = guard(&format!("world-{name}"), &wasm, document);
                let filter = with_environment(filter, &variables);
                open(listener(name, vec![filter], "upstream"))
            })
            .collect();
        let clusters = vec![cluster("upstream", upstream.address())];
        let envoy = Envoy::start(&bootstrap(listeners, clusters), &Options::default())?;
        let listeners = documents
            .keys()
            .map(|name| Ok((name.clone(), envoy.listener(name)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            envoy,
            upstream,
            listeners,
        })
    }

    /// How many signatures Envoy's own crypto verified, and how often it was asked in vain.
    pub fn verified_by_host(&self) -> Result<(u64, u64)> {
        let stats = self.envoy.stats()?;
        let of = |name: &str| {
            let name = format!("wasmcustom.portcullis.verify.{name}");
            stats.get(&name).copied().unwrap_or_default()
        };
        Ok((of("host"), of("host_failed")))
    }

    /// The host for a case of that world.
    pub fn host(&self, world: &str) -> Result<EnvoyHost<'_>> {
        let address = *self
            .listeners
            .get(world)
            .with_context(|| format!("no listener for {world}"))?;
        Ok(EnvoyHost {
            worlds: self,
            address,
            verdicts: Vec::new(),
            mark: self.envoy.log_mark(),
        })
    }
}

/// Lets everything through to the filter that Envoy would normalise or bound by itself: the filter must judge it.
fn open(mut listener: Value) -> Value {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["normalize_path"] = json!(false);
    manager["merge_slashes"] = json!(false);
    manager["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
    manager["max_request_headers_kb"] = json!(8192);
    manager["common_http_protocol_options"] =
        json!({ "max_headers_count": 8000, "headers_with_underscores_action": "ALLOW" });
    listener
}

/// One world of a running Envoy.
#[derive(Debug)]
pub struct EnvoyHost<'w> {
    worlds: &'w Worlds,
    address: SocketAddr,
    verdicts: Vec<Verdict>,
    /// How much of the log was asked for.
    mark: usize,
}

impl Host for EnvoyHost<'_> {
    fn send(&mut self, wire: &Wire) -> Result<Ticket> {
        let envoy = &self.worlds.envoy;
        let mark = envoy.log_mark();
        let upstream_before = self.worlds.upstream.requests();
        let response = http_client::send(self.address, &wire.bytes())?;
        let reached_upstream = self.worlds.upstream.requests() > upstream_before;
        let outcome = if reached_upstream {
            let echo = Echo::from_response(&response)?;
            Outcome::forwarded(echo.path.as_bytes(), echo.headers.into_iter())
        } else {
            Outcome::answered(response.status, response.headers.into_iter())
        };
        // Envoy's own answers have no audit event: its access flags in the log would come at once, if at all.
        let patience = if by_envoy(&outcome) {
            Duration::from_millis(200)
        } else {
            LOG_PATIENCE
        };
        let line = envoy.wait_for_log(mark, patience, |line| audit::decision(line).is_some());
        let told = match line {
            Ok(line) => audit::decision(&line).as_ref().and_then(audit::told),
            Err(_) => None,
        };
        self.verdicts.push(Verdict { told, outcome });
        Ok(Ticket(self.verdicts.len() - 1))
    }

    fn verdict(&mut self, ticket: Ticket) -> Result<Verdict> {
        self.verdicts
            .get(ticket.0)
            .cloned()
            .context("no such request")
    }

    fn advance(&mut self, _seconds: i64) -> Result<()> {
        bail!("time cannot be moved in Envoy")
    }

    fn set_clock(&mut self, _seconds: i64) -> Result<()> {
        bail!("time cannot be set in Envoy")
    }

    fn keys_arrive(&mut self, _path: Option<&str>, _how: &KeysArrive) -> Result<()> {
        bail!("the corpus has no issuer in Envoy; the scenario tests have")
    }

    fn said(&mut self) -> Vec<String> {
        let mut lines = self.worlds.envoy.log();
        let said = lines.split_off(self.mark.min(lines.len()));
        self.mark = lines.len() + said.len();
        said
    }

    fn fetches(&mut self) -> Result<Option<u32>> {
        bail!("the corpus has no issuer in Envoy; the scenario tests have")
    }

    fn leave(&mut self, _ticket: Ticket) -> Result<()> {
        bail!("a client that waits for an answer here cannot leave")
    }

    fn lose(&mut self, _ticket: Ticket) -> Result<()> {
        bail!("the filter does not lose its state on request")
    }

    fn is_proxy(&self) -> bool {
        true
    }
}

/// The guard's answers all say how long they may be kept; Envoy's do not.
fn by_envoy(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered { headers, .. } => {
            !headers.iter().any(|(name, _)| name == "cache-control")
        }
        _ => false,
    }
}
