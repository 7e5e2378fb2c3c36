//! The command line.

mod bench;
mod busy;
mod check;
mod compare;
mod explain;
mod plugin;
mod render;
mod serve;
mod serve_tls;
mod test;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs Proxy-Wasm filters (ABI 0.1.0, 0.2.0, 0.2.1) without a proxy, as Envoy would run them.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  host-test check --wasm filter.wasm --config policy.yaml
  host-test render --for istio --config policy.yaml --url oci://registry.example.com/filter:1.0
  host-test test --wasm filter.wasm policies/
  host-test test --wasm filter.wasm --watch policies/
  host-test explain --wasm filter.wasm --tests tests.yaml --path /orders/42
  host-test compare --wasm filter.wasm --old policy.yaml --new next.yaml envoy.log
  host-test bench --wasm filter.wasm scenarios/
  host-test serve --wasm filter.wasm --config policy.yaml \
      --upstream http://127.0.0.1:9000 --cluster login=http://127.0.0.1:9090

Exit status: 0 all is well, 1 something is not as expected, 2 the command can't do its work.";

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Bench),
    Check(check::Check),
    Compare(compare::Compare),
    Explain(explain::Explain),
    Render(render::Render),
    Serve(Box<serve::Serve>),
    Test(test::Test),
}

impl Arguments {
    /// Does the work and answers the exit status.
    pub(crate) fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Bench(bench) => bench.run(),
            Command::Check(check) => check.run(),
            Command::Compare(compare) => compare.run(),
            Command::Explain(explain) => explain.run(),
            Command::Render(render) => render.run(),
            Command::Serve(serve) => serve.run(),
            Command::Test(test) => test.run(),
        };
        result.unwrap_or_else(|error| {
            eprintln!("host-test: {error:#}");
            ExitCode::from(2)
        })
    }
}
