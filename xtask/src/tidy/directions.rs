//! Who may depend on whom (ARCHITECTURE.md, rooms).

use anyhow::Result;

use super::manifests::Package;
use super::{Finding, Tree};

/// What a package may depend on among ours: in its code, and besides that in its tests.
struct Allowed {
    package: &'static str,
    code: &'static [&'static str],
    tests: &'static [&'static str],
}

const JOSE: &str = "portcullis-jose";
const POLICY: &str = "portcullis-policy";
const ENGINE: &str = "portcullis-engine";
const ABI: &str = "portcullis-abi";
const HOST: &str = "host-test";
const CONFORMANCE: &str = "portcullis-conformance";
const SIGNER: &str = "test-signer";

const DIRECTIONS: [Allowed; 15] = [
    Allowed {
        package: JOSE,
        code: &[],
        tests: &[],
    },
    Allowed {
        package: POLICY,
        code: &[],
        tests: &[],
    },
    Allowed {
        package: ENGINE,
        code: &[JOSE, POLICY],
        tests: &[],
    },
    Allowed {
        package: ABI,
        code: &[],
        tests: &[],
    },
    Allowed {
        package: "token-guard",
        code: &[ABI, ENGINE, JOSE, POLICY],
        tests: &[],
    },
    // It sees `.wasm` bytes, the ABI and log records; only its tests may mint tokens with our code.
    Allowed {
        package: HOST,
        code: &[SIGNER],
        tests: &[JOSE],
    },
    // It signs what the product verifies, without any of the product's code.
    Allowed {
        package: SIGNER,
        code: &[],
        tests: &[],
    },
    // They prove host-test on filters that share no code with ours.
    Allowed {
        package: "guest-well-behaved",
        code: &[],
        tests: &[],
    },
    Allowed {
        package: "guest-hostile",
        code: &[],
        tests: &[],
    },
    Allowed {
        package: "guest-least",
        code: &[],
        tests: &[],
    },
    Allowed {
        package: "guest-meddler",
        code: &[],
        tests: &[],
    },
    // It holds natively, in the filter and in Envoy to one corpus, so it sees both sides; nothing depends on it but tools.
    Allowed {
        package: CONFORMANCE,
        code: &[HOST, SIGNER, ENGINE, JOSE, POLICY],
        tests: &[],
    },
    Allowed {
        package: "quickstart",
        code: &[HOST, CONFORMANCE],
        tests: &[],
    },
    Allowed {
        package: "portcullis-fuzz",
        code: &[JOSE, POLICY, ENGINE],
        tests: &[],
    },
    Allowed {
        package: "xtask",
        code: &[],
        tests: &[],
    },
];

/// Crates that stand in one manifest: replacing them must stay the work of one room.
const ONE_MANIFEST: [(&str, &str); 4] = [
    ("proxy-wasm", "guest-well-behaved"),
    ("wasmtime", HOST),
    ("wasm-bindgen", "(nobody yet)"),
    ("wit-bindgen", "(nobody yet)"),
];

/// Checks every manifest.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    Ok(tree.packages.iter().flat_map(judge).collect())
}

fn judge(package: &Package) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |text: String| findings.push(Finding::new(&package.manifest, 0, text));
    let allowed = DIRECTIONS
        .iter()
        .find(|allowed| allowed.package == package.name);
    if allowed.is_none() {
        find(format!(
            "package `{}` is new: say in xtask/src/tidy/directions.rs and ARCHITECTURE.md what it may depend on",
            package.name
        ));
    }
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if let Some(allowed) = allowed.filter(|_| dependency.ours) {
            let fine =
                allowed.code.contains(&name) || (dependency.dev && allowed.tests.contains(&name));
            if !fine {
                let whose = if dependency.dev { "the tests of " } else { "" };
                let may = if allowed.code.is_empty() {
                    "nothing of ours".into()
                } else {
                    allowed.code.join(", ")
                };
                find(format!(
                    "{whose}`{}` must not depend on `{name}`; it may depend on {may}",
                    package.name
                ));
            }
        }
        if let Some((_, owner)) = ONE_MANIFEST
            .iter()
            .find(|(only, owner)| *only == name && *owner != package.name)
        {
            find(format!(
                "`{name}` stands in one manifest only, that of {owner}; go through it"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::manifests::Dependency;
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool, bool)]) -> Package {
        let dependency = |(name, dev, ours): &(&str, bool, bool)| Dependency {
            name: (*name).into(),
            dev: *dev,
            ours: *ours,
        };
        Package {
            name: name.into(),
            manifest: "x/Cargo.toml".into(),
            dependencies: dependencies.iter().map(dependency).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn allowed_directions_pass() {
        assert!(
            judge(&package(
                ENGINE,
                &[(JOSE, false, true), ("serde", false, false)]
            ))
            .is_empty()
        );
        assert!(
            judge(&package(
                HOST,
                &[(JOSE, true, true), ("wasmtime", false, false)]
            ))
            .is_empty()
        );
    }

    #[test]
    fn wrong_directions_are_named() {
        for (name, dependency) in [
            (JOSE, POLICY),
            (POLICY, JOSE),
            (HOST, JOSE),
            (HOST, ENGINE),
            (ABI, ENGINE),
        ] {
            let findings = judge(&package(name, &[(dependency, false, true)]));
            assert_eq!(findings.len(), 1, "{name} -> {dependency}");
            assert!(findings[0].text.contains(dependency), "{}", findings[0]);
        }
        assert_eq!(
            judge(&package(JOSE, &[(POLICY, true, true)])).len(),
            1,
            "tests too"
        );
    }

    #[test]
    fn a_new_package_must_be_placed() {
        assert!(judge(&package("stranger", &[]))[0].text.contains("is new"));
    }

    #[test]
    fn some_crates_stand_in_one_manifest() {
        assert_eq!(
            judge(&package(ENGINE, &[("wasmtime", false, false)])).len(),
            1
        );
        assert_eq!(
            judge(&package(ENGINE, &[("proxy-wasm", true, false)])).len(),
            1
        );
    }
}
