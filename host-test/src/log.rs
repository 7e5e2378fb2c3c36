//! Lines that a guest logs, kept up to a bound until somebody takes them.

use std::fmt;

/// Proxy-Wasm log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0
    Trace,
    /// 1
    Debug,
    /// 2
    Info,
    /// 3
    Warn,
    /// 4
    Error,
    /// 5
    Critical,
}

impl Level {
    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }

    pub(crate) const fn code(self) -> u32 {
        self as u32
    }

    /// Lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        (0..=5)
            .filter_map(Self::from_code)
            .find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One line from the guest, or from the host about it (a trap).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How grave.
    pub level: Level,
    /// Context that was running; 0 while the module starts.
    pub context: u32,
    /// The text; invalid UTF-8 is replaced.
    pub message: String,
}

/// The kept lines.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Vec<LogLine>,
    bytes: usize,
    /// Lines that were over the bound since the last take.
    dropped: u64,
}

impl Log {
    pub(crate) fn push(&mut self, level: Level, context: u32, message: String, bound: usize) {
        let bytes = self.bytes.saturating_add(message.len()).saturating_add(64);
        if bytes > bound {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.bytes = bytes;
        self.lines.push(LogLine {
            level,
            context,
            message,
        });
    }

    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        let mut lines = std::mem::take(&mut self.lines);
        if self.dropped > 0 {
            lines.push(LogLine {
                level: Level::Warn,
                context: 0,
                message: format!("host-test: {} further lines were not kept", self.dropped),
            });
        }
        *self = Self::default();
        lines
    }
}
