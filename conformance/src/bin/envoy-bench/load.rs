//! Load by wrk: one thread, a fixed number of connections, requests from a script.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// What wrk counted.
#[derive(Debug, PartialEq)]
pub(crate) struct Load {
    /// Answered requests.
    pub(crate) requests: u64,
    /// Those answered with another status than 2xx or 3xx, or lost to socket errors.
    pub(crate) refused: u64,
    /// Requests a second.
    pub(crate) per_second: f64,
}

/// Fails when wrk isn't there, before anything takes time.
pub(crate) fn require() -> Result<()> {
    // It has no option that succeeds without load; that it starts is enough.
    Command::new("wrk")
        .arg("--version")
        .output()
        .map(|_| ())
        .context("wrk makes the load: install it first (Debian: apt-get install wrk)")
}

/// Runs wrk against loopback for `length`.
pub(crate) fn run(
    address: SocketAddr,
    script: &Path,
    length: Duration,
    connections: u32,
) -> Result<Load> {
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", length.as_secs())])
        .arg("--script")
        .arg(script)
        .arg(format!("http://{address}/orders/42"))
        .output()
        .context("cannot start wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "wrk failed: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&text)
}

fn parse(text: &str) -> Result<Load> {
    let words = |marker: &str| text.lines().find(|line| line.contains(marker));
    let requests = words(" requests in ")
        .and_then(|line| line.split_whitespace().next())
        .context("no request count")?;
    let per_second = words("Requests/sec:")
        .and_then(|line| line.split_whitespace().nth(1))
        .context("no rate")?;
    let status: u64 = words("Non-2xx or 3xx responses:")
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_default();
    let socket: u64 = words("Socket errors:")
        .map(|line| {
            line.split([' ', ','])
                .filter_map(|word| word.parse::<u64>().ok())
                .sum()
        })
        .unwrap_or_default();
    Ok(Load {
        requests: requests.parse()?,
        refused: status + socket,
        per_second: per_second.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrk_output_is_read() {
        let text = "Running 2s test @ http://127.0.0.1:1/\n  1 threads and 16 connections\n  Thread Stats   Avg  Stdev\n\
                    \x20 40523 requests in 2.00s, 5.10MB read\n  Socket errors: connect 0, read 3, write 0, timeout 1\n\
                    \x20 Non-2xx or 3xx responses: 7\nRequests/sec:  20213.45\nTransfer/sec:      2.54MB\n";
        let load = parse(text).expect("wrk's output");
        assert_eq!(
            load,
            Load {
                requests: 40_523,
                refused: 11,
                per_second: 20_213.45
            }
        );
    }
}
