//! Plays a case on a host: natively, in the filter under host-test, or in Envoy.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::case::{Case, Expect, InEnvoy, Request};
use crate::mint::mint;
use crate::script::{KeysArrive, Send, Step};
use crate::verdict::{Outcome, Verdict};
use crate::wire::Wire;

/// Where a case can run. A host starts fresh for every case, except Envoy.
pub trait Host {
    /// A request arrives.
    fn send(&mut self, wire: &Wire) -> Result<Ticket>;
    /// What came of it so far.
    fn verdict(&mut self, ticket: Ticket) -> Result<Verdict>;
    /// Time passes (negative: is set back) and the timer fires.
    fn advance(&mut self, seconds: i64) -> Result<()>;
    /// The clock is set to seconds since 1970.
    fn set_clock(&mut self, seconds: i64) -> Result<()>;
    /// The oldest outstanding fetch of keys ends.
    fn keys_arrive(&mut self, how: &KeysArrive) -> Result<()>;
    /// How many fetches were made; none where that says nothing.
    fn fetches(&mut self) -> Result<Option<u32>>;
    /// Whether the request still waits for keys.
    fn still_waits(&mut self, ticket: Ticket) -> Result<bool> {
        Ok(self.verdict(ticket)?.outcome == Outcome::Waiting)
    }
    /// The client of a request leaves.
    fn leave(&mut self, ticket: Ticket) -> Result<()>;
    /// The adapter loses what it kept of a request that waits.
    fn lose(&mut self, ticket: Ticket) -> Result<()>;
    /// Whether a proxy stands before the filter, which may answer first.
    fn is_proxy(&self) -> bool {
        false
    }
}

/// A request that a host has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub usize);

/// Plays the case; `start` is its beginning in Unix seconds. Returns what came of each request, in order, each
/// checked against what the case expects.
pub fn play(case: &Case, host: &mut dyn Host, start: i64) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    let mut waiting: BTreeMap<String, (Ticket, Request)> = BTreeMap::new();
    for (number, step) in case.script().iter().enumerate() {
        let at = || format!("step {}", number + 1);
        match step {
            Step::Send(send) => {
                let wire = wire_of(send, start).with_context(at)?;
                let ticket = host.send(&wire).with_context(at)?;
                match (&send.id, &send.expect) {
                    (Some(id), None) => {
                        if !host.still_waits(ticket).with_context(at)? {
                            let verdict = host.verdict(ticket).with_context(at)?;
                            bail!("{}: expected to wait, got {verdict}", at());
                        }
                        waiting.insert(id.clone(), (ticket, send.request.clone()));
                    }
                    (None, Some(expect)) => {
                        let verdict = host.verdict(ticket).with_context(at)?;
                        let proxy = send.in_envoy.filter(|_| host.is_proxy());
                        check(&verdict, expect, &send.request, proxy).with_context(at)?;
                        verdicts.push(verdict);
                    }
                    _ => bail!("{}: a request has either an `id` or an `expect`", at()),
                }
            }
            Step::Answered(answered) => {
                let (ticket, request) = waiting
                    .remove(&answered.id)
                    .with_context(|| format!("no request {} waits", answered.id))?;
                let verdict = host.verdict(ticket).with_context(at)?;
                check(&verdict, &answered.expect, &request, None).with_context(at)?;
                verdicts.push(verdict);
            }
            Step::Advance(seconds) => host.advance(*seconds).with_context(at)?,
            Step::SetClock(seconds) => host.set_clock(*seconds).with_context(at)?,
            Step::KeysArrive(how) => host.keys_arrive(how).with_context(at)?,
            Step::FetchesSoFar(expected) => {
                let made = host.fetches().with_context(at)?.unwrap_or(*expected);
                ensure!(
                    made == *expected,
                    "{}: {made} fetches were made, not {expected}",
                    at()
                );
            }
            Step::StateIsLost(id) => {
                let (ticket, _) = waiting
                    .get(id)
                    .with_context(|| format!("no request {id} waits"))?;
                host.lose(*ticket).with_context(at)?;
            }
            Step::ClientLeaves(id) => {
                let (ticket, _) = waiting
                    .remove(id)
                    .with_context(|| format!("no request {id} waits"))?;
                host.leave(ticket).with_context(at)?;
            }
        }
    }
    ensure!(
        waiting.is_empty(),
        "{:?} were never answered",
        waiting.keys().collect::<Vec<_>>()
    );
    Ok(verdicts)
}

fn wire_of(send: &Send, start: i64) -> Result<Wire> {
    let token = send
        .token
        .as_ref()
        .map(|recipe| mint(recipe, start))
        .transpose()?;
    Wire::new(&send.request, token.as_deref())
}

fn check(
    verdict: &Verdict,
    expect: &Expect,
    request: &Request,
    proxy: Option<InEnvoy>,
) -> Result<()> {
    let Some(proxy) = proxy else {
        return verdict.check(expect, request);
    };
    match &verdict.outcome {
        Outcome::Answered { status, .. }
            if *status == proxy.rejected_by_proxy && verdict.reason.is_none() =>
        {
            Ok(())
        }
        _ => bail!(
            "expected the proxy itself to answer {}, got {verdict}",
            proxy.rejected_by_proxy
        ),
    }
}
