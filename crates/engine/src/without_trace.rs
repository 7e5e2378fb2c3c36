//! What stands for the trace in a build without it: nothing is noted, and a document that asks for it is refused with its place.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::event_id::EventId;

/// No trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {}

/// One step; nobody describes one, because none can be made.
pub(crate) struct Step<'a>(Infallible, PhantomData<&'a ()>);

impl Trace {
    /// Whether this build can trace.
    pub(crate) const AVAILABLE: bool = false;

    /// Nothing begins.
    pub(crate) const fn begin(_wanted: bool) -> Self {
        Self {}
    }

    /// Nothing is noted.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) fn step(&mut self, _name: &'static str, _describe: impl FnOnce(&mut Step<'_>)) {}

    /// Never.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) const fn is_wanted(&self) -> bool {
        false
    }

    /// Nothing is noted.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) fn detail(&mut self, _name: &'static str, _describe: impl FnOnce(&mut Step<'_>)) {}

    /// Nothing.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) const fn heap_bytes(&self) -> usize {
        0
    }

    /// Nothing.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) const fn take(&mut self) -> Self {
        Self {}
    }

    /// Always `None`.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) const fn line(&self, _id: EventId) -> Option<String> {
        None
    }
}

impl Step<'_> {
    /// Never called.
    pub(crate) fn text(&mut self, _name: &'static str, _value: &str) -> &mut Self {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn maybe(&mut self, _name: &'static str, _value: Option<&str>) -> &mut Self {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn number(&mut self, _name: &'static str, _value: usize) -> &mut Self {
        match self.0 {}
    }
}
