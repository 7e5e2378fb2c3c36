//! The servers under load, on cores of our choice: Envoy and host-test, each answering by itself and each forwarding.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use portcullis_conformance::bootstrap::{bootstrap, cluster, guard, listener};
use portcullis_conformance::envoy::{Envoy, Options};
use portcullis_conformance::scratch::Scratch;
use serde_json::{Value, json};

use crate::policy::Policy;
use crate::table::Contender;

const ANSWERING: &str = "answering";
const FORWARDING: &str = "forwarding";

/// Everything that runs. Dropped, all of it ends.
pub(crate) struct Servers {
    envoy: Envoy,
    answering: Serve,
    forwarding: Serve,
    /// Stands behind those that forward; not measured.
    _upstream: Envoy,
}

/// A `host-test serve`.
struct Serve {
    child: Child,
    address: SocketAddr,
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Servers {
    /// Starts them all.
    pub(crate) fn start(policy: &Policy, scratch: &Scratch) -> Result<Self> {
        let wasm = portcullis_conformance::environment::wasm()?;
        let quiet = Options {
            concurrency: 1,
            component_log_level: "wasm:error".to_owned(),
            ..Options::default()
        };
        let back = answering(listener("upstream", Vec::new(), "none"));
        let upstream = Envoy::start(&bootstrap(vec![back], Vec::new()), &quiet)?;
        let origin = upstream.listener("upstream")?;
        let filter = |vm_id: &str| vec![guard(vm_id, &wasm, &policy.document)];
        let listeners = vec![
            answering(listener(ANSWERING, filter(ANSWERING), "none")),
            listener(FORWARDING, filter(FORWARDING), "upstream"),
        ];
        let envoy = Envoy::start(
            &bootstrap(listeners, vec![cluster("upstream", origin)]),
            &quiet,
        )?;
        let serve = |more: [&str; 2]| serve(&wasm, policy, scratch, more);
        Ok(Self {
            answering: serve(["--answer", "200"])?,
            forwarding: serve(["--upstream", &format!("http://{origin}")])?,
            envoy,
            _upstream: upstream,
        })
    }

    /// Processes that share the servers' core.
    pub(crate) fn measured(&self) -> [u32; 3] {
        [
            self.envoy.pid(),
            self.answering.child.id(),
            self.forwarding.child.id(),
        ]
    }

    /// Whom the load goes to, each pair side by side.
    pub(crate) fn contenders(&self) -> Result<Vec<Contender>> {
        let mut all = Vec::new();
        for (way, serve) in [(ANSWERING, &self.answering), (FORWARDING, &self.forwarding)] {
            all.push(Contender {
                way,
                server: "Envoy",
                pid: self.envoy.pid(),
                address: self.envoy.listener(way)?,
                turns: Vec::new(),
            });
            all.push(Contender {
                way,
                server: "host-test",
                pid: serve.child.id(),
                address: serve.address,
                turns: Vec::new(),
            });
        }
        Ok(all)
    }
}

/// Envoy answers itself.
fn answering(mut listener: Value) -> Value {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["virtual_hosts"][0]["routes"] =
        json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }]);
    listener
}

fn serve(wasm: &PathBuf, policy: &Policy, scratch: &Scratch, more: [&str; 2]) -> Result<Serve> {
    let program = std::env::var_os("PORTCULLIS_HOST_TEST")
        .context("PORTCULLIS_HOST_TEST must name an optimised host-test: run `cargo xtask bench serve`, which sets it")?;
    let mut child = Command::new(program)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
            "--quiet",
        ])
        .args(["--filter-log", "error", "--wasm"])
        .arg(wasm)
        .arg("--config")
        .arg(&policy.file)
        .args(more)
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start host-test")?;
    let errors = child.stderr.take().context("host-test has no stderr")?;
    let mut lines = BufReader::new(errors).lines();
    let mut seen = String::new();
    let address = loop {
        let Some(Ok(line)) = lines.next() else {
            let _ended = child.kill();
            let _reaped = child.wait();
            anyhow::bail!("host-test ended at start:\n{seen}");
        };
        let said = line.strip_prefix("listening on http://");
        if let Some(address) = said.and_then(|rest| rest.split(',').next()?.parse().ok()) {
            break address;
        }
        seen += &format!("{line}\n");
    };
    // A pipe that nobody reads would stop it.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(Serve { child, address })
}

/// Keeps this process, and what it starts, to one core.
pub(crate) fn pin_self(core: usize) -> Result<()> {
    pin_all(std::process::id(), core)
}

/// Keeps all threads of a process to one core.
pub(crate) fn pin_all(pid: u32, core: usize) -> Result<()> {
    let output = Command::new("taskset")
        .args(["--all-tasks", "--pid", "--cpu-list"])
        .args([core.to_string(), pid.to_string()])
        .output()
        .context("taskset keeps servers to their core: install it first (Debian: apt-get install util-linux)")?;
    ensure!(
        output.status.success(),
        "taskset: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
