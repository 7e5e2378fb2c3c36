//! Declarative test cases: YAML beside a policy says what goes in and what must come out.
//!
//! The language is described in `host-test/README.md`. One file is a suite; every case of it runs on a VM of its own.

mod clock;
mod document;
mod expect;
mod judge;
mod keys;
mod matcher;
mod play;
mod reader;
mod report;
mod request;
mod run;
mod script;
mod steps;
mod suite;
mod text;
mod tokens;

pub use document::Problem;
pub use report::{Report, Verdict};
pub use run::{Options, find_files, run};
