//! Conditions: CEL, checked when the policy is compiled, evaluated within a budget, denying on every error.
//!
//! Crate `cel` parses and evaluates; this room makes that safe for a guard:
//!
//! - [`parse`] bounds the text before the parser sees it.
//! - [`check`] walks the tree: only known variables, fields and functions, bounded depth, so that evaluation finds nothing that
//!   crate `cel` would panic on, and a mistyped name is a mistake in the document and not a request denied at night.
//! - [`meter`] puts a toll on everything whose cost depends on the token. A token that would cost more than [`BUDGET`] is denied.
//! - [`claims`] hands claims out one by one; what a condition doesn't name is never converted.
//!
//! # The language
//!
//! | variable | value |
//! |---|---|
//! | `claims.x`, `claims["x"]` | a claim; a missing one is an error, and denies, unless `has(claims.x)` was asked first |
//! | `credentials.NAME.claims.x` | a claim of that credential's token; an error where it did not come, unless `has(credentials.NAME)` was asked first |
//! | `request.method`, `request.host`, `request.path` | as text; host in lower case without port, path decoded, without query |
//! | `path.x` | the template's variable `{x}`, decoded |
//! | `issuer.tenant` | the tenant in the issuer's name; an error where it has none |
//! | `source.address` | the peer's address without port; an error where the proxy doesn't know it |
//! | `now` | the time, whole seconds since 1970: `now + 60 < claims.exp` |
//!
//! Operators and macros are those of CEL: `== != < <= > >= + - * / % ! && || ?: in [] .`, `has`, `all`, `exists`,
//! `exists_one`, `map`, `filter`. Functions: `size`, `int`, `uint`, `double`, `string`, `bool`, `type`, and on strings
//! `contains`, `startsWith`, `endsWith`, `size`, `split`, `lowerAscii`, `upperAscii`, `trim`, `substring`, `indexOf`, `lastIndexOf`,
//! `charAt`. `matches` is not offered: no crate with regular expressions comes in for it.
//!
//! As everywhere in CEL, `a || b` is true if either is, even where the other is an error, and values of different types are
//! unequal, not an error.

mod check;
mod claims;
mod meter;
mod names;
mod parse;

use std::fmt;
use std::sync::Arc;

use cel::common::ast::IdedExpr;
use cel::common::types::CelBool;
use cel::{Context, Env, ExecutionError, Value};

use crate::decision::{Denied, Facts, TokenFacts};
use crate::document::Field;
use crate::route::Route;
use claims::Variables;
use meter::Budget;

/// What one evaluation may cost. A unit is about one step of the evaluator, well under a microsecond in wasm; a usual condition
/// takes 5 to 50, a search through a list of a thousand groups about 6,000.
pub(crate) const BUDGET: u32 = 20_000;

/// Compiles conditions. One for a policy: the functions are registered once.
pub(crate) struct Compiler {
    env: Arc<Env>,
}

/// What a condition may name besides the fixed variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The variables of the route's template; `None` if the template could not be read, which was reported.
    pub(crate) path_variables: Option<&'a [&'a str]>,
    /// The credentials that the route looks at; `None` if that could not be read, which was reported.
    pub(crate) credentials: Option<&'a [&'a str]>,
}

/// A compiled condition.
pub(crate) struct Condition {
    source: String,
    tree: IdedExpr,
    env: Arc<Env>,
}

impl Compiler {
    /// `None` cannot happen with the pinned version of crate `cel`; a test sees to it.
    pub(crate) fn new() -> Option<Self> {
        let mut env = Env::default().with_optional_support(false).with_stdlib();
        cel::extensions::strings(&mut env).ok()?;
        meter::register(&mut env).ok()?;
        Some(Self { env: Arc::new(env) })
    }

    /// Reads `when`. Every mistake in it is reported.
    pub(crate) fn read(&self, field: &Field<'_>, scope: Scope<'_>) -> Option<Condition> {
        let source = field.non_empty_text()?;
        let tree = parse::parse(field, source)?;
        check::check(field, source, &tree, scope)?;
        let tree = meter::install(field, tree)?;
        Some(Condition {
            source: source.to_owned(),
            tree,
            env: Arc::clone(&self.env),
        })
    }
}

impl Condition {
    /// The text as the document has it.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether the condition is true. Anything else denies: false, another type, an error, a spent budget.
    ///
    /// `claims` are those of `principal`.
    pub(crate) fn decide(
        &self,
        route: &Route,
        facts: &Facts<'_>,
        principal: &TokenFacts<'_>,
    ) -> Result<(), Denied> {
        let budget = Budget::new(BUDGET);
        let variables = Variables::new(route, facts, principal, &budget);
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(&variables);
        let result = Value::resolve_val(&self.tree, &context);
        // INVARIANT: first, because CEL absorbs errors beside a `true`, this one too.
        if budget.is_spent() {
            return Err(error("it costs more than a request may"));
        }
        match result {
            Ok(value) => match value.downcast_ref::<CelBool>().map(|value| *value.inner()) {
                Some(true) => Ok(()),
                Some(false) => Err(Denied::Condition),
                None => Err(error(&format!(
                    "it is {}, not true or false",
                    names::article(value.get_type().name())
                ))),
            },
            Err(failure) => Err(error(&self.explain(&failure))),
        }
    }

    /// Why an evaluation failed, in words that hold no value of the token: names are shown only if the policy itself spells them.
    fn explain(&self, error: &ExecutionError) -> String {
        let named = |name: &str| {
            if parse::mentions(&self.source, name) {
                format!(" `{name}`")
            } else {
                String::new()
            }
        };
        match error {
            ExecutionError::NoSuchKey(name) => format!(
                "there is no{}",
                if named(name).is_empty() {
                    " such key".to_owned()
                } else {
                    named(name)
                }
            ),
            ExecutionError::UndeclaredReference(name) => {
                format!("there is no value for{}", named(name))
            }
            // Function and types; types are names of CEL's own.
            ExecutionError::NoSuchOverload(overload) => format!("{overload}"),
            ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
                format!("`{operator}` does not apply to these types")
            }
            ExecutionError::UnexpectedType { got, want } => format!(
                "{} stands where {} is wanted",
                names::article(got),
                names::article(want)
            ),
            ExecutionError::FunctionError { function, .. } => {
                format!("`{function}` does not take this value")
            }
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                "it divides by zero".to_owned()
            }
            ExecutionError::Overflow(..) => "a number overflows".to_owned(),
            ExecutionError::IndexOutOfBounds(_) => "an index is outside its list".to_owned(),
            ExecutionError::DuplicateKey(_) => "a map has a key twice".to_owned(),
            ExecutionError::UnsupportedKeyType(_) => {
                "a map key has a type that cannot be one".to_owned()
            }
            _ => "it could not be evaluated".to_owned(),
        }
    }
}

fn error(reason: &str) -> Denied {
    /// More than any message above: a bound, not a format.
    const MAX_REASON_BYTES: usize = 200;
    let end = reason.floor_char_boundary(MAX_REASON_BYTES);
    Denied::ConditionError {
        reason: reason.get(..end).unwrap_or_default().to_owned(),
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;
