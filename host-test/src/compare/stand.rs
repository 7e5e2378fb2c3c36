//! One configuration at work in a VM: a request goes in, a decision comes out.

use serde_json::Value as Json;

use crate::cases::script::{self, Rule, Scripted};
use crate::cases::suite::Suite;
use crate::cases::text::Names;
use crate::clock::Clock;
use crate::http::Request as Head;
use crate::module::Module;
use crate::process::Process;
use crate::stream::Outcome;
use crate::worker::Worker;

use super::Request;

/// Callouts that one event may lead to.
const MOST_CALLOUTS: usize = 1_000;

/// What a configuration says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// By the words of the audit event; the reason is empty where none is logged.
    Made {
        verdict: String,
        reason: String,
        /// It is not enforced.
        shadow: bool,
    },
    /// It depends on claims that nobody recorded.
    Depends,
}

impl Decision {
    /// Whether it lets the request through.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Made { verdict, shadow, .. } if *shadow || verdict == "allow")
    }

    /// Whether it refuses for want of a credential: whoever brings one may fare otherwise.
    pub(super) fn asks_for_a_credential(&self) -> bool {
        matches!(self, Self::Made { reason, .. } if reason == "credential_missing")
    }

    /// Whether verdict and reason are the same, be they enforced or not.
    pub(super) fn is_same_but_for_shadow(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Made {
                    verdict, reason, ..
                },
                Self::Made {
                    verdict: other,
                    reason: other_reason,
                    ..
                },
            ) => verdict == other && reason == other_reason,
            _ => false,
        }
    }

    pub(super) fn is_same_verdict(&self, other: &Self) -> bool {
        let verdict = |of: &Self| match of {
            Self::Made { verdict, .. } => Some(verdict.clone()),
            Self::Depends => None,
        };
        verdict(self) == verdict(other)
    }

    pub(super) fn show(&self) -> String {
        match self {
            Self::Made {
                verdict,
                reason,
                shadow,
            } => {
                let mode = if *shadow { " (shadow)" } else { "" };
                format!("{verdict} {reason}").trim_end().to_owned() + mode
            }
            Self::Depends => "depends on the token".to_owned(),
        }
    }
}

/// One configuration at work.
pub(super) struct Stand<'m> {
    suite: Suite,
    module: &'m Module,
    worker: Worker,
    rules: Vec<Rule>,
}

impl std::fmt::Debug for Stand<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stand").finish_non_exhaustive()
    }
}

impl<'m> Stand<'m> {
    /// A fresh VM, whose callouts of the start are answered.
    pub(super) fn start(suite: Suite, module: &'m Module) -> Result<Self, String> {
        let worker = fresh(&suite, module);
        let mut stand = Self {
            rules: suite.rules.clone(),
            suite,
            module,
            worker,
        };
        stand.warm_up()?;
        Ok(stand)
    }

    fn warm_up(&mut self) -> Result<(), String> {
        let started = self.worker.start();
        if !started.configured {
            let said = started.logs.iter().map(|line| line.message.as_str());
            let said = said.collect::<Vec<_>>().join("\n");
            return Err(started.failure.unwrap_or(said));
        }
        self.answer_callouts()?;
        if self.worker.tick_period().is_some() {
            self.worker.tick();
            self.answer_callouts()?;
        }
        Ok(())
    }

    /// What becomes of a request with that header.
    ///
    /// # Errors
    /// When the filter traps, or can't be started again.
    pub(super) fn decide(
        &mut self,
        request: &Request,
        header: Option<(String, String)>,
    ) -> Result<Decision, String> {
        let decision = self.play(request, header.clone())?;
        let is_spent =
            matches!(&decision, Decision::Made { reason, .. } if reason.starts_with("too_many_"));
        if !is_spent {
            return Ok(decision);
        }
        // So many failures in so little time come of the replay, not of the request.
        self.worker = fresh(&self.suite, self.module);
        self.rules.clone_from(&self.suite.rules);
        self.warm_up()?;
        self.play(request, header)
    }

    fn play(
        &mut self,
        request: &Request,
        header: Option<(String, String)>,
    ) -> Result<Decision, String> {
        let mut head = Head::new(&request.method, &request.authority, &request.path);
        if let Some((name, value)) = header {
            head.headers.add(name, value);
        }
        if let Some(source) = request.source.as_ref().and_then(|it| it.parse().ok()) {
            head.connection.source = std::net::SocketAddr::new(source, 40_000);
        }
        self.worker.take_logs();
        let id = self.worker.begin(head);
        self.answer_callouts()?;
        let exchange = self.worker.finish(id);
        let mut events = exchange.logs.iter().filter_map(|line| event(&line.message));
        if let Some(decision) = events.next_back() {
            return Ok(decision);
        }
        let verdict = match exchange.outcome {
            Outcome::Forwarded(_) => "allow".to_owned(),
            Outcome::LocalReply(reply) => format!("deny {}", reply.status),
            Outcome::Paused => {
                return Err(format!(
                    "the filter waits for a callout that no reply is scripted for ({} {}): give the issuer's keys by `callouts` \
                     of a file of test cases (--tests)",
                    request.method, request.path
                ));
            }
            Outcome::Trapped(why) => return Err(format!("the filter trapped: {why}")),
            Outcome::Unavailable | Outcome::Reset(_) => {
                return Err("the filter does not answer any more".to_owned());
            }
        };
        Ok(Decision::Made {
            verdict,
            reason: String::new(),
            shadow: false,
        })
    }

    fn answer_callouts(&mut self) -> Result<(), String> {
        let names = Names {
            keys: &self.suite.keys,
            tokens: &self.suite.tokens,
            now: now(&self.suite),
            number: 1,
        };
        for _ in 0..MOST_CALLOUTS {
            let Some(callout) = self.worker.next_callout() else {
                return Ok(());
            };
            match script::answer(&mut self.rules, &callout, &names)? {
                Scripted::Reply(reply) => self
                    .worker
                    .answer(callout.token, reply)
                    .map_err(|error| error.to_string())?,
                // The filter then says by itself what comes of requests that need it.
                Scripted::Hold | Scripted::Unknown => return Ok(()),
            }
        }
        Err(format!(
            "more than {MOST_CALLOUTS} callouts follow from one another"
        ))
    }
}

fn now(suite: &Suite) -> u64 {
    suite.cases.first().map_or(0, |case| case.clock)
}

fn fresh(suite: &Suite, module: &Module) -> Worker {
    let mut options = suite.options.clone();
    options.clock = Clock::at_seconds(now(suite));
    options.take_after(module.profile());
    options.keep_bodies = false;
    Worker::new(module, suite.plugin.clone(), options, &Process::new())
}

/// The decision that a line of the log records.
fn event(line: &str) -> Option<Decision> {
    let event: Json = serde_json::from_str(line).ok()?;
    let text = |name: &str| event.get(name).and_then(Json::as_str);
    text("record").filter(|record| *record == "portcullis.decision.v1")?;
    Some(Decision::Made {
        verdict: text("would").or(text("verdict"))?.to_owned(),
        reason: text("reason")?.to_owned(),
        shadow: text("mode") == Some("shadow"),
    })
}
