//! Four workers of a real Envoy, and the meddler in the same process.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis_conformance::bootstrap::{bootstrap, cluster, guard, listener};
use portcullis_conformance::clock;
use portcullis_conformance::environment;
use portcullis_conformance::envoy::{Envoy, Options};
use portcullis_conformance::http_client;
use portcullis_conformance::jwks_server::JwksServer;
use portcullis_conformance::upstream::Upstream;
use portcullis_conformance::world::key_set;
use serde_json::{Value, json};

use crate::document::{SECRET, VARIABLE, document, meddling, token};

const VM_ID: &str = "shared-data";

struct Stage {
    envoy: Envoy,
    issuer: JwksServer,
    other: JwksServer,
    _upstream: Upstream,
    address: SocketAddr,
}

/// The guard with the environment that it needs.
fn sharing_guard(document: &str) -> Result<Value> {
    let mut filter = guard(VM_ID, &environment::wasm()?, document);
    filter["typed_config"]["config"]["vm_config"]["environment_variables"] =
        json!({ "host_env_keys": [VARIABLE] });
    Ok(filter)
}

fn meddler(wasm: &Path, mode: &str) -> Value {
    let mut filter = guard(VM_ID, wasm, &meddling(mode));
    filter["name"] = "meddler".into();
    filter["typed_config"]["config"]["name"] = "meddler".into();
    filter["typed_config"]["config"]["root_id"] = "meddler".into();
    filter
}

impl Stage {
    fn set(document: &str, mode: Option<&str>) -> Result<Self> {
        let keys = key_set(&["es_a"])?;
        let (issuer, other) = (JwksServer::start(&keys)?, JwksServer::start(&keys)?);
        let upstream = Upstream::start()?;
        let mut listeners = vec![listener(
            "guarded",
            vec![sharing_guard(document)?],
            "upstream",
        )];
        if let Some(mode) = mode {
            let wasm = environment::guests()?.join("guest_meddler.wasm");
            listeners.push(listener("meddler", vec![meddler(&wasm, mode)], "upstream"));
        }
        let clusters = vec![
            cluster("upstream", upstream.address()),
            cluster("issuer", issuer.address()),
            cluster("other", other.address()),
        ];
        let options = Options {
            concurrency: 4,
            environment: vec![(VARIABLE.to_owned(), SECRET.to_owned())],
            ..Options::default()
        };
        let envoy = Envoy::start(&bootstrap(listeners, clusters), &options)?;
        let address = envoy.listener("guarded")?;
        Ok(Self {
            envoy,
            issuer,
            other,
            _upstream: upstream,
            address,
        })
    }

    fn status(&self, key: &str) -> Result<u16> {
        let token = token(key, clock::now()?);
        let request = format!(
            "GET /any HTTP/1.1\r\nhost: api.example.test\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        Ok(http_client::send(self.address, request.as_bytes())?.status)
    }

    /// Sends requests on new connections until enough came in a row that were answered so: every worker is among them, nearly
    /// certainly. What Envoy's workers accept is the kernel's choice.
    fn all_answer(&self, key: &str, status: u16, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        let mut in_a_row = 0;
        while in_a_row < 40 {
            ensure!(Instant::now() < end, "not {status} for {key} in time");
            let right = self.status(key)? == status;
            in_a_row = if right { in_a_row + 1 } else { 0 };
            if !right {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    fn stat(&self, name: &str) -> Result<u64> {
        let stats = self.envoy.stats()?;
        let found = stats.iter().filter(|(known, _)| known.ends_with(name));
        Ok(found.map(|(_, value)| value).sum())
    }

    fn no_traps(&self) -> Result<()> {
        let lines = self.envoy.log();
        let trap = lines
            .iter()
            .find(|line| line.contains("Function: proxy_") || line.contains("VM crash"));
        ensure!(trap.is_none(), "{trap:?}");
        Ok(())
    }
}

#[test]
fn four_workers_fetch_once_a_refresh() -> Result<()> {
    let count = |shares: bool| -> Result<(u64, u64)> {
        let stage = Stage::set(&document(shares, "10s"), None)?;
        stage.all_answer("es_a", 200, Duration::from_secs(20))?;
        let first = stage.issuer.requests();
        std::thread::sleep(Duration::from_secs(31));
        let later = stage.issuer.requests() - first;
        if shares {
            ensure!(
                stage.stat("portcullis.shared.taken")? > 0,
                "nothing was shared"
            );
            ensure!(
                stage.stat("portcullis.shared.refused")? == 0,
                "something was refused"
            );
        }
        stage.all_answer("es_a", 200, Duration::from_secs(20))?;
        stage.no_traps()?;
        Ok((first, later))
    };
    let (shared, alone) = (count(true)?, count(false)?);
    println!(
        "fetches at the start and within 31 s at a refresh of 10 s: shared {shared:?}, each by itself {alone:?}"
    );
    // Each of four workers and the main thread; a machine that stands still for a second may cost one more.
    assert!((1..=2).contains(&shared.0), "{shared:?}");
    assert!(alone.0 >= 5, "{alone:?}");
    assert!((3..=6).contains(&shared.1), "{shared:?}");
    assert!(alone.1 >= 15, "{alone:?}");
    Ok(())
}

#[test]
fn a_new_key_reaches_all_workers_by_one_fetch() -> Result<()> {
    let stage = Stage::set(&document(true, "10m"), None)?;
    stage.all_answer("es_a", 200, Duration::from_secs(20))?;
    let before = stage.issuer.requests();
    stage.issuer.set_keys(&key_set(&["es_a", "es_1"])?);
    std::thread::sleep(Duration::from_millis(1200));
    stage.all_answer("es_1", 200, Duration::from_secs(20))?;
    stage.all_answer("es_a", 200, Duration::from_secs(20))?;
    let fetches = stage.issuer.requests() - before;
    assert!((1..=2).contains(&fetches), "{fetches}");
    Ok(())
}

#[test]
fn a_hostile_module_in_the_same_envoy_changes_no_verdict() -> Result<()> {
    for mode in ["forge", "replay"] {
        let stage = Stage::set(&document(true, "10s"), Some(mode))?;
        stage.all_answer("es_a", 200, Duration::from_secs(20))?;
        stage.all_answer("es_b", 401, Duration::from_secs(20))?;
        // The key is withdrawn. Nothing that is put back keeps it alive.
        stage.issuer.set_keys(&key_set(&["es_1"])?);
        stage.other.set_keys(&key_set(&["es_a"])?);
        stage.all_answer("es_1", 200, Duration::from_secs(30))?;
        stage.all_answer("es_a", 401, Duration::from_secs(30))?;
        stage.all_answer("es_b", 401, Duration::from_secs(20))?;
        let writes = stage.stat("meddler.writes").context("no such metric")?;
        ensure!(writes > 0, "{mode}: it meddled with nothing");
        let refused = stage.stat("portcullis.shared.refused")?;
        let outdated = stage.stat("portcullis.shared.outdated")?;
        // What it put back may have been a lease, which has ended and is nothing to notice.
        ensure!(
            refused + outdated > 0 || mode == "replay",
            "{mode}: nobody noticed"
        );
        stage.no_traps()?;
        println!(
            "{mode}: {writes} writes, {refused} refused, {outdated} outdated, {} fetches",
            stage.issuer.requests()
        );
    }
    Ok(())
}
