//! Plays one test: every phase in turn, each judged at once.

use crate::cases::play::Played;
use crate::limits::Limits;
use crate::module::Module;
use crate::options::{HostOptions, HostStage};
use crate::stream::Direction;

use super::expectation::Expectation;
use super::judge::Judge;
use super::stage::{self, Left, Stage};
use super::suite::Suite;
use super::test::Test;

/// Plays a test on a VM of its own, with that plugin configuration. `limited`: under the limits of the module's host.
pub(crate) fn play(
    suite: &Suite,
    test: &Test,
    module: &Module,
    configuration: &[u8],
    limited: bool,
) -> Played {
    let mut options = HostOptions {
        clock: suite.env.clock,
        random: crate::clock::Random::Seeded(1),
        log_level: suite.env.log_level,
        stage: HostStage::GoogleRunner,
        ..HostOptions::of(module.profile())
    };
    if !limited {
        options.limits = Limits::default();
    }
    let plugin = stage::plugin(configuration.to_vec());
    let mut player = Player {
        stage: Stage::new(module, plugin, options),
        judge: Judge::default(),
    };
    player.test(test);
    player.stage.shutdown();
    Played {
        mismatches: player.judge.found,
        logs: player.stage.logs,
    }
}

struct Player {
    stage: Stage,
    judge: Judge,
}

impl Player {
    /// None when the test can't go on.
    fn test(&mut self, test: &Test) -> Option<()> {
        let started = self.stage.start();
        if !started.configured {
            let why = started.failure;
            let why = why.unwrap_or_else(|| "the filter refused it".to_owned());
            self.judge
                .miss(test.at, "plugin_init: configuration", "taken", why);
            return None;
        }
        self.judge
            .logs("plugin_init", &test.plugin_init, &started.logs);
        let left = self.stage.open(&test.properties);
        self.effects("stream_init", &test.stream_init, left, test)?;
        for direction in [Direction::Request, Direction::Response] {
            let (name, phase) = match direction {
                Direction::Request => ("request_headers", &test.request_headers),
                Direction::Response => ("response_headers", &test.response_headers),
            };
            if let Some(phase) = phase {
                let left = self.stage.headers(direction, &phase.headers);
                self.phase(name, &phase.expect, left, test)?;
            }
            let (name, phases) = match direction {
                Direction::Request => ("request_body", &test.request_body),
                Direction::Response => ("response_body", &test.response_body),
            };
            for phase in phases {
                let left = self.body(direction, &phase.chunks);
                self.phase(name, &phase.expect, left, test)?;
            }
        }
        let left = self.stage.end();
        self.effects("stream_destroy", &test.stream_destroy, left, test)
    }

    /// The whole body: what its pieces became, put together, and the last piece's log lines.
    fn body(&mut self, direction: Direction, chunks: &[Vec<u8>]) -> Left {
        let mut whole = Left::default();
        for (index, chunk) in chunks.iter().enumerate() {
            let last = index.saturating_add(1) == chunks.len();
            let left = self.stage.body(direction, chunk, last);
            whole.body.extend(&left.body);
            whole.logs = left.logs;
            if left.immediate.is_some() {
                whole.immediate = left.immediate;
            }
            if self.stage.failure().is_some() {
                break;
            }
        }
        whole
    }

    fn effects(&mut self, name: &str, expect: &Expectation, left: Left, test: &Test) -> Option<()> {
        self.runs(name, test)?;
        self.judge.logs(name, expect, &left.logs);
        Some(())
    }

    fn phase(&mut self, name: &str, expect: &Expectation, left: Left, test: &Test) -> Option<()> {
        self.runs(name, test)?;
        self.judge.phase(name, expect, &left);
        Some(())
    }

    fn runs(&mut self, name: &str, test: &Test) -> Option<()> {
        let Some(why) = self.stage.failure().map(str::to_owned) else {
            return Some(());
        };
        self.judge.miss(test.at, name, "the VM goes on", why);
        None
    }
}
