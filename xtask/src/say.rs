//! What the person at the terminal sees: steps, notes, and a live line while something long runs.
//!
//! On a terminal the live line is rewritten in place. Elsewhere (CI, a pipe) a plain line appears after two seconds
//! and then every twenty, so that a log stays readable and a stuck step is seen for what it is.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long something may stay silent.
const QUIET: Duration = Duration::from_secs(2);
/// How often a plain log hears from a step that goes on.
const PLAIN_INTERVAL: Duration = Duration::from_secs(20);
/// The live line must not wrap, or it could not be rewritten.
const LINE: usize = 96;

/// Several steps run at once: none has the terminal's last line for itself.
static SHARED: AtomicBool = AtomicBool::new(false);

/// Says whether several steps run at once from now on: each then tells how it goes on in lines of its own.
pub(crate) fn share_the_line(shared: bool) {
    SHARED.store(shared, Ordering::Relaxed);
}

/// A heading: one stage of a longer command.
pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}

/// One indented line.
pub(crate) fn note(text: &str) {
    println!("   {text}");
}

/// `0.4 s`, `73 s`, `4 min 05 s`.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Cuts `text` to at most `width` characters, with a mark where something is missing.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// One running step. [`Step::tick`] is called several times a second with what the step last said.
pub(crate) struct Step {
    what: String,
    start: Instant,
    last_plain: Option<Instant>,
    live: bool,
    drawn: bool,
}

impl Step {
    /// Starts the clock; nothing is printed yet.
    pub(crate) fn start(what: &str) -> Self {
        let live = std::io::stdout().is_terminal()
            && std::env::var_os("CI").is_none()
            && !SHARED.load(Ordering::Relaxed);
        Self {
            what: what.to_owned(),
            start: Instant::now(),
            last_plain: None,
            live,
            drawn: false,
        }
    }

    /// Time since the start.
    pub(crate) fn time(&self) -> Duration {
        self.start.elapsed()
    }

    /// Shows that the step goes on, if it is time to.
    pub(crate) fn tick(&mut self, last: &str) {
        if self.time() < QUIET {
            return;
        }
        let line = shorten(
            &format!("… {} {}  {}", self.what, elapsed(self.time()), last.trim()),
            LINE,
        );
        if self.live {
            print!("\r\x1b[2K   {line}");
            // A terminal that went away is no reason to stop the work.
            let _ = std::io::stdout().flush();
            self.drawn = true;
        } else if self
            .last_plain
            .is_none_or(|at| at.elapsed() >= PLAIN_INTERVAL)
        {
            println!("   {line}");
            self.last_plain = Some(Instant::now());
        }
    }

    /// The last line of the step: `ok` or `FAILED`, what it was, and how long it took.
    pub(crate) fn end(self, ok: bool) {
        self.end_with(if ok { "ok" } else { "FAILED" });
    }

    /// The last line with another verdict.
    pub(crate) fn end_with(self, verdict: &str) {
        if self.drawn {
            print!("\r\x1b[2K");
        }
        println!(
            "   {verdict:<7} {:<62} {:>12}",
            self.what,
            elapsed(self.time())
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(elapsed(Duration::from_millis(440)), "0.4 s");
        assert_eq!(elapsed(Duration::from_secs(73)), "73 s");
        assert_eq!(elapsed(Duration::from_secs(245)), "4 min 05 s");
    }

    #[test]
    fn long_lines_are_cut_by_characters() {
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("äbcd", 3), "äb…");
    }
}
