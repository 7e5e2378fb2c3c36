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
use super::serve_tls::Tls;
use super::watch::{self, Watched};

/// Serves HTTP/1.1 and HTTP/2 through the filter to an upstream
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test serve --wasm token-guard.wasm --config policy.yaml \\
      --upstream http://127.0.0.1:9000 --cluster login=http://127.0.0.1:9090
  host-test serve --wasm token-guard.wasm --config policy.yaml --listen 0.0.0.0:8080 \\
      --upstream http://127.0.0.1:9000 --filter-log warn -q
  host-test serve --wasm token-guard.wasm --config policy.yaml --listen 127.0.0.1:8443 \\
      --tls-cert server.pem --tls-key server.key --client-ca clients.pem --client-certificates required \\
      --upstream https://localhost:9443 --origin-ca origins.pem

A client begins HTTP/2 by ALPN over TLS, or without TLS at once (`curl --http2-prior-knowledge`). When the filter, its
configuration or its VM configuration changes, or on SIGHUP, they are read again; what the filter refuses changes nothing,
and is told. Requests that are under way end on what they began with.

Requests go to standard output, the filter's own lines to standard error. It ends on SIGTERM or SIGINT, once the open
requests have ended. Exit status: 0 ended when told to, 1 the configuration was refused, 2 it can't serve.")]
pub(crate) struct Serve {
    #[command(flatten)]
    plugin: Plugin,
    /// Where to listen; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where forwarded requests go: http://HOST:PORT, https://HOST:PORT, or h2c://HOST:PORT for HTTP/2 without TLS
    #[arg(long, value_name = "URL", required_unless_present = "answer")]
    upstream: Option<Origin>,
    /// Answer forwarded requests with this status instead, for measuring the filter alone
    #[arg(long, value_name = "STATUS", conflicts_with = "upstream", value_parser = clap::value_parser!(u16).range(200..600))]
    answer: Option<u16>,
    /// Where callouts and gRPC calls to a cluster go, as for --upstream; may be given several times
    #[arg(long, value_name = "NAME=URL", value_parser = cluster)]
    cluster: Vec<(String, Origin)>,
    #[command(flatten)]
    tls: Tls,
    /// Do not look for changed files; SIGHUP still reads them again
    #[arg(long)]
    no_watch: bool,
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
        .ok_or("a cluster is NAME=http://HOST:PORT, or with https or h2c")?;
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
        let ended = runtime.block_on(self.serve());
        // A filter that is being compiled holds nothing up.
        runtime.shutdown_background();
        ended
    }

    async fn serve(&self) -> Result<ExitCode> {
        // Before they are read: what is saved meanwhile has changed.
        let files = Watched::now(self.plugin.files());
        let module = self.plugin.module(Module::compile_for_speed)?;
        let options = self.options()?;
        let upstream = options.upstream.to_string();
        let scheme = if options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let mut server = match Server::start(&module, self.plugin.plugin()?, options).await {
            Ok(server) => server,
            Err(error @ StartError::Configuration { .. }) => {
                eprintln!("host-test: {error}");
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => return Err(error.into()),
        };
        // Whoever reads the line may send signals.
        let signals = (told_to_stop()?, Reload::new()?);
        eprintln!(
            "listening on {scheme}://{}, forwarding to {upstream}",
            server.address(),
        );
        self.until_stopped(&mut server, files, signals).await?;
        eprintln!("stopping");
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    }

    /// Serves until told to stop, and reads again what changes.
    async fn until_stopped(
        &self,
        server: &mut Server,
        mut files: Watched,
        (stop, mut reload): (impl Future<Output = Result<()>>, Reload),
    ) -> Result<()> {
        tokio::pin!(stop);
        loop {
            let watch = async {
                if self.no_watch {
                    return std::future::pending().await;
                }
                tokio::time::sleep(watch::PERIOD).await;
            };
            let asked = tokio::select! {
                stopped = &mut stop => return stopped,
                () = reload.asked() => true,
                () = watch => false,
            };
            let changed = files.changed().map(std::path::Path::to_owned);
            if !asked && changed.is_none() {
                continue;
            }
            if let Some(changed) = changed {
                // Who writes it may not be done with it.
                tokio::task::spawn_blocking(move || watch::settle(&changed)).await?;
            }
            let module_changed = files.has_changed(&self.plugin.wasm);
            files = Watched::now(self.plugin.files());
            let reloaded = tokio::select! {
                stopped = &mut stop => return stopped,
                reloaded = self.reload(server, asked || module_changed) => reloaded,
            };
            match reloaded {
                Ok(()) => eprintln!("reloaded"),
                Err(error) => {
                    eprintln!("host-test: {error:#}\nnot reloaded: the last good one serves on")
                }
            }
        }
    }

    async fn reload(&self, server: &mut Server, module_too: bool) -> Result<()> {
        let plugin = self.plugin.plugin()?;
        if !module_too {
            return Ok(server.reconfigure(plugin).await?);
        }
        let this = self.plugin.clone();
        let compiled = move || this.module(Module::compile_for_speed);
        let module = tokio::task::spawn_blocking(compiled).await??;
        Ok(server.replace(&module, &plugin)?)
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
        self.tls.apply(&mut options)?;
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

/// SIGHUP, where there is one.
struct Reload {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Reload {
    #[cfg(unix)]
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup()).context("SIGHUP")?,
        })
    }

    #[cfg(not(unix))]
    fn new() -> Result<Self> {
        Ok(Self {})
    }

    async fn asked(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

/// Listens to the signals that end it from now on, and waits for one.
#[cfg(unix)]
fn told_to_stop() -> Result<impl Future<Output = Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> Result<impl Future<Output = Result<()>>> {
    Ok(async { tokio::signal::ctrl_c().await.context("interrupt") })
}
