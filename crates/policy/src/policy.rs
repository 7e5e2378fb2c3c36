//! The compiled policy: exactly one route, or none, for a host, method and path.

use std::collections::HashMap;

use crate::condition::Compiler;
use crate::document::{Field, Location, Section, quoted};
use crate::enforcement::Enforcement;
use crate::path::CanonicalPath;
use crate::route::{Conflict, Found, Route, Table};

/// Routes in a policy at most.
pub const MAX_ROUTES: usize = 10_000;

/// Entries of the route table at most: a route has one for each of its hosts and methods.
pub const MAX_TABLE_ENTRIES: usize = 50_000;

/// A compiled policy. Everything in it was checked when it was compiled.
#[derive(Debug)]
pub struct Policy {
    routes: Vec<Route>,
    table: Table,
    /// Asked for every new token: told once, because looking at every route would take as long as there are routes.
    reads_claims: bool,
    /// Of requests that no route takes.
    enforcement: Enforcement,
    shadow_routes: usize,
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
    /// The most specific pattern matches, but none of its routes takes the method. Denied; broader routes are not tried.
    MethodNotAllowed,
    /// Nothing matches: the default, which is to deny.
    NoRoute,
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
        let routes = document.required("routes", |field| read_routes(field, &known))?;
        let mut policy = Policy {
            reads_claims: routes.iter().any(Route::reads_claims),
            enforcement,
            shadow_routes: routes
                .iter()
                .filter(|route| route.enforcement().is_shadow())
                .count(),
            routes,
            table: Table::default(),
        };
        // Also with some routes missing, because of mistakes in them: what the others have wrong among them is told in the same go.
        policy.fill_table(document);
        (sink.count() == before).then_some(policy)
    }

    /// Selects by host (`:authority`; case, port and a final dot are ignored), method and path. What is no host, or has user
    /// information, selects nothing. Cost grows with the segments of the path, not with the number of routes.
    #[must_use]
    pub fn select(&self, host: &str, method: &str, path: &CanonicalPath) -> Selected<'_> {
        match self.table.select(host, method, path) {
            Found::Route(index) => self
                .routes
                .get(index)
                .map_or(Selected::NoRoute, Selected::Route),
            Found::OtherMethod => Selected::MethodNotAllowed,
            Found::Nothing => Selected::NoRoute,
        }
    }

    /// Whether any route looks at claims beside issuer, audiences and scopes. Where none does, nobody needs to keep them.
    #[must_use]
    pub const fn reads_claims(&self) -> bool {
        self.reads_claims
    }

    /// Whether it binds that no route takes a request: the document's own `mode`.
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

    /// The routes in the order of the document.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Puts every route into the table, and reports those that equal another or have its name.
    fn fill_table(&mut self, document: &Section<'_>) {
        let sink = document.sink();
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut entries = 0_usize;
        for (position, route) in self.routes.iter().enumerate() {
            if let Some(conflict) = insert(&mut self.table, route, position, &mut entries) {
                let path = format!("routes[{}].match", route.index());
                match conflict {
                    Conflict::Same(other) => {
                        let other = self.routes.get(other).map(describe).unwrap_or_default();
                        let message = format!(
                            "{} matches what {other} matches, and neither is more specific",
                            describe(route)
                        );
                        let help =
                            "merge them, or tell them apart by method, host or path".to_owned();
                        sink.report(&path, route.at(), message, Some(help));
                    }
                    Conflict::TooManyMethods => sink.report(
                        &path,
                        route.at(),
                        "too many methods are named for one path",
                        None,
                    ),
                }
            } else if let Some(other) = names
                .insert(route.name(), position)
                .and_then(|other| self.routes.get(other))
            {
                let message = format!(
                    "the name {} is also that of {}",
                    quoted(route.name()),
                    describe(other)
                );
                sink.report(
                    &format!("routes[{}].name", route.index()),
                    route.at(),
                    message,
                    None,
                );
            }
        }
        if entries > MAX_TABLE_ENTRIES {
            let message = format!(
                "the routes have {entries} hosts and methods in all, more than the {MAX_TABLE_ENTRIES} allowed"
            );
            sink.report("routes", document.at(), message, None);
        }
    }
}

/// The routes without mistakes.
fn read_routes(field: &Field<'_>, known: &Known<'_>) -> Option<Vec<Route>> {
    let items = field.non_empty_list()?;
    if items.len() > MAX_ROUTES {
        field.problem(format!(
            "has {} routes, more than the {MAX_ROUTES} allowed",
            items.len()
        ));
        return None;
    }
    Some(
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| Route::read(item, index, known))
            .collect(),
    )
}

/// Adds a route under each of its hosts and methods.
fn insert(
    table: &mut Table,
    route: &Route,
    position: usize,
    entries: &mut usize,
) -> Option<Conflict> {
    let matched = route.matched();
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
fn describe(route: &Route) -> String {
    match route.at() {
        Some(Location { line, .. }) => format!("the route {} on line {line}", quoted(route.name())),
        None => format!(
            "the route {} (routes[{}])",
            quoted(route.name()),
            route.index()
        ),
    }
}

#[cfg(test)]
#[cfg(all(feature = "conditions", feature = "yaml"))]
mod tests;
