//! The WASI preview1 calls that Envoy defines: output goes to the log, time and randomness come from the host,
//! and there are no files.

use wasmtime::Caller;

use super::call::{Answer, Call, Fault};
use super::table::Definitions;
use super::wasi_files as files;
use crate::log::Level;
use crate::profile::Support;
use crate::vm::Vm;

/// `errno` values of WASI preview1.
#[derive(Clone, Copy)]
pub(super) enum Errno {
    BadFile = 8,
    Fault = 21,
    Invalid = 28,
    NoEntry = 44,
    NoSystem = 52,
    NotDirectory = 20,
    NotSupported = 58,
}

/// `random_get` gives at most this many bytes, as in Envoy.
const MOST_RANDOM: u32 = 64 * 1024;

pub(super) type Done = Result<Option<Errno>, Fault>;

/// A failed memory access is `EFAULT` here, not a Proxy-Wasm status.
fn errno(done: Done) -> wasmtime::Result<u32> {
    match done {
        Ok(None) => Ok(0),
        Ok(Some(errno)) => Ok(errno as u32),
        Err(Fault::Status(_)) => Ok(Errno::Fault as u32),
        Err(Fault::Trap(error)) => Err(error),
    }
}

fn ok(answer: Answer) -> Done {
    answer.map(|()| None)
}

fn fd_write(call: &mut Call<'_>, fd: u32, vectors: u32, count: u32, written_to: u32) -> Done {
    let level = match fd {
        1 => Level::Info,
        2 => Level::Error,
        _ => return Ok(Some(Errno::BadFile)),
    };
    let mut output = Vec::new();
    for index in 0..count {
        let at = index
            .checked_mul(8)
            .and_then(|offset| vectors.checked_add(offset));
        let Some(at) = at else {
            return Ok(Some(Errno::Fault));
        };
        let vector = call.read(at, 8)?;
        let (Some(pointer), Some(size)) = (word(&vector, 0), word(&vector, 4)) else {
            return Ok(Some(Errno::Fault));
        };
        output.extend(call.read(pointer, size)?);
        if output.len() > call.vm().options.limits.log_bytes {
            return Ok(Some(Errno::Invalid));
        }
    }
    let written = u32::try_from(output.len()).unwrap_or(u32::MAX);
    if output.last() == Some(&b'\n') {
        output.pop();
    }
    if written > 0 {
        let context = call.context();
        call.vm().guest_log(level, context, &output);
    }
    ok(call.write_u32(written_to, written))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*word))
}

fn random_get(call: &mut Call<'_>, buffer: u32, size: u32) -> Done {
    if size > MOST_RANDOM {
        return Ok(Some(Errno::Invalid));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    // Randomness is dearer than a copy.
    call.charge(bytes.len().saturating_mul(16))?;
    if !call.vm().options.random.fill(&mut bytes) {
        return Ok(Some(Errno::NoSystem));
    }
    ok(call.write(buffer, &bytes))
}

fn clock_time_get(call: &mut Call<'_>, clock: u32, time_to: u32) -> Done {
    match clock {
        0 | 1 => {
            let now = call.vm().options.clock.nanoseconds();
            ok(call.write_u64(time_to, now))
        }
        _ => Ok(Some(Errno::NotSupported)),
    }
}

fn clock_res_get(call: &mut Call<'_>, clock: u32, resolution_to: u32) -> Done {
    match clock {
        0 | 1 => ok(call.write_u64(resolution_to, 1)),
        _ => Ok(Some(Errno::NotSupported)),
    }
}

fn variables(call: &mut Call<'_>) -> Vec<Vec<u8>> {
    let environment = &call.vm().plugin.environment;
    let entry = |(name, value): &(String, String)| format!("{name}={value}\0").into_bytes();
    environment.iter().map(entry).collect()
}

fn environ_get(call: &mut Call<'_>, mut pointers: u32, mut buffer: u32) -> Done {
    for variable in variables(call) {
        call.write_u32(pointers, buffer)?;
        call.write(buffer, &variable)?;
        let size = u32::try_from(variable.len()).unwrap_or(u32::MAX);
        let (Some(next), Some(free)) = (pointers.checked_add(4), buffer.checked_add(size)) else {
            return Ok(Some(Errno::Fault));
        };
        (pointers, buffer) = (next, free);
    }
    Ok(None)
}

fn environ_sizes_get(call: &mut Call<'_>, count_to: u32, size_to: u32) -> Done {
    let variables = variables(call);
    let size = variables
        .iter()
        .fold(0usize, |sum, each| sum.saturating_add(each.len()));
    call.write_u32(count_to, u32::try_from(variables.len()).unwrap_or(u32::MAX))?;
    ok(call.write_u32(size_to, u32::try_from(size).unwrap_or(u32::MAX)))
}

fn args_sizes_get(call: &mut Call<'_>, count_to: u32, size_to: u32) -> Done {
    call.write_u32(count_to, 0)?;
    ok(call.write_u32(size_to, 0))
}

/// Only the two outputs have a status: a character device that can be written.
fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, status_to: u32) -> Done {
    if !matches!(fd, 1 | 2) {
        return Ok(Some(Errno::BadFile));
    }
    let mut status = [0u8; 24];
    if let Some(rights) = status.get_mut(8) {
        *rights = 64;
    }
    ok(call.write(status_to, &status))
}

