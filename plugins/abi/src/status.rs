//! What a host call can answer besides success, as a closed type.

use std::fmt;

/// Why a host call gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The host has no such value (status 1).
    NotFound,
    /// The host refused an argument, or the call isn't allowed in this phase (status 2).
    BadArgument,
    /// The host could not encode its answer (status 3).
    SerializationFailure,
    /// The host could not decode what it was given (status 4).
    ParseFailure,
    /// A pointer did not lie in the module's memory, or no memory was lent for the answer (status 6).
    InvalidMemoryAccess,
    /// The host has nothing to give at present (status 7).
    Empty,
    /// Another writer was faster (status 8).
    CasMismatch,
    /// The host failed (status 10).
    InternalFailure,
    /// The host knows the call but does not offer it (status 12).
    Unimplemented,
    /// A status that ABI 0.2.1 does not define.
    Other(u32),
    /// The host answered "ok" with data that contradicts the ABI.
    Malformed,
    /// The host's answer, or what was to be sent, is over a limit of this crate or of the caller.
    TooLarge,
}

impl HostError {
    /// Turns a `proxy_status_t` into a result.
    pub(crate) const fn check(status: u32) -> Result<(), Self> {
        if status == 0 {
            return Ok(());
        }
        Err(Self::of_status(status))
    }

    /// What a `proxy_status_t` other than success means.
    pub(crate) const fn of_status(status: u32) -> Self {
        match status {
            1 => Self::NotFound,
            2 => Self::BadArgument,
            3 => Self::SerializationFailure,
            4 => Self::ParseFailure,
            6 => Self::InvalidMemoryAccess,
            7 => Self::Empty,
            8 => Self::CasMismatch,
            10 => Self::InternalFailure,
            12 => Self::Unimplemented,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::BadArgument => f.write_str("bad argument"),
            Self::SerializationFailure => f.write_str("serialization failure"),
            Self::ParseFailure => f.write_str("parse failure"),
            Self::InvalidMemoryAccess => f.write_str("invalid memory access"),
            Self::Empty => f.write_str("empty"),
            Self::CasMismatch => f.write_str("compare-and-swap mismatch"),
            Self::InternalFailure => f.write_str("internal failure of the host"),
            Self::Unimplemented => f.write_str("not implemented by the host"),
            Self::Other(status) => write!(f, "unknown status {status}"),
            Self::Malformed => f.write_str("malformed answer of the host"),
            Self::TooLarge => f.write_str("over the size limit"),
        }
    }
}

impl std::error::Error for HostError {}

#[cfg(test)]
mod tests {
    use super::HostError;

    #[test]
    fn every_number_is_a_status() {
        assert_eq!(HostError::check(0), Ok(()));
        for status in 1..=u32::from(u16::MAX) {
            assert!(HostError::check(status).is_err());
        }
        assert_eq!(HostError::check(u32::MAX), Err(HostError::Other(u32::MAX)));
        assert_eq!(HostError::check(12), Err(HostError::Unimplemented));
    }
}
