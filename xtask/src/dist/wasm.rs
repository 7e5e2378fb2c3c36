//! A small reader of wasm modules: imports, exports and the size of memory; everything else is skipped.

use anyhow::{Context, Result, bail};

/// What of a module `xtask build` writes down.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Module {
    /// In the module's order.
    pub(crate) imports: Vec<Import>,
    /// In the module's order.
    pub(crate) exports: Vec<Export>,
    /// Initial pages of the first memory.
    memory_pages: u64,
}

/// One import.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// One export.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The kinds of external values of the core specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Function,
    Table,
    Memory,
    Global,
    Tag,
}

impl Kind {
    fn from_byte(byte: u8) -> Result<Self> {
        Ok(match byte {
            0 => Self::Function,
            1 => Self::Table,
            2 => Self::Memory,
            3 => Self::Global,
            4 => Self::Tag,
            _ => bail!("unknown kind of import or export: {byte}"),
        })
    }

    /// As the text format names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Function => "func",
            Self::Table => "table",
            Self::Memory => "memory",
            Self::Global => "global",
            Self::Tag => "tag",
        }
    }
}

impl Module {
    /// Reads a core module (not a component).
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader { rest: bytes };
        if reader.take(8)? != b"\0asm\x01\0\0\0" {
            bail!("no wasm module of version 1");
        }
        let mut module = Self::default();
        while !reader.rest.is_empty() {
            let id = reader.byte()?;
            let size = usize::try_from(reader.number()?)?;
            let mut section = Reader {
                rest: reader.take(size)?,
            };
            match id {
                2 => module
                    .read_imports(&mut section)
                    .context("import section")?,
                5 => module.read_memory(&mut section).context("memory section")?,
                7 => module
                    .read_exports(&mut section)
                    .context("export section")?,
                _ => {}
            }
        }
        Ok(module)
    }

    /// Bytes of memory that an instance has before any code runs.
    pub(crate) fn initial_memory(&self) -> u64 {
        self.memory_pages.saturating_mul(65_536)
    }

    fn read_imports(&mut self, section: &mut Reader<'_>) -> Result<()> {
        for _ in 0..section.number()? {
            let (module, name) = (section.name()?, section.name()?);
            let kind = Kind::from_byte(section.byte()?)?;
            section.skip_type(kind)?;
            self.imports.push(Import { module, name, kind });
        }
        Ok(())
    }

    fn read_memory(&mut self, section: &mut Reader<'_>) -> Result<()> {
        if section.number()? > 0 {
            section.byte()?;
            self.memory_pages = section.number()?;
        }
        Ok(())
    }

    fn read_exports(&mut self, section: &mut Reader<'_>) -> Result<()> {
        for _ in 0..section.number()? {
            let name = section.name()?;
            let kind = Kind::from_byte(section.byte()?)?;
            section.number()?;
            self.exports.push(Export { name, kind });
        }
        Ok(())
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .context("the module is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Unsigned LEB128 of at most 64 bits.
    fn number(&mut self) -> Result<u64> {
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

    fn name(&mut self) -> Result<String> {
        let length = usize::try_from(self.number()?)?;
        Ok(std::str::from_utf8(self.take(length)?)?.to_owned())
    }

    fn limits(&mut self) -> Result<()> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 != 0 {
            self.number()?;
        }
        Ok(())
    }

    fn skip_type(&mut self, kind: Kind) -> Result<()> {
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

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        [&[id, u8::try_from(body.len()).unwrap()], body].concat()
    }

    /// `(module (import "env" "log" (func)) (import "env" "t" (table 1 2 funcref)) (memory 17) (export "memory" …))`
    fn sample() -> Vec<u8> {
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, b"\x01\x60\x00\x00"),
            section(
                2,
                b"\x02\x03env\x03log\x00\x00\x03env\x01t\x01\x70\x01\x01\x02",
            ),
            section(5, b"\x01\x00\x11"),
            section(7, b"\x01\x06memory\x02\x00"),
            section(0, b"\x04name!"),
        ]
        .concat()
    }

    #[test]
    fn reads_imports_exports_and_memory() {
        let module = Module::parse(&sample()).unwrap();
        let imports: Vec<_> = module
            .imports
            .iter()
            .map(|import| (import.name.as_str(), import.kind.name()))
            .collect();
        assert_eq!(imports, [("log", "func"), ("t", "table")]);
        assert_eq!(
            module.exports,
            [Export {
                name: "memory".into(),
                kind: Kind::Memory
            }]
        );
        assert_eq!(module.initial_memory(), 17 * 65_536);
    }

    #[test]
    fn every_cut_in_a_section_is_an_error_and_never_a_panic() {
        let whole = sample();
        for length in 0..whole.len() {
            // A cut between two sections is a shorter module; all others must be refused.
            let _ = Module::parse(&whole[..length]);
        }
        assert!(Module::parse(&whole[..whole.len() - 1]).is_err());
        assert!(Module::parse(b"\0asm\x0d\0\x01\0").is_err(), "a component");
        assert!(Module::parse(b"").is_err());
    }

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