macro_rules! wasi {
    ($linker:ident, $module:ident, $name:literal, ($($arg:ident: $ty:ty),*), $done:expr) => {
        // Hosts either have a WASI call or lack it.
        if $linker.support($name) == Support::Works {
            $linker.linker.func_wrap($module, $name, |caller: Caller<'_, Vm>, $($arg: $ty),*| {
                #[allow(unused_mut, reason = "some calls touch nothing")]
                let mut call = Call::enter(caller, $name)?;
                let done: fn(&mut Call<'_>, $($ty),*) -> Done = $done;
                errno(done(&mut call, $($arg),*))
            })?;
        }
    };
}

/// Defines the calls under both names that toolchains use for this module.
pub(crate) fn define(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        wasi!(linker, module, "fd_write", (fd: u32, vectors: u32, count: u32, written: u32), fd_write);
        wasi!(linker, module, "fd_read", (a: u32, b: u32, c: u32, d: u32), |_, _, _, _, _| Ok(Some(Errno::NoSystem)));
        wasi!(linker, module, "fd_seek", (a: u32, b: i64, c: u32, d: u32), |_, _, _, _, _| Ok(None));
        wasi!(linker, module, "fd_close", (a: u32), |_, _| Ok(None));
        wasi!(linker, module, "fd_fdstat_get", (fd: u32, status: u32), fd_fdstat_get);
        wasi!(linker, module, "fd_fdstat_set_flags", (a: u32, b: u32), |_, _, _| Ok(Some(Errno::NoSystem)));
        wasi!(linker, module, "fd_filestat_get", (a: u32, b: u32), |_, _, _| Ok(Some(Errno::BadFile)));
        wasi!(linker, module, "fd_prestat_get", (a: u32, b: u32), |_, _, _| Ok(Some(Errno::BadFile)));
        wasi!(linker, module, "fd_prestat_dir_name", (a: u32, b: u32, c: u32), |_, _, _, _| Ok(Some(Errno::NoSystem)));
        wasi!(linker, module, "path_open",
            (a: u32, b: u32, c: u32, d: u32, e: u32, f: i64, g: i64, h: u32, i: u32),
            |_, _, _, _, _, _, _, _, _, _| Ok(Some(Errno::NoEntry)));
        wasi!(linker, module, "path_filestat_get", (a: u32, b: u32, c: u32, d: u32, e: u32),
            |_, _, _, _, _, _| Ok(Some(Errno::NotSupported)));
        wasi!(linker, module, "environ_get", (pointers: u32, buffer: u32), environ_get);
        wasi!(linker, module, "environ_sizes_get", (count: u32, size: u32), environ_sizes_get);
        wasi!(linker, module, "args_get", (a: u32, b: u32), |_, _, _| Ok(None));
        wasi!(linker, module, "args_sizes_get", (count: u32, size: u32), args_sizes_get);
        wasi!(linker, module, "clock_time_get", (clock: u32, precision: u64, time: u32),
            |call, clock, _, time| clock_time_get(call, clock, time));
        wasi!(linker, module, "clock_res_get", (clock: u32, resolution: u32), clock_res_get);
        wasi!(linker, module, "random_get", (buffer: u32, size: u32), random_get);
        wasi!(linker, module, "sched_yield", (), |_| Ok(None));
        wasi!(linker, module, "poll_oneoff", (a: u32, b: u32, c: u32, events: u32),
            |call, _, _, _, events| ok(call.write_u32(events, 0)));
        define_files(linker, module)?;
        // Envoy logs it and goes on; the guest's own next instruction after it is `unreachable`.
        linker.linker.func_wrap(
            module,
            "proc_exit",
            |caller: Caller<'_, Vm>, code: u32| -> wasmtime::Result<()> {
                let mut call = Call::enter(caller, "proc_exit")?;
                let context = call.context();
                call.vm().log(
                    Level::Error,
                    context,
                    format!("host-test: proc_exit({code})"),
                );
                Ok(())
            },
        )?;
    }
    Ok(())
}

