//! The route table: host, method and path to exactly one route, in as many steps as the path has segments.
//!
//! A trie of segments for each host pattern. Crate `matchit` can't hold this: it allows one kind of wildcard at a
//! place, and here a variable and a prefix stand beside each other.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::host::{HostPattern, normal_host};
use super::pattern::{Kind, Pattern, Segment};
use crate::path::CanonicalPath;

/// The most methods that routes may name for one pattern: they are searched one by one.
const MAX_METHODS: usize = 64;

/// What the table gives for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The route with this index.
    Route(usize),
    /// The most specific pattern is found, and none of its routes takes the method.
    OtherMethod,
    /// Nothing.
    Nothing,
}

/// Why a route can't be put into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The route with this index has the same host, method and pattern.
    Same(usize),
    /// Too many methods at this pattern.
    TooManyMethods,
}

/// Names of the document to places in the table. Requests only look up, so what a client sends cannot make chains: a fast
/// hash without a secret will do.
type Places = HashMap<String, usize, FixedState>;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(super) nodes: Vec<Node>,
    exact_hosts: Places,
    hosts_below: Places,
    pub(super) any_host: Option<usize>,
}

/// A place in a pattern.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) literals: Places,
    pub(super) variable: Option<usize>,
    pub(super) exact: Option<Slot>,
    pub(super) prefix: Option<Slot>,
}

/// The routes that end at one place with one kind of pattern, told apart by method.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) methods: Vec<(String, usize)>,
    pub(super) any: Option<usize>,
}

