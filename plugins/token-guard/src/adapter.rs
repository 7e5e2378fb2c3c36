//! The plugin: what each callback of the host means to the engine.

use std::collections::BTreeMap;

use portcullis_abi::{Action, CallReply, CallToken, Host, LogLevel, Plugin, Stream, StreamId};
use portcullis_engine::{Config, Enforcement, Guard, GuardOptions, Reject, RequestHead};

use crate::active::{Active, Carrier, Manner, TICK};
use crate::answer::refuse;
use crate::build::BUILT_AT;
use crate::callouts::Received;
use crate::clock;
use crate::document::unwrapped;
use crate::environment::HostEnvironment;
use crate::meters::Meters;
use crate::random::RandomPool;
use crate::shared::share;
use crate::signatures::Signatures;
use crate::view::{self, View};

/// Longest configuration that is read, in bytes.
const CONFIGURATION_LIMIT: usize = 4 << 20;

/// The cache of verified tokens in a small VM, unless the document says otherwise. Also keeps the growth of its hash table
/// within a call's time there.
const SMALL_CACHE: u64 = 4 << 20;

/// The guard of one root context.
#[derive(Default)]
pub struct TokenGuard {
    /// `None` until a configuration was accepted: every request is then refused.
    active: Option<Active>,
    random: RandomPool,
    meters: Meters,
    /// Callouts that requests carry whose configuration has ended, on hosts that bind callouts to requests: these requests
    /// would go on when the reply comes.
    orphans: BTreeMap<CallToken, StreamId>,
}

