//! One entry of `routes` from the document: match, and who may pass.

use super::host::HostPattern;
use super::pattern::{Kind, Pattern};
use super::{Access, Place, Route};
use crate::condition::Scope;
use crate::document::{Field, Section, Value};
use crate::enforcement::Enforcement;
use crate::policy::Known;
use crate::requirement::{Demands, read_credential};

/// The most hosts or methods of one route.
const MAX_ALTERNATIVES: usize = 32;
/// The longest name of a route: it goes into every audit record.
const MAX_NAME_BYTES: usize = 128;

/// What a route matches.
#[derive(Debug)]
pub(crate) struct Match {
    /// Empty: any host.
    pub(crate) hosts: Vec<HostPattern>,
    /// Empty: any method.
    pub(crate) methods: Vec<String>,
    pub(crate) pattern: Pattern,
}

impl Match {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let hosts = alternatives(&mut section, "hosts", HostPattern::read);
        let methods = alternatives(&mut section, "methods", read_method);
        let path = section.field("path");
        let prefix = section.field("prefix");
        let pattern = match (&path, &prefix) {
            (Some(path), None) => Pattern::read(path, Kind::Exact),
            (None, Some(prefix)) => Pattern::read(prefix, Kind::Prefix),
            (Some(path), Some(prefix)) => {
                prefix.problem_with_help(
                    "stands beside `path`",
                    "a route has one of them; write a second route",
                );
                // For the mistakes in them.
                let _ = Pattern::read(path, Kind::Exact);
                let _ = Pattern::read(prefix, Kind::Prefix);
                None
            }
            (None, None) => {
                section.problem_with_help(
                    "needs `path` or `prefix`",
                    "`prefix: /` matches everything",
                );
                None
            }
        };
        Some(Self {
            hosts: hosts?,
            methods: methods?,
            pattern: pattern?,
        })
    }

    /// A name made of what is matched: `GET,POST api.example.com/orders/{id}`.
    fn show(&self) -> String {
        let hosts = self
            .hosts
            .iter()
            .map(HostPattern::show)
            .collect::<Vec<_>>()
            .join(",");
        let place = format!("{hosts}{}", self.pattern.show());
        if self.methods.is_empty() {
            place
        } else {
            format!("{} {place}", self.methods.join(","))
        }
    }
}

impl Route {
    /// Reads one route. Every mistake in it is reported; of a route with some comes its place, if that is good: whether it overlaps
    /// another is told in the same go.
    pub(crate) fn read(
        field: &Field<'_>,
        index: usize,
        known: &Known<'_>,
    ) -> Option<Result<Self, Place>> {
        let mut section = field.section()?;
        let name = section.field("name");
        let matched = section.required("match", Match::read);
        let allow = section.field("allow");
        let optional = section.field("optional");
        let require = section.field("require");
        let when = section.field("when");
        let enforcement = section.optional("mode", Enforcement::read);

        let explicit = name.as_ref().map(read_name);
        let access = match (&allow, &require) {
            (Some(allow), Some(require)) => {
                require.problem_with_help(
                    "stands beside `allow`",
                    "a route either allows anonymous requests or requires a token",
                );
                // For the mistakes in them.
                let _ = allow.one_of(&[("anonymous", ())]);
                let _ = Demands::read(require, known);
                None
            }
            (Some(allow), None) => {
                if let Some(when) = &when {
                    when.problem_with_help(
                        "needs `require`",
                        "`require: {}` asks for any valid token",
                    );
                }
                let anonymous = allow.one_of(&[("anonymous", ())]);
                let optional = optional
                    .as_ref()
                    .map_or(Some(Vec::new()), |field| read_optional(field, known));
                anonymous
                    .zip(optional)
                    .map(|((), optional)| match optional.as_slice() {
                        [] => Access::Anonymous,
                        _ => Access::Optional(optional.into_boxed_slice()),
                    })
            }
            (None, Some(require)) => {
                if let Some(optional) = &optional {
                    optional.problem_with_help(
                        "needs `allow: anonymous`",
                        "a required token cannot be optional",
                    );
                }
                Demands::read(require, known).map(Access::Required)
            }
            (None, None) => {
                section.problem_with_help(
                    "needs `require` or `allow: anonymous`",
                    "`require: {}` asks for any valid token",
                );
                None
            }
        };
        let condition = match &when {
            Some(when) => {
                // Without a match there is nothing to tell which variables a condition may name, and without demands, which
                // credentials.
                let credentials = access.as_ref().map(|access| match access {
                    Access::Required(demands) => known.names_of(demands.credentials()),
                    Access::Anonymous | Access::Optional(_) => Vec::new(),
                });
                let variables = matched.as_ref().map(|matched| {
                    matched
                        .pattern
                        .variables()
                        .map(|(_, name)| name)
                        .collect::<Vec<_>>()
                });
                Some(known.conditions.read(
                    when,
                    Scope {
                        path_variables: variables.as_deref(),
                        credentials: credentials.as_deref(),
                    },
                ))
            }
            None => None,
        };
        let matched = matched?;
        let name = match explicit {
            Some(name) => name?,
            None => matched.show(),
        };
        let place = Place {
            index,
            name,
            at: field.at(),
            matched,
        };
        let condition = match condition {
            Some(None) => return Some(Err(place)),
            Some(Some(condition)) => Some(condition),
            None => None,
        };
        let Some(access) = access else {
            return Some(Err(place));
        };
        Some(Ok(Self {
            place,
            access,
            condition,
            condition_at: when.as_ref().and_then(Field::at),
            enforcement: enforcement.unwrap_or(known.enforcement),
        }))
    }
}