/// How a search below one host ends.
pub(super) enum End<'t> {
    /// At the most specific pattern.
    At(&'t Slot),
    /// At a pattern that differs by a final `/` only, which reserves the path: see [`Table::select`].
    Reserved(&'t Slot),
    /// Nowhere.
    Nowhere,
}

impl Table {
    /// Adds a route under one host pattern (`None`: any host) and one method (`None`: any method).
    pub(crate) fn insert(
        &mut self,
        host: Option<&HostPattern>,
        method: Option<&str>,
        pattern: &Pattern,
        route: usize,
    ) -> Result<(), Conflict> {
        let mut at = self.root(host);
        for segment in &pattern.segments {
            at = self.child(at, segment);
        }
        let Some(node) = self.nodes.get_mut(at) else {
            return Ok(());
        };
        let slot = match pattern.kind {
            Kind::Exact => &mut node.exact,
            Kind::Prefix => &mut node.prefix,
        };
        slot.get_or_insert_default().add(method, route)
    }

    /// Selects the most specific route.
    ///
    /// - Hosts: the exact one, then the longest `*.suffix`, then any, among those under which the path matches.
    /// - Paths: left to right, a literal segment before a variable before a prefix; an exact pattern before a prefix of the same text.
    /// - Methods: routes that name the method before one that names none. What has the pattern but not the method ends the search.
    ///   So does a method that a route there names in other letter case.
    ///
    /// A path that differs from an exact pattern by a final `/` only does not fall through to a broader prefix, because many upstreams
    /// treat both alike: with a rule for `/admin` and a public prefix `/`, `/admin/` is not public. It selects nothing, unless
    /// a route names it or its own prefix.
    pub(crate) fn select(&self, host: &str, method: &str, path: &CanonicalPath) -> Found {
        self.select_counted(host, method, path, &mut 0)
    }

    /// [`select`](Self::select), counting the places visited.
    fn select_counted(
        &self,
        host: &str,
        method: &str,
        path: &CanonicalPath,
        steps: &mut usize,
    ) -> Found {
        let Some(host) = normal_host(host) else {
            return Found::Nothing;
        };
        match self.end(&host, path.decoded(), steps) {
            End::At(slot) => slot.find(method),
            End::Reserved(_) | End::Nowhere => Found::Nothing,
        }
    }

    /// The routes, by index, that are meant by a path or by the one that differs from it by the final `/`, whatever their methods.
    /// Asked only where none is selected: the upstream may take the request for one of them. `None`: the host is no host.
    pub(crate) fn around(&self, host: &str, path: &CanonicalPath) -> Option<Vec<usize>> {
        let host = normal_host(host)?;
        let path = path.decoded();
        let other = match path.strip_suffix('/') {
            Some(shorter) => shorter.to_owned(),
            None => format!("{path}/"),
        };
        let mut around = Vec::new();
        for path in [path, &other] {
            if let End::At(slot) | End::Reserved(slot) = self.end(&host, path, &mut 0) {
                around.extend(slot.methods.iter().map(|(_, route)| *route));
                around.extend(slot.any);
            }
        }
        Some(around)
    }

    /// Where a decoded path ends below the most specific host that has something for it.
    fn end(&self, host: &str, path: &str, steps: &mut usize) -> End<'_> {
        let segments = path.strip_prefix('/').unwrap_or(path);
        for root in self.roots(host) {
            match self.search(root, Some(segments), steps) {
                End::Nowhere => {}
                end => return end,
            }
        }
        End::Nowhere
    }

    /// The tries for a host, most specific first.
    pub(super) fn roots<'t>(&'t self, host: &'t str) -> impl Iterator<Item = usize> + 't {
        let suffixes = (!self.hosts_below.is_empty()).then(|| {
            // From the left: the first dot begins the longest suffix.
            host.match_indices('.')
                .filter_map(|(dot, _)| self.hosts_below.get(host.get(dot..)?).copied())
        });
        self.exact_hosts
            .get(host)
            .copied()
            .into_iter()
            .chain(suffixes.into_iter().flatten())
            .chain(self.any_host)
    }

    /// Searches below a place. `segments` are those that are left, with `/` between them; `None` for none.
    fn search<'t>(&'t self, at: usize, segments: Option<&str>, steps: &mut usize) -> End<'t> {
        *steps = steps.saturating_add(1);
        let Some(node) = self.nodes.get(at) else {
            return End::Nowhere;
        };
        let Some(segments) = segments else {
            return match node.exact.as_ref().or(node.prefix.as_ref()) {
                Some(slot) => End::At(slot),
                None => match self.exact_at(node.literals.get("")) {
                    Some(slot) => End::Reserved(slot),
                    None => End::Nowhere,
                },
            };
        };
        let (segment, rest) = match segments.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (segments, None),
        };
        let literal = match node.literals.is_empty() {
            true => None,
            false => node.literals.get(segment).copied(),
        };
        // A variable never matches an empty segment.
        let variable = node.variable.filter(|_| !segment.is_empty());
        for child in literal.into_iter().chain(variable) {
            match self.search(child, rest, steps) {
                End::Nowhere => {}
                end => return end,
            }
        }
        match (&node.prefix, &node.exact) {
            (Some(slot), _) => End::At(slot),
            (None, Some(slot)) if segment.is_empty() && rest.is_none() => End::Reserved(slot),
            (None, _) => End::Nowhere,
        }
    }

    pub(super) fn exact_at(&self, node: Option<&usize>) -> Option<&Slot> {
        self.nodes.get(*node?)?.exact.as_ref()
    }

    fn root(&mut self, host: Option<&HostPattern>) -> usize {
        let new = self.nodes.len();
        let root = match host {
            None => *self.any_host.get_or_insert(new),
            Some(HostPattern::Exact(name)) => *self.exact_hosts.entry(name.clone()).or_insert(new),
            Some(HostPattern::Below(suffix)) => {
                *self.hosts_below.entry(suffix.clone()).or_insert(new)
            }
        };
        if root == new {
            self.nodes.push(Node::default());
        }
        root
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else {
            return at;
        };
        let child = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(new),
            Segment::Variable(_) => *node.variable.get_or_insert(new),
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }
}

impl Slot {
    fn add(&mut self, method: Option<&str>, route: usize) -> Result<(), Conflict> {
        match method {
            None => match self.any {
                Some(other) => return Err(Conflict::Same(other)),
                None => self.any = Some(route),
            },
            Some(method) => {
                if let Some((_, other)) = self.methods.iter().find(|(known, _)| known == method) {
                    return Err(Conflict::Same(*other));
                }
                if self.methods.len() >= MAX_METHODS {
                    return Err(Conflict::TooManyMethods);
                }
                self.methods.push((method.to_owned(), route));
            }
        }
        Ok(())
    }

    fn find(&self, method: &str) -> Found {
        let named = self
            .methods
            .iter()
            .find(|(known, _)| known == method)
            .map(|(_, route)| *route);
        // A method in other letter case is another method (RFC 9110 section 9.1), but some upstreams take it for the same.
        let folds = |(known, _): &(String, usize)| known.eq_ignore_ascii_case(method);
        let any = || self.any.filter(|_| !self.methods.iter().any(folds));
        named.or_else(any).map_or(Found::OtherMethod, Found::Route)
    }
}

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;
