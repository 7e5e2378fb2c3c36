//! Shared data of the scripted host, as Envoy has it.

use super::FakeHost;
use crate::HostError;

impl FakeHost {
    pub(crate) fn on_shared_data(
        &mut self,
        key: &[u8],
        most: usize,
    ) -> Result<(Vec<u8>, u32), HostError> {
        self.shared_reads = self.shared_reads.saturating_add(1);
        HostError::check(self.status("get_shared_data"))?;
        let key = String::from_utf8_lossy(key).into_owned();
        let found = self.shared_data.get(&key).ok_or(HostError::NotFound)?;
        if found.0.len() > most {
            // No memory is lent for it.
            return Err(HostError::InvalidMemoryAccess);
        }
        Ok(found.clone())
    }

    pub(crate) fn on_set_shared_data(&mut self, key: &[u8], value: &[u8], cas: u32) -> u32 {
        let status = self.status("set_shared_data");
        if status != 0 {
            return status;
        }
        let key = String::from_utf8_lossy(key).into_owned();
        let known = self.shared_data.get(&key);
        if known.is_some_and(|(_, known)| cas != 0 && cas != *known) {
            return 8;
        }
        self.last_cas = self.last_cas.wrapping_add(1).max(1);
        self.shared_data
            .insert(key, (value.to_vec(), self.last_cas));
        0
    }
}
