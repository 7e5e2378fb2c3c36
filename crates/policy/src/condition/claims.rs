//! The variables of a condition, handed out as they are asked for.
//!
//! The evaluator asks for the longest name first: for `claims.a.b` it asks for `claims.a.b`, `claims.a`, `claims`. So a claim
//! inside objects is found and converted alone. Values become crate `cel`'s own types: its equality knows no others.

use std::collections::HashMap;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, MAP_TYPE,
    Type,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::{Map, Value as Json};

use super::meter::{BUDGET_VARIABLE, Budget, text_weight};
use super::names::{CLAIMS, CREDENTIALS, ISSUER, NOW, PATH, REQUEST, SOURCE};
use crate::decision::{Facts, TokenFacts};
use crate::route::{Route, normal_host};

/// Objects and lists inside each other, beyond which a claim is no value. The token's own limit is lower.
const MAX_DEPTH: usize = 64;

/// What a condition can name, for one request.
pub(super) struct Variables<'a> {
    route: &'a Route,
    facts: &'a Facts<'a>,
    /// Those of the token that speaks for the request.
    claims: &'a Map<String, Json>,
    /// The one in its issuer's name.
    tenant: Option<&'a str>,
    budget: &'a Budget,
}

impl<'a> Variables<'a> {
    pub(super) fn new(
        route: &'a Route,
        facts: &'a Facts<'a>,
        principal: &TokenFacts<'a>,
        budget: &'a Budget,
    ) -> Self {
        Self {
            route,
            facts,
            claims: principal.claims,
            tenant: principal.tenant,
            budget,
        }
    }

    /// Claims as a whole, or one of them, by steps that are joined by dots.
    fn claims(&self, claims: &'a Map<String, Json>, steps: Option<&str>) -> Option<CowVal<'a, 'a>> {
        let Some(steps) = steps else {
            return Some(CowVal::owned(Claims {
                claims,
                budget: self.budget,
            }));
        };
        let (objects, last) = match steps.rsplit_once('.') {
            Some((objects, last)) => (Some(objects), last),
            None => (None, steps),
        };
        let object = objects
            .into_iter()
            .flat_map(|objects| objects.split('.'))
            .try_fold(claims, |object, step| object.get(step)?.as_object())?;
        convert(object.get(last)?, self.budget, 0).map(CowVal::Owned)
    }

    /// `NAME.claims` and what is below it, of the credential of that name.
    fn credential(&self, rest: &str) -> Option<CowVal<'a, 'a>> {
        let (name, rest) = rest.split_once('.')?;
        let steps = match rest.split_once('.') {
            None if rest == CLAIMS => None,
            Some((CLAIMS, steps)) => Some(steps),
            _ => return None,
        };
        let mut tokens = self.facts.tokens.iter();
        let token = tokens.find(|token| token.credential_name == name)?;
        self.claims(token.claims, steps)
    }

