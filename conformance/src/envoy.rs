//! The real Envoy as a test part: started on free loopback ports, stopped by its own handle.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::http_client;
use crate::scenario::workspace;
use crate::scratch::Scratch;

/// How long Envoy may take to start on a busy two-core machine, modules compiled twice included.
const START: Duration = Duration::from_secs(90);

/// How Envoy is started; the defaults suit most tests.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads.
    pub concurrency: u32,
    /// Environment variables for Envoy (and so for `vm_config.environment_variables`).
    pub environment: Vec<(String, String)>,
    /// Per-component log levels; the rest logs warnings.
    pub component_log_level: String,
    /// How a log line is written, in Envoy's own language.
    pub log_format: String,
    /// Lines of the log that are kept, the newest; what is older is read and forgotten.
    pub kept_log_lines: usize,
    /// How long a replaced listener goes on serving the connections it has; Envoy's default is ten minutes.
    pub drain: Option<Duration>,
    /// How often access logs are written out; Envoy's default is ten seconds.
    pub flush: Option<Duration>,
    /// Envoy is killed when the thread that started it ends, however that happens: a program that is itself killed drops nothing.
    /// Needs `setpriv` of util-linux. Not for tests that start Envoy on one thread and use it on another.
    pub ends_with_thread: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 2,
            environment: Vec::new(),
            component_log_level: "wasm:info".to_owned(),
            log_format: "%L %n %v".to_owned(),
            kept_log_lines: usize::MAX,
            drain: None,
            flush: None,
            ends_with_thread: false,
        }
    }
}

/// A running Envoy. Dropping it kills the process and removes its directory.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    admin: SocketAddr,
    log: Arc<Mutex<Log>>,
    scratch: Scratch,
}

/// What is kept of the log.
#[derive(Debug, Default)]
struct Log {
    /// Lines that were forgotten before the first of these.
    forgotten: usize,
    lines: Vec<String>,
}

impl Envoy {
    /// Starts Envoy with a bootstrap (without `admin`, which is set here) and waits until it is live.
    ///
    /// Give listeners port 0 and ask [`Envoy::listener`] for the address they got.
    pub fn start(bootstrap: &Value, options: &Options) -> Result<Self> {
        Self::start_in(Scratch::new()?, bootstrap, options)
    }

