//! What the guard itself answers to anyone: the metadata document, and whether a page may ask.

use std::borrow::Cow;

use crate::outcome::Outcome;

/// An answer to a request that needs no permission and goes nowhere. Neither a refusal nor a permission.
#[derive(Debug)]
#[must_use = "the request must be answered"]
pub struct LocalAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) body: Box<str>,
    pub(crate) outcome: Outcome,
}

impl LocalAnswer {
    /// The HTTP status to send.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers to send; no `content-length`, which is the host's.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, &**value))
    }

    /// The body to send, perhaps empty; for HEAD too, as [`Reject::body`](crate::Reject::body) says.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// How the request ended.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}