/// The credentials that may come along: with `true` the only one of the document, else those that are named.
fn read_optional(field: &Field<'_>, known: &Known<'_>) -> Option<Vec<usize>> {
    if let Value::List(_) = field.value() {
        let credentials = field.list_of(|item| read_credential(item, known))?;
        let repeated = |(index, credential)| {
            let before = credentials.get(..index).unwrap_or_default();
            before.contains(credential)
        };
        if credentials.iter().enumerate().any(repeated) {
            field.problem("names a credential twice");
            return None;
        }
        return Some(credentials);
    }
    match (field.boolean()?, known.credentials) {
        (false, _) => Some(Vec::new()),
        (true, [_]) => Some(vec![0]),
        (true, all) => {
            field.problem_with_help(
                "does not say which of several credentials",
                format!(
                    "write them as a list, first the one that is to speak for the request: [{}]",
                    all.join(", ")
                ),
            );
            None
        }
    }
}

/// A list that may be left out, which then means any.
fn alternatives<'d, T: PartialEq>(
    section: &mut Section<'d>,
    name: &'static str,
    read: impl Fn(&Field<'d>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(field) = section.field(name) else {
        return Some(Vec::new());
    };
    let items = field.non_empty_list()?;
    if items.len() > MAX_ALTERNATIVES {
        field.problem(format!(
            "has {} items, more than the {MAX_ALTERNATIVES} allowed",
            items.len()
        ));
        return None;
    }
    let mut good = true;
    let mut all = Vec::new();
    for item in items {
        match read(&item) {
            Some(value) if all.contains(&value) => {
                item.problem("stands twice");
                good = false;
            }
            Some(value) => all.push(value),
            None => good = false,
        }
    }
    good.then_some(all)
}

/// A method: a token of RFC 9110, section 5.6.2. Methods are compared exactly, so lower case is a mistake.
fn read_method(field: &Field<'_>) -> Option<String> {
    let text = field.non_empty_text()?;
    let is_token = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !is_token || text.len() > 32 {
        field.problem_with_help(
            format!("{text:?} is no method"),
            "write each method as an item: [GET, POST]",
        );
        return None;
    }
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        field.problem_with_help(
            format!("{text:?} is not in upper case"),
            format!("write {}", text.to_ascii_uppercase()),
        );
        return None;
    }
    if text == "*" {
        field.problem_with_help("is *", "leave `methods` out to match any method");
        return None;
    }
    if text == "CONNECT" {
        field.problem("names CONNECT, whose requests have no path and are refused");
        return None;
    }
    Some(text.to_owned())
}

fn read_name(field: &Field<'_>) -> Option<String> {
    let text = field.non_empty_text()?;
    if text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        field.problem(format!(
            "wants at most {MAX_NAME_BYTES} bytes without control characters"
        ));
        return None;
    }
    Some(text.to_owned())
}
