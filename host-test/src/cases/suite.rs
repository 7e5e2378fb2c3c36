//! A file of test cases as it is read: settings, keys, tokens, scripts, and cases of steps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log::Level;
use crate::options::{Clusters, FailurePolicy, HostOptions, PluginConfig};

use super::clock;
use super::document::{self, At, Node, Problem, Problems};
use super::expect::Expect;
use super::keys::Keys;
use super::reader::{self, Fields};
use super::request::{RequestSpec, ResponseSpec};
use super::script::{self, Rule};
use super::text::Names;
use super::tokens::Tokens;

/// Seconds since 1970 at which a suite's clock stands unless it says otherwise: 2030-01-01T00:00:00Z. A filter may refuse
/// every request at a time before it was built, so it lies ahead.
const DEFAULT_CLOCK: u64 = 1_893_456_000;

/// A file.
pub(crate) struct Suite {
    pub(crate) path: PathBuf,
    pub(crate) wasm: Option<PathBuf>,
    pub(crate) plugin: PluginConfig,
    pub(crate) options: HostOptions,
    pub(crate) keys: Keys,
    pub(crate) tokens: Tokens,
    pub(crate) rules: Vec<Rule>,
    pub(crate) defaults: RequestSpec,
    pub(crate) upstream_reply: Option<ResponseSpec>,
    pub(crate) cases: Vec<Case>,
}

/// A case: its own VM, and steps on it.
pub(crate) struct Case {
    pub(crate) at: At,
    pub(crate) name: String,
    /// Plugin configuration instead of the suite's.
    pub(crate) configuration: Option<Vec<u8>>,
    /// Seconds since 1970 when it begins.
    pub(crate) clock: u64,
    /// Come before the suite's rules.
    pub(crate) rules: Vec<Rule>,
    /// Nothing is answered and nothing ticks before the first step.
    pub(crate) cold: bool,
    pub(crate) steps: Vec<Step>,
}

/// What one step does, in this order.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) at: At,
    pub(crate) clock: Option<Shift>,
    pub(crate) rules: Option<Vec<Rule>>,
    pub(crate) configure: Option<Vec<u8>>,
    pub(crate) ticks: u64,
    pub(crate) leave: Option<String>,
    pub(crate) request: Option<RequestSpec>,
    /// The request stays open under this name.
    pub(crate) send: Option<String>,
    /// Ends the request of that name.
    pub(crate) finish: Option<String>,
    pub(crate) upstream_reply: Option<ResponseSpec>,
    pub(crate) expect: Option<Expect>,
}

/// A movement of the clock.
#[derive(Clone, Copy)]
pub(crate) enum Shift {
    By(Duration),
    To(u64),
}

/// Reads a file; all mistakes are told at once.
pub(crate) fn read(path: &Path) -> Result<Suite, Vec<Problem>> {
    let problem = |at: At, message: String| Problem {
        file: path.to_owned(),
        line: at.line,
        column: at.column,
        message,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![problem(At::default(), error.to_string())])?;
    let node = document::parse(&text).map_err(|(at, message)| vec![problem(at, message)])?;
    let mut problems = Problems::default();
    let suite = Reader {
        path,
        problems: &mut problems,
    }
    .suite(&node);
    match suite {
        Some(suite) if problems.0.is_empty() => Ok(suite),
        _ => {
            let mut found = problems.0;
            found.sort_by_key(|(at, _)| *at);
            Err(found
                .into_iter()
                .map(|(at, message)| problem(at, message))
                .collect())
        }
    }
}

struct Reader<'r> {
    path: &'r Path,
    problems: &'r mut Problems,
}

