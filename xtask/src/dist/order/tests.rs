//! A small module in other orders.

use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, NameMap,
    NameSection, RefType, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{ElementItems, ExternalKind, Operator, Parser, Payload};

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
