//! The command as it runs: its lines as they come, signals, its end. Everything is waited for, with a limit that only a hang reaches.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Two cores that are busy otherwise compile the guard for tens of seconds.
const LIMIT: Duration = Duration::from_secs(240);

/// A running `host-test`; it is killed with the value.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// All that it said and that was looked at.
    seen: Vec<String>,
}

impl Running {
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_host-test"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, lines) = channel();
        forward(child.stdout.take().unwrap(), to.clone());
        forward(child.stderr.take().unwrap(), to);
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line, of those that have not been looked at, that begins so.
    pub(crate) fn line(&mut self, start: &str) -> String {
        let limit = Instant::now() + LIMIT;
        while let Ok(line) = self
            .lines
            .recv_timeout(limit.saturating_duration_since(Instant::now()))
        {
            self.seen.push(line.clone());
            if line.starts_with(start) {
                return line;
            }
        }
        panic!("no line {start:?} in {:#?}", self.seen);
    }

    /// Where `serve` says that it listens.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.line("listening on ");
        let address = line.split_once("http://").unwrap().1;
        address.split_once(',').unwrap().0.parse().unwrap()
    }

    /// Sends it a signal, as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end, and gives all that it said.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        let limit = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < limit, "it runs on: {:#?}", self.seen);
            std::thread::sleep(Duration::from_millis(10));
        };
        let rest: Vec<String> = self.lines.iter().collect();
        self.seen.extend(rest);
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of both outputs come in one queue, each in its order.
fn forward(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

/// A file that whoever reads it waits for, until somebody writes it.
pub(crate) fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}
