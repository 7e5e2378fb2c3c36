//! The real Prometheus as a test part: started on a free loopback port, stopped by its own handle.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::environment;
use crate::http_client;

/// A running Prometheus. Dropping it kills the process.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts it with this configuration file and keeps its data in `folder`.
    pub fn start(configuration: &Path, folder: &Path) -> Result<Self> {
        // It can't say which port it got: one that was free a moment ago.
        let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let log = std::fs::File::create(folder.join("prometheus.log"))?;
        let child = Command::new(environment::prometheus()?.join("prometheus"))
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start Prometheus")?;
        let mut started = Self { child, address };
        let patience = Instant::now() + Duration::from_secs(60);
        while !http_client::get(address, "/-/ready").is_ok_and(|answer| answer.status == 200) {
            if started.child.try_wait()?.is_some() || Instant::now() > patience {
                let log = std::fs::read_to_string(folder.join("prometheus.log"))?;
                bail!("Prometheus does not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(started)
    }

    /// The series that an instant query gives.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let data = self.api(&format!("/api/v1/query?query={}", encoded(expression)))?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// `data` of an answer of its HTTP API.
    pub fn api(&self, target: &str) -> Result<Value> {
        let answer = http_client::get(self.address, target)?;
        let answer: Value = serde_json::from_slice(&answer.body)
            .with_context(|| format!("{target}: {}", String::from_utf8_lossy(&answer.body)))?;
        ensure!(answer["status"] == "success", "{target}: {answer}");
        Ok(answer["data"].clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Every byte but letters and digits as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
