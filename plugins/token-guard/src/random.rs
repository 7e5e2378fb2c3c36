//! Random bits from the host, fetched in blocks: one host call serves many requests.

use portcullis_abi::{Host, HostError};

const BLOCK: usize = 1024;

/// Random bytes that are each given out once.
#[derive(Debug, Default)]
pub(crate) struct RandomPool {
    unused: Vec<u8>,
}

impl RandomPool {
    /// 128 random bits.
    ///
    /// # Errors
    ///
    /// The host's, when it has no random source. Nothing is made up instead.
    pub(crate) fn next(&mut self, host: &Host<'_>) -> Result<u128, HostError> {
        if let Some(bits) = self.take() {
            return Ok(bits);
        }
        let mut block = vec![0; BLOCK];
        host.fill_random(&mut block)?;
        // A source that leaves the buffer as it was is none.
        if block.iter().all(|byte| *byte == 0) {
            return Err(HostError::Malformed);
        }
        self.unused = block;
        self.take().ok_or(HostError::Malformed)
    }

    fn take(&mut self) -> Option<u128> {
        const SIZE: usize = size_of::<u128>();
        let bits = u128::from_le_bytes(*self.unused.last_chunk::<SIZE>()?);
        self.unused.truncate(self.unused.len().saturating_sub(SIZE));
        Some(bits)
    }
}