fn define_files(linker: &mut Definitions<'_>, module: &str) -> wasmtime::Result<()> {
    wasi!(linker, module, "fd_advise", (a: u32, b: u64, c: u64, d: u32), |_, _, _, _, _| Ok(None));
    wasi!(linker, module, "fd_allocate", (fd: u32, b: u64, c: u64), |_, fd, _, _| files::only_outputs(fd));
    wasi!(linker, module, "fd_datasync", (fd: u32), |_, fd| files::only_outputs(fd));
    wasi!(linker, module, "fd_fdstat_set_rights", (fd: u32, b: u64, c: u64), |_, fd, _, _| files::only_outputs(fd));
    wasi!(linker, module, "fd_filestat_set_size", (fd: u32, b: u64), |_, fd, _| files::only_outputs(fd));
    wasi!(linker, module, "fd_filestat_set_times", (fd: u32, b: u64, c: u64, d: u32),
        |_, fd, _, _, _| files::only_outputs(fd));
    wasi!(linker, module, "fd_pread", (a: u32, b: u32, c: u32, d: u64, e: u32),
        |_, _, _, _, _, _| Ok(Some(Errno::NoSystem)));
    wasi!(linker, module, "fd_pwrite", (fd: u32, vectors: u32, count: u32, offset: u64, written: u32),
        |call, fd, vectors, count, _, written| fd_write(call, fd, vectors, count, written));
    wasi!(linker, module, "fd_readdir", (a: u32, b: u32, c: u32, d: u64, to: u32),
        |call, _, _, _, _, to| files::nothing(call, to, Errno::NotDirectory));
    wasi!(linker, module, "fd_renumber", (from: u32, to: u32), |_, from, to| files::renumber(from, to));
    wasi!(linker, module, "fd_sync", (fd: u32), |_, fd| files::only_outputs(fd));
    wasi!(linker, module, "fd_tell", (fd: u32, to: u32), files::tell);
    wasi!(linker, module, "path_create_directory", (a: u32, b: u32, c: u32),
        |_, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "path_filestat_set_times", (a: u32, b: u32, c: u32, d: u32, e: u64, f: u64, g: u32),
        |_, _, _, _, _, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "path_link", (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32),
        |_, _, _, _, _, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "path_readlink", (a: u32, b: u32, c: u32, d: u32, e: u32, to: u32),
        |call, _, _, _, _, _, to| files::nothing(call, to, Errno::NotSupported));
    wasi!(linker, module, "path_remove_directory", (a: u32, b: u32, c: u32),
        |_, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "path_rename", (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32),
        |_, _, _, _, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "path_symlink", (a: u32, b: u32, c: u32, d: u32, e: u32),
        |_, _, _, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "path_unlink_file", (a: u32, b: u32, c: u32), |_, _, _, _| Ok(Some(Errno::NotSupported)));
    wasi!(linker, module, "sock_accept", (a: u32, b: u32, to: u32),
        |call, _, _, to| files::nothing(call, to, Errno::NotSupported));
    wasi!(linker, module, "sock_recv", (a: u32, b: u32, c: u32, d: u32, size: u32, flags: u32),
        |call, _, _, _, _, size, flags| files::receive(call, size, flags));
    wasi!(linker, module, "sock_send", (a: u32, b: u32, c: u32, d: u32, size: u32),
        |call, _, _, _, _, size| files::nothing(call, size, Errno::NotSupported));
    wasi!(linker, module, "sock_shutdown", (a: u32, b: u32), |_, _, _| Ok(Some(Errno::NotSupported)));
    Ok(())
}
