//! A scripted host for native tests: it answers a plugin's host calls and drives its callbacks.
//!
//! Each thread has one. [`Vm::start`] resets it.

mod foreign;
mod shared_data;
mod vm;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::{HeaderPairs, HostError, pairs};

pub use foreign::FakeFunction;
pub use vm::Vm;

/// A header as the tests write it.
pub type Header = (String, Vec<u8>);

/// What the plugin did to one stream, and what it can read there.
#[derive(Clone, Debug, Default)]
pub struct FakeStream {
    /// Request headers, changed by the plugin's edits.
    pub headers: Vec<Header>,
    /// Given instead of `headers` when set: to send garbage.
    pub wire: Option<Vec<u8>>,
    /// The property `source.address`.
    pub source_address: Option<Vec<u8>>,
    /// Other properties, by path with zero bytes between its segments.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Properties that the plugin set, by path.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Answers made by the plugin, in order.
    pub responses: Vec<FakeResponse>,
    /// How often the plugin let it go on after a pause.
    pub resumed: usize,
}

/// An answer made by the plugin.
#[derive(Clone, Debug)]
pub struct FakeResponse {
    /// HTTP status.
    pub status: u32,
    /// Headers.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Vec<u8>,
    /// `grpc-status`, -1 for none.
    pub grpc_status: i32,
}

/// A callout the plugin made.
#[derive(Clone, Debug)]
pub struct FakeCall {
    /// What its reply is to be delivered with.
    pub token: u32,
    /// The context that was current.
    pub context: u32,
    /// Destination.
    pub upstream: Vec<u8>,
    /// Headers.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Vec<u8>,
    /// Time-out in milliseconds.
    pub timeout: u32,
}

/// The scripted host. Tests read and change its fields through [`Vm::host`].
#[derive(Debug, Default)]
pub struct FakeHost {
    /// Statuses to answer instead of doing the call, by the call's name in the ABI without `proxy_`.
    pub fail: BTreeMap<&'static str, u32>,
    /// Time in nanoseconds.
    pub now: u64,
    /// How many properties were asked for.
    pub properties_asked: usize,
    /// `NAME=value` and a zero byte, for each variable.
    pub environment: Vec<u8>,
    /// Last random byte given; each one is the last plus one.
    pub random: u8,
    /// The plugin configuration.
    pub configuration: Vec<u8>,
    /// Tick period asked for, in milliseconds.
    pub tick_period: Option<u32>,
    /// When it was asked for, in nanoseconds: the period begins then.
    pub tick_period_set: u64,
    /// Streams by id.
    pub streams: BTreeMap<u32, FakeStream>,
    /// Callouts in order.
    pub calls: Vec<FakeCall>,
    /// Log lines with their level.
    pub log: Vec<(u32, String)>,
    /// Metric names with kind and sum (of increments, or of recorded values); a metric's id is its place.
    pub metrics: Vec<(String, u32, i64)>,
    /// Foreign functions by name; a name that isn't here is not found.
    pub foreign: BTreeMap<&'static str, FakeFunction>,
    /// Names of the foreign functions asked for, in order.
    pub foreign_calls: Vec<String>,
    /// Shared data: values and their compare-and-swap numbers.
    pub shared_data: BTreeMap<String, (Vec<u8>, u32)>,
    /// How often shared data was read.
    pub shared_reads: usize,
    /// Says "ok" to every context and changes nothing, as ngx_wasm and APISIX do.
    pub ignores_effective_context: bool,
    /// Takes one timer, set outside of a request, and stops the VM over another, as ngx_wasm does.
    pub timer_traps: bool,
    /// Calls back into the module during `send_local_response`, as a host may.
    pub reenters: Option<fn()>,
    reply: Option<(Vec<Header>, Vec<u8>)>,
    roots: Vec<u32>,
    current: u32,
    last_cas: u32,
}

thread_local! {
    static HOST: RefCell<FakeHost> = RefCell::new(FakeHost::default());
}

