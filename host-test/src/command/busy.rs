//! Says what takes long: nothing while it is quick, then on a terminal one line that is renewed, elsewhere one line.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long something may stay silent.
const QUIET: Duration = Duration::from_secs(2);
/// How often a terminal's line is renewed.
const PERIOD: Duration = Duration::from_secs(1);

/// Something that may take long is being done, until the value is dropped. It is told on standard error.
pub(crate) struct Busy(Option<(Sender<()>, JoinHandle<()>)>);

impl Busy {
    /// Starts the clock. `what` is said of it, as `compiling filter.wasm`.
    pub(crate) fn with(what: String) -> Self {
        let errors = std::io::stderr();
        let terminal = errors.is_terminal();
        Self::telling(what, terminal, QUIET, PERIOD, errors)
    }

    fn telling(
        what: String,
        terminal: bool,
        quiet: Duration,
        period: Duration,
        mut to: impl Write + Send + 'static,
    ) -> Self {
        let began = Instant::now();
        let (end, ended) = mpsc::channel();
        let goes_on = move |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        // Nobody reads any more: no reason to stop the work.
        let tell = move || {
            if !goes_on(quiet) {
                return;
            }
            if !terminal {
                let _ = writeln!(to, "{what}");
                return;
            }
            loop {
                // At the line's start again: what others say overwrites it.
                let seconds = began.elapsed().as_secs();
                let _ = write!(to, "\r\x1b[K{what}: {seconds} s\r").and_then(|()| to.flush());
                if !goes_on(period) {
                    break;
                }
            }
            let _ = write!(to, "\x1b[K").and_then(|()| to.flush());
        };
        // Without a thread nothing is said, and the work is done all the same.
        let thread = std::thread::Builder::new().spawn(tell).ok();
        Self(thread.map(|thread| (end, thread)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            // Its line is gone before anything else is said.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// Waits for so many renewed lines.
        fn wait(&self, lines: usize) {
            while self.text().matches("work").count() < lines {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    const SHORT: Duration = Duration::from_millis(2);
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_quick_is_not_told() {
        let screen = Screen::default();
        for terminal in [true, false] {
            drop(Busy::telling(
                "work".to_owned(),
                terminal,
                LONG,
                LONG,
                screen.clone(),
            ));
        }
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn elsewhere_it_is_told_once() {
        let screen = Screen::default();
        let busy = Busy::telling("work".to_owned(), false, SHORT, SHORT, screen.clone());
        screen.wait(1);
        std::thread::sleep(10 * SHORT);
        drop(busy);
        assert_eq!(screen.text(), "work\n");
    }

    #[test]
    fn a_terminal_has_one_line_that_is_renewed_and_then_gone() {
        let screen = Screen::default();
        let busy = Busy::telling("work".to_owned(), true, SHORT, SHORT, screen.clone());
        screen.wait(3);
        drop(busy);
        let text = screen.text();
        assert!(
            text.starts_with("\r\x1b[Kwork: 0 s\r\r\x1b[Kwork: 0 s\r"),
            "{text:?}"
        );
        assert!(
            text.ends_with(" s\r\x1b[K") && !text.contains('\n'),
            "{text:?}"
        );
    }
}
