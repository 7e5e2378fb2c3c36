//! The command line of `cargo xtask`: every command, its options and its help.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::dist::{Choice, Modules};

/// What the caller asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Build {
        modules: Modules,
        toolchain: Choice,
    },
    Size,
    Dist,
    Test {
        only: Vec<String>,
    },
    TestList,
    Demo {
        once: bool,
        more: Vec<String>,
    },
    Fuzz {
        target: Option<String>,
        seconds: u64,
        keep: bool,
    },
    FuzzReplay,
    FuzzWasm {
        requests: u64,
    },
    Mutate {
        name: Option<String>,
    },
    MutateList,
    Bench {
        which: Bench,
        more: Vec<String>,
    },
    Tidy,
    Advisories,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    /// A token of every algorithm in wasm.
    Algorithms,
    /// The filter beside Envoy's own.
    Envoy,
    /// Cost by the number of routes, issuers and cached tokens.
    Growth,
    /// Throughput of host-test's server beside Envoy's.
    Serve,
    /// An hour under load while everything around the proxy goes wrong.
    Soak,
    /// Fuel and host calls of every kind of request beside what was written down.
    Fuel {
        /// Write them down anew.
        record: bool,
    },
}

/// Reads the process's arguments; prints help or a mistake and ends the process where clap does.
pub(crate) fn parse() -> Subject {
    subject(&command().get_matches())
}

fn subject(matches: &ArgMatches) -> Subject {
    let flag = |matches: &ArgMatches, name| matches.get_flag(name);
    match matches.subcommand() {
        Some(("build", build)) => Subject::Build {
            modules: match (flag(build, "filter-only"), flag(build, "minimal")) {
                (true, _) => Modules::Filter,
                (false, true) => Modules::Minimal,
                (false, false) => Modules::All,
            },
            toolchain: match build.get_one::<String>("toolchain").map(String::as_str) {
                Some("debian") => Choice::Debian,
                _ => Choice::Auto,
            },
        },
        Some(("size", _)) => Subject::Size,
        Some(("dist", _)) => Subject::Dist,
        Some(("test", test)) if flag(test, "list") => Subject::TestList,
        Some(("test", test)) => Subject::Test {
            only: texts(test, "only"),
        },
        Some(("demo", demo)) => Subject::Demo {
            once: flag(demo, "once"),
            more: texts(demo, "more"),
        },
        Some(("fuzz", fuzz)) => match fuzz.subcommand() {
            Some(("wasm", wasm)) => Subject::FuzzWasm {
                requests: number(wasm, "requests"),
            },
            _ if flag(fuzz, "replay") => Subject::FuzzReplay,
            _ => Subject::Fuzz {
                target: fuzz.get_one("target").cloned(),
                seconds: number(fuzz, "seconds"),
                keep: flag(fuzz, "keep"),
            },
        },
        Some(("mutate", mutate)) if flag(mutate, "list") => Subject::MutateList,
        Some(("mutate", mutate)) => Subject::Mutate {
            name: mutate.get_one("name").cloned(),
        },
        Some(("bench", bench)) => {
            let (which, more) = match bench.subcommand() {
                Some(("algorithms", algorithms)) => (Bench::Algorithms, texts(algorithms, "more")),
                Some(("growth", growth)) => (Bench::Growth, texts(growth, "more")),
                Some(("serve", serve)) => (Bench::Serve, texts(serve, "more")),
                Some(("soak", soak)) => (Bench::Soak, texts(soak, "more")),
                Some(("fuel", fuel)) => {
                    let record = flag(fuel, "record");
                    (Bench::Fuel { record }, Vec::new())
                }
                Some((_, envoy)) => (Bench::Envoy, texts(envoy, "more")),
                None => (Bench::Envoy, Vec::new()),
            };
            Subject::Bench { which, more }
        }
        Some(("advisories", _)) => Subject::Advisories,
        _ => Subject::Tidy,
    }
}

fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches
        .get_many::<String>(name)
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

fn number(matches: &ArgMatches, name: &str) -> u64 {
    matches.get_one::<u64>(name).copied().unwrap_or_default()
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn amount(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("N")
        .value_parser(value_parser!(u64))
        .default_value(default)
        .help(help)
}

fn more(help: &'static str) -> Arg {
    Arg::new("more")
        .num_args(0..)
        .last(true)
        .value_name("ARGUMENT")
        .help(help)
}

fn command() -> Command {
    Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about(
            "Builds, tests and shows Portcullis. Logs of every step lie under target/xtask/logs.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            build(),
            size(),
            dist(),
            test(),
            demo(),
            fuzz(),
            mutate(),
            bench(),
            tidy(),
            advisories(),
        ])
}

