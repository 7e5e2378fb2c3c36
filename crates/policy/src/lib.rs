//! The policy document: text in, a checked and compiled policy out, and the decision for one request.
//!
//! The way through this crate, in the order things happen:
//!
//! 1. [`document::parse`] turns YAML or JSON into a located tree ([`Node`]).
//! 2. [`Section`] and [`Field`] read that tree with types. Every mistake goes into a [`Sink`], with its field
//!    path and (from YAML) line and column, and reading goes on: one pass reports them all.
//! 3. [`Policy::compile`] reads `routes` and `default`; other sections belong to the engine, which reads
//!    them from the same tree in the same way.
//! 4. Per request: [`path::canonical`], [`Policy::select`], and for a verified token [`Route::decide`].
//!
//! # Features
//!
//! `conditions` (CEL in `when`) and `yaml` (documents in YAML beside JSON) are on by default. A document that uses a part which
//! the build leaves out is refused with a [`Problem`] at its place, never read as if the part were not there.
//!
//! No I/O, no clock, no randomness, no host calls: time is an argument.

pub mod document;
pub mod path;

#[cfg(feature = "conditions")]
mod condition;
#[cfg(not(feature = "conditions"))]
#[path = "without_conditions.rs"]
mod condition;
mod decision;
mod enforcement;
mod policy;
mod requirement;
mod reserved;
mod route;

pub use decision::{Denial, Denied, Facts, RequestFacts, Speakers, TokenFacts};
pub use document::{Field, Location, Node, Problem, Problems, Section, Sink, Value};
pub use enforcement::Enforcement;
pub use path::{CanonicalPath, Mode, PathError};
pub use policy::{MAX_ROUTES, MAX_TABLE_ENTRIES, Names, Policy, Selected};
pub use requirement::{Check, Demand, Demands, Requirement};
pub use reserved::is_reserved_word;
pub use route::{Access, Route};
