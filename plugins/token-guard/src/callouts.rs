//! The engine's fetches as callouts of the host.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_abi::{
    BodyError, CallReply, CallToken, HeaderPairs, Host, HostError, HttpCall, Pair, StreamId,
};
use portcullis_engine::{Call, FlightId, Reply, UnixTime};

/// Most callouts at a time. The engine has one per issuer; hosts that can't wake other requests have one per request.
const OPEN_LIMIT: usize = 1024;

/// How long after its time-out a callout is given up whose reply the host owes. The engine has given it up before.
const GRACE: Duration = Duration::from_secs(60);

/// The callouts whose replies are still to come.
#[derive(Debug, Default)]
pub(crate) struct Callouts {
    open: BTreeMap<CallToken, Open>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) flight: FlightId,
    /// The request that it belongs to, on hosts that bind callouts to requests.
    pub(crate) carrier: Option<StreamId>,
    max_body: usize,
    given_up: UnixTime,
}

impl Callouts {
    /// Starts a callout. Returns the flight of an older one of the same name, whose reply the host will never deliver.
    ///
    /// # Errors
    ///
    /// The host's; [`HostError::TooLarge`] when too many are open.
    pub(crate) fn start(
        &mut self,
        host: &Host<'_>,
        now: UnixTime,
        flight: FlightId,
        carrier: Option<StreamId>,
        call: &Call,
    ) -> Result<Option<FlightId>, HostError> {
        if self.open.len() >= OPEN_LIMIT {
            return Err(HostError::TooLarge);
        }
        let headers: Vec<Pair<'_>> = call
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let token = host.http_call(&HttpCall {
            upstream: call.cluster.as_bytes(),
            headers: &headers,
            body: &[],
            timeout: call.timeout,
        })?;
        let given_up = now.after(call.timeout).after(GRACE);
        let open = Open {
            flight,
            carrier,
            max_body: call.max_body,
            given_up,
        };
        Ok(self
            .open
            .insert(token, open)
            .map(|replaced| replaced.flight))
    }

    /// The callout that this reply belongs to, which is then no longer open.
    pub(crate) fn end(&mut self, token: CallToken) -> Option<Open> {
        self.open.remove(&token)
    }

    /// Forgets callouts whose replies are long overdue; not those that a request carries, which end with it.
    pub(crate) fn prune(&mut self, now: UnixTime) {
        self.open
            .retain(|_, open| open.carrier.is_some() || now < open.given_up);
    }

    /// Whether a request carries one.
    pub(crate) fn are_carried_by(&self, stream: StreamId) -> bool {
        self.open.values().any(|open| open.carrier == Some(stream))
    }

    /// Forgets those that a request carried, which has gone; their replies never come.
    pub(crate) fn end_with(&mut self, stream: StreamId) -> Vec<FlightId> {
        let carried = |open: &Open| open.carrier == Some(stream);
        let flights = self.open.values().filter(|open| carried(open));
        let flights = flights.map(|open| open.flight).collect();
        self.open.retain(|_, open| !carried(open));
        flights
    }

    /// Those that requests carry.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (CallToken, StreamId)> + '_ {
        let carrier = |(token, open): (&CallToken, &Open)| Some((*token, open.carrier?));
        self.open.iter().filter_map(carrier)
    }
}

/// What a host's reply is made of, kept while the engine reads it.
pub(crate) struct Received {
    headers: HeaderPairs,
    body: Result<Vec<u8>, BodyError>,
}

impl Received {
    pub(crate) fn read(reply: &CallReply, open: &Open) -> Self {
        Self {
            headers: reply.headers().unwrap_or_default(),
            body: reply.body(open.max_body),
        }
    }

    /// Gives the engine the reply.
    ///
    /// Envoy reports time-outs and broken connections as answers with status 504 and 503, which the engine takes like
    /// those of a server; ngx_wasm gives `:dispatch_status` and no `:status`; others no headers at all.
    pub(crate) fn with<R>(&self, take: impl FnOnce(Reply<'_>) -> R) -> R {
        let headers = self.headers.decode().unwrap_or_default();
        let value_of = |wanted: &[u8]| {
            headers
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| *value)
        };
        let status =
            value_of(b":status").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        take(match (status, &self.body) {
            (Some(status), Ok(body)) => Reply::Response {
                status,
                headers: &headers,
                body,
            },
            (Some(_), Err(BodyError::Oversized)) => Reply::TooLarge,
            (None, _) if value_of(b":dispatch_status") == Some(b"timeout") => Reply::TimedOut,
            (None, _) | (Some(_), Err(BodyError::Host(_))) => Reply::Unreachable,
        })
    }
}
