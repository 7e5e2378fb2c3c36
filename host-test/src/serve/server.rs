//! A running server: its threads, its address, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::module::Module;
use crate::options::{Clusters, HostOptions, PluginConfig};
use crate::process::Process;
use crate::worker::Worker;

use super::listener::accept;
use super::options::{Options, StartError, Upstream};
use super::reload::taken;
use super::thread::{Notice, Thread};

/// A server. It ends with [`Server::stop`]; dropped, it ends without waiting for open requests.
pub struct Server {
    address: SocketAddr,
    pub(super) process: Process,
    pub(super) module: Module,
    pub(super) options: Arc<Options>,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
    pub(super) workers: Vec<UnboundedSender<Notice>>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts the filter in every worker, then listens. Must be called in a Tokio runtime, which accepts connections; they are
    /// served on threads of their own, one a worker.
    ///
    /// # Errors
    /// When the filter refuses its configuration, or the address can't be listened on.
    pub async fn start(
        module: &Module,
        plugin: PluginConfig,
        options: Options,
    ) -> Result<Self, StartError> {
        let options = Arc::new(options);
        let process = Process::new();
        believed(&options)?;
        let host = host_options(&options);
        let mut started = Vec::new();
        for _ in 0..options.workers.max(1) {
            let mut worker = Worker::new(module, plugin.clone(), host.clone(), &process);
            let outcome = worker.start();
            taken(&outcome)?;
            if let Some(filter_log) = &options.filter_log {
                outcome.logs.iter().for_each(|line| filter_log(line));
            }
            started.push(worker);
        }
        let listen = |error| StartError::Listen(options.listen, error);
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for (index, worker) in started.into_iter().enumerate() {
            let (sender, notices) = tokio::sync::mpsc::unbounded_channel();
            let thread = Thread {
                worker,
                options: Arc::clone(&options),
                runtime: tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(StartError::Thread)?,
                notices,
                own: sender.clone(),
                stop: stopped.clone(),
                address,
            };
            let thread = std::thread::Builder::new()
                .name(format!("vm-{index}"))
                .spawn(move || thread.run())
                .map_err(StartError::Thread)?;
            workers.push(sender);
            threads.push(thread);
        }
        let accepting = accept(Arc::clone(&options), workers.clone(), listener, stopped);
        let accepting = tokio::spawn(accepting);
        Ok(Self {
            address,
            process,
            module: module.clone(),
            options,
            stop,
            accepting,
            workers,
            threads,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Metrics and shared data of the filter.
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// Stops accepting, waits for open requests as long as the options allow, then ends the workers.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        // A task that panicked has ended too.
        let _ = (&mut self.accepting).await;
        self.end_workers();
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }

    fn end_workers(&self) {
        for worker in &self.workers {
            let _ = worker.send(Notice::Stop);
        }
    }
}

/// The host round the filter, with the clusters that callouts can go to.
pub(super) fn host_options(options: &Options) -> HostOptions {
    HostOptions {
        clusters: Clusters::named(options.clusters.keys().cloned()),
        ..options.host.clone()
    }
}

/// Origins that want TLS need somebody to believe.
fn believed(options: &Options) -> Result<(), StartError> {
    if options.origin_tls.is_some() {
        return Ok(());
    }
    let upstream = match &options.upstream {
        Upstream::Origin(origin) => Some(origin),
        Upstream::Answer(_) => None,
    };
    let mut origins = upstream.into_iter().chain(options.clusters.values());
    match origins.find(|origin| origin.is_tls()) {
        Some(origin) => Err(StartError::Untrusted(origin.clone())),
        None => Ok(()),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.end_workers();
    }
}
