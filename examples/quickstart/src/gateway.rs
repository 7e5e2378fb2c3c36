//! The demo's gateway: host-test's HTTP proxy with the filter in it, and the audit events that the filter writes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use host_test::serve::{Options, Server};
use host_test::{Module, PluginConfig};
use serde_json::Value;

use crate::client::{self, Answer};
use crate::scenes::Scene;
use crate::table::Seen;

/// The gateway, running.
pub struct Gateway {
    server: Server,
    /// The last decision that the filter wrote to its log.
    latest: Arc<Mutex<Option<Value>>>,
}

/// What the filter's audit events call themselves.
const DECISION: &str = "portcullis.decision.v1";

/// How long an audit event may come after the answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Gateway {
    /// Starts the filter with `policy` between clients at `listen` and the API at `api`. The policy's cluster `issuer`
    /// is what listens at `keys`.
    ///
    /// # Errors
    /// When the module is not one, the filter refuses the policy, or the address is taken.
    pub async fn start(
        wasm: &Path,
        policy: &str,
        listen: SocketAddr,
        keys: SocketAddr,
        api: SocketAddr,
    ) -> Result<Self> {
        let bytes =
            std::fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
        let module = Module::compile_quickly(&bytes)?;
        let plugin = PluginConfig {
            name: "token_guard".to_owned(),
            root_id: "token_guard".to_owned(),
            vm_id: "portcullis-quickstart".to_owned(),
            configuration: policy.as_bytes().to_vec(),
            ..PluginConfig::default()
        };
        let latest = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&latest);
        let mut options = Options::new(listen, format!("http://{api}").parse()?);
        options
            .clusters
            .insert("issuer".to_owned(), format!("http://{keys}").parse()?);
        options.filter_log = Some(Arc::new(move |line| {
            let event = serde_json::from_str::<Value>(&line.message).ok();
            if let Some(event) = event.filter(|event| event["record"] == DECISION) {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(event);
            }
        }));
        Ok(Self {
            server: Server::start(&module, plugin, options).await?,
            latest,
        })
    }

    /// Where clients go.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Plays a scene: sends its request and reports the answer, the audit event's reason and what the API saw. One at a
    /// time: an event belongs to the request before it.
    ///
    /// # Errors
    /// When there is no answer, or no audit event about it.
    pub async fn play(&self, scene: &Scene) -> Result<Seen> {
        let mut headers: Vec<(&str, String)> = scene
            .headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        if let Some(token) = &scene.token {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        let answer = client::send(self.address(), scene.method, scene.path, &headers).await?;
        let reason = self.reason().await?;
        Ok(Seen {
            status: answer.status.as_u16(),
            reason,
            upstream_user: upstream_user(&answer)?,
        })
    }

    /// Finishes open requests and ends.
    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// The reason in the audit event that the one request under way brought about.
    async fn reason(&self) -> Result<String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let event = self
                .latest
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match event {
                Some(event) => return Ok(event["reason"].as_str().unwrap_or_default().to_owned()),
                None if tokio::time::Instant::now() > deadline => {
                    bail!("the filter wrote no audit event")
                }
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }
}

/// Every value of any spelling of `x-user` that the API saw, if the answer is the API's.
fn upstream_user(answer: &Answer) -> Result<Option<String>> {
    if !answer.status.is_success() {
        return Ok(None);
    }
    let body: Value = serde_json::from_str(&answer.body).context("the answer is not the API's")?;
    let headers = body["upstream_saw"]["headers"]
        .as_object()
        .context("the answer is not the API's")?;
    let named = |name: &str| name.replace('_', "-").eq_ignore_ascii_case("x-user");
    let values = headers
        .iter()
        .filter(|(name, _)| named(name))
        .filter_map(|(_, value)| value.as_str());
    Ok(Some(values.collect::<Vec<_>>().join(", ")))
}
