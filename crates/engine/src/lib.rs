//! The guard's logic: requests in, decisions out; no I/O, no clock, no randomness, no host.
//!
//! An adapter owns one [`Guard`] per configuration and calls, in this order:
//!
//! 1. [`Config::parse`] and [`Guard::new`], where workers share key sets [`Guard::share_through`]; [`Guard::start`] gives the
//!    first key fetches.
//! 2. For each request [`Guard::begin`]. Its [`Step`] says what to do: apply a [`Forward`] or a [`Shadow`], send a [`Reject`] or a
//!    [`LocalAnswer`], or pause (`Call`, `Wait`) and keep the [`Pending`].
//! 3. When a reply comes, [`Guard::complete`]; it and [`Guard::tick`] name further calls and the waiters to
//!    [`Guard::resume`], one by one. [`Guard::cancel`] when a client leaves.
//! 4. After each of these [`Guard::drain_notices`]; after each decision [`Outcome::event_line`] goes to the log.
//!    [`Guard::drain_metrics`] now and then: on ticks where there is a timer, else after each of these.
//!
//! The way of a request is one way, and types carry the proof: a credential becomes a verified identity, that becomes a
//! permit, and only a permit becomes a [`Forward`]. None of them can be made outside their module. A [`Shadow`] lets through where the
//! document says that nothing is enforced, and has no place for an identity.
//!
//! # Features
//!
//! What a build may leave out; a document that asks for it is then refused. All are on by default.
//!
//! - `answers`: metadata, CORS, texts of one's own, filter state, claims as JSON
//! - `discovery`: key sets that an issuer's metadata leads to
//! - `shared`: key sets that are fetched once for all workers of a proxy ([`Guard::share_through`])
//! - `tenants`: issuers with a place for a tenant in their name
//! - `trace`: the decision trace (`debug.trace`)
//! - `more-algorithms`, of `portcullis-jose`: every algorithm beyond RS256, ES256 and EdDSA, shared secrets among them
//! - `conditions`, `credentials` and `yaml`, of `portcullis-policy`: `when`, credentials of one's own, documents in YAML

mod answer;
mod budget;
mod cache;
mod call;
mod clock;
mod config;
mod credential;
mod digits;
mod escape;
mod event;
mod event_id;
mod forward;
mod guard;
mod head;
mod identity;
mod identity_values;
mod keys;
mod local_answer;
mod metrics;
mod non_empty;
mod notices;
mod outcome;
mod parts;
mod paused;
mod permit;
mod reason;
mod refusal;
mod reject;
mod shadow;
mod shared_store;
#[cfg(feature = "shared")]
mod sharing;
mod step;
#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod template;
mod time;
#[cfg(feature = "trace")]
mod trace;
#[cfg(not(feature = "trace"))]
#[path = "without_trace.rs"]
mod trace;
mod verified;
mod waiting;

pub use call::{Call, FlightId, Outgoing, Reply, WaiterId};
pub use config::{Config, Environment};
pub use event_id::EventId;
pub use forward::{Edits, Forward};
pub use guard::{Guard, GuardOptions, Work};
pub use head::RequestHead;
pub use local_answer::LocalAnswer;
pub use metrics::{Count, Kind, Series};
pub use outcome::Outcome;
pub use portcullis_policy::{Enforcement, Problem, Problems};
pub use reason::{Blame, Reason, Verdict};
pub use reject::Reject;
pub use shadow::Shadow;
pub use shared_store::{Found, SharedStore, Version, Written};
pub use step::{Pending, Step};
pub use time::UnixTime;
