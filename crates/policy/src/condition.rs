//! Conditions: CEL, checked when the policy is compiled.

use crate::decision::{Denied, Facts};
use crate::document::Field;
use crate::route::Route;

/// What a condition may name besides the fixed variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The variables of the route's template; `None` if the template could not be read.
    pub(crate) path_variables: Option<&'a [&'a str]>,
}

/// A compiled condition.
#[derive(Debug)]
pub(crate) struct Condition {
    source: String,
}

impl Condition {
    pub(crate) fn read(field: &Field<'_>, scope: Scope<'_>) -> Option<Self> {
        let _ = scope.path_variables;
        field.problem("conditions are not read yet");
        None
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn decide(&self, route: &Route, facts: &Facts<'_>) -> Result<(), Denied> {
        let _ = (route, facts);
        Err(Denied::Condition)
    }
}

/// Words that CEL keeps for itself.
pub(crate) fn is_reserved_word(word: &str) -> bool {
    matches!(
        word,
        "as" | "break"
            | "const"
            | "continue"
            | "else"
            | "false"
            | "for"
            | "function"
            | "if"
            | "import"
            | "in"
            | "let"
            | "loop"
            | "namespace"
            | "null"
            | "package"
            | "return"
            | "true"
            | "var"
            | "void"
            | "while"
    )
}
