//! The Envoy example as it stands in `examples/envoy`, moved to free ports, with a real issuer and upstream behind it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::environment;
use crate::envoy::{Envoy, Options};
use crate::http_client::{self, Response};
use crate::scratch::Scratch;

/// Indentation of the policy's text in `lds.yaml`.
const INDENT: &str = "                          ";

/// The files of `examples/envoy`.
#[derive(Debug, Clone)]
pub struct Example {
    /// `envoy.yaml`.
    pub bootstrap: String,
    /// `lds.yaml` up to the policy.
    head: String,
    /// The policy's text in `lds.yaml`, indentation removed.
    pub pasted: String,
    /// `lds.yaml` after the policy.
    tail: String,
    /// `policy.yaml` from its first key on.
    pub policy: String,
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Example {
    /// Reads the files.
    pub fn read() -> Result<Self> {
        let folder = workspace().join("examples/envoy");
        let read = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .with_context(|| format!("cannot read examples/envoy/{name}"))
        };
        let file = read("policy.yaml")?;
        let (_, policy) = file
            .split_once("version:")
            .context("policy.yaml has no version")?;
        let listener = read("lds.yaml")?;
        let marker = "value: |\n";
        let (head, rest) = listener
            .split_once(marker)
            .context("lds.yaml has no policy")?;
        let belongs = |line: &&str| line.trim().is_empty() || line.starts_with(INDENT);
        let pasted = rest
            .lines()
            .take_while(belongs)
            .map(|line| line.strip_prefix(INDENT).unwrap_or(line));
        let tail = rest.lines().skip_while(belongs);
        Ok(Self {
            bootstrap: read("envoy.yaml")?,
            head: format!("{head}{marker}"),
            pasted: lines(pasted),
            tail: lines(tail),
            policy: format!("version:{policy}"),
        })
    }

    /// The functions that `lds.yaml` lets the module call and export.
    pub fn capabilities(&self) -> Vec<&str> {
        let rest = self
            .head
            .split_once("allowed_capabilities:\n")
            .map_or("", |(_, rest)| rest);
        rest.lines()
            .map_while(|line| line.trim().split_once(": {}"))
            .map(|(name, _)| name)
            .collect()
    }

    /// `lds.yaml` with another policy.
    pub fn listener_with(&self, policy: &str) -> String {
        let mut text = self.head.clone();
        for line in policy.lines() {
            if !line.is_empty() {
                text.push_str(INDENT);
            }
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&self.tail);
        text
    }
}

fn lines<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// `text` with its only `from` replaced.
///
/// Fails when `from` isn't there exactly once: an example that changed must not turn a test into another one.
pub fn replace_once(text: &str, from: &str, to: &str) -> Result<String> {
    let count = text.matches(from).count();
    ensure!(
        count == 1,
        "{from:?} stands {count} times in the example, not once"
    );
    Ok(text.replacen(from, to, 1))
}

/// What a test changes in the example's files beyond policy and addresses.
#[derive(Clone, Copy)]
pub struct Edits<'e> {
    /// Of `envoy.yaml`.
    pub bootstrap: &'e dyn Fn(String) -> Result<String>,
    /// Of `lds.yaml`, at the start; a reload is without it.
    pub listener: &'e dyn Fn(String) -> Result<String>,
}

impl Default for Edits<'_> {
    fn default() -> Self {
        Self {
            bootstrap: &Ok,
            listener: &Ok,
        }
    }
}

/// The example, running.
#[derive(Debug)]
pub struct Gateway {
    envoy: Envoy,
    example: Example,
    address: SocketAddr,
}

impl Gateway {
    /// Starts the example with `policy`, its clusters pointed at `issuer` and `upstream`.
    pub fn start(
        policy: &str,
        issuer: SocketAddr,
        upstream: SocketAddr,
        options: &Options,
    ) -> Result<Self> {
        Self::start_edited(policy, issuer, upstream, options, Edits::default())
    }

