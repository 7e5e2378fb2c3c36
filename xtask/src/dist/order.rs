//! The order of functions in the module: those that a request runs stand side by side.
//!
//! Compilers of hosts keep the order of the module, so that what runs together lies together: a request then touches a fifth fewer pages of
//! code. Nothing else changes.

mod rewrite;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::wasm::{Kind, Module};
use rewrite::rewrite;

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

#[cfg(test)]
mod tests;
