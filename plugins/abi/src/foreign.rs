//! Foreign functions: what a host offers beside the ABI, by name.

use crate::{HostError, sys};

/// Longest answer that is taken, in bytes. What filters ask of foreign functions are small things.
const ANSWER_LIMIT: usize = 1 << 20;

/// A function that the host may have, by name. Whether it does shows when it is called.
///
/// It acts on no context: name only functions that need none, such as cryptographic ones. Then it may be kept beyond the
/// callback in which [`Host::foreign_function`](crate::Host::foreign_function) gave it, and called in any later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignFunction {
    name: &'static str,
}

impl ForeignFunction {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Calls it. The format of arguments and answer is the function's own; nothing says yet that the answer has it.
    ///
    /// # Errors
    ///
    /// The host's status; [`HostError::NotFound`] and [`HostError::Unimplemented`] say that there is no such function.
    /// [`HostError::TooLarge`] for an answer over 1 MiB.
    pub fn call(self, arguments: &[u8]) -> Result<Vec<u8>, HostError> {
        let answer = sys::call_foreign_function(self.name.as_bytes(), arguments)?;
        if answer.len() > ANSWER_LIMIT {
            return Err(HostError::TooLarge);
        }
        Ok(answer)
    }
}