impl TokenGuard {
    /// Reads and judges the configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with the host, one mistake a line.
    fn load(&mut self, host: &Host<'_>, meters: &mut Meters) -> Result<Active, String> {
        let document = host
            .configuration(CONFIGURATION_LIMIT)
            .map_err(|error| format!("the host does not give it: {error}"))?;
        let mut config = Config::parse_in(&unwrapped(document), &HostEnvironment::of(host))
            .map_err(|problems| problems.to_string())?;
        let wakes_others = host.can_wake_others();
        Self::check_calls(host, wakes_others, &config)?;
        let seed = self
            .random
            .next(host)
            .map_err(|error| format!("the host gives no random bits: {error}"))?;
        let options = GuardOptions {
            built_at: BUILT_AT,
            seed: seed as u64,
            wakes_others,
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
        // Where nothing runs but requests VMs are small: those of Google's Service Extensions have 16 MiB in all.
        let is_small = !has_timer && wakes_others && !host.makes_calls();
        if is_small && config.bound_default_cache(SMALL_CACHE) {
            host.log(
                LogLevel::Warn,
                "portcullis: no timer and no callouts, so VMs are taken to be small: the cache of verified tokens takes 4 MiB \
                 unless limits.cache_bytes says otherwise",
            );
        }
        if config.has_filter_state() && wakes_others && !host.keeps_properties() {
            let line =
                "portcullis: the host keeps nothing with requests: filter_state is told to nobody";
            host.log(LogLevel::Warn, line);
        }
        if !host.has_clock() {
            host.log(
                LogLevel::Warn,
                "portcullis: the host has no clock: WASI's is used",
            );
        }
        if !wakes_others && config.fetched_issuers().next().is_some() {
            let line = "portcullis: the host wakes no other requests: each fetches the keys that it needs by itself";
            host.log(LogLevel::Warn, line);
        }
        for (issuer, algorithm) in config.retired_algorithms(clock::now(host)) {
            let line = format!(
                "portcullis: {algorithm} has ended for {issuer}: its tokens are refused, and its entry in `algorithms` can go"
            );
            host.log(LogLevel::Warn, &line);
        }
        let line = format!(
            "portcullis {}: configuration accepted: {} issuers, {} routes",
            env!("CARGO_PKG_VERSION"),
            config.issuers().count(),
            config.policy().routes().len()
        );
        host.log(LogLevel::Info, &line);
        for warning in config.warnings() {
            host.log(LogLevel::Warn, &format!("portcullis: {warning}"));
        }
        if config.policy().enforcement().is_shadow() || config.policy().shadow_routes() > 0 {
            let line = format!(
                "portcullis: shadow mode: {} of {} routes let every request pass; requests without a route {}",
                config.policy().shadow_routes(),
                config.policy().routes().len(),
                match config.policy().enforcement() {
                    Enforcement::Shadow => "pass, unless they are near an enforced one",
                    Enforcement::Enforce => "are refused",
                }
            );
            host.log(LogLevel::Warn, &line);
            meters.define_shadow(host);
        }
        let signatures = Signatures::find(host, config.allows_host_crypto(), |algorithm| {
            config.names_algorithm(algorithm)
        });
        let mut guard = Guard::new(config, options, Box::new(signatures.clone()));
        share(&mut guard, host, has_timer && wakes_others);
        if !has_timer {
            guard.work_ahead();
        }
        let manner = Manner {
            wakes_others,
            has_timer,
        };
        Ok(Active::new(guard, signatures, manner))
    }

    /// Refuses a document that needs what the host can't do, where that can be told.
    fn check_calls(host: &Host<'_>, wakes_others: bool, config: &Config) -> Result<(), String> {
        if config.fetched_issuers().next().is_none() || !wakes_others || host.makes_calls() {
            return Ok(());
        }
        let complaints: Vec<String> = config
            .fetched_issuers()
            .map(|issuer| {
                format!(
                    "issuer `{issuer}`: this host makes no callouts, so its keys must be inline (jwks.keys)"
                )
            })
            .collect();
        Err(complaints.join("\n"))
    }

    /// Ends what the last configuration left paused.
    fn retire(&mut self, host: &Host<'_>) {
        if let Some(mut active) = self.active.take() {
            active.give_up_waiting(host, &self.meters);
            self.orphans.extend(active.carried());
        }
    }

    /// Judges the request whose context is current by its head.
    fn judge(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        announced: usize,
        may_refresh: bool,
    ) -> Action {
        let now = clock::now(host);
        let Ok(rand) = self.random.next(host) else {
            refuse(host, stream, &self.meters, &Reject::state_missing(now, 0));
            return Action::Pause;
        };
        if may_refresh
            && let Some(active) = &mut self.active
            && active.refresh(host, stream, now, rand, announced)
        {
            return Action::Pause;
        }
        // What can't be read, or is more than is read, is no head: the engine refuses one without headers.
        let pairs = stream.request_headers().unwrap_or_default();
        let mut headers = pairs.decode().unwrap_or_default();
        let mut declared = (announced > 0).then_some(announced);
        let view = (!host.can_wake_others()).then(|| View::of(stream));
        if let Some(view) = &view {
            declared = declared.map(|announced| view::declared(announced, &headers));
            view.put_right(&mut headers);
        }
        let source = || {
            let proxy_wasm = stream.property(&["source", "address"]);
            // Else the name of nginx.
            let nginx = || view.as_ref()?.source(stream).ok();
            proxy_wasm.ok().or_else(nginx)
        };
        let head = RequestHead {
            headers: &headers,
            declared,
            source_address: &source,
        };
        let Some(active) = &mut self.active else {
            let reject = Reject::not_configured(now, rand, &head);
            refuse(host, stream, &self.meters, &reject);
            return Action::Pause;
        };
        active.begin(host, stream, now, rand, &head, &self.meters)
    }

    /// Decides about a request that carried a callout, now that its reply has come: the host lets it go on when this callback
    /// ends, unless it is answered or carries another.
    fn put_down(&mut self, host: &Host<'_>, id: StreamId) {
        let active = self.active.as_mut();
        let Some(carrier) = active.and_then(|active| active.put_down(id)) else {
            return;
        };
        let Ok(stream) = host.enter(id) else {
            return;
        };
        let action = match carrier {
            Carrier::Refresh(announced) => self.judge(host, &stream, announced, false),
            // It was given up before its keys came.
            Carrier::Keys => {
                let now = clock::now(host);
                refuse(host, &stream, &self.meters, &Reject::state_missing(now, 0));
                Action::Pause
            }
        };
        if action == Action::Continue && stream.resume().is_err() {
            let now = clock::now(host);
            refuse(host, &stream, &self.meters, &Reject::state_missing(now, 0));
        }
    }
}

impl Plugin for TokenGuard {
    fn configure(&mut self, host: &Host<'_>) -> bool {
        let mut meters = Meters::define(host);
        match self.load(host, &mut meters) {
            Ok(mut active) => {
                self.retire(host);
                self.meters = meters;
                active.start(host, &mut self.random, &self.meters);
                self.active = Some(active);
                true
            }
            // The last good configuration serves on: Envoy keeps the old listener too, and a slip of the pen is no reason
            // for an outage. Without one, every request is refused.
            Err(complaint) => {
                // What serves on keeps its own, which may have those of shadow mode too.
                if self.active.is_none() {
                    self.meters = meters;
                }
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
            active.settle_tick(host, &mut self.random, &self.meters);
        }
        active.report(host, &self.meters);
    }

    fn request_headers(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        announced: usize,
    ) -> Action {
        let action = self.judge(host, stream, announced, true);
        if let Some(active) = &mut self.active {
            active.settle(host, &mut self.random, &self.meters);
        }
        action
    }

    fn call_response(&mut self, host: &Host<'_>, token: CallToken, reply: &CallReply) {
        if let Some(orphan) = self.orphans.remove(&token) {
            host.assume(orphan);
            if let Ok(stream) = host.enter(orphan) {
                let now = clock::now(host);
                refuse(host, &stream, &self.meters, &Reject::state_missing(now, 0));
            }
            return;
        }
        let open = self.active.as_mut().and_then(|it| it.end_call(token));
        let (Some(active), Some(open)) = (&mut self.active, open) else {
            // INVARIANT: a VM before this one made the call, and nobody else will decide about its request.
            if let Some(stream) = host.bound_request() {
                let now = clock::now(host);
                refuse(host, &stream, &self.meters, &Reject::state_missing(now, 0));
            }
            return;
        };
        if let Some(carrier) = open.carrier {
            host.assume(carrier);
        }
        let received = Received::read(reply, &open);
        if let Ok(rand) = self.random.next(host) {
            active.complete(host, &open, &received, rand);
            active.settle(host, &mut self.random, &self.meters);
        }
        if let Some(carrier) = open.carrier {
            self.put_down(host, carrier);
            if let Some(active) = &mut self.active {
                active.settle(host, &mut self.random, &self.meters);
            }
        }
    }

    fn stream_done(&mut self, host: &Host<'_>, stream: StreamId) {
        self.orphans.retain(|_, carrier| *carrier != stream);
        if let Some(active) = &mut self.active {
            active.end(stream);
            active.settle(host, &mut self.random, &self.meters);
        }
    }

    fn shutdown(&mut self, host: &Host<'_>) {
        self.retire(host);
    }
}
