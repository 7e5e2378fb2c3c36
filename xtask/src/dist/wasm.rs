//! What the build and its reports want to know of a module: imports, exports, memory, and how many bytes each function and
//! section takes.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use wasmparser::{
    Encoding, ExternalKind, KnownCustom, Name, NameSectionReader, Operator, Parser, Payload,
    TypeRef,
};

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
    pub(crate) names: BTreeMap<u32, String>,
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

impl From<ExternalKind> for Kind {
    fn from(kind: ExternalKind) -> Self {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Self::Function,
            ExternalKind::Table => Self::Table,
            ExternalKind::Memory => Self::Memory,
            ExternalKind::Global => Self::Global,
            ExternalKind::Tag => Self::Tag,
        }
    }
}

impl From<TypeRef> for Kind {
    fn from(kind: TypeRef) -> Self {
        match kind {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => Self::Function,
            TypeRef::Table(_) => Self::Table,
            TypeRef::Memory(_) => Self::Memory,
            TypeRef::Global(_) => Self::Global,
            TypeRef::Tag(_) => Self::Tag,
        }
    }
}

impl Module {
    /// Reads a core module (not a component).
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut module = Self::default();
        for_each(bytes, |payload, whole| {
            if let Some(name) = section_name(payload)? {
                module.sections.push((name, whole.len()));
            }
            module.read(payload)
        })?;
        Ok(module)
    }

    fn read(&mut self, payload: &Payload<'_>) -> Result<()> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    self.imports.push(Import {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        kind: import.ty.into(),
                    });
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    self.exports.push(Export {
                        name: export.name.to_owned(),
                        kind: export.kind.into(),
                    });
                }
            }
            Payload::MemorySection(memories) => {
                if let Some(memory) = memories.clone().into_iter().next() {
                    self.memory_pages = memory?.initial;
                }
            }
            Payload::GlobalSection(globals) => {
                if let Some(global) = globals.clone().into_iter().next()
                    && let Operator::I32Const { value } =
                        global?.init_expr.get_operators_reader().read()?
                {
                    self.stack_bytes = u64::from(value.cast_unsigned());
                }
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = body.as_bytes().len();
                self.functions.push(bytes + bytes_of_number(bytes));
            }
            Payload::DataSection(segments) => {
                for segment in segments.clone() {
                    self.data.push(segment?.data.len());
                }
            }
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(names) = custom.as_known() {
                    self.read_names(names)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The subsection of function names; the others are skipped.
    fn read_names(&mut self, names: NameSectionReader<'_>) -> Result<()> {
        for subsection in names {
            if let Name::Function(functions) = subsection? {
                for function in functions {
                    let function = function?;
                    self.names.insert(function.index, function.name.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Bytes of memory that an instance has before any code runs.
    pub(crate) fn initial_memory(&self) -> u64 {
        self.memory_pages.saturating_mul(65_536)
    }

    /// The module without the custom sections that `keep` does not want; nothing that runs changes.
    pub(crate) fn without_custom(bytes: &[u8], keep: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
        let mut kept = Vec::with_capacity(bytes.len());
        for_each(bytes, |payload, whole| {
            let left_out =
                matches!(payload, Payload::CustomSection(custom) if !keep(custom.name()));
            if !left_out {
                kept.extend(bytes.get(whole).context("the module is cut short")?);
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// Imported functions: the index of the module's first own function.
    pub(crate) fn imported_functions(&self) -> usize {
        let functions = self.imports.iter().filter(|it| it.kind == Kind::Function);
        functions.count()
    }
}

/// Calls `visit` for everything in the module, in order, with the bytes that it takes: of a section all with its header, of what lies
/// within one (functions) none.
fn for_each(
    bytes: &[u8],
    mut visit: impl FnMut(&Payload<'_>, Range<usize>) -> Result<()>,
) -> Result<()> {
    let mut end = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let section = match &payload {
            Payload::Version {
                encoding, range, ..
            } => {
                ensure!(*encoding == Encoding::Module, "a component, and no module");
                Some(range.clone())
            }
            other => other.as_section().map(|(_, range)| range),
        };
        let begins = end;
        if let Some(section) = section {
            end = usize::try_from(section.end)?;
        }
        visit(&payload, begins..end)?;
    }
    Ok(())
}

/// The specification's name of a section; a custom section gives its own.
fn section_name(payload: &Payload<'_>) -> Result<Option<String>> {
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
    if let Payload::CustomSection(custom) = payload {
        return Ok(Some(format!("custom {}", custom.name())));
    }
    let Some((id, _)) = payload.as_section() else {
        return Ok(None);
    };
    match NAMES.get(usize::from(id)) {
        Some(name) => Ok(Some((*name).to_owned())),
        None => bail!("unknown section {id}"),
    }
}

/// Bytes that a number takes as unsigned LEB128.
fn bytes_of_number(number: usize) -> usize {
    number.max(1).ilog2() as usize / 7 + 1
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
            let _ = Module::without_custom(&whole[..length], |_| true);
        }
        assert!(Module::parse(&whole[..whole.len() - 1]).is_err());
        assert!(Module::parse(b"\0asm\x0d\0\x01\0").is_err(), "a component");
        assert!(Module::parse(b"").is_err());
    }
}
