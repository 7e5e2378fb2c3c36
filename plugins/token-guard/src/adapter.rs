//! The plugin: what each callback of the host means to the engine.

use portcullis_abi::{Action, CallReply, CallToken, Host, LogLevel, Plugin, Stream, StreamId};
use portcullis_engine::{Config, Guard, GuardOptions, Reject, RequestHead};
use portcullis_jose::Software;

use crate::active::{Active, TICK};
use crate::answer::refuse;
use crate::build::BUILT_AT;
use crate::callouts::Received;
use crate::clock;
use crate::meters::Meters;
use crate::random::RandomPool;

/// Longest configuration that is read, in bytes.
const CONFIGURATION_LIMIT: usize = 4 << 20;

/// The guard of one root context.
#[derive(Default)]
pub struct TokenGuard {
    /// `None` until a configuration was accepted: every request is then refused.
    active: Option<Active>,
    random: RandomPool,
    meters: Meters,
}

impl TokenGuard {
    /// Reads and judges the configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with the host, one mistake a line.
    fn load(&mut self, host: &Host<'_>) -> Result<Active, String> {
        let document = host
            .configuration(CONFIGURATION_LIMIT)
            .map_err(|error| format!("the host does not give it: {error}"))?;
        let config = Config::parse(&document).map_err(|problems| problems.to_string())?;
        let seed = self
            .random
            .next(host)
            .map_err(|error| format!("the host gives no random bits: {error}"))?;
        let options = GuardOptions {
            built_at: BUILT_AT,
            seed: seed as u64,
            wakes_others: host.can_wake_others(),
        };
        let has_timer = match host.set_tick_period(TICK) {
            Ok(()) => true,
            Err(error) => {
                let line = format!(
                    "portcullis: no timer ({error}): keys are refreshed when requests come"
                );
                host.log(LogLevel::Warn, &line);
                false
            }
        };
        let line = format!(
            "portcullis {}: configuration accepted: {} issuers, {} routes",
            env!("CARGO_PKG_VERSION"),
            config.issuers().count(),
            config.policy().routes().len()
        );
        host.log(LogLevel::Info, &line);
        let guard = Guard::new(config, options, Box::new(Software));
        Ok(Active::new(guard, has_timer))
    }

    /// Ends what the last configuration left paused.
    fn retire(&mut self, host: &Host<'_>) {
        if let Some(mut active) = self.active.take() {
            active.refuse_waiting(host, &self.meters);
        }
    }
}

impl Plugin for TokenGuard {
    fn configure(&mut self, host: &Host<'_>) -> bool {
        self.meters = Meters::define(host);
        match self.load(host) {
            Ok(mut active) => {
                self.retire(host);
                active.start(host, &mut self.random, &self.meters);
                self.active = Some(active);
                true
            }
            // The last good configuration serves on: Envoy keeps the old listener too, and a slip of the pen is no reason
            // for an outage. Without one, every request is refused.
            Err(complaint) => {
                for line in complaint.lines() {
                    let line = format!("portcullis: configuration refused: {line}");
                    host.log(LogLevel::Error, &line);
                }
                false
            }
        }
    }

    fn tick(&mut self, host: &Host<'_>) {
        let Some(active) = &mut self.active else {
            return;
        };
        if let Ok(rand) = self.random.next(host) {
            active.tick(host, clock::now(host), rand);
            active.settle(host, &mut self.random, &self.meters);
        }
    }

    fn request_headers(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        announced: usize,
    ) -> Action {
        let now = clock::now(host);
        let Ok(rand) = self.random.next(host) else {
            refuse(host, stream, &self.meters, &Reject::state_missing(now, 0));
            return Action::Pause;
        };
        // What can't be read, or is more than is read, is no head: the engine refuses one without headers.
        let pairs = stream.request_headers().unwrap_or_default();
        let headers = pairs.decode().unwrap_or_default();
        let source = stream.property(&["source", "address"]).ok();
        let head = RequestHead {
            headers: &headers,
            declared: (announced > 0).then_some(announced),
            source_address: source.as_deref(),
        };
        let Some(active) = &mut self.active else {
            let reject = Reject::not_configured(now, rand, &head);
            refuse(host, stream, &self.meters, &reject);
            return Action::Pause;
        };
        let action = active.begin(host, stream, now, rand, &head, &self.meters);
        active.settle(host, &mut self.random, &self.meters);
        action
    }

    fn call_response(&mut self, host: &Host<'_>, token: CallToken, reply: &CallReply) {
        let Some(active) = &mut self.active else {
            return;
        };
        let Some(open) = active.end_call(token) else {
            return;
        };
        let received = Received::read(reply, &open);
        if let Ok(rand) = self.random.next(host) {
            active.complete(host, &open, &received, rand);
            active.settle(host, &mut self.random, &self.meters);
        }
    }

    fn stream_done(&mut self, host: &Host<'_>, stream: StreamId) {
        if let Some(active) = &mut self.active {
            active.cancel(stream);
            active.settle(host, &mut self.random, &self.meters);
        }
    }

    fn shutdown(&mut self, host: &Host<'_>) {
        self.retire(host);
    }
}
