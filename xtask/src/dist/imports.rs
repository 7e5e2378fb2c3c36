//! The allow-list of the filter's imports: only what every target host defines.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::wasm::Import;

/// The list's place; each line is `module name`, `#` begins a comment.
pub(crate) const ALLOW_LIST: &str = "plugins/token-guard/imports.txt";

/// The functions that the filter may import.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allowed(BTreeSet<(String, String)>);

impl Allowed {
    /// Reads the list of a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut allowed = BTreeSet::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let [module, name] = words[..] else {
                bail!("line {number}: expected `module name`, found `{line}`");
            };
            if !allowed.insert((module.to_owned(), name.to_owned())) {
                bail!("line {number}: `{line}` stands here twice");
            }
        }
        Ok(Self(allowed))
    }

    /// The imports that the list does not have, as `module name (kind)`.
    pub(crate) fn strangers(&self, imports: &[Import]) -> Vec<String> {
        let stranger = |import: &&Import| {
            import.kind != super::wasm::Kind::Function
                || !self
                    .0
                    .contains(&(import.module.clone(), import.name.clone()))
        };
        imports
            .iter()
            .filter(stranger)
            .map(|import| format!("{} {} ({})", import.module, import.name, import.kind.name()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wasm::Kind;
    use super::*;

    fn import(name: &str, kind: Kind) -> Import {
        Import {
            module: "env".into(),
            name: name.into(),
            kind,
        }
    }

    #[test]
    fn only_listed_functions_pass() {
        let allowed = Allowed::parse("# hosts\nenv proxy_log  # all\n\nenv proxy_done\n").unwrap();
        let imports = [
            import("proxy_log", Kind::Function),
            import("proxy_get_status", Kind::Function),
            import("proxy_done", Kind::Memory),
        ];
        assert_eq!(
            allowed.strangers(&imports),
            ["env proxy_get_status (func)", "env proxy_done (memory)"]
        );
    }

    #[test]
    fn mistakes_in_the_list_are_told_by_line() {
        assert!(
            Allowed::parse("env")
                .unwrap_err()
                .to_string()
                .contains("line 1")
        );
        assert!(
            Allowed::parse("env a\nenv a")
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }

    #[test]
    fn the_checked_in_list_has_what_no_host_misses() {
        let allowed = Allowed::read(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("..")
                .join(ALLOW_LIST),
        )
        .unwrap();
        assert!(
            allowed
                .strangers(&[import("proxy_log", Kind::Function)])
                .is_empty()
        );
        // ngx_wasm and APISIX do not define these: importing them fails to link.
        for name in [
            "proxy_get_buffer_status",
            "proxy_get_header_map_size",
            "proxy_get_log_level",
        ] {
            assert_eq!(
                allowed.strangers(&[import(name, Kind::Function)]).len(),
                1,
                "{name}"
            );
        }
    }
}
