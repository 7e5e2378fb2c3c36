//! Plays a case on a host: natively, in the filter under host-test, or in Envoy.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::case::{Case, Expect, InEnvoy, Request};
use crate::mint::mint;
use crate::script::{KeysArrive, KeysArriveAt, Step};
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
    /// The oldest outstanding fetch of keys ends. It must be for `path`, if that is said.
    fn keys_arrive(&mut self, path: Option<&str>, how: &KeysArrive) -> Result<()>;
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
    /// What it has written to its log, and told clients, since this was last asked.
    fn said(&mut self) -> Vec<String>;
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
    let mut secrets = Vec::new();
    let mut waiting: BTreeMap<String, (Ticket, Request)> = BTreeMap::new();
    for (number, step) in case.script().iter().enumerate() {
        let at = || format!("step {}", number + 1);
        match step {
            Step::Send(send) => {
                let minted = |recipe: &Option<_>| {
                    let token = recipe.as_ref().map(|recipe| mint(recipe, start));
                    token.transpose().with_context(at)
                };
                let (token, second) = (minted(&send.token)?, minted(&send.second_token)?);
                let both = token.iter().chain(&second);
                secrets.extend(both.flat_map(|token| parts(token)));
                let wire = Wire::new(&send.request, token.as_deref(), second.as_deref())
                    .with_context(at)?;
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
            Step::KeysArrive(how) => host.keys_arrive(None, how).with_context(at)?,
            Step::KeysArriveAt(KeysArriveAt { path, how }) => {
                host.keys_arrive(Some(path), how).with_context(at)?;
            }
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
        // Invariant 6: no credential reaches a log or an answer, whatever became of the request.
        for line in host.said() {
            let leaked = secrets.iter().any(|secret| line.contains(secret.as_str()));
            ensure!(!leaked, "{}: a part of the token was told: {line}", at());
        }
    }
    ensure!(
        waiting.is_empty(),
        "{:?} were never answered",
        waiting.keys().collect::<Vec<_>>()
    );
    Ok(verdicts)
}

/// The parts of a token that are long enough to be known again.
fn parts(token: &[u8]) -> Vec<String> {
    let parts = token.split(|byte| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte));
    parts
        .filter(|part| part.len() >= 24)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
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
            if *status == proxy.rejected_by_proxy && verdict.told.is_none() =>
        {
            Ok(())
        }
        _ => bail!(
            "expected the proxy itself to answer {}, got {verdict}",
            proxy.rejected_by_proxy
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forwards everything, and tells everybody what it got.
    #[derive(Default)]
    struct Chatterbox(Vec<String>);

    impl Host for Chatterbox {
        fn send(&mut self, wire: &Wire) -> Result<Ticket> {
            self.0
                .push(String::from_utf8_lossy(&wire.bytes()).into_owned());
            Ok(Ticket(0))
        }

        fn verdict(&mut self, _ticket: Ticket) -> Result<Verdict> {
            let outcome = Outcome::forwarded(b"/orders/42", std::iter::empty());
            Ok(Verdict {
                told: Some(crate::audit::Told {
                    reason: "authenticated".to_owned(),
                    shadow: false,
                }),
                outcome,
            })
        }

        fn said(&mut self) -> Vec<String> {
            std::mem::take(&mut self.0)
        }

        fn advance(&mut self, _seconds: i64) -> Result<()> {
            Ok(())
        }

        fn set_clock(&mut self, _seconds: i64) -> Result<()> {
            Ok(())
        }

        fn keys_arrive(&mut self, _path: Option<&str>, _how: &KeysArrive) -> Result<()> {
            Ok(())
        }

        fn fetches(&mut self) -> Result<Option<u32>> {
            Ok(Some(0))
        }

        fn leave(&mut self, _ticket: Ticket) -> Result<()> {
            Ok(())
        }

        fn lose(&mut self, _ticket: Ticket) -> Result<()> {
            Ok(())
        }
    }

    fn case(text: &str) -> Case {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn a_token_that_is_told_is_noticed() {
        let case = case(
            "{ name: x, why: a test of tests, token: {}, expect: { reason: authenticated, forwarded: {} } }",
        );
        let error = play(&case, &mut Chatterbox::default(), 2_000_000_000).unwrap_err();
        assert!(
            error.to_string().contains("a part of the token was told"),
            "{error}"
        );
    }

    #[test]
    fn what_differs_from_the_expectation_is_noticed() {
        for expect in [
            "{ reason: anonymous, forwarded: {} }",
            "{ reason: authenticated, forwarded: { headers: { x-user: [alice] } } }",
            "{ reason: authenticated, forwarded: { path: /other } }",
            "{ reason: authenticated, status: 403 }",
        ] {
            let case = case(&format!(
                "{{ name: x, why: a test of tests, expect: {expect} }}"
            ));
            assert!(
                play(&case, &mut Chatterbox::default(), 2_000_000_000).is_err(),
                "{expect}"
            );
        }
        let right = case(
            "{ name: x, why: a test of tests, expect: { reason: authenticated, forwarded: {} } }",
        );
        play(&right, &mut Chatterbox::default(), 2_000_000_000).unwrap();
    }
}