fn build() -> Command {
    Command::new("build")
        .about("Build the filter into target/dist: token-guard.wasm, token-guard-minimal.wasm; and the guests of host-test's tests")
        .long_about(
            "Build the filter into target/dist/token-guard.wasm, its minimal build (JSON documents without conditions) \
             into target/dist/token-guard-minimal.wasm, and the guests of host-test's tests into target/dist/guests. \
             Beside each filter stands the same code with the names of its functions (.names.wasm), for stack traces.\n\nFinds a wasm32 toolchain by itself: the installed target, else `rustup target \
             add`, else Debian's packages. Writes size, digest, imports and exports to \
             target/dist/token-guard.json and its like, and fails on an import that plugins/token-guard/imports.txt does not \
             list and on a module above its limit.",
        )
        .arg(flag("filter-only", "Only the whole filter"))
        .arg(flag("minimal", "Only the minimal filter").conflicts_with("filter-only"))
        .arg(
            Arg::new("toolchain")
                .long("toolchain")
                .value_name("WHICH")
                .value_parser(["auto", "debian"])
                .default_value("auto")
                .help("`debian` takes Debian's packages even where the target is installed"),
        )
}

fn size() -> Command {
    Command::new("size").about(
        "Build the filter twice, whole and minimal, and list its parts in bytes (also target/dist/sizes.json)",
    )
}

fn dist() -> Command {
    Command::new("dist")
        .about("Build both filters and write what is published to target/dist/release: modules, SBOMs, an image, SHA256SUMS")
        .long_about(
            "Build both filters and write what is published to target/dist/release: the modules, a bill of materials of \
             each (CycloneDX 1.5, the crates whose code is in the module), an OCI image layout as a folder and as a tar, \
             which Istio, Envoy Gateway and Higress can pull once it is pushed, and SHA256SUMS.\n\nThe same commit \
             gives the same bytes: times are the commit's, or SOURCE_DATE_EPOCH.",
        )
}

fn test() -> Command {
    Command::new("test")
        .about("Run every check, the cheap ones first, with a table of stages and times at the end")
        .long_about(
            "Run every check, the cheap ones first, with a table of stages and times at the end.\n\nA failed stage \
             does not stop the others; the exit status tells. The tests use a real Envoy and a real OpenID \
             provider, which are fetched once into target/tools, with pinned digests.",
        )
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("STAGE")
                .action(ArgAction::Append)
                .help("Run only this stage (repeat for more); what it needs is built all the same"),
        )
        .arg(flag("list", "List the stages and end"))
}

fn demo() -> Command {
    Command::new("demo")
        .about("Build the filter and show it guarding a small service; Ctrl-C ends it")
        .arg(flag("once", "Send the prepared requests, print the table of answers and end; non-zero if one is wrong"))
        .arg(more("More arguments for the quickstart"))
}

fn fuzz() -> Command {
    let requests = amount("requests", "1000000", "How many requests");
    Command::new("fuzz")
        .about("Fuzz with libFuzzer (nightly), replay the corpus (stable), or mutate requests to the built filter")
        .args_conflicts_with_subcommands(true)
        .arg(
            Arg::new("target")
                .long("target")
                .value_name("TARGET")
                .value_parser(crate::fuzz::TARGETS)
                .help("Only this target, not all in turn"),
        )
        .arg(amount("seconds", "300", "How long each target runs"))
        .arg(flag("keep", "Add what reaches something new to the checked-in corpus"))
        .arg(flag("replay", "Run the checked-in corpus on stable instead").conflicts_with("target"))
        .subcommand(
            Command::new("wasm")
                .about("Send mutated requests through the filter: no trap, no permit without a valid token")
                .arg(requests),
        )
}

fn mutate() -> Command {
    Command::new("mutate")
        .about("Break one invariant after the other and demand that a test notices")
        .long_about(
            "Break one invariant after the other and demand that a test notices.\n\nEach \
             conformance/mutations/*.patch is applied to a copy of the tree; the test that its header names must \
             then fail, by a failed test and not by the compiler.",
        )
        .arg(Arg::new("name").value_name("NAME").help("Only mutations whose file name begins so"))
        .arg(flag("list", "List the mutations and end"))
}

