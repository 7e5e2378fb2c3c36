//! Requests that flow all the time while something else happens, and every answer judged.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::{Domain, Socket, Type};

use crate::http_client::Connection;
use crate::scenario::head;

/// A request that is sent over and over, and the only right answer to it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What it is called when its answer is wrong.
    pub name: String,
    /// The request.
    pub request: Vec<u8>,
    /// The right status.
    pub status: u16,
}

impl Sample {
    /// `GET path` with `token`.
    pub fn get(name: impl Into<String>, path: &str, token: Option<&str>, status: u16) -> Self {
        Self {
            name: name.into(),
            request: head("GET", path, token, ""),
            status,
        }
    }
}

/// How long a thread rests between two requests: traffic is meant to be steady, not to fill the machine.
const REST: Duration = Duration::from_millis(2);

/// Threads that send samples in turn on kept connections.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    samples: RwLock<Arc<Vec<Sample>>>,
    stop: AtomicBool,
    right: AtomicU64,
    wrong: Mutex<Vec<String>>,
    began: Instant,
}

impl Traffic {
    /// Starts `threads` clients of `target`.
    pub fn start(target: SocketAddr, threads: usize, samples: Vec<Sample>) -> Self {
        let shared = Arc::new(Shared {
            target,
            samples: RwLock::new(Arc::new(samples)),
            stop: AtomicBool::new(false),
            right: AtomicU64::new(0),
            wrong: Mutex::new(Vec::new()),
            began: Instant::now(),
        });
        let threads = (0..threads)
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.run())
            })
            .collect();
        Self { shared, threads }
    }

    /// Sends these from now on. Answers to requests that were on their way are judged by what was right for them.
    pub fn send(&self, samples: Vec<Sample>) {
        *self
            .shared
            .samples
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(samples);
    }

    /// Right answers so far.
    pub fn right(&self) -> u64 {
        self.shared.right.load(Ordering::SeqCst)
    }

    /// Waits until `count` more answers have come.
    pub fn flow(&self, count: u64) -> Result<()> {
        let goal = self.right() + count;
        let patience = Instant::now() + Duration::from_secs(60);
        while self.right() < goal {
            if Instant::now() > patience {
                bail!("traffic has stopped: {}", self.wrong().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends the traffic. Fails with the wrong answers if there was even one; else tells how many were right.
    pub fn finish(mut self) -> Result<u64> {
        self.end();
        let wrong = self.wrong();
        if !wrong.is_empty() {
            let shown = wrong
                .iter()
                .take(10)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n");
            bail!(
                "{} wrong answers beside {} right ones:\n{shown}",
                wrong.len(),
                self.right()
            );
        }
        Ok(self.right())
    }

    fn wrong(&self) -> Vec<String> {
        self.shared
            .wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _joined = thread.join();
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn run(&self) {
        let mut connection = None;
        for turn in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let samples = Arc::clone(&*self.samples.read().unwrap_or_else(PoisonError::into_inner));
            if let Some(sample) = samples.get(turn % samples.len().max(1)) {
                self.send(&mut connection, sample);
            }
            std::thread::sleep(REST);
        }
    }

    fn send(&self, connection: &mut Option<Connection>, sample: &Sample) {
        match exchange(
            || Connection::open(self.target),
            connection,
            &sample.request,
        ) {
            Ok((status, _)) if status == sample.status => {
                self.right.fetch_add(1, Ordering::SeqCst);
            }
            Ok((status, why)) => self.record(format!(
                "{}: {status} ({why}), not {}",
                sample.name, sample.status
            )),
            Err(error) => self.record(format!("{}: {error:#}", sample.name)),
        }
    }

    fn record(&self, what: String) {
        let line = format!("after {:.2} s, {what}", self.began.elapsed().as_secs_f64());
        self.wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}

/// Sends a request on the kept connection, or on a new one; gives the status and what was said about it.
fn exchange(
    connect: impl FnOnce() -> Result<Connection>,
    kept: &mut Option<Connection>,
    request: &[u8],
) -> Result<(u16, String)> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => connect()?,
    };
    connection.send(request)?;
    let response = connection.receive()?;
    // A draining listener says so, and the client must leave.
    if response.header("connection") != Some("close") {
        *kept = Some(connection);
    }
    Ok((
        response.status,
        response
            .header("www-authenticate")
            .unwrap_or("no challenge")
            .to_owned(),
    ))
}

/// A bounded flood of bad requests from one loopback address that is not the valid clients' (127.0.0.1).
///
/// Sends each request once, as fast as answers come; gives how often each status came.
pub fn flood(
    target: SocketAddr,
    source: Ipv4Addr,
    requests: impl Iterator<Item = Vec<u8>>,
) -> Result<BTreeMap<u16, u64>> {
    let mut connection = None;
    let mut answers = BTreeMap::new();
    for request in requests {
        let (status, _) = exchange(|| connect_from(source, target), &mut connection, &request)?;
        *answers.entry(status).or_default() += 1;
    }
    Ok(answers)
}

/// A connection from an address of our choice.
pub(crate) fn connect_from(source: Ipv4Addr, target: SocketAddr) -> Result<Connection> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&target.into())?;
    Connection::over(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Upstream;

    #[test]
    fn one_wrong_answer_fails_the_traffic() {
        let upstream = Upstream::start().unwrap();
        let right = Sample::get("right", "/", None, 200);
        let traffic = Traffic::start(upstream.address(), 2, vec![right.clone()]);
        traffic.flow(20).unwrap();
        assert!(traffic.finish().unwrap() >= 20);

        let wrong = Sample::get("wrong", "/", None, 401);
        let traffic = Traffic::start(upstream.address(), 1, vec![right.clone(), wrong]);
        traffic.flow(5).unwrap();
        traffic.send(vec![right]);
        traffic.flow(5).unwrap();
        let error = traffic.finish().unwrap_err().to_string();
        assert!(error.contains("wrong: 200"), "{error}");
    }

    #[test]
    fn a_flood_counts_what_it_is_answered() {
        let upstream = Upstream::start().unwrap();
        let requests = (0..10).map(|_| head("GET", "/", None, ""));
        let answers = flood(upstream.address(), Ipv4Addr::new(127, 0, 0, 2), requests).unwrap();
        assert_eq!(answers, BTreeMap::from([(200, 10)]));
    }
}
