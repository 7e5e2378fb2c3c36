//! The order of functions in the module: those that a request runs stand side by side.
//!
//! Compilers of hosts keep the order of the module, so that what runs together lies together: a request then touches a fifth fewer pages of
//! code. Nothing else changes.

use std::collections::BTreeMap;
use std::path::Path;

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

use super::wasm::{Kind, Module};

/// Which functions come first, by their names in Rust, one a line; `#` begins a comment. `cargo xtask bench fuel --record` writes it.
pub(crate) const ORDER: &str = "plugins/token-guard/order.txt";

/// Names of functions in the order that they shall have.
#[derive(Debug, Default)]
pub(crate) struct Order(Vec<String>);

/// A module in its new order.
#[derive(Debug)]
pub(crate) struct Arranged {
    /// The module.
    pub(crate) bytes: Vec<u8>,
    /// How many functions were put first.
    pub(crate) first: usize,
}

impl Order {
    /// Reads the list of a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(names.map(str::to_owned).collect())
    }

    /// Puts the functions of these names first, all others after them as they stand. Another compiler inlines other functions: names
    /// that the module does not have are passed over.
    pub(crate) fn arrange(&self, bytes: &[u8]) -> Result<Arranged> {
        let module = Module::parse(bytes)?;
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, symbol) in own_functions(&module) {
            by_name.entry(readable(symbol)).or_default().push(index);
        }
        let mut order = Vec::with_capacity(module.functions.len());
        for name in &self.0 {
            order.extend(by_name.remove(name).unwrap_or_default());
        }
        let first = order.len();
        let mut is_first = vec![false; module.functions.len()];
        for index in &order {
            is_first[*index] = true;
        }
        order.extend((0..is_first.len()).filter(|index| !is_first[*index]));
        let bytes = rewrite(bytes, &module, order, false)?;
        Ok(Arranged { bytes, first })
    }
}

/// The module with an account of what runs: each function writes the number of its call, counted over all functions, to an exported
/// global `ran PLACE NAME`, where PLACE is the function's among the module's own; the global `runs` has the number of calls so far.
pub(crate) fn traced(bytes: &[u8]) -> Result<Vec<u8>> {
    let module = Module::parse(bytes)?;
    ensure!(
        module.imports.iter().all(|it| it.kind != Kind::Global)
            && module.sections.iter().any(|(name, _)| name == "global"),
        "the account is kept behind the module's own globals: it must have some, and import none"
    );
    let order = (0..module.functions.len()).collect();
    rewrite(bytes, &module, order, true)
}

/// The module's own functions by their place among them, with their symbols.
fn own_functions(module: &Module) -> impl Iterator<Item = (usize, &str)> {
    let imported = module.imported_functions();
    let names = module.names.iter();
    names.filter_map(move |(index, symbol)| {
        let index = usize::try_from(*index).ok()?.checked_sub(imported)?;
        (index < module.functions.len()).then_some((index, symbol.as_str()))
    })
}

/// A symbol as a name in Rust, without the hashes of crates, which differ from machine to machine, and the numbers that the compiler
/// gives to copies.
fn readable(symbol: &str) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let original = match symbol.rsplit_once('.') {
        Some((original, copy)) if is_number(copy) => original,
        _ => symbol,
    };
    format!("{:#}", rustc_demangle::demangle(original))
}

/// Sections of tools that name no function by its number.
const HARMLESS: [&str; 3] = ["custom name", "custom producers", "custom target_features"];