pub(crate) fn with<R>(work: impl FnOnce(&mut FakeHost) -> R) -> R {
    HOST.with(|host| work(&mut host.borrow_mut()))
}

impl FakeHost {
    fn status(&self, call: &'static str) -> u32 {
        self.fail.get(call).copied().unwrap_or(0)
    }

    fn failed<T>(&self, call: &'static str) -> Result<(), Result<T, HostError>> {
        HostError::check(self.status(call)).map_err(Err)
    }

    /// The stream that is current, if the call isn't scripted to fail.
    fn stream(&mut self, call: &'static str) -> Result<&mut FakeStream, u32> {
        match self.status(call) {
            0 => self.streams.get_mut(&self.current).ok_or(2),
            status => Err(status),
        }
    }

    pub(crate) fn on_log(&mut self, level: u32, message: &[u8]) -> u32 {
        self.log
            .push((level, String::from_utf8_lossy(message).into_owned()));
        self.status("log")
    }

    pub(crate) fn on_current_time(&self, nanoseconds: &mut u64) -> u32 {
        *nanoseconds = self.now;
        self.status("get_current_time_nanoseconds")
    }

    pub(crate) fn on_wasi_clock_time(&self, nanoseconds: &mut u64) -> u32 {
        *nanoseconds = self.now;
        self.status("clock_time_get")
    }

    pub(crate) fn on_environment(&mut self) -> Result<Vec<u8>, u32> {
        match self.status("environ_get") {
            0 => Ok(self.environment.clone()),
            errno => Err(errno),
        }
    }

    pub(crate) fn on_random(&mut self, bytes: &mut [u8]) -> u32 {
        for byte in bytes {
            self.random = self.random.wrapping_add(1);
            *byte = self.random;
        }
        self.status("random_get")
    }

    pub(crate) fn on_set_tick_period(&mut self, milliseconds: u32) -> u32 {
        let allowed = self.tick_period.is_none() && !self.streams.contains_key(&self.current);
        assert!(allowed || !self.timer_traps, "the host stops the VM");
        self.tick_period = Some(milliseconds);
        self.tick_period_set = self.now;
        self.status("set_tick_period_milliseconds")
    }

    pub(crate) fn on_buffer_bytes(&self, kind: u32, max: usize) -> Result<Vec<u8>, HostError> {
        if let Err(failed) = self.failed("get_buffer_bytes") {
            return failed;
        }
        let bytes = match (kind, &self.reply) {
            (7, _) => &self.configuration,
            (4, Some((_, body))) => body,
            _ => return Err(HostError::NotFound),
        };
        Ok(bytes.iter().copied().take(max).collect())
    }

    pub(crate) fn on_header_pairs(&mut self, map: u32) -> Result<Vec<u8>, HostError> {
        if let Err(failed) = self.failed("get_header_map_pairs") {
            return failed;
        }
        if map == 6 {
            // Envoy: no reply, no headers, and "ok".
            return self
                .reply
                .as_ref()
                .map_or(Ok(Vec::new()), |(headers, _)| encode(headers));
        }
        let stream = self
            .stream("get_header_map_pairs")
            .map_err(HostError::Other)?;
        stream
            .wire
            .clone()
            .map_or_else(|| encode(&stream.headers), Ok)
    }

    pub(crate) fn on_property(&mut self, path: &[u8]) -> Result<Vec<u8>, HostError> {
        self.properties_asked = self.properties_asked.saturating_add(1);
        if let Err(failed) = self.failed("get_property") {
            return failed;
        }
        if self.ignores_effective_context && !self.streams.contains_key(&self.current) {
            // ngx_wasm: outside of a request.
            return Err(HostError::InternalFailure);
        }
        let stream = self.stream("get_property").map_err(HostError::Other)?;
        match path {
            b"source\0address" => stream.source_address.clone().ok_or(HostError::NotFound),
            _ => {
                let header = |name: &str| {
                    let mut headers = stream.headers.iter();
                    Some(headers.find(|(other, _)| other == name)?.1.clone())
                };
                let known = stream.properties.get(path).cloned();
                known
                    .or_else(|| (path == b"request\0path").then(|| header(":path"))?)
                    .ok_or(HostError::NotFound)
            }
        }
    }

