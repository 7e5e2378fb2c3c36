//! The store that all workers of a proxy share, as the engine asks for it.

/// A synchronous key/value store of the whole proxy (Proxy-Wasm: shared data).
///
/// Nobody owns it: every module with the same `vm_id` reads, writes and replays what it likes. The engine believes nothing that
/// comes out of it without a MAC, and does without it whatever it answers.
pub trait SharedStore {
    /// The value of a key.
    fn read(&self, key: &str, most: usize) -> Found;

    /// Sets a key, if it is still what `over` says.
    fn write(&self, key: &str, value: &[u8], over: Version) -> Written;
}

/// What a key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A value and its version, a number that changes with each write.
    Value(Vec<u8>, u32),
    /// A value that is longer than was asked for, or that could not be read.
    Unreadable,
    /// There is no store.
    NoStore,
}

/// What a write takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The key has no value.
    Absent,
    /// The key has the value of this version.
    Is(u32),
    /// Nothing.
    Any,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// Somebody else was faster.
    Lost,
    /// The store did not take it.
    Failed,
}
