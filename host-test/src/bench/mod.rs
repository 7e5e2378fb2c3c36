//! Whole-request benchmarks of a filter, from scenarios in YAML: time, fuel, memory and host calls.
//!
//! Scenarios stand in files in the language of test cases, described in `host-test/README.md`. [`Plan::read`] reads a file,
//! [`Plan::count`] says what each scenario costs in fuel and host calls, the same in every run; [`Plan::measure`] says what it
//! takes in time.

mod compare;
mod count;
mod measure;
mod plan;
mod plot;
mod report;
mod rig;
mod table;

pub use compare::{Change, Comparison, Tolerance};
pub use count::Count;
pub use measure::{Effort, Times};
pub use plan::{Failure, Plan, find_files};
pub use report::{Measured, Report, Unreadable};