    /// `credentials` itself, which only tells which of them came: the check lets it stand only where that is asked.
    fn came(&self) -> CelMap<'a> {
        let entries = self.facts.tokens.iter().map(|token| {
            let key = CelMapKey::String(CelString::from(token.credential_name));
            let came: Box<dyn Val> = Box::new(CelBool::from(true));
            (key, came)
        });
        CelMap::from(entries.collect::<HashMap<_, _>>())
    }

    /// A field of `request`, `path`, `source` or `issuer`.
    fn field(&self, root: &str, name: &str) -> Option<CowVal<'a, 'a>> {
        let request = &self.facts.request;
        let text = match (root, name) {
            (REQUEST, "method") => request.method,
            (REQUEST, "path") => request.path.decoded(),
            (REQUEST, "host") => {
                return normal_host(request.host)
                    .map(|host| CowVal::owned(CelString::from(host.into_owned())));
            }
            (SOURCE, "address") => self.facts.source_address?,
            (ISSUER, "tenant") => self.tenant?,
            (PATH, name) => self
                .route
                .variables(request.path)
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value)?,
            _ => return None,
        };
        self.budget.take(text_weight(text))?;
        Some(CowVal::owned(CelString::from(text)))
    }

    /// `request`, `path`, `source` and `issuer` as maps, for what isn't written as `root.field`: `path["id"]`, `has(path.id)`.
    fn whole(&self, root: &str) -> CelMap<'a> {
        let names: Vec<&str> = match root {
            REQUEST => super::names::REQUEST_FIELDS.to_vec(),
            SOURCE => super::names::SOURCE_FIELDS.to_vec(),
            ISSUER => super::names::ISSUER_FIELDS.to_vec(),
            _ => self
                .route
                .variables(self.facts.request.path)
                .map(|(name, _)| name)
                .collect(),
        };
        let entries = names.into_iter().filter_map(|name| {
            let key = CelMapKey::String(CelString::from(name.to_owned()));
            Some((key, self.field(root, name)?.into_owned()))
        });
        CelMap::from(entries.collect::<HashMap<_, _>>())
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let (root, rest) = match variable.split_once('.') {
            Some((root, rest)) => (root, Some(rest)),
            None => (variable, None),
        };
        match (root, rest) {
            (CLAIMS, steps) => self.claims(self.claims, steps),
            (CREDENTIALS, None) => Some(CowVal::owned(self.came())),
            (CREDENTIALS, Some(rest)) => self.credential(rest),
            (REQUEST | PATH | SOURCE | ISSUER, None) => Some(CowVal::owned(self.whole(root))),
            (REQUEST | PATH | SOURCE | ISSUER, Some(name)) => self.field(root, name),
            (NOW, None) => Some(CowVal::owned(CelInt::from(self.facts.now))),
            (BUDGET_VARIABLE, None) => Some(CowVal::Borrowed(self.budget)),
            _ => None,
        }
    }
}

/// A claim's value as crate `cel` knows it; text is borrowed. `None`: the budget is spent.
fn convert<'v>(value: &'v Json, budget: &Budget, depth: usize) -> Option<Box<dyn Val + 'v>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let below = depth.saturating_add(1);
    budget.take(value.as_str().map_or(1, text_weight))?;
    Some(match value {
        Json::Null => Box::new(CelNull),
        Json::Bool(value) => Box::new(CelBool::from(*value)),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64()?)),
        },
        Json::String(text) => Box::new(CelString::from(text.as_str())),
        Json::Array(items) => {
            let items = items
                .iter()
                .map(|item| convert(item, budget, below))
                .collect::<Option<Vec<_>>>()?;
            Box::new(CelList::from(items))
        }
        Json::Object(members) => {
            let entry = |(name, value): (&'v String, &'v Json)| {
                budget.take(text_weight(name))?;
                Some((
                    CelMapKey::String(CelString::from(name.as_str())),
                    convert(value, budget, below)?,
                ))
            };
            Box::new(CelMap::from(
                members
                    .iter()
                    .map(entry)
                    .collect::<Option<HashMap<_, _>>>()?,
            ))
        }
    })
}

/// `claims` itself. The check lets it stand only where it is indexed, so it needs no equality.
#[derive(Debug, Clone, Copy)]
struct Claims<'a> {
    claims: &'a Map<String, Json>,
    budget: &'a Budget,
}

impl Val for Claims<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

impl Container for Claims<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.claims.contains_key(claim_name(name)?))
    }
}

impl<'a> Indexer for Claims<'a> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let claims = *self;
        claims.claim(name).map(CowVal::Owned)
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.claim(name)
    }
}

impl<'a> Claims<'a> {
    fn claim(&self, name: &dyn Val) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        let name = claim_name(name)?;
        let value = self
            .claims
            .get(name)
            .ok_or_else(|| ExecutionError::no_such_key(name))?;
        convert(value, self.budget, 0)
            .ok_or_else(|| ExecutionError::function_error(CLAIMS, "the budget is spent"))
    }
}

fn claim_name(name: &dyn Val) -> Result<&str, ExecutionError> {
    name.downcast_ref::<CelString>()
        .map(|name| name.inner())
        .ok_or_else(|| ExecutionError::UnexpectedType {
            got: name.get_type().name().to_owned(),
            want: "string".to_owned(),
        })
}
