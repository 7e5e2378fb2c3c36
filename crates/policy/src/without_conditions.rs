//! What stands for conditions in a build without them: a `when` is a mistake in the document, told with its place.

use crate::decision::{Denied, Facts, TokenFacts};
use crate::document::Field;
use crate::route::Route;

/// Refuses every condition.
pub(crate) struct Compiler;

/// What a condition may name; nobody asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    #[expect(
        dead_code,
        reason = "the caller is the same in every build; only the one with conditions reads it"
    )]
    pub(crate) path_variables: Option<&'a [&'a str]>,
    #[expect(
        dead_code,
        reason = "the caller is the same in every build; only the one with conditions reads it"
    )]
    pub(crate) credentials: Option<&'a [&'a str]>,
}

/// No such value can be made: a policy of this build has no conditions, so none can be passed over.
#[derive(Debug)]
pub(crate) enum Condition {}

impl Compiler {
    /// Never `None`; the signature is that of the build with conditions.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the caller is the same in every build"
    )]
    pub(crate) fn new() -> Option<Self> {
        Some(Self)
    }

    /// INVARIANT: reports a mistake. A condition that was ignored would let requests through.
    #[expect(clippy::unused_self, reason = "the caller is the same in every build")]
    pub(crate) fn read(&self, field: &Field<'_>, _scope: Scope<'_>) -> Option<Condition> {
        field.problem_with_help(
            "is a condition, and this build has no conditions",
            "use token-guard.wasm, which has them",
        );
        None
    }
}

impl Condition {
    /// The text as the document has it.
    pub(crate) fn source(&self) -> &str {
        match *self {}
    }

    /// The decision.
    pub(crate) fn decide(
        &self,
        _route: &Route,
        _facts: &Facts<'_>,
        _principal: &TokenFacts<'_>,
    ) -> Result<(), Denied> {
        match *self {}
    }
}
