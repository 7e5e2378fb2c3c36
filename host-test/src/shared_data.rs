//! Shared data: a key/value store per `vm_id`, with compare-and-swap numbers.

use std::collections::HashMap;

use crate::abi::status::Status;

/// All stores of a process.
#[derive(Default)]
pub(crate) struct SharedData {
    stores: HashMap<String, Store>,
    last_cas: u32,
}

#[derive(Default)]
struct Store {
    entries: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    bytes: usize,
}

impl SharedData {
    pub(crate) fn get(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.stores.get(vm_id)?.entries.get(key).cloned()
    }

    /// Sets a key. `cas` 0 is unconditional, and a missing key is made whatever `cas` says, as in Envoy.
    pub(crate) fn set(
        &mut self,
        vm_id: &str,
        key: Vec<u8>,
        value: Vec<u8>,
        cas: u32,
        bound: usize,
    ) -> Result<(), Status> {
        let store = self.stores.entry(vm_id.to_owned()).or_default();
        let old = store.entries.get(&key);
        if let Some((_, known)) = old
            && cas != 0
            && cas != *known
        {
            return Err(Status::CasMismatch);
        }
        let freed = old.map_or(0, |(value, _)| key.len().saturating_add(value.len()));
        let bytes = store
            .bytes
            .saturating_sub(freed)
            .saturating_add(key.len())
            .saturating_add(value.len());
        if bytes > bound {
            return Err(Status::InternalFailure);
        }
        // 0 means "no number", so it is skipped when the counter wraps.
        self.last_cas = self.last_cas.wrapping_add(1).max(1);
        store.bytes = bytes;
        store.entries.insert(key, (value, self.last_cas));
        Ok(())
    }
}
