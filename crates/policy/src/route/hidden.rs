//! What a narrower route takes from a broader one without saying so: the methods that it does not name.

use super::Match;
use super::host::HostPattern;
use super::pattern::{Kind, Pattern, Segment};
use super::table::{End, Slot, Table};

/// A route some of whose methods are refused (405) where a narrower one matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// The broader route.
    pub(crate) route: usize,
    /// The methods that it names and that are hidden; empty: all but those of the narrower one.
    pub(crate) methods: Vec<String>,
    /// The methods that the narrower pattern does take.
    pub(crate) taken: Vec<String>,
}

impl Table {
    /// What the pattern of a route hides of the next broader one, under each of its hosts. Nothing unless `route` is the first
    /// of those that have the pattern: they all hide the same.
    pub(crate) fn hidden_by(&self, matched: &Match, route: usize) -> Vec<Hidden> {
        let mut all: Vec<Hidden> = Vec::new();
        let mut note = |host: Option<&HostPattern>| {
            let found = self.hidden_under(host, &matched.pattern, route);
            for one in found.into_iter().flatten() {
                if all.iter().all(|known| known.route != one.route) {
                    all.push(one);
                }
            }
        };
        if matched.hosts.is_empty() {
            note(None);
        }
        matched.hosts.iter().for_each(|host| note(Some(host)));
        all
    }

    fn hidden_under(
        &self,
        host: Option<&HostPattern>,
        pattern: &Pattern,
        route: usize,
    ) -> Option<Vec<Hidden>> {
        let mut roots = self.roots_from(host).into_iter();
        let own = self.place_of(roots.next()?, &pattern.segments)?;
        let slot = self.slot_at(own, pattern.kind)?;
        // One that takes every method hides nothing.
        if slot.any.is_some() || slot.methods.iter().any(|(_, other)| *other < route) {
            return None;
        }
        let skip = (own, pattern.kind);
        let mut searched = self
            .roots_from(host)
            .into_iter()
            .map(|root| self.beyond(root, &pattern.segments, skip));
        let End::At(broader) = searched.find(|end| !matches!(end, End::Nowhere))? else {
            return None;
        };
        Some(slot.hides_of(broader))
    }

    /// The tries that a host pattern's requests are looked for in, its own first.
    fn roots_from(&self, host: Option<&HostPattern>) -> Vec<usize> {
        match host {
            None => self.any_host.into_iter().collect(),
            // A suffix begins with a dot, so it is no host itself.
            Some(HostPattern::Exact(name) | HostPattern::Below(name)) => self.roots(name).collect(),
        }
    }

    fn place_of(&self, root: usize, segments: &[Segment]) -> Option<usize> {
        segments.iter().try_fold(root, |at, segment| {
            let node = self.nodes.get(at)?;
            match segment {
                Segment::Literal(text) => node.literals.get(text).copied(),
                Segment::Variable(_) => node.variable,
            }
        })
    }

    fn slot_at(&self, at: usize, kind: Kind) -> Option<&Slot> {
        let node = self.nodes.get(at)?;
        match kind {
            Kind::Exact => node.exact.as_ref(),
            Kind::Prefix => node.prefix.as_ref(),
        }
    }

    /// As [`Table::select`] searches, for a path that fits the pattern and no narrower one, had `skip` no route.
    fn beyond<'t>(&'t self, at: usize, segments: &[Segment], skip: (usize, Kind)) -> End<'t> {
        let Some(node) = self.nodes.get(at) else {
            return End::Nowhere;
        };
        let Some((segment, rest)) = segments.split_first() else {
            let is_own = at == skip.0;
            let exact = node.exact.as_ref().filter(|_| !is_own);
            let prefix = node.prefix.as_ref();
            let prefix = prefix.filter(|_| !is_own || skip.1 == Kind::Exact);
            let twin = self.exact_at(node.literals.get(""));
            return match (exact.or(prefix), twin.filter(|_| !is_own)) {
                (Some(slot), _) => End::At(slot),
                (None, Some(slot)) => End::Reserved(slot),
                (None, None) => End::Nowhere,
            };
        };
        let (literal, is_empty) = match segment {
            Segment::Literal(text) => (node.literals.get(text).copied(), text.is_empty()),
            Segment::Variable(_) => (None, false),
        };
        let variable = node.variable.filter(|_| !is_empty);
        for child in literal.into_iter().chain(variable) {
            match self.beyond(child, rest, skip) {
                End::Nowhere => {}
                end => return end,
            }
        }
        match (&node.prefix, &node.exact) {
            (Some(slot), _) => End::At(slot),
            (None, Some(slot)) if is_empty && rest.is_empty() => End::Reserved(slot),
            (None, _) => End::Nowhere,
        }
    }
}

impl Slot {
    /// What requests would find in `broader` and do not find here.
    fn hides_of(&self, broader: &Slot) -> Vec<Hidden> {
        let taken: Vec<String> = self.methods.iter().map(|(name, _)| name.clone()).collect();
        let mut all: Vec<Hidden> = Vec::new();
        for (method, route) in &broader.methods {
            if taken.contains(method) {
                continue;
            }
            match all.iter_mut().find(|known| known.route == *route) {
                Some(known) => known.methods.push(method.clone()),
                None => all.push(Hidden {
                    route: *route,
                    methods: vec![method.clone()],
                    taken: taken.clone(),
                }),
            }
        }
        all.extend(broader.any.map(|route| Hidden {
            route,
            methods: Vec::new(),
            taken,
        }));
        all
    }
}
