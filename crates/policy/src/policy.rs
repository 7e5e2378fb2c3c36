//! The compiled policy: exactly one route, or none, for a host, method and path.

use crate::document::Section;
use crate::path::CanonicalPath;
use crate::route::Route;

/// Routes in a policy at most.
pub const MAX_ROUTES: usize = 10_000;

/// A compiled policy. Everything in it was checked when it was compiled.
#[derive(Debug)]
pub struct Policy {
    routes: Vec<Route>,
}

/// What host, method and path select.
#[derive(Debug, Clone, Copy)]
pub enum Selected<'p> {
    /// Exactly one route.
    Route(&'p Route),
    /// The most specific template matches, but none of its routes takes the method. Denied; broader routes are not tried.
    MethodNotAllowed,
    /// Nothing matches: the default, which is to deny.
    NoRoute,
}

impl Policy {
    /// Reads and checks `routes` and `default` of a document. `issuers` are the names of the configured trust anchors, which are
    /// all that a route's `issuers` may name. Mistakes go to the section's sink; a `Policy` comes back only if there was none in these fields.
    pub fn compile(document: &mut Section<'_>, issuers: &[&str]) -> Option<Policy> {
        let _ = (document.field("routes"), document.field("default"), issuers);
        None
    }

    /// Selects by host (`:authority`; a port is ignored), method and path. Cost doesn't grow with the number of routes.
    #[must_use]
    pub fn select(&self, host: &str, method: &str, path: &CanonicalPath) -> Selected<'_> {
        let _ = (host, method, path);
        Selected::NoRoute
    }

    /// The routes in the order of the document.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}