fn bench() -> Command {
    // Their options and their help are those of the programs that measure.
    let measurement = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).disable_help_flag(true).arg(
            Arg::new("more")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_name("OPTION")
                .help("Options of the measurement: --help tells them"),
        )
    };
    Command::new("bench")
        .about("Measure what a request costs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(measurement(
            "envoy",
            "CPU time in a real Envoy beside its own jwt_authn, RBAC and ext_authz; what a start costs",
        ))
        .subcommand(measurement(
            "algorithms",
            "Fuel and time of a token of every algorithm in wasm, in wasmtime and V8, and of the largest key sets",
        ))
        .subcommand(measurement(
            "growth",
            "Fuel and CPU time by the number of routes, issuers and cached tokens",
        ))
        .subcommand(measurement(
            "serve",
            "Requests a second of host-test serve beside Envoy, with the same filter on the same core",
        ))
        .subcommand(measurement(
            "soak",
            "An hour in Envoy under load, while keys rotate, the issuer fails, configurations change and clients leave",
        ))
        .subcommand(
            Command::new("fuel")
                .about("Fuel and host calls of every kind of request beside conformance/fuel.json, and whether the functions that they run stand first in the module")
                .arg(flag("record", "Write conformance/fuel.json and plugins/token-guard/order.txt anew")),
        )
}

fn tidy() -> Command {
    Command::new("tidy").about(
        "Check what the compiler does not: dependency directions, purity, paths in documents, file length and the like",
    )
}

fn advisories() -> Command {
    Command::new("advisories").about(
        "Check dependencies for known vulnerabilities (fetches the database; not part of `test`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Subject {
        subject(&command().try_get_matches_from(line.split(' ')).unwrap())
    }

    #[test]
    fn clap_finds_no_contradiction() {
        command().debug_assert();
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(
            read("x build"),
            Subject::Build {
                modules: Modules::All,
                toolchain: Choice::Auto
            }
        );
        assert_eq!(
            read("x build --filter-only --toolchain debian"),
            Subject::Build {
                modules: Modules::Filter,
                toolchain: Choice::Debian
            }
        );
        assert_eq!(
            read("x build --minimal"),
            Subject::Build {
                modules: Modules::Minimal,
                toolchain: Choice::Auto
            }
        );
        assert_eq!(read("x size"), Subject::Size);
        assert_eq!(read("x dist"), Subject::Dist);
        assert_eq!(
            read("x test --only fmt --only tidy"),
            Subject::Test {
                only: vec!["fmt".into(), "tidy".into()]
            }
        );
        assert_eq!(
            read("x demo --once"),
            Subject::Demo {
                once: true,
                more: vec![]
            }
        );
        assert_eq!(
            read("x demo -- --port 1"),
            Subject::Demo {
                once: false,
                more: vec!["--port".into(), "1".into()]
            }
        );
        assert_eq!(
            read("x fuzz"),
            Subject::Fuzz {
                target: None,
                seconds: 300,
                keep: false
            }
        );
        assert_eq!(
            read("x fuzz --target key_set --seconds 5 --keep"),
            Subject::Fuzz {
                target: Some("key_set".into()),
                seconds: 5,
                keep: true
            }
        );
        assert_eq!(read("x fuzz --replay"), Subject::FuzzReplay);
        assert_eq!(
            read("x fuzz wasm --requests 10"),
            Subject::FuzzWasm { requests: 10 }
        );
        assert_eq!(
            read("x mutate 07"),
            Subject::Mutate {
                name: Some("07".into())
            }
        );
        for line in [
            "x bench envoy --rounds 3 --help",
            "x bench envoy -- --rounds 3 --help",
        ] {
            assert_eq!(
                read(line),
                Subject::Bench {
                    which: Bench::Envoy,
                    more: vec!["--rounds".into(), "3".into(), "--help".into()]
                }
            );
        }
        assert_eq!(
            read("x bench algorithms --only ES"),
            Subject::Bench {
                which: Bench::Algorithms,
                more: vec!["--only".into(), "ES".into()]
            }
        );
        assert_eq!(
            read("x bench growth --save"),
            Subject::Bench {
                which: Bench::Growth,
                more: vec!["--save".into()]
            }
        );
        assert_eq!(
            read("x bench serve --at-least 0.5"),
            Subject::Bench {
                which: Bench::Serve,
                more: vec!["--at-least".into(), "0.5".into()]
            }
        );
        assert_eq!(
            read("x bench fuel --record"),
            Subject::Bench {
                which: Bench::Fuel { record: true },
                more: Vec::new()
            }
        );
        assert!(
            command()
                .try_get_matches_from(["x", "fuzz", "--target", "nothing"])
                .is_err()
        );
    }
}
