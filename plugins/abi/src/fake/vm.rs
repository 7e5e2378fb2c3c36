//! Driving a plugin's callbacks on the scripted host.

use super::{FakeHost, FakeStream, Header, with};
use crate::dispatch::{self, Constructor};
use crate::{Action, CallToken, StreamId};

/// Drives a plugin's callbacks as a host would.
#[derive(Debug)]
pub struct Vm;

impl Vm {
    /// A new VM with this plugin, on a new host.
    #[must_use]
    pub fn start(constructor: Constructor) -> Self {
        with(|host| {
            *host = FakeHost {
                now: 1_800_000_000_000_000_000,
                ..FakeHost::default()
            }
        });
        dispatch::forget();
        dispatch::start(constructor);
        Self
    }

    /// Reads or changes the host.
    pub fn host<R>(&self, work: impl FnOnce(&mut FakeHost) -> R) -> R {
        with(work)
    }

    /// Makes a root context.
    pub fn root(&self, root: u32) {
        with(|host| {
            host.roots.push(root);
            host.current = root;
        });
        dispatch::context_create(root, 0);
    }

    /// Configures a root context.
    #[must_use]
    pub fn configure(&self, root: u32, configuration: &str) -> bool {
        with(|host| {
            host.current = root;
            host.configuration = configuration.as_bytes().to_vec();
        });
        dispatch::configure(root)
    }

    /// Makes a stream with these request headers.
    pub fn stream(&self, stream: u32, root: u32, headers: &[(&str, &str)]) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        with(|host| {
            host.streams.insert(
                stream,
                FakeStream {
                    headers,
                    ..FakeStream::default()
                },
            );
            host.current = stream;
        });
        dispatch::context_create(stream, root);
    }

    /// Delivers the stream's request headers.
    #[must_use]
    pub fn request_headers(&self, stream: u32) -> Action {
        let count = with(|host| {
            host.current = stream;
            // ngx_wasm does not count what it makes up.
            let counted =
                |(name, _): &&Header| !host.ignores_effective_context || !name.starts_with(':');
            host.streams
                .get(&stream)
                .map_or(0, |stream| stream.headers.iter().filter(counted).count())
        });
        dispatch::request_headers(stream, count)
    }

    /// Delivers a callout's reply as a host that ignores effective contexts does: in the root context's name, while calls act
    /// on the request that made the callout.
    pub fn bound_reply(
        &self,
        (root, stream): (u32, u32),
        token: u32,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        self.deliver((root, stream), token, headers, body);
    }

    /// Delivers a callout's reply to a context; no headers for a failed one.
    pub fn reply(&self, context: u32, token: u32, headers: &[(&str, &str)], body: &[u8]) {
        self.deliver((context, context), token, headers, body);
    }

    fn deliver(
        &self,
        (context, current): (u32, u32),
        token: u32,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        with(|host| {
            host.current = current;
            host.reply = Some((headers, body.to_vec()));
        });
        dispatch::call_response(context, token, body.len());
        with(|host| host.reply = None);
    }

    /// A root context's period has passed.
    pub fn tick(&self, root: u32) {
        with(|host| host.current = root);
        dispatch::tick(root);
    }

    /// A context has gone.
    pub fn delete(&self, context: u32) {
        with(|host| {
            host.current = context;
            host.roots.retain(|root| *root != context);
        });
        dispatch::delete(context);
        with(|host| host.streams.remove(&context));
    }
}

impl StreamId {
    /// The host's number of this stream.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl CallToken {
    /// The host's number of this callout.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}
