//! Writes a module anew with its functions in another order, and, where that is asked for, with an account of what runs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType,
    Instruction, NameMap, NameSection, ValType,
};
use wasmparser::{
    CodeSectionReader, ExportSectionReader, FunctionSectionReader, GlobalSectionReader, Name,
    Parser,
};

use super::super::wasm::Module;
use super::{own_functions, readable};

/// Sections of tools that name no function by its number.
const HARMLESS: [&str; 3] = ["custom name", "custom producers", "custom target_features"];

/// The module with its own functions in this order. `traced`: each keeps an account (see [`super::traced`]).
pub(super) fn rewrite(
    bytes: &[u8],
    module: &Module,
    order: Vec<usize>,
    traced: bool,
) -> Result<Vec<u8>> {
    for (section, _) in &module.sections {
        ensure!(
            !section.starts_with("custom ") || HARMLESS.contains(&section.as_str()),
            "the module has a section `{section}`, which may know functions by their numbers: they cannot be put in order"
        );
    }
    let mut places = vec![0; order.len()];
    for (place, index) in order.iter().enumerate() {
        places[*index] = u32::try_from(place)?;
    }
    let mut names = vec![String::new(); order.len()];
    for (index, symbol) in own_functions(module) {
        names[index] = readable(symbol);
    }
    let mut rewriting = Rewriting {
        imported: u32::try_from(module.imported_functions())?,
        order,
        places,
        traced: traced.then_some(Trace {
            names,
            first_global: 0,
        }),
    };
    let mut rewritten = wasm_encoder::Module::new();
    rewriting
        .parse_core_module(&mut rewritten, Parser::new(0), bytes)
        .context("cannot order the module's functions")?;
    Ok(rewritten.finish())
}

/// Writes a module anew.
struct Rewriting {
    /// Imported functions, which stay where they are.
    imported: u32,
    /// Which of its own functions stands at each place.
    order: Vec<usize>,
    /// The other way round.
    places: Vec<u32>,
    traced: Option<Trace>,
}

/// What is written down about calls.
struct Trace {
    /// By function.
    names: Vec<String>,
    /// The number of calls; those of the functions follow.
    first_global: u32,
}

/// What the reading of a module can fail with: nothing of our own.
type Failure = Error<std::convert::Infallible>;

impl Reencode for Rewriting {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Failure> {
        let own = function.checked_sub(self.imported);
        let place = own.and_then(|own| self.places.get(own as usize));
        Ok(place.map_or(function, |place| self.imported + place))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Failure> {
        let types: Vec<u32> = section.into_iter().collect::<Result<_, _>>()?;
        for index in &self.order {
            functions.function(types[*index]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Failure> {
        let bodies: Vec<_> = section.into_iter().collect::<Result<_, _>>()?;
        for index in self.order.clone() {
            let body = bodies[index].clone();
            let Some(trace) = &self.traced else {
                self.parse_function_body(code, body)?;
                continue;
            };
            let account = trace.account(index);
            let mut function = self.new_function_with_parsed_locals(&body)?;
            for instruction in &account {
                function.instruction(instruction);
            }
            let mut operators = body.get_operators_reader()?;
            while !operators.eof() {
                function.instruction(&self.parse_instruction(&mut operators)?);
            }
            code.function(&function);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Failure> {
        utils::parse_global_section(self, globals, section)?;
        if let Some(trace) = &mut self.traced {
            trace.first_global = globals.len();
            let counter = GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            };
            for _ in 0..=trace.names.len() {
                globals.global(counter, &ConstExpr::i32_const(0));
            }
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Failure> {
        utils::parse_export_section(self, exports, section)?;
        if let Some(trace) = &self.traced {
            exports.export("runs", ExportKind::Global, trace.first_global);
            for (index, name) in trace.names.iter().enumerate() {
                let export = format!("ran {} {name}", self.places[index]);
                exports.export(&export, ExportKind::Global, trace.global(index));
            }
        }
        Ok(())
    }

    fn parse_custom_name_subsection(
        &mut self,
        names: &mut NameSection,
        section: Name<'_>,
    ) -> Result<(), Failure> {
        let functions = match section {
            Name::Function(functions) => functions,
            // Compilers of Rust give none. They would have to be sorted too.
            Name::Local(_) | Name::Label(_) => return Ok(()),
            other => return utils::parse_custom_name_subsection(self, names, other),
        };
        // In the order of their new numbers, as the format wants it.
        let mut moved = BTreeMap::new();
        for function in functions {
            let function = function?;
            moved.insert(self.function_index(function.index)?, function.name);
        }
        let mut map = NameMap::new();
        for (index, name) in moved {
            map.append(index, name);
        }
        names.functions(&map);
        Ok(())
    }
}

impl Trace {
    /// The global of a function.
    fn global(&self, index: usize) -> u32 {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.first_global.saturating_add(1).saturating_add(index)
    }

    /// Counts a call, and writes its number down.
    fn account(&self, index: usize) -> [Instruction<'static>; 6] {
        let runs = self.first_global;
        [
            Instruction::GlobalGet(runs),
            Instruction::I32Const(1),
            Instruction::I32Add,
            Instruction::GlobalSet(runs),
            Instruction::GlobalGet(runs),
            Instruction::GlobalSet(self.global(index)),
        ]
    }
}
