//! What the kernel says about a process: CPU time and memory.

use std::time::Duration;

use anyhow::{Context, Result};

/// Linux reports CPU time in ticks of this many a second, on every architecture it has today (USER_HZ).
const TICKS_PER_SECOND: u64 = 100;

/// CPU time that the process has used, in user and kernel mode, all threads.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the command's name in brackets and may itself have spaces and brackets.
    let (_, fields) = stat
        .rsplit_once(") ")
        .context("/proc/PID/stat looks different here")?;
    let ticks = |nth: usize| -> Result<u64> {
        fields
            .split(' ')
            .nth(nth - 3)
            .context("/proc/PID/stat is short")?
            .parse()
            .context("not a number")
    };
    // Fields 14 (utime) and 15 (stime) of proc(5), which counts from 1.
    Ok(Duration::from_millis(
        (ticks(14)? + ticks(15)?) * 1000 / TICKS_PER_SECOND,
    ))
}

/// Memory that the process holds, in KiB.
pub fn resident_memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .context("VmRSS is not a number")
}
