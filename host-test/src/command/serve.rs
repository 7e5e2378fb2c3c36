//! `host-test serve`: a real proxy round the filter.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use host_test::serve::{AccessLine, Options, Origin, Server, StartError};
use host_test::{FailurePolicy, Level, LogLine, Message, Module};

use super::plugin::Plugin;

/// Serves HTTP/1.1 through the filter to an upstream
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test serve --wasm token-guard.wasm --config policy.yaml \\
      --upstream http://127.0.0.1:9000 --cluster login=http://127.0.0.1:9090
  host-test serve --wasm token-guard.wasm --config policy.yaml --listen 0.0.0.0:8080 \\
      --upstream http://127.0.0.1:9000 --filter-log warn -q

Requests go to standard output, the filter's own lines to standard error. It ends on SIGTERM or SIGINT, once the open
requests have ended. Exit status: 0 ended when told to, 1 the configuration was refused, 2 it can't serve.")]
pub(crate) struct Serve {
    #[command(flatten)]
    plugin: Plugin,
    /// Where to listen; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where forwarded requests go, http://HOST:PORT
    #[arg(long, value_name = "URL", required_unless_present = "answer")]
    upstream: Option<Origin>,
    /// Answer forwarded requests with this status instead, for measuring the filter alone
    #[arg(long, value_name = "STATUS", conflicts_with = "upstream", value_parser = clap::value_parser!(u16).range(200..600))]
    answer: Option<u16>,
    /// Where callouts to a cluster go; may be given several times
    #[arg(long, value_name = "NAME=URL", value_parser = cluster)]
    cluster: Vec<(String, Origin)>,
    /// Worker threads, a VM each; one a core when left out
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// What follows a trap of the filter
    #[arg(long, default_value = "reload", value_parser = ["reload", "closed", "open"])]
    failure_policy: String,
    /// Seconds for the upstream's response to begin
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    upstream_timeout: u64,
    /// Seconds for open requests to end when told to stop
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    drain_timeout: u64,
    /// Least level of the filter's lines that are shown
    #[arg(long, default_value = "info", value_parser = ["trace", "debug", "info", "warn", "error", "critical", "off"])]
    filter_log: String,
    /// No line for each request
    #[arg(long, short)]
    quiet: bool,
}

fn cluster(text: &str) -> Result<(String, Origin), String> {
    let (name, url) = text
        .split_once('=')
        .ok_or("a cluster is NAME=http://HOST:PORT")?;
    let origin = url
        .parse()
        .map_err(|error: host_test::serve::OriginError| error.to_string())?;
    Ok((name.to_owned(), origin))
}

impl Serve {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(&self) -> Result<ExitCode> {
        let module = self.plugin.module(Module::compile_for_speed)?;
        let options = self.options()?;
        let upstream = options.upstream.to_string();
        let server = match Server::start(&module, self.plugin.plugin()?, options).await {
            Ok(server) => server,
            Err(error @ StartError::Configuration { .. }) => {
                eprintln!("host-test: {error}");
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => return Err(error.into()),
        };
        eprintln!(
            "listening on http://{}, forwarding to {upstream}",
            server.address(),
        );
        told_to_stop().await?;
        eprintln!("stopping");
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self) -> Result<Options> {
        let mut options = match (&self.upstream, self.answer) {
            (Some(origin), _) => Options::new(self.listen, origin.clone()),
            (None, Some(status)) => Options::answering(self.listen, Message::response(status)),
            (None, None) => bail!("--upstream or --answer is needed"),
        };
        options.host.take_after(self.plugin.host);
        options.host.reload_backoff = self.plugin.host.facts().reload_backoff;
        options.clusters = self.cluster.iter().cloned().collect();
        options.workers = self.workers.unwrap_or(options.workers).max(1);
        options.host.failure_policy = match self.failure_policy.as_str() {
            "closed" => FailurePolicy::Closed,
            "open" => FailurePolicy::Open,
            _ => FailurePolicy::Reload,
        };
        options.upstream_timeout = Duration::from_secs(self.upstream_timeout);
        options.drain_timeout = Duration::from_secs(self.drain_timeout);
        if !self.quiet {
            options.access_log = Some(Arc::new(|line: &AccessLine| {
                // Nobody reads any more: no reason to stop serving.
                let _ = writeln!(std::io::stdout(), "{line}");
            }));
        }
        // The filter may ask for the level, and spare itself what nobody reads.
        options.host.log_level = Level::from_name(&self.filter_log).unwrap_or(Level::Critical);
        if self.filter_log != "off" {
            options.filter_log = Some(Arc::new(|line: &LogLine| {
                let _ = writeln!(std::io::stderr(), "{}: {}", line.level, line.message);
            }));
        }
        Ok(options)
    }
}

#[cfg(unix)]
async fn told_to_stop() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("SIGINT"),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> Result<()> {
    tokio::signal::ctrl_c().await.context("interrupt")
}
