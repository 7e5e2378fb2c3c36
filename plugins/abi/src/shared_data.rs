//! Shared data: values that all VMs of one `vm_id` read and write, on all threads of the proxy.

use crate::{HostError, sys};

/// A number that no value has, for a write that is to make a key: hosts ignore it where there is none, and refuse it where there is
/// one (0 would be "whatever is there").
const NO_VALUE: u32 = u32::MAX;

/// Access to shared data. Whether the host has any shows when it is used ([`HostError::Unimplemented`]).
///
/// It acts on no context, so it may be kept beyond the callback in which [`Host::shared_data`](crate::Host::shared_data) gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedData(());

impl SharedData {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// A value and its compare-and-swap number.
    ///
    /// # Errors
    ///
    /// [`HostError::NotFound`] for a key without one. For a value over `most` bytes no memory is given: [`HostError::TooLarge`].
    pub fn get(self, key: &str, most: usize) -> Result<(Vec<u8>, u32), HostError> {
        match sys::shared_data(key.as_bytes(), most) {
            Ok((value, _)) if value.len() > most => Err(HostError::TooLarge),
            // No memory was lent.
            Err(HostError::InvalidMemoryAccess) => Err(HostError::TooLarge),
            found => found,
        }
    }

    /// Sets a value in the place of that of this number.
    ///
    /// # Errors
    ///
    /// [`HostError::CasMismatch`] when another writer was faster; else the host's status.
    pub fn swap(self, key: &str, value: &[u8], number: u32) -> Result<(), HostError> {
        // Zero is no number, and would overwrite whatever is there.
        self.write(key, value, if number == 0 { NO_VALUE } else { number })
    }

    /// Sets the value of a key that has none.
    ///
    /// # Errors
    ///
    /// [`HostError::CasMismatch`] when it has one meanwhile; else the host's status.
    pub fn make(self, key: &str, value: &[u8]) -> Result<(), HostError> {
        self.write(key, value, NO_VALUE)
    }

    /// Sets a value, whatever was there.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub fn overwrite(self, key: &str, value: &[u8]) -> Result<(), HostError> {
        self.write(key, value, 0)
    }

    fn write(self, key: &str, value: &[u8], number: u32) -> Result<(), HostError> {
        HostError::check(sys::set_shared_data(key.as_bytes(), value, number))
    }
}

#[cfg(test)]
mod tests {
    use super::SharedData;
    use crate::HostError;
    use crate::fake::{FakeHost, with};

    fn data() -> SharedData {
        with(|host| *host = FakeHost::default());
        SharedData::new()
    }

    #[test]
    fn a_key_is_made_once_and_swapped_by_its_number() {
        let data = data();
        assert_eq!(data.get("a", 9), Err(HostError::NotFound));
        assert_eq!(data.make("a", b"1"), Ok(()));
        assert_eq!(data.make("a", b"2"), Err(HostError::CasMismatch));
        let (value, number) = data.get("a", 9).unwrap();
        assert_eq!(value, b"1");
        assert_eq!(data.swap("a", b"3", number), Ok(()));
        assert_eq!(data.swap("a", b"4", number), Err(HostError::CasMismatch));
        assert_eq!(data.overwrite("a", b"5"), Ok(()));
        assert_eq!(data.get("a", 9).unwrap().0, b"5");
    }

    #[test]
    fn zero_is_no_number() {
        let data = data();
        assert_eq!(data.make("a", b"1"), Ok(()));
        assert_eq!(data.swap("a", b"2", 0), Err(HostError::CasMismatch));
    }

    #[test]
    fn long_values_and_failing_hosts_are_told() {
        let data = data();
        assert_eq!(data.overwrite("a", b"1234"), Ok(()));
        assert_eq!(data.get("a", 4).unwrap().0, b"1234");
        assert_eq!(data.get("a", 3), Err(HostError::TooLarge));
        for (status, error) in [
            (12, HostError::Unimplemented),
            (10, HostError::InternalFailure),
        ] {
            with(|host| {
                host.fail.insert("get_shared_data", status);
                host.fail.insert("set_shared_data", status);
            });
            assert_eq!(data.get("a", 9), Err(error));
            assert_eq!(data.make("a", b""), Err(error));
        }
    }
}