    pub(crate) fn on_set_property(&mut self, path: &[u8], value: &[u8]) -> u32 {
        self.stream("set_property").map_or_else(
            |status| status,
            |stream| {
                stream.filter_state.insert(path.to_vec(), value.to_vec());
                0
            },
        )
    }

    pub(crate) fn on_replace_header(&mut self, name: &[u8], value: &[u8]) -> u32 {
        self.stream("replace_header_map_value").map_or_else(
            |status| status,
            |stream| {
                let name = String::from_utf8_lossy(name).into_owned();
                stream.headers.retain(|(other, _)| *other != name);
                stream.headers.push((name, value.to_vec()));
                0
            },
        )
    }

    pub(crate) fn on_remove_header(&mut self, name: &[u8]) -> u32 {
        self.stream("remove_header_map_value").map_or_else(
            |status| status,
            |stream| {
                stream.headers.retain(|(other, _)| other.as_bytes() != name);
                0
            },
        )
    }

    pub(crate) fn on_http_call(
        &mut self,
        upstream: &[u8],
        headers: &[u8],
        body: &[u8],
        timeout: u32,
        token: &mut u32,
    ) -> u32 {
        let status = match self.status("http_call") {
            // No such destination.
            0 if upstream.is_empty() => 2,
            status => status,
        };
        if status == 0 {
            *token = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
            self.calls.push(FakeCall {
                token: *token,
                context: self.current,
                upstream: upstream.to_vec(),
                headers: decode(headers),
                body: body.to_vec(),
                timeout,
            });
        }
        status
    }

    pub(crate) fn on_send_local_response(
        &mut self,
        status: u32,
        body: &[u8],
        headers: &[u8],
        grpc_status: i32,
    ) -> u32 {
        let response = FakeResponse {
            status,
            headers: decode(headers),
            body: body.to_vec(),
            grpc_status,
        };
        self.stream("send_local_response").map_or_else(
            |status| status,
            |stream| {
                stream.responses.push(response);
                0
            },
        )
    }

    pub(crate) fn on_continue_stream(&mut self, _kind: u32) -> u32 {
        self.stream("continue_stream").map_or_else(
            |status| status,
            |stream| {
                stream.resumed = stream.resumed.saturating_add(1);
                0
            },
        )
    }

    pub(crate) fn on_set_effective_context(&mut self, context: u32) -> u32 {
        if self.ignores_effective_context {
            return 0;
        }
        if !self.streams.contains_key(&context) && !self.roots.contains(&context) {
            return 2;
        }
        self.current = context;
        self.status("set_effective_context")
    }

    pub(crate) fn on_define_metric(&mut self, kind: u32, name: &[u8], id: &mut u32) -> u32 {
        let status = self.status("define_metric");
        if status == 0 {
            *id = u32::try_from(self.metrics.len()).unwrap_or(u32::MAX);
            self.metrics
                .push((String::from_utf8_lossy(name).into_owned(), kind, 0));
        }
        status
    }

    pub(crate) fn on_increment_metric(&mut self, id: u32, offset: i64) -> u32 {
        let metric = usize::try_from(id)
            .ok()
            .and_then(|id| self.metrics.get_mut(id));
        metric.map_or(2, |(_, _, sum)| {
            *sum = sum.saturating_add(offset);
            0
        })
    }

    pub(crate) fn on_record_metric(&mut self, id: u32, value: u64) -> u32 {
        self.on_increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX))
    }
}

fn encode(headers: &[Header]) -> Result<Vec<u8>, HostError> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_slice()))
        .collect();
    // Envoy: what doesn't fit reads as nothing.
    Ok(pairs::encode(&headers).unwrap_or_default())
}

fn decode(wire: &[u8]) -> Vec<Header> {
    let pairs = HeaderPairs::new(wire.to_vec());
    let pairs = pairs.decode().unwrap_or_default();
    pairs
        .iter()
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
        .collect()
}
