//! The certified OpenID provider and its client as test parts: real processes, on loopback, ended with their handles.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{environment, http_client};

/// One step of a key rotation, in the order in which operators take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// New keys join the published set; the old ones sign on.
    Publish,
    /// The new keys sign.
    Use,
    /// The old keys leave the set.
    Retire,
}

/// What the provider publishes and signs with after a step.
#[derive(Debug, Clone, Deserialize)]
pub struct Keys {
    /// The key ids of the published set.
    pub published: Vec<String>,
    /// The key id in use, by algorithm.
    pub signing: BTreeMap<String, String>,
}

/// A running provider (npm `oidc-provider`). Dropping it kills the process.
#[derive(Debug)]
pub struct Provider {
    process: Node,
    keys: PathBuf,
    announced: Announced,
}

#[derive(Debug, Deserialize)]
struct Announced {
    issuer: String,
    port: u16,
    control: u16,
}

#[derive(Deserialize)]
struct Counts {
    jwks: Vec<u64>,
}

impl Provider {
    /// Starts a provider on a free port that keeps its keys in `directory`.
    pub fn start(directory: &Path) -> Result<Self> {
        Self::start_at(directory.join("provider-keys.json"), 0)
    }

    fn start_at(keys: PathBuf, port: u16) -> Result<Self> {
        let file = keys.to_string_lossy().into_owned();
        let mut process = Node::start(
            "provider.mjs",
            &["--keys", &file, "--port", &port.to_string()],
        )?;
        let announced = process.receive()?;
        Ok(Self {
            process,
            keys,
            announced,
        })
    }

    /// The issuer's name, which is also its URL.
    pub fn issuer(&self) -> &str {
        &self.announced.issuer
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.announced.port))
    }

    /// Takes one step of a key rotation.
    pub fn rotate(&self, step: Rotation) -> Result<Keys> {
        let step = match step {
            Rotation::Publish => "publish",
            Rotation::Use => "use",
            Rotation::Retire => "retire",
        };
        self.control(&format!("POST /rotate/{step}"))
    }

    /// When the key set was fetched (by others than the client): milliseconds since 1970, in order.
    pub fn key_fetches(&self) -> Result<Vec<u64>> {
        Ok(self.control::<Counts>("GET /counts")?.jwks)
    }

    /// Stops it in its tracks: connections are taken, nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.signal("CONT")
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again: the same issuer, port and keys. Its counts begin anew.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        *self = Self::start_at(self.keys.clone(), self.announced.port)?;
        Ok(())
    }

    fn control<T: DeserializeOwned>(&self, request: &str) -> Result<T> {
        let control = SocketAddr::from(([127, 0, 0, 1], self.announced.control));
        let head = format!(
            "{request} HTTP/1.1\r\nhost: {control}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let response = http_client::send(control, head.as_bytes())?;
        ensure!(
            response.status == 200,
            "{request}: {}",
            String::from_utf8_lossy(&response.body)
        );
        Ok(serde_json::from_slice(&response.body)?)
    }
}

/// An access token as the client got it.
#[derive(Debug, Clone, Deserialize)]
pub struct Token {
    /// The compact form.
    pub token: String,
    /// Its protected header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

/// An OAuth client (npm `oauth4webapi`; `jose` checks what it gets). Dropping it kills the process.
#[derive(Debug)]
pub struct Client {
    process: Node,
}

impl Client {
    /// A client that has discovered the provider at `issuer`.
    pub fn start(issuer: &str) -> Result<Self> {
        Ok(Self {
            process: Node::start("client.mjs", &["--issuer", issuer])?,
        })
    }

    /// Fetches a token with client credentials. `provider.mjs` lists the clients: `reader.es256`, `late.rs256`, ….
    pub fn token(&mut self, client: &str, scope: &str) -> Result<Token> {
        self.process
            .send(&json!({ "client": client, "scope": scope }))?;
        let reply: Value = self.process.receive()?;
        if let Some(error) = reply["error"].as_str() {
            bail!("{client} got no token: {error}");
        }
        Ok(serde_json::from_value(reply)?)
    }
}

/// An https front of a provider, with one of the certificates of `conformance/tls`. Dropping it kills the process.
#[derive(Debug)]
pub struct TlsFront {
    _process: Node,
    port: u16,
}

impl TlsFront {
    /// Starts a front of `target` that shows the certificate `name` (`login`, `other`).
    pub fn start(name: &str, target: SocketAddr) -> Result<Self> {
        #[derive(Deserialize)]
        struct Announced {
            port: u16,
        }
        let stem = tls_file(name).to_string_lossy().into_owned();
        let mut process = Node::start(
            "tls-front.mjs",
            &[
                "--certificate",
                &stem,
                "--target",
                &target.port().to_string(),
            ],
        )?;
        let Announced { port } = process.receive()?;
        Ok(Self {
            _process: process,
            port,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// A file of `conformance/tls`.
pub fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tls").join(name)
}

/// A Node process that speaks JSON lines.
#[derive(Debug)]
struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn start(script: &str, arguments: &[&str]) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("provider")
            .join(script);
        let mut child = Command::new("node")
            .arg("--no-warnings")
            .arg(path)
            .args(arguments)
            .env("PORTCULLIS_NODE_MODULES", environment::node_modules()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot start node, which the provider needs")?;
        let input = child.stdin.take().context("node has no stdin")?;
        let output = BufReader::new(child.stdout.take().context("node has no stdout")?);
        Ok(Self {
            child,
            input,
            output,
        })
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        writeln!(self.input, "{message}").context("the node process is gone")
    }

    fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(
            !line.is_empty(),
            "the node process ended: {:?}",
            self.child.try_wait()
        );
        serde_json::from_str(&line)
            .with_context(|| format!("not the JSON that was expected: {line}"))
    }

    fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()?;
        ensure!(status.success(), "cannot send {name} to the node process");
        Ok(())
    }

    fn kill(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
