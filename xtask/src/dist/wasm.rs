//! A small reader of wasm modules: imports, exports, memory, and how many bytes each function and section takes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::reader::Reader;

/// What of a module `xtask build` writes down.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Module {
    /// In the module's order.
    pub(crate) imports: Vec<Import>,
    /// In the module's order.
    pub(crate) exports: Vec<Export>,
    /// Initial pages of the first memory.
    memory_pages: u64,
    /// Where the stack begins, growing down: the first global, as linkers of Rust lay it out.
    pub(crate) stack_bytes: u64,
    /// Every section with its bytes, header included: `code`, `data`, `custom name` and so on.
    pub(crate) sections: Vec<(String, usize)>,
    /// Bytes of each function of the module's own, in order.
    pub(crate) functions: Vec<usize>,
    /// Bytes of each data segment.
    pub(crate) data: Vec<usize>,
    /// Names of functions from the name section, by index; imports come first.
    pub(crate) names: BTreeMap<u64, String>,
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
            let before = reader.rest.len();
            let (id, mut section) = reader.section()?;
            let bytes = before - reader.rest.len();
            let name = section_name(id, &mut section)?;
            module.sections.push((name.clone(), bytes));
            match id {
                0 if name == "custom name" => {
                    module.read_names(&mut section).context("name section")?;
                }
                2 => module
                    .read_imports(&mut section)
                    .context("import section")?,
                5 => module.read_memory(&mut section).context("memory section")?,
                7 => module
                    .read_exports(&mut section)
                    .context("export section")?,
                6 => module.read_stack(&mut section).context("global section")?,
                10 => module
                    .read_functions(&mut section)
                    .context("code section")?,
                11 => module.read_data(&mut section).context("data section")?,
                _ => {}
            }
        }
        Ok(module)
    }

    /// Bytes of memory that an instance has before any code runs.
    pub(crate) fn initial_memory(&self) -> u64 {
        self.memory_pages.saturating_mul(65_536)
    }

    /// The module without the custom sections that `keep` does not want; nothing that runs changes.
    pub(crate) fn without_custom(bytes: &[u8], keep: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
        let mut reader = Reader { rest: bytes };
        let mut kept = reader.take(8)?.to_vec();
        while !reader.rest.is_empty() {
            let whole = reader.rest;
            let (id, mut section) = reader.section()?;
            let length = whole.len() - reader.rest.len();
            if id != 0 || keep(&section.name()?) {
                kept.extend(&whole[..length]);
            }
        }
        Ok(kept)
    }

    /// Imported functions: the index of the module's first own function.
    pub(crate) fn imported_functions(&self) -> usize {
        let functions = self.imports.iter().filter(|it| it.kind == Kind::Function);
        functions.count()
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

    /// `i32.const N`, the value of the first global.
    fn read_stack(&mut self, section: &mut Reader<'_>) -> Result<()> {
        const I32_CONST: u8 = 0x41;
        if section.number()? > 0 {
            section.take(2)?;
            if section.byte()? == I32_CONST {
                self.stack_bytes = section.number()?;
            }
        }
        Ok(())
    }

    fn read_functions(&mut self, section: &mut Reader<'_>) -> Result<()> {
        for _ in 0..section.number()? {
            let before = section.rest.len();
            let size = usize::try_from(section.number()?)?;
            section.take(size)?;
            self.functions.push(before - section.rest.len());
        }
        Ok(())
    }

    /// Active segments of memory 0, which is all that linkers of Rust make.
    fn read_data(&mut self, section: &mut Reader<'_>) -> Result<()> {
        const ACTIVE: u64 = 0;
        const END: u8 = 0x0b;
        for _ in 0..section.number()? {
            if section.number()? == ACTIVE {
                while section.byte()? != END {}
            }
            let size = usize::try_from(section.number()?)?;
            section.take(size)?;
            self.data.push(size);
        }
        Ok(())
    }

    /// The subsection of function names; the others are skipped.
    fn read_names(&mut self, section: &mut Reader<'_>) -> Result<()> {
        const FUNCTIONS: u8 = 1;
        while !section.rest.is_empty() {
            let (id, mut names) = section.section()?;
            if id == FUNCTIONS {
                for _ in 0..names.number()? {
                    self.names.insert(names.number()?, names.name()?);
                }
            }
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

/// The specification's name of a section; a custom section gives its own, which is read.
fn section_name(id: u8, section: &mut Reader<'_>) -> Result<String> {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    Ok(match (id, NAMES.get(usize::from(id))) {
        (0, _) => format!("custom {}", section.name()?),
        (_, Some(name)) => (*name).to_owned(),
        (_, None) => bail!("unknown section {id}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        [&[id, u8::try_from(body.len()).unwrap()], body].concat()
    }

    /// Two imports, one of them a function; a function of its own with a name; 17 pages of memory, exported; a stack of 64
    /// KiB; a segment of three bytes; custom sections `name` and `notes`.
    fn sample() -> Vec<u8> {
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, b"\x01\x60\x00\x00"),
            section(
                2,
                b"\x02\x03env\x03log\x00\x00\x03env\x01t\x01\x70\x01\x01\x02",
            ),
            section(3, b"\x01\x00"),
            section(5, b"\x01\x00\x11"),
            section(6, b"\x01\x7f\x01\x41\x80\x80\x04\x0b"),
            section(7, b"\x01\x06memory\x02\x00"),
            section(10, b"\x01\x02\x00\x0b"),
            section(11, b"\x01\x00\x41\x80\x80\x04\x0b\x03abc"),
            section(0, b"\x04name\x00\x02\x01m\x01\x07\x01\x01\x04main"),
            section(0, b"\x05notes!"),
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
    fn knows_the_bytes_of_everything() {
        let module = Module::parse(&sample()).unwrap();
        assert_eq!(module.imported_functions(), 1);
        assert_eq!(module.functions, [3]);
        assert_eq!(module.names, BTreeMap::from([(1, "main".into())]));
        assert_eq!(module.data, [3]);
        assert_eq!(module.stack_bytes, 65_536);
        let sections: usize = module.sections.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sections + 8, sample().len());
        assert!(
            module
                .sections
                .contains(&("custom notes".to_owned(), 2 + 7))
        );
    }

    #[test]
    fn only_the_custom_sections_that_nobody_wants_are_left_out() {
        let stripped = Module::without_custom(&sample(), |name| name != "name").unwrap();
        let (before, after) = (
            Module::parse(&sample()).unwrap(),
            Module::parse(&stripped).unwrap(),
        );
        let named = before.names.clone();
        assert!(!named.is_empty() && after.names.is_empty());
        let mut sections = before.sections;
        sections.retain(|(name, _)| name != "custom name");
        assert_eq!(after.sections, sections);
        assert_eq!(after.functions, before.functions);
        assert!(Module::without_custom(&stripped[..stripped.len() - 1], |_| true).is_err());
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
}
