//! A file of test cases as it is read: settings, keys, tokens and scripts; its cases are in [`super::steps`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::log::Level;
use crate::options::{Clusters, FailurePolicy, HostOptions, PluginConfig};
use crate::profile::{HostProfile, UnknownHost};

use super::clock;
use super::document::{self, At, Node, Problem, Problems};
use super::keys::Keys;
use super::reader::{self, Fields};
use super::request::{RequestSpec, ResponseSpec};
use super::scenarios::Scenario;
use super::script::{self, Rule};
use super::steps::Case;
use super::surroundings::Surroundings;
use super::text::Names;
use super::tokens::Tokens;

/// Seconds since 1970 at which a suite's clock stands unless it says otherwise: 2030-01-01T00:00:00Z. A filter may refuse
/// every request at a time before it was built, so it lies ahead.
const DEFAULT_CLOCK: u64 = 1_893_456_000;

/// A file.
pub(crate) struct Suite {
    pub(crate) path: PathBuf,
    pub(crate) wasm: Option<PathBuf>,
    /// Configurations that were read.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) plugin: PluginConfig,
    pub(crate) profile: HostProfile,
    pub(crate) options: HostOptions,
    pub(crate) keys: Keys,
    pub(crate) tokens: Tokens,
    pub(crate) rules: Vec<Rule>,
    pub(crate) surroundings: Surroundings,
    pub(crate) defaults: RequestSpec,
    pub(crate) upstream_reply: Option<ResponseSpec>,
    pub(crate) cases: Vec<Case>,
    /// What `host-test bench` measures.
    pub(crate) scenarios: Vec<Scenario>,
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
    read_parsed(path, &node)
}

/// Reads a file that has been parsed.
pub(crate) fn read_parsed(path: &Path, node: &Node) -> Result<Suite, Vec<Problem>> {
    let problem = |at: At, message: String| Problem {
        file: path.to_owned(),
        line: at.line,
        column: at.column,
        message,
    };
    let mut problems = Problems::default();
    let suite = Reader {
        path,
        files: Vec::new(),
        problems: &mut problems,
    }
    .suite(node);
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

/// Reads one file, and keeps the mistakes that it finds.
pub(crate) struct Reader<'r> {
    path: &'r Path,
    files: Vec<PathBuf>,
    pub(crate) problems: &'r mut Problems,
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
            number: 1,
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
        let mut surroundings = Surroundings::take(&mut fields, &names, self.problems);
        plugin.environment = std::mem::take(&mut surroundings.environment);
        plugin.configuration = self.configuration(&mut fields, &names).unwrap_or_default();
        let wasm = fields
            .text("wasm", self.problems)
            .map(|file| self.beside(&file));
        let (profile, mut options) = fields
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
        let defaults = defaults.unwrap_or_default();
        let measured = fields.list("scenarios", self.problems).unwrap_or_default();
        let scenarios: Vec<Scenario> = measured
            .iter()
            .filter_map(|node| self.scenario(node, &defaults, &names))
            .collect();
        if nodes.is_empty() && measured.is_empty() {
            self.problems
                .add(node.at, "a suite needs `cases`, or `scenarios` to measure");
        }
        self.unique("case", cases.iter().map(|case| (case.at, &case.name)));
        self.unique("scenario", scenarios.iter().map(|one| (one.at, &one.name)));
        fields.finish("a suite", self.problems);
        Some(Suite {
            path: self.path.to_owned(),
            wasm,
            files: std::mem::take(&mut self.files),
            plugin,
            profile,
            options,
            rules,
            surroundings,
            defaults,
            upstream_reply: reply,
            cases,
            scenarios,
            keys,
            tokens,
        })
    }

    fn unique<'n>(&mut self, what: &str, all: impl Iterator<Item = (At, &'n String)>) {
        let mut names = BTreeSet::new();
        for (at, name) in all {
            if !names.insert(name) {
                self.problems
                    .add(at, format!("a second {what} named {name:?}"));
            }
        }
    }

    /// A file named in a suite stands beside it.
    fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn read_beside(&mut self, file: &str) -> std::io::Result<String> {
        let path = self.beside(file);
        let text = std::fs::read_to_string(&path);
        self.files.push(path);
        text
    }

    pub(crate) fn configuration(
        &mut self,
        fields: &mut Fields<'_>,
        names: &Names<'_>,
    ) -> Option<Vec<u8>> {
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
            (Some(file), None) => match self.read_beside(&file) {
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

    pub(crate) fn instant(&mut self, node: &Node) -> Option<u64> {
        let instant = reader::text(node, "clock", self.problems)?;
        let seconds = clock::instant(&instant);
        if seconds.is_none() {
            self.problems
                .add(node.at, "`clock` is a time like 2026-11-21T12:00:00Z");
        }
        seconds
    }

    pub(crate) fn rules(
        &mut self,
        fields: &mut Fields<'_>,
        names: &Names<'_>,
    ) -> Option<Vec<Rule>> {
        let nodes = fields.list("callouts", self.problems)?;
        Some(script::read(nodes, names, self.problems))
    }

    fn host(&mut self, node: &Node) -> (HostProfile, HostOptions) {
        let mut profile = HostProfile::default();
        let mut options = HostOptions::default();
        let Some(mut fields) = Fields::of(node, "`host`", self.problems) else {
            return (profile, options);
        };
        match fields
            .text("profile", self.problems)
            .map(|name| name.parse())
        {
            None => {}
            Some(Ok(known)) => profile = known,
            Some(Err(unknown)) => {
                let unknown: UnknownHost = unknown;
                self.problems.add(node.at, unknown.to_string());
            }
        }
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
        (profile, options)
    }
}
