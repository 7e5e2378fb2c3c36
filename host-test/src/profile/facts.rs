//! The vocabulary of a profile: in what hosts differ, each difference a type with one value for each known behaviour.

use std::time::Duration;

use super::{Features, RequestView};
use crate::abi::status::Status;
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;

/// How a host takes one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As Envoy does.
    Works,
    /// It is not defined: a module that imports it does not load.
    Missing,
    /// It is defined with other parameters: a module that imports it as the ABI has it does not load.
    OtherSignature,
    /// It stops the VM.
    Traps,
    /// It answers `UNIMPLEMENTED` and does nothing.
    Unimplemented,
    /// It answers `OK` and does nothing.
    DoesNothing,
}

impl Support {
    /// What the call answers where it does nothing; none where it traps.
    pub(crate) const fn answer(self) -> Option<Status> {
        match self {
            Self::Unimplemented => Some(Status::Unimplemented),
            Self::DoesNothing => Some(Status::Ok),
            Self::Works | Self::Missing | Self::OtherSignature | Self::Traps => None,
        }
    }
}

/// Whether `proxy_on_vm_start` is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmStart {
    /// Before every first configuration of a VM.
    Called,
    /// When the process starts, but not when a trapped VM is replaced.
    FirstOnly,
    /// Never.
    Never,
}

/// What follows a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterTrap {
    /// What the plugin's configuration says, as [`crate::FailurePolicy`]; the client gets this status.
    Policy(u16),
    /// The client gets this status, and the next request a new VM at once, whatever is configured.
    NewVm(u16),
    /// The client gets this status, and the next request the same VM, in whatever state the trap left it.
    SameVm(u16),
}

impl AfterTrap {
    /// What the client of the trapped request gets.
    pub const fn status(self) -> u16 {
        match self {
            Self::Policy(status) | Self::NewVm(status) | Self::SameVm(status) => status,
        }
    }
}

/// What a pause in a request's header callback does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// It holds the request until the filter continues or answers it.
    Holds,
    /// As [`Pause::Holds`], but the request also goes on by itself when the last callout that it made has been answered and
    /// the filter's callback did not answer it.
    HoldsUntilCallouts,
    /// It does nothing. A request waits for the callout that its callback made, and then goes on, unless the filter's callback
    /// answered it or made another callout. A callout beats a local reply of the same callback, which is forgotten. A pause with
    /// neither crashes the worker process.
    OnlyForCallout,
}

/// Whether `proxy_set_effective_context` does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextSwitch {
    /// It does, and refuses contexts that do not exist.
    Switches,
    /// It answers `OK`, whatever it is given, and changes nothing.
    Ignored,
}

/// In which callbacks callouts can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalloutsFrom {
    /// In all, those of the start included.
    Anywhere,
    /// Only in these; elsewhere the call traps.
    OnlyOrTrap(&'static [&'static str]),
    /// Only in these; elsewhere the call answers `BAD_ARGUMENT`.
    OnlyOrBadArgument(&'static [&'static str]),
}

/// What a callout that fails looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalloutFailure {
    /// A reply of the proxy's own making: 504 for a time-out, 503 for a refused or broken connection.
    ProxyReply,
    /// No headers are announced; the map holds `:dispatch_status`, which says why.
    DispatchStatus,
    /// No headers, and the map is not there.
    NoHeaders,
}

/// How many header fields the header callbacks announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumHeaders {
    /// As many as the map has.
    All,
    /// Those of the message; the pseudo-headers are in the map but not counted.
    WithoutPseudo,
    /// Always 0.
    Zero,
}

/// `end_of_stream` of the header callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfStream {
    /// True when nothing follows.
    AsItIs,
    /// Always false.
    Never,
    /// Always true.
    Always,
}

/// A map with more pairs than [`Limits::pairs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManyPairs {
    /// It reads as empty.
    Nothing,
    /// It reads as the first so many; pseudo-headers come first.
    Shortened,
}

/// How properties are named and encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Properties {
    /// Envoy's attributes: integers in 8 bytes little-endian, booleans in 1, addresses with their port.
    Attributes,
    /// Many of Envoy's names, every value a text: numbers in decimal, `true` and `false`, addresses without their port. `ngx.NAME`
    /// is the nginx variable.
    Texts,
    /// Only nginx variables by their own name, as texts, and `plugin_root_id`, which is the plugin's name. A path with two
    /// segments is never found.
    Variables,
    /// Only `plugin_root_id`.
    RootId,
}

/// Setting a timer again while one runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerAgain {
    /// It changes the period.
    Changes,
    /// It traps.
    Traps,
}

/// How the configuration that people write reaches the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginConf {
    /// As it is.
    AsItIs,
    /// People write `{"conf": …}` into a route; the filter gets the text in it, or the JSON of the object in it.
    Conf,
}

/// Something that is known of a host, and where from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// In words.
    pub what: &'static str,
    /// File in the host's source, page of its documentation, or "measured".
    pub source: &'static str,
}

/// What is known of one host.
#[derive(Debug)]
pub struct Facts {
    /// As `--host` takes it.
    pub name: &'static str,
    /// What it stands for.
    pub host: &'static str,
    /// Calls that it takes otherwise than Envoy.
    pub calls: &'static [(&'static str, Support)],
    /// WebAssembly proposals that its runtime takes.
    pub features: Features,
    /// What a filter may use up.
    pub limits: fn() -> Limits,
    /// Longest line that reaches the log, in bytes; the rest is cut.
    pub log_line_bytes: Option<usize>,
    /// `proxy_on_vm_start`.
    pub vm_start: VmStart,
    /// The plugin configuration can be read at any time, not only while it is configured.
    pub configuration_stays: bool,
    /// How the configuration gets to the filter.
    pub plugin_conf: PluginConf,
    /// What follows a trap.
    pub after_trap: AfterTrap,
    /// Least time between two starts of a VM that trapped, for a proxy that serves.
    pub reload_backoff: Duration,
    /// What a pause does.
    pub pause: Pause,
    /// `proxy_set_effective_context`.
    pub contexts: ContextSwitch,
    /// In which callbacks callouts can be made.
    pub callouts_from: CalloutsFrom,
    /// The shape of a failed callout.
    pub callout_failure: CalloutFailure,
    /// What it offers beside the ABI.
    pub foreign: fn() -> ForeignFunctions,
    /// A foreign function that does not exist: `NOT_FOUND`, or a trap.
    pub unknown_foreign_function_traps: bool,
    /// The header map of a request.
    pub request_view: RequestView,
    /// `num_headers`.
    pub num_headers: NumHeaders,
    /// `end_of_stream`.
    pub end_of_stream: EndOfStream,
    /// Too many header fields.
    pub many_pairs: ManyPairs,
    /// A body that is empty: there is none (`NOT_FOUND`), or it reads as empty.
    pub empty_body_is_none: bool,
    /// A second local reply for one request: the first counts, or it traps.
    pub second_reply_traps: bool,
    /// Properties.
    pub properties: Properties,
    /// Timers.
    pub timer_again: TimerAgain,
    /// What is told to people, with its sources.
    pub known: &'static [Fact],
}
