//! The compiled policy: exactly one route, or none, for a host, method and path.

use std::collections::HashMap;

use crate::condition::Compiler;
use crate::document::{Field, Location, Problem, Section, quoted};
use crate::enforcement::Enforcement;
use crate::path::CanonicalPath;
use crate::route::{Conflict, Found, Hidden, Match, Place, Route, Table};

/// Routes in a policy at most.
pub const MAX_ROUTES: usize = 10_000;

/// Entries of the route table at most: a route has one for each of its hosts and methods.
pub const MAX_TABLE_ENTRIES: usize = 50_000;

/// Warnings at most; more say nothing new.
const MAX_WARNINGS: usize = 20;

/// A compiled policy. Everything in it was checked when it was compiled.
#[derive(Debug)]
pub struct Policy {
    routes: Vec<Route>,
    table: Table,
    /// Asked for every new token: told once, because looking at every route would take as long as there are routes.
    reads_claims: bool,
    /// Of requests that no route takes, unless an enforced one is near.
    enforcement: Enforcement,
    shadow_routes: usize,
    warnings: Vec<Problem>,
}

/// The names that routes may use, from the sections of the document that are not the policy's.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The configured trust anchors: all that a route's `issuers` may name.
    pub issuers: &'a [&'a str],
    /// The configured credentials, in the order of the document: all that `credential` may name. Of
    /// several each has to be named.
    pub credentials: &'a [&'a str],
}

/// What routes are checked against.
pub(crate) struct Known<'a> {
    /// Of routes that do not say.
    pub(crate) enforcement: Enforcement,
    pub(crate) issuers: &'a [&'a str],
    pub(crate) credentials: &'a [&'a str],
    pub(crate) conditions: &'a Compiler,
}

impl<'a> Known<'a> {
    /// The names of credentials, by place.
    pub(crate) fn names_of(&self, credentials: &[usize]) -> Vec<&'a str> {
        let name = |place: &usize| self.credentials.get(*place).copied();
        credentials.iter().filter_map(name).collect()
    }
}

/// What host, method and path select.
#[derive(Debug, Clone, Copy)]
pub enum Selected<'p> {
    /// Exactly one route.
    Route(&'p Route),
    /// The most specific pattern matches, but none of its routes takes the method. Denied, if that binds; broader routes are
    /// not tried.
    MethodNotAllowed(Enforcement),
    /// Nothing matches: the default, which is to deny, if that binds.
    NoRoute(Enforcement),
}

impl Selected<'_> {
    /// Whether what is decided about the request binds.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        match self {
            Selected::Route(route) => route.enforcement(),
            Selected::MethodNotAllowed(enforcement) | Selected::NoRoute(enforcement) => {
                *enforcement
            }
        }
    }
}

impl Policy {
    /// Reads and checks `routes` and `default` of a document. Mistakes go to the section's sink; a `Policy` comes back only if
    /// these fields have none.
    pub fn compile(document: &mut Section<'_>, names: Names<'_>) -> Option<Policy> {
        let sink = document.sink();
        let before = sink.count();
        // To deny is the default and the only one; the field says so to readers of the document.
        document.optional("default", |field| field.one_of(&[("deny", ())]));
        let enforcement = document
            .optional("mode", Enforcement::read)
            .unwrap_or_default();
        let Some(conditions) = Compiler::new() else {
            document.problem("the functions of conditions could not be registered; this is a bug");
            return None;
        };
        let known = Known {
            enforcement,
            issuers: names.issuers,
            credentials: names.credentials,
            conditions: &conditions,
        };
        let (routes, broken) = document.required("routes", |field| read_routes(field, &known))?;
        let mut policy = Policy {
            reads_claims: routes.iter().any(Route::reads_claims),
            enforcement,
            shadow_routes: routes
                .iter()
                .filter(|route| route.enforcement().is_shadow())
                .count(),
            routes,
            table: Table::default(),
            warnings: Vec::new(),
        };
        // Also with mistakes in some routes: what they have wrong among them is told in the same go.
        policy.table = fill_table(document, &policy.routes, &broken);
        if sink.count() != before {
            return None;
        }
        // What people write is YAML. A build without it reads what was made of that, and is to be small.
        if cfg!(feature = "yaml") {
            policy.warnings = warnings(&policy.table, &policy.routes);
        }
        Some(policy)
    }

    /// Selects by host (`:authority`; case, port and a final dot are ignored), method and path. What is no host, or has user
    /// information, selects nothing. Cost grows with the segments of the path, not with the number of routes.
    #[must_use]
    pub fn select(&self, host: &str, method: &str, path: &CanonicalPath) -> Selected<'_> {
        match self.table.select(host, method, path) {
            Found::Route(index) => match self.routes.get(index) {
                Some(route) => Selected::Route(route),
                None => Selected::NoRoute(Enforcement::Enforce),
            },
            Found::OtherMethod => Selected::MethodNotAllowed(self.without_route(host, path)),
            Found::Nothing => Selected::NoRoute(self.without_route(host, path)),
        }
    }

    /// Whether it binds that no route takes a request. INVARIANT: what an upstream may take for the request of an enforced route,
    /// because method or final `/` alone tell them apart, does not pass because the document is in shadow mode.
    fn without_route(&self, host: &str, path: &CanonicalPath) -> Enforcement {
        if !self.enforcement.is_shadow() || self.is_all_shadow() {
            return self.enforcement;
        }
        let is_shadow = |index: usize| {
            let route = self.routes.get(index);
            route.is_some_and(|route| route.enforcement().is_shadow())
        };
        match self.table.around(host, path) {
            Some(around) if around.iter().copied().all(is_shadow) => Enforcement::Shadow,
            _ => Enforcement::Enforce,
        }
    }

    /// Whether any route looks at claims beside issuer, audiences and scopes. Where none does, nobody needs to keep them.
    #[must_use]
    pub const fn reads_claims(&self) -> bool {
        self.reads_claims
    }

    /// The document's own `mode`: that of routes without one. Whether it binds that no route takes a request, [`Policy::select`] says.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    /// How many routes only tell what they would decide.
    #[must_use]
    pub const fn shadow_routes(&self) -> usize {
        self.shadow_routes
    }

    /// Whether nothing in it binds: neither a route, nor that there is none.
    #[must_use]
    pub const fn is_all_shadow(&self) -> bool {
        self.enforcement.is_shadow() && self.shadow_routes == self.routes.len()
    }

    /// What is no mistake, and probably not meant: each with its place, in the order of the document, twenty at most.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The routes in the order of the document.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}

