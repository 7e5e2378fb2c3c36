//! A Proxy-Wasm host (ABI 0.1.0, 0.2.0 and 0.2.1) for testing and running filters without a proxy. It behaves as Envoy 1.40 does, or as
//! another host of which there is a [`HostProfile`].
//!
//! ```no_run
//! use host_test::{HostOptions, Module, PluginConfig, Process, Request, Worker};
//!
//! let module = Module::compile(&std::fs::read("filter.wasm")?)?;
//! let mut worker = Worker::new(&module, PluginConfig::default(), HostOptions::default(), &Process::new());
//! assert!(worker.start().configured);
//! let exchange = worker.request(Request::get("api.example.com", "/orders/42"));
//! println!("{:?}", exchange.outcome);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One [`Worker`] is one VM; nothing in it runs between calls, so a test decides the order of everything: many
//! requests open at once ([`Worker::begin`]), callouts answered in any order ([`Worker::callouts`],
//! [`Worker::answer`]), ticks ([`Worker::tick`]), time ([`Worker::advance`]), clients that leave
//! ([`Worker::reset`]). Workers of one [`Process`] share data, queues and metrics.

mod abi;
mod abi_version;
pub mod bench;
mod callout;
pub mod cases;
mod clock;
pub mod compare;
mod exchange;
mod flow;
mod foreign;
mod google;
mod grpc;
mod grpc_delivery;
mod guest;
mod http;
mod life;
mod limits;
mod local_reply;
mod log;
mod metering;
mod metrics;
mod module;
mod options;
mod process;
pub mod profile;
mod queues;
pub mod render;
pub mod serve;
mod settle;
mod shared_data;
mod stream;
mod tally;
mod vm;
mod worker;

pub use abi_version::AbiVersion;
pub use callout::{Callout, CalloutReply};
pub use clock::{Clock, Random};
pub use exchange::Exchange;
pub use flow::StreamId;
pub use foreign::{ForeignError, ForeignFunctions};
pub use grpc::{GrpcCallout, GrpcEvent};
pub use http::{Connection, Headers, Message, Request};
pub use limits::Limits;
pub use log::{Level, LogLine};
pub use module::{Module, ModuleError};
pub use options::{Clusters, FailurePolicy, HostOptions, HostStage, PluginConfig};
pub use process::{Process, Waker};
pub use profile::HostProfile;
pub use stream::{Direction, LocalReply, Outcome, Part, ResetBy};
pub use worker::{StartOutcome, UnknownCallout, Worker};