    /// As [`Envoy::start`], in a directory that already holds files the bootstrap names (a listener file for LDS).
    pub fn start_in(scratch: Scratch, bootstrap: &Value, options: &Options) -> Result<Self> {
        let mut bootstrap = bootstrap.clone();
        bootstrap["admin"] = serde_json::json!({ "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } });
        let text = serde_json::to_string_pretty(&bootstrap)?;
        Self::start_text(scratch, "bootstrap.json", &text, options)
    }

    /// Starts Envoy with a bootstrap as text, in the format that the extension of `name` says (`.yaml`, `.json`), and
    /// waits until it is live. It must have an `admin` section with port 0.
    pub fn start_text(
        scratch: Scratch,
        name: &str,
        bootstrap: &str,
        options: &Options,
    ) -> Result<Self> {
        let config = scratch.write(name, bootstrap.as_bytes())?;
        let admin_file = scratch.path().join("admin");
        let drain = options.drain.map(|time| {
            let seconds = time.as_secs().to_string();
            ["--drain-time-s".to_owned(), seconds]
        });
        let drain = drain.into_iter().flatten();
        let flush = options.flush.map(|every| {
            let millis = every.as_millis().to_string();
            ["--file-flush-interval-msec".to_owned(), millis]
        });
        let flush = flush.into_iter().flatten();
        let mut child = program(options)?
            .arg("--config-path")
            .arg(&config)
            .args([
                "--disable-hot-restart",
                "--log-level",
                "warning",
                "--log-format",
                &options.log_format,
            ])
            .args(["--concurrency", &options.concurrency.to_string()])
            .args(["--component-log-level", &options.component_log_level])
            .arg("--admin-address-path")
            .arg(&admin_file)
            .envs(
                options
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .args(drain)
            .args(flush)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start Envoy")?;
        let log = Arc::new(Mutex::new(Log::default()));
        let stderr = child.stderr.take().context("Envoy has no stderr")?;
        collect(stderr, Arc::clone(&log), options.kept_log_lines);

        // The handle exists before the wait, so a failed start is killed too.
        let mut envoy = Self {
            child,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            log,
            scratch,
        };
        envoy.wait_until_live(&admin_file)?;
        Ok(envoy)
    }

    fn wait_until_live(&mut self, admin_file: &std::path::Path) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "Envoy ended at start with {status}:\n{}",
                    self.log().join("\n")
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "Envoy is not live after {START:?}:\n{}",
                    self.log().join("\n")
                );
            }
            if let Some(admin) = std::fs::read_to_string(admin_file)
                .ok()
                .and_then(|text| text.trim().parse().ok())
            {
                self.admin = admin;
                if self.admin("/ready").is_ok_and(|body| body.contains("LIVE")) {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The address of the admin interface.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The process id, for `/proc/PID/stat`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory that Envoy was started in.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The body of `GET path` at the admin interface.
    pub fn admin(&self, path: &str) -> Result<String> {
        let response = http_client::get(self.admin, path)?;
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }

    /// The address that the listener `name` got.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        let listeners: Value = serde_json::from_str(&self.admin("/listeners?format=json")?)?;
        listeners["listener_statuses"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|listener| listener["name"] == name)
            .and_then(|listener| {
                let socket = &listener["local_address"]["socket_address"];
                format!(
                    "{}:{}",
                    socket["address"].as_str()?,
                    socket["port_value"].as_u64()?
                )
                .parse()
                .ok()
            })
            .ok_or_else(|| {
                anyhow!(
                    "Envoy has no listener {name}; its log:\n{}",
                    self.log().join("\n")
                )
            })
    }

    /// All counters and gauges by name (histograms are left out).
    pub fn stats(&self) -> Result<BTreeMap<String, u64>> {
        Ok(self
            .admin("/stats")?
            .lines()
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(": ")?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect())
    }

    /// The log so far, a line an entry: `level logger message`.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).lines.clone()
    }

    /// The lines after the first `seen` of all, those of them that are still kept, and how many there are in all now.
    pub fn log_after(&self, seen: usize) -> (Vec<String>, usize) {
        let log = lock(&self.log);
        let known = seen.saturating_sub(log.forgotten).min(log.lines.len());
        (log.lines[known..].to_vec(), log.forgotten + log.lines.len())
    }

    /// How many lines the log has: the mark to give to [`Envoy::wait_for_log`].
    pub fn log_mark(&self) -> usize {
        lock(&self.log).lines.len()
    }

    /// The first line at or after `mark` that `wanted` accepts, or an error when none came within `patience`.
    pub fn wait_for_log(
        &self,
        mark: usize,
        patience: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let log = lock(&self.log);
            if let Some(line) = log.lines.iter().skip(mark).find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            drop(log);
            if Instant::now() > deadline {
                let seen = lock(&self.log)
                    .lines
                    .iter()
                    .skip(mark)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("\n");
                bail!(
                    "no such line in Envoy's log within {patience:?}; since the mark it says:\n{seen}"
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Has Envoy judge a bootstrap, with the workspace's folder as its own. Deprecated settings are mistakes too.
pub fn validate(bootstrap: &Path) -> Result<()> {
    let output = Command::new(crate::environment::envoy()?)
        .args(["--mode", "validate", "--config-path"])
        .arg(bootstrap)
        .current_dir(workspace())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    ensure!(!said.contains("eprecated"), "{said}");
    Ok(())
}

/// Envoy, by itself or through a program that asks the kernel to end it and then becomes it.
fn program(options: &Options) -> Result<Command> {
    let envoy = crate::environment::envoy()?;
    if !options.ends_with_thread {
        return Ok(Command::new(envoy));
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(envoy);
    Ok(command)
}

/// Reads Envoy's log for as long as it lives; a pipe that nobody reads would stop it.
fn collect(stderr: impl Read + Send + 'static, log: Arc<Mutex<Log>>, kept: usize) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let mut log = lock(&log);
            // By halves: taking the first line off each time would move all others.
            if log.lines.len() / 2 >= kept {
                log.lines.drain(..kept);
                log.forgotten += kept;
            }
            log.lines
                .push(String::from_utf8_lossy(&line).trim_end().to_owned());
            drop(log);
            line.clear();
        }
    });
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