/// A table of the routes. Reports those that equal another or have its name; so it does with `broken` ones, which have mistakes, so
/// that the table is of no use if there are any.
fn fill_table(document: &Section<'_>, routes: &[Route], broken: &[Place]) -> Table {
    let sink = document.sink();
    let places: Vec<&Place> = routes.iter().map(Route::place).chain(broken).collect();
    let mut table = Table::default();
    let mut names: HashMap<&str, &Place> = HashMap::new();
    let mut entries = 0_usize;
    for (position, route) in places.iter().enumerate() {
        if let Some(conflict) = insert(&mut table, &route.matched, position, &mut entries) {
            let path = format!("routes[{}].match", route.index);
            match conflict {
                Conflict::Same(other) => {
                    let other = places.get(other).map(|other| describe(other));
                    let message = format!(
                        "{} matches what {} matches, and neither is more specific",
                        describe(route),
                        other.unwrap_or_default()
                    );
                    let help = "merge them, or tell them apart by method, host or path".to_owned();
                    sink.report(&path, route.at, message, Some(help));
                }
                Conflict::TooManyMethods => sink.report(
                    &path,
                    route.at,
                    "too many methods are named for one path",
                    None,
                ),
            }
        } else if let Some(other) = names.insert(&route.name, route) {
            let message = format!(
                "the name {} is also that of {}",
                quoted(&route.name),
                describe(other)
            );
            let path = format!("routes[{}].name", route.index);
            sink.report(&path, route.at, message, None);
        }
    }
    if entries > MAX_TABLE_ENTRIES {
        let message = format!(
            "the routes have {entries} hosts and methods in all, more than the {MAX_TABLE_ENTRIES} allowed"
        );
        sink.report("routes", document.at(), message, None);
    }
    table
}

/// Routes that refuse methods which a broader route takes.
fn warnings(table: &Table, routes: &[Route]) -> Vec<Problem> {
    let places = || routes.iter().map(Route::place).enumerate();
    let hidden = places().flat_map(|(position, route)| {
        let hidden = table.hidden_by(&route.matched, position);
        hidden.into_iter().map(move |hidden| (route, hidden))
    });
    let warnings = hidden.filter_map(|(route, Hidden { route: broader, methods, taken })| {
        let broader = describe(routes.get(broader)?.place());
        let others = match methods.is_empty() {
            true => "other methods".to_owned(),
            false => methods.join(", "),
        };
        Some(Problem {
            path: format!("routes[{}].match", route.index),
            at: route.at,
            message: format!(
                "takes {} at {}, so {others} get 405 there and do not reach {broader}, which is broader and takes them",
                taken.join(", "),
                route.matched.pattern.show(),
            ),
            help: Some("name them here or in a route of their own, if they are meant to pass".to_owned()),
        })
    });
    warnings.take(MAX_WARNINGS).collect()
}

/// The routes without mistakes, and the places of the others.
fn read_routes(field: &Field<'_>, known: &Known<'_>) -> Option<(Vec<Route>, Vec<Place>)> {
    let items = field.non_empty_list()?;
    if items.len() > MAX_ROUTES {
        field.problem(format!(
            "has {} routes, more than the {MAX_ROUTES} allowed",
            items.len()
        ));
        return None;
    }
    let (mut routes, mut broken) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match Route::read(item, index, known) {
            Some(Ok(route)) => routes.push(route),
            Some(Err(place)) => broken.push(place),
            None => {}
        }
    }
    Some((routes, broken))
}

/// Adds a route under each of its hosts and methods.
fn insert(
    table: &mut Table,
    matched: &Match,
    position: usize,
    entries: &mut usize,
) -> Option<Conflict> {
    let hosts = if matched.hosts.is_empty() {
        vec![None]
    } else {
        matched.hosts.iter().map(Some).collect()
    };
    let methods = if matched.methods.is_empty() {
        vec![None]
    } else {
        matched.methods.iter().map(|m| Some(m.as_str())).collect()
    };
    for host in &hosts {
        for method in &methods {
            *entries = entries.saturating_add(1);
            if *entries > MAX_TABLE_ENTRIES {
                continue;
            }
            if let Err(conflict) = table.insert(*host, *method, &matched.pattern, position) {
                return Some(conflict);
            }
        }
    }
    None
}

/// A route for a message: its name, and its line if known, else its index.
fn describe(route: &Place) -> String {
    let name = quoted(&route.name);
    match route.at {
        Some(Location { line, .. }) => format!("the route {name} on line {line}"),
        None => format!("the route {name} (routes[{}])", route.index),
    }
}

#[cfg(test)]
#[cfg(all(feature = "conditions", feature = "yaml"))]
mod tests;
