//! A module by its parts: which code takes how many bytes, told by the names of its functions.

use std::collections::BTreeMap;

use super::wasm::Module;

/// The parts that are told apart, and the crates that each is made of. A crate that stands nowhere is a part of its own.
const PARTS: [(&str, &[&str]); 12] = [
    (
        "conditions: CEL",
        &["cel", "antlr4rust", "nom", "thiserror"],
    ),
    ("documents: YAML", &["saphyr_parser", "arraydeque"]),
    (
        "documents and claims: JSON",
        &[
            "serde_json",
            "serde",
            "serde_core",
            "itoa",
            "zmij",
            "memchr",
        ],
    ),
    (
        "RSA and big numbers",
        &[
            "rsa",
            "crypto_bigint",
            "crypto_primes",
            "num_traits",
            "cmov",
            "subtle",
            "ctutils",
        ],
    ),
    (
        "ECDSA P-256",
        &[
            "p256",
            "ecdsa",
            "elliptic_curve",
            "primeorder",
            "primefield",
            "sec1",
            "der",
            "wnaf",
            "group",
            "ff",
            "base16ct",
            "const_oid",
            "rfc6979",
        ],
    ),
    ("Ed25519", &["curve25519_dalek", "ed25519", "ed25519_dalek"]),
    (
        "hashes",
        &[
            "sha2",
            "digest",
            "block_buffer",
            "hmac",
            "crypto_common",
            "hybrid_array",
            "signature",
        ],
    ),
    ("crates/jose", &["portcullis_jose", "base64ct"]),
    ("crates/policy", &["portcullis_policy"]),
    (
        "crates/engine",
        &[
            "portcullis_engine",
            "quick_cache",
            "hashbrown",
            "equivalent",
            "foldhash",
        ],
    ),
    (
        "plugins: adapter and ABI",
        &["token_guard", "portcullis_abi"],
    ),
    ("standard library", &STANDARD),
];

/// The part of the names; it is kept beside the module.
pub(crate) const NAMES: &str = "names of functions";

/// Crates whose generic code belongs to whoever uses it.
const STANDARD: [&str; 9] = [
    "__rustc",
    "std",
    "core",
    "alloc",
    "dlmalloc",
    "compiler_builtins",
    "rustc_demangle",
    "std_detect",
    "panic_abort",
];

/// Crates whose types are wrapped around everything else's.
fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name)
}

/// Bytes by part, most first. Their sum is the module's size.
pub(crate) fn by_part(module: &Module) -> Vec<(String, usize)> {
    let mut bytes: BTreeMap<String, usize> = BTreeMap::new();
    let mut code = 0;
    for (index, size) in (module.imported_functions()..).zip(&module.functions) {
        let name = u32::try_from(index)
            .ok()
            .and_then(|index| module.names.get(&index));
        *bytes
            .entry(part_of(name.map_or("", String::as_str)))
            .or_default() += size;
        code += size;
    }
    for (section, size) in &module.sections {
        let (part, size) = match section.as_str() {
            // What of the code section is no function: its header.
            "code" => ("other sections".to_owned(), size.saturating_sub(code)),
            "data" => ("static data".to_owned(), *size),
            "custom name" => (NAMES.to_owned(), *size),
            _ => ("other sections".to_owned(), *size),
        };
        *bytes.entry(part).or_default() += size;
    }
    // Magic number and version.
    *bytes.entry("other sections".to_owned()).or_default() += 8;
    let mut parts: Vec<(String, usize)> = bytes.into_iter().collect();
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    parts
}

/// The part that a function belongs to.
fn part_of(symbol: &str) -> String {
    let crates = crates_of(symbol);
    let owner = crates
        .iter()
        .find(|name| !is_standard(name))
        .or(crates.first());
    let Some(owner) = owner else {
        // Not mangled: the entry points that the host calls, and the C functions of the standard library.
        let entry = symbol.starts_with("proxy_") || symbol == "_initialize";
        return if entry {
            "plugins: adapter and ABI"
        } else {
            "standard library"
        }
        .to_owned();
    };
    let known = PARTS
        .iter()
        .find(|(_, crates)| crates.contains(&owner.as_str()));
    known.map_or_else(|| format!("crate {owner}"), |(part, _)| (*part).to_owned())
}

/// The crates that a mangled name (v0) spells, in its order: `_RNv` … `Cs` DISAMBIGUATOR `_` LENGTH NAME.
fn crates_of(symbol: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some(rest) = symbol.strip_prefix("_R") else {
        return found;
    };
    for (at, _) in rest.match_indices('C') {
        if let Some(name) = crate_root(&rest[at + 1..]) {
            found.push(name.to_owned());
        }
    }
    found
}

/// What follows the `C` of a crate root: an optional `s…_`, then the name with its length before it.
fn crate_root(text: &str) -> Option<&str> {
    let text = match text.strip_prefix('s') {
        Some(disambiguator) => {
            let (digits, rest) = disambiguator.split_once('_')?;
            digits
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric())
                .then_some(rest)?
        }
        None => text,
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length: usize = text[..digits].parse().ok()?;
    // A name that begins with a digit or `_` has `_` before it.
    let name = text[digits..].strip_prefix('_').unwrap_or(&text[digits..]);
    let name = name.get(..length)?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_crate_outside_the_standard_library_owns_a_function() {
        for (symbol, part) in [
            (
                "_RNvMNtCs123_17portcullis_policy8documentNtB2_4Node3new",
                "crates/policy",
            ),
            // A map of the standard library, made for crate cel.
            (
                "_RNvMNtCsgXGp5Oqx2Ny_5alloc3mapINtB2_8BTreeMapNtCs9xY_3cel5ValueE6insertCs5_11token_guard",
                "conditions: CEL",
            ),
            // Of nobody's types, made where the engine used it: the last name says so.
            (
                "_RINvNtCsgXGp5Oqx2Ny_4core3ptr13drop_in_placeNtNtB4_5alloc6StringECs5_17portcullis_engine",
                "crates/engine",
            ),
            (
                "_RNvXs20_NtNtCsgXGp5Oqx2Ny_4core3str4iterNtB6_1XNtB_3fmt3fmt",
                "standard library",
            ),
            ("_RNvCs1_5other4main", "crate other"),
            ("proxy_on_configure", "plugins: adapter and ABI"),
            ("memcpy", "standard library"),
            ("", "standard library"),
            ("_RNvC", "standard library"),
            ("_RNvCs_99x", "standard library"),
        ] {
            assert_eq!(part_of(symbol), part, "{symbol}");
        }
    }

    #[test]
    fn no_crate_stands_in_two_parts() {
        let mut all: Vec<&str> = PARTS
            .iter()
            .flat_map(|(_, crates)| crates.iter().copied())
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