    /// As [`Gateway::start`], with last edits of the files.
    pub fn start_edited(
        policy: &str,
        issuer: SocketAddr,
        upstream: SocketAddr,
        options: &Options,
        edits: Edits<'_>,
    ) -> Result<Self> {
        let mut example = Example::read()?;
        let scratch = Scratch::new()?;
        let address = free_address()?;
        let wasm = environment::wasm()?;
        example.head = replace_once(
            &example.head,
            "port_value: 8080",
            &format!("port_value: {}", address.port()),
        )?;
        example.head = replace_once(
            &example.head,
            "target/dist/token-guard.wasm",
            &wasm.to_string_lossy(),
        )?;
        let listener = (edits.listener)(example.listener_with(policy))?;
        let lds = scratch.write("lds.yaml", listener.as_bytes())?;
        let mut bootstrap = replace_once(
            &example.bootstrap,
            "examples/envoy/lds.yaml",
            &lds.to_string_lossy(),
        )?;
        bootstrap = replace_once(&bootstrap, "port_value: 9901", "port_value: 0")?;
        bootstrap = replace_once(
            &bootstrap,
            "port_value: 9090",
            &format!("port_value: {}", issuer.port()),
        )?;
        bootstrap = replace_once(
            &bootstrap,
            "port_value: 9000",
            &format!("port_value: {}", upstream.port()),
        )?;
        let bootstrap = (edits.bootstrap)(bootstrap)?;
        let envoy = Envoy::start_text(scratch, "bootstrap.yaml", &bootstrap, options)?;
        // LIVE is said before the workers listen.
        let patience = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(address).is_err() {
            let refused = envoy
                .stats()?
                .get("listener_manager.lds.update_rejected")
                .copied();
            if refused > Some(0) || Instant::now() > patience {
                bail!(
                    "the example's listener is not there; Envoy says:\n{}",
                    envoy.log().join("\n")
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self {
            envoy,
            example,
            address,
        })
    }

    /// The proxy.
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// Where clients go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the listener file by one with `policy`, the way the example says: a move. Returns when Envoy has taken
    /// it (`Ok(true)`) or refused it (`Ok(false)`).
    pub fn reload(&self, policy: &str) -> Result<bool> {
        let before = self.updates()?;
        self.envoy
            .scratch()
            .write("lds.yaml", self.example.listener_with(policy).as_bytes())?;
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let (taken, refused) = self.updates()?;
            if refused > before.1 {
                return Ok(false);
            }
            if taken > before.0
                && self
                    .envoy
                    .stats()?
                    .get("listener_manager.total_listeners_warming")
                    == Some(&0)
            {
                return Ok(true);
            }
            ensure!(
                Instant::now() < patience,
                "Envoy did not look at the new listener file"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn updates(&self) -> Result<(u64, u64)> {
        let stats = self.envoy.stats()?;
        let counter = |name: &str| stats.get(name).copied().unwrap_or_default();
        Ok((
            counter("listener_manager.lds.update_success"),
            counter("listener_manager.lds.update_rejected"),
        ))
    }

    /// Sends one request on a connection of its own.
    pub fn request(&self, method: &str, path: &str, token: Option<&str>) -> Result<Response> {
        http_client::send(
            self.address,
            &head(method, path, token, "connection: close\r\n"),
        )
    }

    /// How often a VM of the filter trapped: what Envoy counts (reloads of VMs) and what it logs (the trap itself).
    pub fn traps(&self) -> Result<u64> {
        let reloads = |name: &str| name.starts_with("wasm.") && name.contains("vm_reload");
        let counted: u64 = self
            .envoy
            .stats()?
            .iter()
            .filter(|(name, _)| reloads(name))
            .map(|(_, count)| count)
            .sum();
        let logged = self
            .envoy
            .log()
            .iter()
            .filter(|line| line.contains("RuntimeError"))
            .count();
        Ok(counted + logged as u64)
    }
}

/// The bytes of a request head with these further header lines.
pub fn head(method: &str, path: &str, token: Option<&str>, lines: &str) -> Vec<u8> {
    let credential = token
        .map(|token| format!("authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nhost: api.example.com\r\n{credential}{lines}content-length: 0\r\n\r\n").into_bytes()
}

/// A loopback address that was free a moment ago. A listener that is reloaded needs a port that stays.
fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
