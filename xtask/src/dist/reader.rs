//! Reads the primitive values of the wasm binary format.

use anyhow::{Context, Result, bail};

use super::wasm::Kind;

/// What is left of a module or a section.
pub(super) struct Reader<'b> {
    pub(super) rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .context("the module is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Unsigned LEB128 of at most 64 bits.
    pub(super) fn number(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a number is too long")
    }

    pub(super) fn name(&mut self) -> Result<String> {
        let length = usize::try_from(self.number()?)?;
        Ok(std::str::from_utf8(self.take(length)?)?.to_owned())
    }

    /// A section, or a subsection of the names: its id and its content.
    pub(super) fn section(&mut self) -> Result<(u8, Reader<'b>)> {
        let id = self.byte()?;
        let size = usize::try_from(self.number()?)?;
        let rest = self.take(size)?;
        Ok((id, Reader { rest }))
    }

    fn limits(&mut self) -> Result<()> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 != 0 {
            self.number()?;
        }
        Ok(())
    }

    /// The type of an import.
    pub(super) fn skip_type(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Function => drop(self.number()?),
            Kind::Table => {
                self.byte()?;
                self.limits()?;
            }
            Kind::Memory => self.limits()?,
            Kind::Global => drop(self.take(2)?),
            Kind::Tag => {
                self.byte()?;
                self.number()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers() {
        assert_eq!(
            Reader {
                rest: &[0xe5, 0x8e, 0x26]
            }
            .number()
            .unwrap(),
            624_485
        );
        assert!(Reader { rest: &[0xff; 11] }.number().is_err());
    }
}
