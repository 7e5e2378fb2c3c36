//! Foreign functions: what a host offers beside the ABI, by name. Which there are is the host's own affair.

mod public_key;
mod verify_signature;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Why a foreign function gives nothing. The guest gets the status of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignError {
    /// `NOT_FOUND`
    NotFound,
    /// `BAD_ARGUMENT`
    BadArgument,
    /// `SERIALIZATION_FAILURE`
    SerializationFailure,
    /// `PARSE_FAILURE`
    ParseFailure,
    /// `INTERNAL_FAILURE`
    InternalFailure,
    /// `UNIMPLEMENTED`
    Unimplemented,
}

type Run = dyn Fn(&[u8]) -> Result<Vec<u8>, ForeignError> + Send + Sync;

/// One function, and what a call of it costs the guest.
#[derive(Clone)]
pub(crate) struct ForeignFunction {
    pub(crate) run: Arc<Run>,
    /// Fuel: the guest's bounds must hold for what the host does in its place.
    pub(crate) fuel: u64,
}

/// The foreign functions of a host. None by default; a name that is not among them answers `NOT_FOUND`, as in Envoy.
#[derive(Clone, Default)]
pub struct ForeignFunctions {
    by_name: BTreeMap<String, ForeignFunction>,
}

impl ForeignFunctions {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of Envoy that this host has: `verify_signature`.
    #[must_use]
    pub fn envoy() -> Self {
        Self::none().with(
            "verify_signature",
            verify_signature::FUEL,
            verify_signature::run,
        )
    }

    /// These and one more, or another one in the place of one with that name. Each call takes `fuel` from the guest.
    #[must_use]
    pub fn with(
        mut self,
        name: &str,
        fuel: u64,
        run: impl Fn(&[u8]) -> Result<Vec<u8>, ForeignError> + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(run);
        self.by_name
            .insert(name.to_owned(), ForeignFunction { run, fuel });
        self
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<ForeignFunction> {
        let name = std::str::from_utf8(name).ok()?;
        self.by_name.get(name).cloned()
    }
}

impl fmt::Debug for ForeignFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
