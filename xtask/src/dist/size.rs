//! `xtask size`: both builds by their parts, as a table and as `target/dist/sizes.json`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::filter::Build;
use super::wasm::Module;
use super::{Choice, Modules, build, parts};
use crate::say;
use crate::workspace::{Workspace, write_if_changed};

/// What stands of a part in one build.
type Column = BTreeMap<String, usize>;

/// One build, measured.
struct Measured {
    build: Build,
    /// The module as it is shipped.
    bytes: usize,
    column: Column,
    named: Module,
}

/// Builds the filter and shows what it is made of.
pub(crate) fn size(workspace: &Workspace) -> Result<()> {
    build(workspace, Modules::Filters, Choice::Auto)?;
    let measured: Vec<Measured> = Build::ALL
        .into_iter()
        .map(|build| measure(workspace, build))
        .collect::<Result<_>>()?;
    print!("\n{}", table(&measured));
    let file = workspace.target("dist/sizes.json");
    write_if_changed(&file, format!("{:#}\n", record(&measured)).as_bytes())?;
    say::note(&format!(
        "the same as JSON: {}",
        file.strip_prefix(workspace.root())
            .unwrap_or(&file)
            .display()
    ));
    Ok(())
}

fn measure(workspace: &Workspace, build: Build) -> Result<Measured> {
    let file = build.file_with_names(workspace);
    let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let named = Module::parse(&bytes)?;
    let shipped = std::fs::metadata(build.file(workspace))?.len();
    let bytes = usize::try_from(shipped)?;
    let column: Column = parts::by_part(&named).into_iter().collect();
    let sum: usize = column.values().sum();
    let names = column.get(parts::NAMES).copied().unwrap_or_default();
    ensure!(
        sum - names == bytes,
        "the parts have {} bytes, the module {bytes}",
        sum - names
    );
    Ok(Measured {
        build,
        bytes,
        column,
        named,
    })
}

fn table(measured: &[Measured]) -> String {
    let Some(first) = measured.first() else {
        return String::new();
    };
    let mut rows: Vec<&String> = measured.iter().flat_map(|one| one.column.keys()).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.sort_by_key(|part| std::cmp::Reverse(first.column.get(*part)));
    let cells = |name: &str, cell: &dyn Fn(&Measured) -> String| {
        let cells: String = measured
            .iter()
            .map(|one| format!("{:>22}", cell(one)))
            .collect();
        format!("   {name:<30}{cells}\n")
    };
    let mut text = cells("part, in bytes", &|one| one.build.name().to_owned());
    for part in rows
        .into_iter()
        .filter(|part| part.as_str() != parts::NAMES)
    {
        text += &cells(part, &|one| match one.column.get(part) {
            Some(bytes) => bytes.to_string(),
            None => "-".to_owned(),
        });
    }
    text += &cells("the module", &|one| one.bytes.to_string());
    text += &cells("its limit", &|one| one.build.limit().to_string());
    text += &cells("names, kept beside it", &|one| {
        one.column
            .get(parts::NAMES)
            .copied()
            .unwrap_or_default()
            .to_string()
    });
    text += &cells("memory before it runs", &|one| {
        one.named.initial_memory().to_string()
    });
    text += &cells("  of which stack", &|one| one.named.stack_bytes.to_string());
    text
}

fn record(measured: &[Measured]) -> serde_json::Value {
    let builds = measured.iter().map(|one| {
        json!({
            "file": format!("{}.wasm", one.build.name()),
            "bytes": one.bytes,
            "limit": one.build.limit(),
            "parts": one.column,
            "data_segments": one.named.data,
            "initial_memory_bytes": one.named.initial_memory(),
            "stack_bytes": one.named.stack_bytes,
        })
    });
    json!({ "builds": builds.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_column_a_build_and_says_what_is_left_out() {
        let column = |parts: &[(&str, usize)]| {
            parts
                .iter()
                .map(|(part, bytes)| ((*part).to_owned(), *bytes))
                .collect()
        };
        let measured = [
            Measured {
                build: Build::Whole,
                bytes: 110,
                column: column(&[("small", 10), ("conditions", 100), (parts::NAMES, 7)]),
                named: Module::default(),
            },
            Measured {
                build: Build::Minimal,
                bytes: 10,
                column: column(&[("small", 10), (parts::NAMES, 3)]),
                named: Module::default(),
            },
        ];
        let text = table(&measured);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["conditions", "100", "-"], "{text}");
        assert_eq!(lines[2], ["small", "10", "10"], "{text}");
        assert_eq!(lines[3], ["the", "module", "110", "10"], "{text}");
        assert_eq!(record(&measured)["builds"][1]["parts"]["small"], 10);
    }
}
