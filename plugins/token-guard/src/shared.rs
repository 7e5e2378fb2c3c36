//! The engine's store of what workers share, as shared data of the host.

use portcullis_abi::{Host, HostError, LogLevel, SharedData};
use portcullis_engine::{Found, Guard, SharedStore, Version, Written};

struct HostStore(SharedData);

impl SharedStore for HostStore {
    fn read(&self, key: &str, most: usize) -> Found {
        match self.0.get(key, most) {
            Ok((value, number)) => Found::Value(value, number),
            Err(HostError::NotFound) => Found::Nothing,
            Err(HostError::Unimplemented) => Found::NoStore,
            Err(_) => Found::Unreadable,
        }
    }

    fn write(&self, key: &str, value: &[u8], over: Version) -> Written {
        let written = match over {
            Version::Absent => self.0.make(key, value),
            Version::Is(number) => self.0.swap(key, value, number),
            Version::Any => self.0.overwrite(key, value),
        };
        match written {
            Ok(()) => Written::Done,
            Err(HostError::CasMismatch) => Written::Lost,
            Err(_) => Written::Failed,
        }
    }
}

/// Lets workers share what they fetched, if the document says so and the host can: the turn of a worker comes with a tick, and who
/// waits for it is woken then.
pub(crate) fn share(guard: &mut Guard, host: &Host<'_>, can_wait: bool) {
    if !guard.config().shares() {
        return;
    }
    if !can_wait {
        let line = "portcullis: the host has no timer, or wakes no other requests: `shared` is left aside, and each worker fetches \
                    its keys by itself";
        host.log(LogLevel::Warn, line);
        return;
    }
    guard.share_through(Box::new(HostStore(host.shared_data())));
}
