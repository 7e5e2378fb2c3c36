//! Declarative test cases: YAML beside a policy says what goes in and what must come out.
//!
//! The language is described in `host-test/README.md`. One file is a suite; every case of it runs on a VM of its own.
//! Google's test files are read and run too.

mod clock;
pub(crate) mod document;
mod expect;
mod expect_surroundings;
mod explain;
mod foreign_script;
mod grpc_script;
pub(crate) mod judge;
mod judge_surroundings;
mod junit;
mod keys;
mod loaded;
mod matcher;
pub(crate) mod play;
mod play_surroundings;
pub(crate) mod question;
pub(crate) mod reader;
mod report;
pub(crate) mod request;
mod run;
pub(crate) mod scenarios;
pub(crate) mod script;
mod steps;
pub(crate) mod suite;
mod surroundings;
pub(crate) mod text;
mod tokens;

pub use document::Problem;
pub use explain::{Decision, Explanation, explain};
pub use question::Question;
pub use report::{Report, Verdict};
pub(crate) use run::find_named;
pub use run::{Options, find_files, run};