fn rewrite(bytes: &[u8], module: &Module, order: Vec<usize>, traced: bool) -> Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        ElementSection, Elements, EntityType, Function, ImportSection, RefType, TableSection,
        TableType, TypeSection,
    };
    use wasmparser::{ElementItems, ExternalKind, Operator, Payload};

    use super::*;

    const NAMES: [&str; 4] = ["_RNvCs1_5alpha3one", "beta.17", "gamma", "delta"];

    /// An imported function, and four of its own: each says who it is (a constant) and calls the next one; the last calls the import.
    /// The third is exported and starts, the table has all.
    fn sample() -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], []);
        // Of the last one.
        types.ty().function([ValType::I64], []);
        let mut imports = ImportSection::new();
        imports.import("env", "imported", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        for index in 0..4 {
            functions.function(u32::from(index == 3));
        }
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 5,
            maximum: Some(5),
            shared: false,
        });
        let mut globals = GlobalSection::new();
        let stack = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        globals.global(stack, &ConstExpr::i32_const(65_536));
        let mut exports = ExportSection::new();
        exports.export("entry", ExportKind::Func, 3);
        let mut elements = ElementSection::new();
        elements.active(
            None,
            &ConstExpr::i32_const(0),
            Elements::Functions((&[0, 1, 2, 3, 4]).into()),
        );
        let items = [ConstExpr::ref_func(2)];
        elements.declared(Elements::Expressions(RefType::FUNCREF, (&items).into()));
        let mut code = CodeSection::new();
        for index in 0..4_i32 {
            let mut function = Function::new([]);
            function.instruction(&Instruction::I32Const(index));
            function.instruction(&Instruction::Drop);
            let next = u32::try_from(index).unwrap() + 2;
            if next == 4 {
                function.instruction(&Instruction::I64Const(0));
            }
            function.instruction(&Instruction::Call(if next > 4 { 0 } else { next }));
            function.instruction(&Instruction::RefFunc(1));
            function.instruction(&Instruction::Drop);
            function.instruction(&Instruction::End);
            code.function(&function);
        }
        let mut names = NameSection::new();
        let mut map = NameMap::new();
        map.append(0, "imported");
        for (index, name) in (1..).zip(NAMES) {
            map.append(index, name);
        }
        names.functions(&map);
        module
            .section(&types)
            .section(&imports)
            .section(&functions)
            .section(&tables)
            .section(&globals)
            .section(&exports)
            .section(&wasm_encoder::StartSection { function_index: 3 })
            .section(&elements)
            .section(&code)
            .section(&names);
        module.finish()
    }

    /// What stands at each place, by who that is: its type, whom it calls, whom it refers to.
    type Placed = (i32, u32, Option<i32>, Option<i32>);

    /// All functions, and then who is exported, started and in the tables.
    fn read(bytes: &[u8]) -> (Vec<Placed>, Vec<Option<i32>>) {
        let (mut types, mut bodies, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.unwrap() {
                Payload::FunctionSection(section) => {
                    types.extend(section.into_iter().map(Result::unwrap));
                }
                Payload::CodeSectionEntry(body) => {
                    let (mut who, mut calls, mut refers) = (None, None, None);
                    let mut constant = None;
                    for operator in body.get_operators_reader().unwrap() {
                        match operator.unwrap() {
                            Operator::I32Const { value } => constant = Some(value),
                            Operator::Drop => who = who.or(constant),
                            Operator::Call { function_index } => calls = Some(function_index),
                            Operator::RefFunc { function_index } => refers = Some(function_index),
                            _ => {}
                        }
                    }
                    bodies.push((who.unwrap(), calls.unwrap(), refers.unwrap()));
                }
                Payload::ExportSection(exports) => {
                    let functions = exports.into_iter().map(Result::unwrap);
                    let functions = functions.filter(|it| it.kind == ExternalKind::Func);
                    others.extend(functions.map(|export| export.index));
                }
                Payload::StartSection { func, .. } => others.push(func),
                Payload::ElementSection(elements) => {
                    for element in elements {
                        match element.unwrap().items {
                            ElementItems::Functions(items) => {
                                others.extend(items.into_iter().map(Result::unwrap));
                            }
                            ElementItems::Expressions(_, items) => {
                                for item in items {
                                    let mut operators = item.unwrap().get_operators_reader();
                                    if let Operator::RefFunc { function_index } =
                                        operators.read().unwrap()
                                    {
                                        others.push(function_index);
                                    }
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let who = |index: u32| {
            let own = index.checked_sub(1)?;
            Some(bodies[own as usize].0)
        };
        let placed = bodies
            .iter()
            .zip(types)
            .map(|((it, calls, refers), of_type)| (*it, of_type, who(*calls), who(*refers)));
        (
            placed.collect(),
            others.iter().map(|index| who(*index)).collect(),
        )
    }

    #[test]
    fn functions_change_places_and_everybody_still_calls_the_same() {
        let order = Order::parse("# first these\ndelta\nnobody\n\n  beta\n");
        let arranged = order.arrange(&sample()).unwrap();
        assert_eq!(arranged.first, 2);
        let (placed, others) = read(&arranged.bytes);
        assert_eq!(
            placed,
            [
                (3, 1, None, Some(0)),
                (1, 0, Some(2), Some(0)),
                (0, 0, Some(1), Some(0)),
                (2, 0, Some(3), Some(0)),
            ]
        );
        // Exported, started, in the table, declared.
        assert_eq!(others[..2], [Some(2), Some(2)]);
        assert_eq!(others[2..7], [None, Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(others[7..], [Some(1)]);
        let names = Module::parse(&arranged.bytes).unwrap().names;
        let names: Vec<&str> = names.values().map(String::as_str).collect();
        assert_eq!(names, ["imported", "delta", "beta.17", NAMES[0], "gamma"]);
    }

    #[test]
    fn without_an_order_all_stay() {
        let arranged = Order::default().arrange(&sample()).unwrap();
        assert_eq!(arranged.first, 0);
        assert_eq!(read(&arranged.bytes), read(&sample()));
    }

    #[test]
    fn names_are_without_hashes_and_numbers() {
        assert_eq!(readable(NAMES[0]), "alpha::one");
        assert_eq!(readable("beta.17"), "beta");
        assert_eq!(readable("proxy_on_tick"), "proxy_on_tick");
        assert_eq!(readable("ends.with."), "ends.with.");
        let first = Order::parse("alpha::one").arrange(&sample()).unwrap();
        assert_eq!(first.first, 1);
    }

    #[test]
    fn a_traced_module_tells_every_function_by_place_and_name() {
        let arranged = Order::parse("delta").arrange(&sample()).unwrap();
        let traced = traced(&arranged.bytes).unwrap();
        let exports = Module::parse(&traced).unwrap().exports;
        let names: Vec<&str> = exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "entry",
                "runs",
                "ran 0 delta",
                "ran 1 alpha::one",
                "ran 2 beta",
                "ran 3 gamma"
            ]
        );
        // The account stands before what each function does: it counts, and writes the count down.
        let mut written = Vec::new();
        for payload in Parser::new(0).parse_all(&traced) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                let mut operators = body.get_operators_reader().unwrap();
                let account: Vec<_> = (0..6).map(|_| operators.read().unwrap()).collect();
                assert!(
                    matches!(
                        account[..5],
                        [
                            Operator::GlobalGet { global_index: 1 },
                            Operator::I32Const { value: 1 },
                            Operator::I32Add,
                            Operator::GlobalSet { global_index: 1 },
                            Operator::GlobalGet { global_index: 1 },
                        ]
                    ),
                    "{account:?}"
                );
                if let Operator::GlobalSet { global_index } = account[5] {
                    written.push(global_index);
                }
            }
        }
        assert_eq!(written, [2, 3, 4, 5]);
        assert_eq!(Module::parse(&arranged.bytes).unwrap().functions.len(), 4);
    }

    #[test]
    fn sections_that_may_know_functions_by_number_are_refused() {
        let mut module = sample();
        // A custom section of six bytes: its name has five.
        module.extend(b"\0\x06\x05hints");
        let error = Order::default().arrange(&module).unwrap_err();
        assert!(error.to_string().contains("`custom hints`"), "{error}");
    }

    #[test]
    fn what_is_no_module_is_told() {
        assert!(Order::default().arrange(b"\0asm").is_err());
        assert!(traced(&sample()[..40]).is_err());
    }
}
