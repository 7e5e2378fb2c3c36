//! A filter that has got the `vm_id` of another one and meddles with its shared data, with every tick.
//!
//! Its configuration is a line with the prefix of the keys, one with what it does, and for `forge` a third with what it would like the
//! other to read: `watch` (nothing), `empty`, `flip` a bit, `cut`, `swell` to 1 MiB, `replay` what it saw first, `mix` values among
//! keys, `forge`. Keys are the prefix and three hexadecimal digits. The counter `meddler.writes` says how many values it changed.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "natively this is only checked")
)]

mod host;
mod memory;

#[cfg(target_arch = "wasm32")]
mod exports;

use std::cell::RefCell;
use std::collections::BTreeMap;

const KEYS: u16 = 4096;
const PERIOD_MS: u32 = 50;
const PLUGIN_CONFIGURATION: u32 = 7;
const COUNTER: u32 = 0;

/// What stands in a value before its numbers and after its mark: a MAC and an identity.
const MARK: usize = 4;
const HASHES: usize = 64;

#[derive(Default)]
struct Meddler {
    prefix: String,
    mode: String,
    forged: Vec<u8>,
    /// What stood under each key when it was seen first.
    first: BTreeMap<u16, Vec<u8>>,
    ticks: usize,
    writes: u32,
}

thread_local! {
    static MEDDLER: RefCell<Meddler> = RefCell::default();
}

fn configure(size: u32) -> u32 {
    memory::forget();
    let (pointer, length) = (memory::result(0), memory::result(1));
    if host::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, pointer, length) != 0 {
        return 0;
    }
    let text = memory::bytes(memory::word(0), memory::word(1));
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines = text.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let (prefix, mode, forged) = (next(), next(), next().into_bytes());
    let (name, name_size) = memory::of(b"meddler.writes");
    let defined = host::proxy_define_metric(COUNTER, name, name_size, memory::result(0));
    let writes = memory::word(0);
    MEDDLER.with_borrow_mut(|meddler| {
        *meddler = Meddler {
            prefix,
            mode,
            forged,
            writes,
            ..Meddler::default()
        }
    });
    u32::from(defined == 0 && host::proxy_set_tick_period_milliseconds(PERIOD_MS) == 0)
}

fn read(key: &str) -> Option<Vec<u8>> {
    memory::forget();
    let (name, name_size) = memory::of(key.as_bytes());
    let (pointer, length) = (memory::result(0), memory::result(1));
    let status = host::proxy_get_shared_data(name, name_size, pointer, length, memory::result(2));
    (status == 0).then(|| memory::bytes(memory::word(0), memory::word(1)))
}

fn write(key: &str, value: &[u8]) -> bool {
    let (name, name_size) = memory::of(key.as_bytes());
    let (value, value_size) = memory::of(value);
    host::proxy_set_shared_data(name, name_size, value, value_size, 0) == 0
}

fn now() -> u64 {
    host::proxy_get_current_time_nanoseconds(memory::result(0));
    (u64::from(memory::word(1)) << 32) | u64::from(memory::word(0))
}

impl Meddler {
    /// A value that promises the most, under the other's own identity: only its MAC is wrong.
    fn forge(&self, seen: &[u8]) -> Vec<u8> {
        let mut value: Vec<u8> = seen
            .iter()
            .copied()
            .take(MARK.saturating_add(HASHES))
            .collect();
        for number in [0, 0, 0, now(), u64::MAX, u64::MAX] {
            value.extend(number.to_be_bytes());
        }
        value.extend(&self.forged);
        value
    }

    /// What to write in the place of a value. `None` to leave it.
    fn changed(&self, key: u16, seen: &[u8], all: &[(u16, Vec<u8>)]) -> Option<Vec<u8>> {
        let mut value = seen.to_vec();
        match self.mode.as_str() {
            "empty" => value.clear(),
            "flip" => {
                let place = self.ticks.checked_rem(value.len())?;
                *value.get_mut(place)? ^= 1;
            }
            "cut" => drop(value.pop()?),
            "swell" => value.resize(1 << 20, b'x'),
            "replay" => value.clone_from(self.first.get(&key)?),
            "mix" => {
                let (_, other) = all.get(self.ticks.checked_rem(all.len())?)?;
                value.clone_from(other);
            }
            "forge" => value = self.forge(seen),
            _ => return None,
        }
        Some(value)
    }

    fn tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        let name = |key: u16| format!("{}{key:03x}", self.prefix);
        let all: Vec<(u16, Vec<u8>)> = (0..KEYS)
            .filter_map(|key| Some((key, read(&name(key))?)))
            .collect();
        for (key, value) in &all {
            self.first.entry(*key).or_insert_with(|| value.clone());
        }
        for (key, seen) in &all {
            if let Some(value) = self.changed(*key, seen, &all)
                && value != *seen
                && write(&format!("{}{key:03x}", self.prefix), &value)
            {
                host::proxy_increment_metric(self.writes, 1);
            }
        }
    }
}

fn tick() {
    MEDDLER.with_borrow_mut(Meddler::tick);
}