impl Reader<'_> {
    fn suite(&mut self, node: &Node) -> Option<Suite> {
        let mut fields = Fields::of(node, "a suite", self.problems)?;
        let seconds = fields.take("clock").map(|node| self.instant(node));
        let seconds = seconds.flatten().unwrap_or(DEFAULT_CLOCK);
        let keys = fields
            .take("keys")
            .map(|node| Keys::read(node, self.problems))
            .unwrap_or_default();
        let tokens = fields
            .take("tokens")
            .map(|node| Tokens::read(node, &keys, self.problems))
            .unwrap_or_default();
        let names = Names {
            keys: &keys,
            tokens: &tokens,
            now: seconds,
        };
        let mut plugin = PluginConfig::default();
        for (name, target) in [
            ("name", &mut plugin.name),
            ("root_id", &mut plugin.root_id),
            ("vm_id", &mut plugin.vm_id),
        ] {
            *target = fields.text(name, self.problems).unwrap_or_default();
        }
        plugin.vm_configuration = fields
            .text("vm_configuration", self.problems)
            .unwrap_or_default()
            .into_bytes();
        if let Some(node) = fields.take("environment") {
            for (name, _, node) in
                reader::map(node, "environment", self.problems).unwrap_or_default()
            {
                if let Some(value) = reader::text(node, name, self.problems) {
                    plugin.environment.push((name.clone(), value));
                }
            }
        }
        plugin.configuration = self.configuration(&mut fields, &names).unwrap_or_default();
        let wasm = fields
            .text("wasm", self.problems)
            .map(|file| self.beside(&file));
        let mut options = fields
            .take("host")
            .map(|node| self.host(node))
            .unwrap_or_default();
        options.clock = crate::clock::Clock::at_seconds(seconds);
        options.random = crate::clock::Random::Seeded(1);
        let rules = self.rules(&mut fields, &names).unwrap_or_default();
        let defaults = fields
            .take("defaults")
            .and_then(|node| RequestSpec::read(node, &names, self.problems));
        let reply = fields
            .take("upstream_reply")
            .and_then(|node| ResponseSpec::read(node, &names, self.problems));
        let nodes = fields.list("cases", self.problems).unwrap_or_default();
        let cases: Vec<Case> = nodes
            .iter()
            .filter_map(|node| self.case(node, seconds, &names))
            .collect();
        if nodes.is_empty() {
            self.problems.add(node.at, "a suite needs `cases`");
        }
        self.unique(&cases);
        fields.finish("a suite", self.problems);
        Some(Suite {
            path: self.path.to_owned(),
            wasm,
            plugin,
            options,
            rules,
            defaults: defaults.unwrap_or_default(),
            upstream_reply: reply,
            cases,
            keys,
            tokens,
        })
    }

    fn unique(&mut self, cases: &[Case]) {
        let mut names = BTreeSet::new();
        for case in cases {
            if !names.insert(&case.name) {
                self.problems
                    .add(case.at, format!("a second case named {:?}", case.name));
            }
        }
    }

    /// A file named in a suite stands beside it.
    fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn configuration(&mut self, fields: &mut Fields<'_>, names: &Names<'_>) -> Option<Vec<u8>> {
        let file = fields.text("config", self.problems);
        let inline = fields.text("plugin_configuration", self.problems);
        let text = match (file, inline) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.problems
                    .add(fields.at, "either `config` or `plugin_configuration`");
                return None;
            }
            (None, Some(text)) => text,
            (Some(file), None) => match std::fs::read_to_string(self.beside(&file)) {
                Ok(text) => text,
                Err(error) => {
                    self.problems
                        .add(fields.at, format!("config {file}: {error}"));
                    return None;
                }
            },
        };
        match names.fill_known(&text) {
            Ok(text) => Some(text.into_bytes()),
            Err(message) => {
                self.problems
                    .add(fields.at, format!("configuration: {message}"));
                None
            }
        }
    }

    fn instant(&mut self, node: &Node) -> Option<u64> {
        let instant = reader::text(node, "clock", self.problems)?;
        let seconds = clock::instant(&instant);
        if seconds.is_none() {
            self.problems
                .add(node.at, "`clock` is a time like 2026-11-21T12:00:00Z");
        }
        seconds
    }

    fn rules(&mut self, fields: &mut Fields<'_>, names: &Names<'_>) -> Option<Vec<Rule>> {
        let nodes = fields.list("callouts", self.problems)?;
        Some(script::read(nodes, names, self.problems))
    }

    fn host(&mut self, node: &Node) -> HostOptions {
        let mut options = HostOptions::default();
        let Some(mut fields) = Fields::of(node, "`host`", self.problems) else {
            return options;
        };
        match fields.text("failure_policy", self.problems).as_deref() {
            None | Some("reload") => {}
            Some("closed") => options.failure_policy = FailurePolicy::Closed,
            Some("open") => options.failure_policy = FailurePolicy::Open,
            Some(_) => self
                .problems
                .add(node.at, "`failure_policy` is reload, closed or open"),
        }
        if let Some(nodes) = fields.list("clusters", self.problems) {
            options.clusters = Clusters::named(reader::texts(nodes, "clusters", self.problems));
        }
        if let Some(allowed) = fields.flag("allow_on_headers_stop_iteration", self.problems) {
            options.allow_on_headers_stop_iteration = allowed;
        }
        match fields
            .text("log_level", self.problems)
            .map(|name| Level::from_name(&name))
        {
            None => {}
            Some(Some(level)) => options.log_level = level,
            Some(None) => self.problems.add(
                node.at,
                "`log_level` is trace, debug, info, warn, error or critical",
            ),
        }
        fields.finish("`host`", self.problems);
        options
    }

    fn case(&mut self, node: &Node, clock: u64, names: &Names<'_>) -> Option<Case> {
        let mut fields = Fields::of(node, "a case", self.problems)?;
        let name = fields.text("name", self.problems);
        if name.is_none() {
            self.problems.add(node.at, "a case needs a `name`");
        }
        let own_clock = fields.take("clock").map(|node| self.instant(node));
        let cold = match fields.text("start", self.problems).as_deref() {
            None | Some("warm") => false,
            Some("cold") => true,
            Some(_) => {
                self.problems.add(node.at, "`start` is warm or cold");
                false
            }
        };
        let mut case = Case {
            at: node.at,
            name: name.unwrap_or_default(),
            configuration: self.configuration(&mut fields, names),
            clock: own_clock.flatten().unwrap_or(clock),
            rules: self.rules(&mut fields, names).unwrap_or_default(),
            cold,
            steps: Vec::new(),
        };
        if let Some(nodes) = fields.list("steps", self.problems) {
            case.steps = nodes
                .iter()
                .filter_map(|node| self.step(node, names))
                .collect();
            self.check_open_requests(&case.steps);
        } else {
            let mut step = Step {
                at: node.at,
                ..Step::default()
            };
            self.exchange(&mut fields, names, &mut step);
            if step.expect.is_none() {
                self.problems
                    .add(node.at, "a case needs `expect`, or `steps`");
            }
            case.steps = vec![step];
        }
        fields.finish("a case", self.problems);
        Some(case)
    }

    fn step(&mut self, node: &Node, names: &Names<'_>) -> Option<Step> {
        let mut fields = Fields::of(node, "a step", self.problems)?;
        let mut step = Step {
            at: node.at,
            ..Step::default()
        };
        if let Some(node) = fields.take("clock") {
            step.clock = self.shift(node);
        }
        step.rules = self.rules(&mut fields, names);
        if let Some(node) = fields.take("configure")
            && let Some(mut inner) = Fields::of(node, "`configure`", self.problems)
        {
            step.configure = self.configuration(&mut inner, names);
            inner.finish("`configure`", self.problems);
        }
        if let Some(node) = fields.take("tick") {
            step.ticks = match reader::json(node) {
                serde_json::Value::Bool(true) => 1,
                _ => reader::integer(node, "tick", self.problems).unwrap_or(0),
            };
        }
        step.leave = fields.text("leave", self.problems);
        step.send = fields.text("send", self.problems);
        step.finish = fields.text("finish", self.problems);
        self.exchange(&mut fields, names, &mut step);
        if step.send.is_some() != step.request.is_some() && step.send.is_some() {
            self.problems
                .add(node.at, "`send` names a `request` beside it");
        }
        if step.finish.is_some() && step.request.is_some() {
            self.problems
                .add(node.at, "a step has either `finish` or a `request`");
        }
        fields.finish("a step", self.problems);
        Some(step)
    }

    fn exchange(&mut self, fields: &mut Fields<'_>, names: &Names<'_>, step: &mut Step) {
        let request = fields.take("request");
        step.request = request.and_then(|node| RequestSpec::read(node, names, self.problems));
        let reply = fields.take("upstream_reply");
        step.upstream_reply = reply.and_then(|node| ResponseSpec::read(node, names, self.problems));
        let expect = fields.take("expect");
        step.expect = expect.and_then(|node| Expect::read(node, names, self.problems));
        let ends_request = step.finish.is_some() || (request.is_some() && step.send.is_none());
        if let Some(expect) = &step.expect
            && expect.needs_request()
            && !ends_request
        {
            let message = "this expects an answer, but no request ends here";
            self.problems.add(expect.at, message);
        }
    }

    fn shift(&mut self, node: &Node) -> Option<Shift> {
        let text = reader::text(node, "clock", self.problems)?;
        let by = text.strip_prefix('+').and_then(clock::span).map(Shift::By);
        let shift = by.or_else(|| clock::instant(&text).map(Shift::To));
        if shift.is_none() {
            self.problems.add(
                node.at,
                "`clock` is a span like +10m, or a time like 2026-11-21T12:00:00Z",
            );
        }
        shift
    }

    /// `finish` and `leave` name requests that were sent before and are still open.
    fn check_open_requests(&mut self, steps: &[Step]) {
        let mut open = BTreeSet::new();
        for step in steps {
            for name in [&step.leave, &step.finish].into_iter().flatten() {
                if !open.contains(name) {
                    self.problems
                        .add(step.at, format!("no request {name:?} is open here"));
                }
            }
            if let Some(name) = &step.finish {
                open.remove(name);
            }
            if let Some(name) = &step.send
                && !open.insert(name)
            {
                self.problems
                    .add(step.at, format!("a request {name:?} is open already"));
            }
        }
    }
}
