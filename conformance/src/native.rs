//! The engine itself as a host for cases: no wasm, no proxy.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use portcullis_engine::{
    Config, Environment, FlightId, Guard, GuardOptions, Outgoing, Pending, Reject, Reply,
    RequestHead, Step, UnixTime, WaiterId,
};
use portcullis_jose::Precomputed;

use crate::audit::Told;
use crate::http_client::latin1;
use crate::runner::{Host, Ticket};
use crate::script::KeysArrive;
use crate::verdict::{Outcome, Verdict};
use crate::wire::Wire;
use crate::world::{fill, key_set};

/// What Envoy gives a filter at most; above it the filter sees no headers at all.
const MOST_PAIRS: usize = 1024;

/// What a host passes on.
struct Variables(Vec<(String, String)>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let mut known = self.0.iter().filter(|(known, _)| known == name);
        known.next().map(|(_, value)| value.clone().into_bytes())
    }
}

/// A guard and the little of a proxy that it needs.
pub struct Native {
    /// None: the document was refused, and this host goes on regardless.
    guard: Option<Guard>,
    now: UnixTime,
    rand: u128,
    requests: Vec<Taken>,
    flights: VecDeque<(FlightId, String)>,
    fetches: u32,
    said: Vec<String>,
}

/// A request that the guard has seen.
struct Taken {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    state: State,
}

enum State {
    Paused(Option<Pending>, WaiterId),
    Ended(Verdict),
    Left,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native")
            .field("now", &self.now)
            .field("fetches", &self.fetches)
            .finish_non_exhaustive()
    }
}

impl Native {
    /// A guard for that document at that time (Unix seconds). `configured` says whether the document is one that must
    /// be taken, or refused.
    pub fn start(document: &str, configured: bool, now: i64) -> Result<Self> {
        let variables = Variables(crate::keys::environment()?);
        let parsed = Config::parse_in(document.as_bytes(), &variables);
        let config = match (parsed, configured) {
            (Ok(config), true) => Some(config),
            (Err(_), false) => None,
            (Ok(_), false) => bail!("the document should have been refused"),
            (Err(problems), true) => bail!("the document is refused:\n{problems}"),
        };
        let now = UnixTime::from_secs(u64::try_from(now)?);
        let built_at = UnixTime::from_secs(now.as_secs().saturating_sub(86_400));
        let options = GuardOptions {
            built_at,
            seed: 7,
            wakes_others: true,
        };
        let guard =
            config.map(|config| Guard::new(config, options, Box::new(Precomputed::default())));
        let mut native = Self {
            guard,
            now,
            rand: 1,
            requests: Vec::new(),
            flights: VecDeque::new(),
            fetches: 0,
            said: Vec::new(),
        };
        let rand = native.rand();
        let calls = native
            .guard
            .as_mut()
            .map(|guard| guard.start(native.now, rand))
            .unwrap_or_default();
        native.take_off(calls);
        Ok(native)
    }

    fn rand(&mut self) -> u128 {
        self.rand = self
            .rand
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
            .wrapping_add(1);
        self.rand
    }

    fn take_off(&mut self, calls: Vec<Outgoing>) {
        for call in calls {
            self.fetches += 1;
            self.flights.push_back((call.flight, path_of(&call.call)));
        }
    }

    /// What the step means for request `index`.
    fn apply(&mut self, index: usize, step: Step) {
        let state = match step {
            Step::Forward(forward) => {
                self.said.push(forward.outcome().event_line(self.now));
                let edits = forward.edits();
                let sent = &self.requests[index].headers;
                let outcome = edited(sent, edits.remove().collect(), edits.set());
                State::Ended(Verdict {
                    told: Some(told(forward.outcome())),
                    outcome,
                })
            }
            Step::Shadow(shadow) => {
                self.said.push(shadow.outcome().event_line(self.now));
                let sent = &self.requests[index].headers;
                let path = shadow.path().map(|path| (":path", path.as_bytes()));
                let outcome = edited(sent, shadow.remove().collect(), path.into_iter());
                State::Ended(Verdict {
                    told: Some(told(shadow.outcome())),
                    outcome,
                })
            }
            Step::Reject(reject) => {
                self.said.push(reject.outcome().event_line(self.now));
                self.said.push(reject.body().to_owned());
                self.said
                    .extend(reject.headers().map(|(_, value)| value.to_owned()));
                State::Ended(rejected(&reject))
            }
            Step::Answer(answer) => {
                self.said.push(answer.outcome().event_line(self.now));
                self.said.push(answer.body().to_owned());
                let headers = answer
                    .headers()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()));
                State::Ended(Verdict {
                    told: Some(told(answer.outcome())),
                    outcome: Outcome::answered(answer.status(), headers),
                })
            }
            Step::Call {
                flight,
                call,
                pending,
            } => {
                self.fetches += 1;
                self.flights.push_back((flight, path_of(&call)));
                let waiter = pending.waiter();
                State::Paused(Some(pending), waiter)
            }
            Step::Wait { pending, .. } => {
                let waiter = pending.waiter();
                State::Paused(Some(pending), waiter)
            }
        };
        self.requests[index].state = state;
    }

    fn wake(&mut self, woken: Vec<WaiterId>) {
        let by_waiter: BTreeMap<WaiterId, usize> = self
            .requests
            .iter()
            .enumerate()
            .filter_map(|(index, request)| match &request.state {
                State::Paused(_, waiter) => Some((*waiter, index)),
                _ => None,
            })
            .collect();
        for waiter in woken {
            let Some(&index) = by_waiter.get(&waiter) else {
                continue;
            };
            if let State::Paused(pending, _) = &mut self.requests[index].state
                && let Some(pending) = pending.take()
            {
                let rand = self.rand();
                if let Some(guard) = &mut self.guard {
                    let step = guard.resume(pending, self.now, rand);
                    self.apply(index, step);
                }
            }
        }
    }

    fn tick(&mut self) {
        let rand = self.rand();
        let Some(guard) = &mut self.guard else { return };
        let ticked = guard.tick(self.now, rand);
        self.take_off(ticked.calls);
        self.wake(ticked.woken);
    }
}

