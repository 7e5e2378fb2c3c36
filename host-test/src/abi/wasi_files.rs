//! The rest of WASI preview1, as Envoy defines it: files and sockets that are not there. Toolchains import them, programs
//! rarely call them.

use super::call::Call;
use super::wasi::{Done, Errno};

/// Succeeds on the two outputs, which are the only files.
pub(super) const fn only_outputs(fd: u32) -> Done {
    match fd {
        1 | 2 => Ok(None),
        _ => Ok(Some(Errno::BadFile)),
    }
}

/// Gives zero through a pointer, and this error.
pub(super) fn nothing(call: &mut Call<'_>, to: u32, errno: Errno) -> Done {
    call.write_u32(to, 0)?;
    Ok(Some(errno))
}

pub(super) fn tell(call: &mut Call<'_>, fd: u32, to: u32) -> Done {
    if let errno @ Ok(Some(_)) = only_outputs(fd) {
        return errno;
    }
    call.write_u64(to, 0)?;
    Ok(None)
}

pub(super) fn receive(call: &mut Call<'_>, size_to: u32, flags_to: u32) -> Done {
    call.write(flags_to, &[0, 0])?;
    nothing(call, size_to, Errno::NotSupported)
}

pub(super) const fn renumber(from: u32, to: u32) -> Done {
    match (from, to) {
        (1 | 2, 1 | 2) => Ok(Some(Errno::NotSupported)),
        _ => Ok(Some(Errno::BadFile)),
    }
}

/// Names of the calls here: only Envoy is known to define them.
pub(crate) const NAMES: &[&str] = &[
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_pwrite",
    "fd_readdir",
    "fd_renumber",
    "fd_sync",
    "fd_tell",
    "path_create_directory",
    "path_filestat_set_times",
    "path_link",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
    "emscripten_notify_memory_growth",
    "pthread_equal",
];
