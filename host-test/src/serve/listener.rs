//! Accepting connections and dealing them out to the worker threads in turn.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, watch};

use super::options::Options;
use super::thread::{Arrival, Notice};

/// Accepts until told to stop, then waits for what is open, as long as the options allow.
pub(crate) async fn accept(
    options: Arc<Options>,
    workers: Vec<UnboundedSender<Notice>>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) {
    let most = u32::try_from(options.connections).unwrap_or(u32::MAX);
    let permits = Arc::new(Semaphore::new(options.connections));
    let mut turns = workers.iter().cycle();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            _ = stop.changed() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let accepted = accepted.and_then(|(stream, source)| Ok((stream.into_std()?, source)));
        let (Ok((stream, source)), Ok(permit)) = (accepted, permit) else {
            // Out of descriptors, or a client that left in between: neither is helped by hurrying.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut notice = Notice::Connection(Arrival {
            stream,
            source,
            permit,
        });
        // A worker that has ended takes none; with all of them gone the connection is closed.
        for worker in turns.by_ref().take(workers.len()) {
            match worker.send(notice) {
                Ok(()) => break,
                Err(back) => notice = back.0,
            }
        }
    }
    drop(listener);
    // All permits are back when all connections have ended.
    let _ = tokio::time::timeout(options.drain_timeout, permits.acquire_many(most)).await;
}