fn rejected(reject: &Reject) -> Verdict {
    let headers = reject
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Verdict {
        told: Some(told(reject.outcome())),
        outcome: Outcome::answered(reject.status(), headers),
    }
}

/// The request as it goes upstream.
fn edited<'a>(
    headers: &[(Vec<u8>, Vec<u8>)],
    removed: Vec<&[u8]>,
    set: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Outcome {
    let mut kept: Vec<(Vec<u8>, Vec<u8>)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| {
            !removed
                .iter()
                .any(|removed| removed.eq_ignore_ascii_case(name))
        })
        .collect();
    for (name, value) in set {
        kept.retain(|(known, _)| known != name.as_bytes());
        kept.push((name.as_bytes().to_vec(), value.to_vec()));
    }
    let path = kept
        .iter()
        .find(|(name, _)| name == b":path")
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    Outcome::forwarded(
        &path,
        kept.iter()
            .map(|(name, value)| (latin1(name), latin1(value))),
    )
}

fn told(outcome: &portcullis_engine::Outcome) -> Told {
    Told {
        reason: outcome.reason().code().to_owned(),
        shadow: outcome.is_shadow(),
    }
}

/// What a call asks for: path and query.
fn path_of(call: &portcullis_engine::Call) -> String {
    let mut headers = call.headers.iter();
    let path = headers.find(|(name, _)| *name == ":path");
    path.map(|(_, path)| path.to_string()).unwrap_or_default()
}

impl Host for Native {
    fn send(&mut self, wire: &Wire) -> Result<Ticket> {
        let all = wire.header_map();
        let seen = if all.len() > MOST_PAIRS {
            &[]
        } else {
            all.as_slice()
        };
        let head = RequestHead {
            headers: seen,
            declared: Some(wire.announced().unwrap_or(all.len())),
            source_address: &|| Some(b"127.0.0.1:40000".to_vec()),
        };
        let rand = self.rand();
        let step = match &mut self.guard {
            Some(guard) => guard.begin(self.now, rand, &head),
            None => Step::Reject(Reject::not_configured(self.now, rand, &head)),
        };
        let headers = all
            .iter()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        self.requests.push(Taken {
            headers,
            state: State::Left,
        });
        let index = self.requests.len() - 1;
        self.apply(index, step);
        Ok(Ticket(index))
    }

    fn verdict(&mut self, ticket: Ticket) -> Result<Verdict> {
        match &self
            .requests
            .get(ticket.0)
            .context("no such request")?
            .state
        {
            State::Ended(verdict) => Ok(verdict.clone()),
            State::Paused(..) => Ok(Verdict {
                told: None,
                outcome: Outcome::Waiting,
            }),
            State::Left => bail!("its client has left"),
        }
    }

    fn advance(&mut self, seconds: i64) -> Result<()> {
        let span = Duration::from_secs(seconds.unsigned_abs());
        let span_nanos = u64::try_from(span.as_nanos())?;
        self.now = if seconds < 0 {
            UnixTime::from_nanos(self.now.as_nanos().saturating_sub(span_nanos))
        } else {
            self.now.after(span)
        };
        self.tick();
        Ok(())
    }

    fn set_clock(&mut self, seconds: i64) -> Result<()> {
        self.now = UnixTime::from_secs(u64::try_from(seconds)?);
        Ok(())
    }

    fn keys_arrive(&mut self, path: Option<&str>, how: &KeysArrive) -> Result<()> {
        let (flight, asked) = self
            .flights
            .pop_front()
            .context("no fetch is outstanding")?;
        ensure!(
            path.is_none_or(|path| path == asked),
            "the fetch is for {asked}"
        );
        let body = match how {
            KeysArrive::Keys(keys) => key_set(keys)?,
            KeysArrive::Body(body) => fill(body)?,
            _ => String::new(),
        };
        let reply = match how {
            KeysArrive::TimedOut => Reply::TimedOut,
            KeysArrive::Unreachable => Reply::Unreachable,
            KeysArrive::Status(status) => Reply::Response {
                status: *status,
                headers: &[],
                body: b"",
            },
            KeysArrive::Keys(_) | KeysArrive::Body(_) => Reply::Response {
                status: 200,
                headers: &[],
                body: body.as_bytes(),
            },
        };
        let rand = self.rand();
        let guard = self.guard.as_mut().context("nothing is configured")?;
        let work = guard.complete(flight, self.now, rand, reply);
        self.take_off(work.calls);
        self.wake(work.woken);
        Ok(())
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    fn fetches(&mut self) -> Result<Option<u32>> {
        Ok(Some(self.fetches))
    }

    fn leave(&mut self, ticket: Ticket) -> Result<()> {
        let request = self.requests.get_mut(ticket.0).context("no such request")?;
        match std::mem::replace(&mut request.state, State::Left) {
            State::Paused(Some(pending), _) => {
                self.guard
                    .as_mut()
                    .context("nothing is configured")?
                    .cancel(pending);
                Ok(())
            }
            _ => bail!("it does not wait"),
        }
    }

    fn lose(&mut self, ticket: Ticket) -> Result<()> {
        let rand = self.rand();
        let verdict = rejected(&Reject::state_missing(self.now, rand));
        self.requests
            .get_mut(ticket.0)
            .context("no such request")?
            .state = State::Ended(verdict);
        Ok(())
    }
}
