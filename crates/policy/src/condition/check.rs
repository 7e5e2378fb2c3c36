//! What a condition may say. After this check the evaluator meets only what it can handle.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::names::{
    CLAIMS, CREDENTIALS, FUNCTIONS, ISSUER, ISSUER_FIELDS, MACROS, METHODS, NOW, PATH, REQUEST,
    REQUEST_FIELDS, SOURCE, SOURCE_FIELDS, TYPES, VARIABLES,
};
use super::{Scope, parse};
use crate::document::{Field, nearest, quoted};

/// The depth of the tree. The evaluator recurses with large frames, within the megabyte of stack that wasm has.
const MAX_DEPTH: usize = 32;

/// Checks a tree. Mistakes are reported, and `None` comes back.
pub(super) fn check(
    field: &Field<'_>,
    source: &str,
    tree: &IdedExpr,
    scope: Scope<'_>,
) -> Option<()> {
    let mut checker = Checker {
        field,
        source,
        scope,
        bound: Vec::new(),
        good: true,
    };
    checker.walk(tree, 0);
    checker.good.then_some(())
}

struct Checker<'a> {
    field: &'a Field<'a>,
    source: &'a str,
    scope: Scope<'a>,
    /// Names bound by the macros around.
    bound: Vec<String>,
    good: bool,
}

/// What has fields.
#[derive(Clone, Copy)]
enum Root<'n> {
    /// A variable, by name.
    Variable(&'n str),
    /// `credentials.NAME.claims`.
    Credential(&'n str),
}

impl Checker<'_> {
    fn walk(&mut self, node: &IdedExpr, depth: usize) {
        if depth > MAX_DEPTH {
            if self.good {
                self.mistake("", format!("it is nested more than {MAX_DEPTH} deep"), None);
            }
            return;
        }
        let below = depth.saturating_add(1);
        match &node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => self.mistake(
                "",
                "bytes are not compared with anything here",
                Some("leave out the b before the quotes".to_owned()),
            ),
            Expr::Literal(_) => {}
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => match self.root(&select.operand) {
                Some(root) => self.field_of(root, &select.field),
                None if self.is_credentials(node) => self.credential(node, select.test),
                None => self.walk(&select.operand, below),
            },
            Expr::Call(call) => {
                let operator = call.target.is_none() && is_operator(&call.func_name);
                if !operator {
                    self.function(&call.func_name, call.target.is_some(), call.args.len());
                }
                if let Some(target) = &call.target {
                    self.walk(target, below);
                }
                for (index, argument) in call.args.iter().enumerate() {
                    // `claims["x"]` and `"x" in claims`: the root as a whole may stand here, and only here.
                    let as_map = match call.func_name.as_str() {
                        operators::INDEX => index == 0,
                        operators::IN => index == 1,
                        _ => false,
                    };
                    match self.root(argument) {
                        Some(root) if operator && as_map => {
                            if let Some(Expr::Literal(LiteralValue::String(key))) =
                                call.args.get(1).filter(|_| index == 0).map(|key| &key.expr)
                            {
                                self.field_of(root, key.inner());
                            }
                        }
                        _ => self.walk(argument, below),
                    }
                }
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.walk(element, below);
                }
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            self.walk(&entry.key, below);
                            self.walk(&entry.value, below);
                        }
                        EntryExpr::StructField(_) => {
                            self.mistake("", "it makes a message type", None)
                        }
                    }
                }
            }
            Expr::Comprehension(comprehension) => {
                self.walk(&comprehension.iter_range, below);
                let name = &comprehension.iter_var;
                if !parse::may_be_bound(name) || comprehension.iter_var2.is_some() {
                    self.mistake(name, format!("{} cannot name an item", quoted(name)), None);
                } else if VARIABLES.contains(&name.as_str())
                    || TYPES.contains(&name.as_str())
                    || self.bound.contains(name)
                {
                    self.mistake(
                        name,
                        format!("`{name}` already means something else here"),
                        Some("give the item another name".to_owned()),
                    );
                }
                self.bound.push(name.clone());
                for part in [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.walk(part, below);
                }
                self.bound.pop();
            }
            Expr::Struct(made) => self.mistake(
                &made.type_name,
                format!("there is no type {} to make", quoted(&made.type_name)),
                None,
            ),
            Expr::Unspecified => self.mistake("", "a part of it is missing", None),
        }
    }

    /// The variable with fields that the node is, if it is one.
    fn root<'n>(&self, node: &'n IdedExpr) -> Option<Root<'n>> {
        match &node.expr {
            Expr::Ident(name)
                if [CLAIMS, ISSUER, REQUEST, PATH, SOURCE].contains(&name.as_str())
                    && !self.bound.contains(name) =>
            {
                Some(Root::Variable(name))
            }
            Expr::Select(claims) if claims.field == CLAIMS && !claims.test => {
                match &claims.operand.expr {
                    Expr::Select(named) if self.is_variable(&named.operand, CREDENTIALS) => {
                        Some(Root::Credential(&named.field))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn is_variable(&self, node: &IdedExpr, name: &str) -> bool {
        matches!(&node.expr, Expr::Ident(found) if found == name)
            && !self.bound.iter().any(|bound| bound == name)
    }

    /// Whether the node is `credentials` with a field or two.
    fn is_credentials(&self, node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::Select(select) => match &select.operand.expr {
                Expr::Select(inner) => self.is_variable(&inner.operand, CREDENTIALS),
                _ => self.is_variable(&select.operand, CREDENTIALS),
            },
            _ => false,
        }
    }

    /// `credentials.NAME` or `credentials.NAME.field`, which say nothing by themselves, unless it is asked whether they came.
    fn credential(&mut self, node: &IdedExpr, asked: bool) {
        let Expr::Select(select) = &node.expr else {
            return;
        };
        let (name, field) = match &select.operand.expr {
            Expr::Select(inner) => (&inner.field, Some(&select.field)),
            _ => (&select.field, None),
        };
        let help = format!("name a claim: {CREDENTIALS}.{name}.{CLAIMS}.sub");
        match field {
            Some(field) if field != CLAIMS => self.mistake(
                field,
                format!("`{CREDENTIALS}.{name}` has no field {}", quoted(field)),
                Some(help),
            ),
            _ if !asked => self.mistake(
                name,
                format!("`{CREDENTIALS}.{name}` cannot be used as a whole"),
                Some(help),
            ),
            _ => self.credential_name(name),
        }
    }

    /// The name of a credential, which the route must look at: another one is never there.
    fn credential_name(&mut self, name: &str) {
        let Some(known) = self.scope.credentials else {
            return;
        };
        if known.contains(&name) {
            return;
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(known) => format!("did you mean `{CREDENTIALS}.{known}`?"),
            None => format!("it asks for: {}", known.join(", ")),
        };
        self.mistake(
            name,
            format!("the route asks for no credential {}", quoted(name)),
            Some(help),
        );
    }

    /// A name that stands alone.
    fn name(&mut self, name: &str) {
        // What the macros bind for themselves cannot be written.
        if name == NOW
            || name == "@result"
            || TYPES.contains(&name)
            || self.bound.iter().any(|bound| bound == name)
        {
            return;
        }
        if VARIABLES.contains(&name) {
            let help = match name {
                CREDENTIALS => {
                    format!("name a credential and a claim: {CREDENTIALS}.NAME.{CLAIMS}.sub")
                }
                CLAIMS => {
                    "name a claim: claims.sub, or claims[\"https://example.com/x\"]".to_owned()
                }
                PATH => "name a variable of the template: path.id".to_owned(),
                REQUEST => format!("name a field: {}", REQUEST_FIELDS.join(", ")),
                ISSUER => format!("name a field: {}", ISSUER_FIELDS.join(", ")),
                _ => format!("name a field: {}", SOURCE_FIELDS.join(", ")),
            };
            return self.mistake(
                name,
                format!("`{name}` cannot be used as a whole"),
                Some(help),
            );
        }
        let known = VARIABLES
            .iter()
            .copied()
            .chain(self.bound.iter().map(String::as_str));
        let help = match nearest(name, known) {
            Some(known) => format!("did you mean `{known}`?"),
            None if self
                .scope
                .path_variables
                .is_some_and(|variables| variables.contains(&name)) =>
            {
                format!("did you mean `path.{name}`?")
            }
            None => format!("known: {}; text stands in quotes", VARIABLES.join(", ")),
        };
        self.mistake(
            name,
            format!("there is no variable {}", quoted(name)),
            Some(help),
        );
    }

    /// A field of a variable with fields.
    fn field_of(&mut self, root: Root<'_>, name: &str) {
        let root = match root {
            Root::Variable(root) => root,
            Root::Credential(credential) => return self.credential_name(credential),
        };
        let known: &[&str] = match (root, self.scope.path_variables) {
            (REQUEST, _) => &REQUEST_FIELDS,
            (SOURCE, _) => &SOURCE_FIELDS,
            (ISSUER, _) => &ISSUER_FIELDS,
            (PATH, Some(variables)) => variables,
            // Claims are the token's business; and a template that could not be read has been reported.
            _ => return,
        };
        if known.contains(&name) {
            return;
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(known) => format!("did you mean `{root}.{known}`?"),
            None if known.is_empty() => "the route's path has no variables".to_owned(),
            None => format!("known: {}", known.join(", ")),
        };
        self.mistake(
            name,
            format!("`{root}` has no field {}", quoted(name)),
            Some(help),
        );
    }

    fn function(&mut self, name: &str, on_value: bool, arguments: usize) {
        let known: &[(&str, &[usize])] = if on_value { &METHODS } else { &FUNCTIONS };
        let other: &[(&str, &[usize])] = if on_value { &FUNCTIONS } else { &METHODS };
        if let Some((_, counts)) = known.iter().find(|(known, _)| *known == name) {
            if !counts.contains(&arguments) {
                let counts = counts
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" or ");
                self.mistake(
                    name,
                    format!("`{name}` takes {counts} arguments here, not {arguments}"),
                    None,
                );
            }
            return;
        }
        let help = if name == "matches" {
            Some(
                "regular expressions are not offered; see startsWith, endsWith, contains, split"
                    .to_owned(),
            )
        } else if MACROS.contains(&name) {
            Some("has(claims.x), and on lists all(x, …), exists(x, …), exists_one(x, …), map(x, …), filter(x, …)".to_owned())
        } else if other.iter().any(|(other, _)| *other == name) {
            Some(if on_value {
                format!("write {name}(x)")
            } else {
                format!("write x.{name}(…)")
            })
        } else {
            let all = known.iter().map(|(known, _)| *known);
            Some(match nearest(name, all.clone()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known: {}", all.collect::<Vec<_>>().join(", ")),
            })
        };
        self.mistake(
            name,
            format!("there is no function {} called this way", quoted(name)),
            help,
        );
    }

    fn mistake(&mut self, name: &str, message: impl Into<String>, help: Option<String>) {
        self.good = false;
        let message = format!("{}{}", parse::place_of(self.source, name), message.into());
        match help {
            Some(help) => self.field.problem_with_help(message, help),
            None => self.field.problem(message),
        }
    }
}

/// The operators of the language, under the names the parser gives them. No source can spell these names.
fn is_operator(name: &str) -> bool {
    matches!(
        name,
        operators::CONDITIONAL
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::SUBSTRACT
            | operators::ADD
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::EQUALS
            | operators::NOT_EQUALS
            | operators::GREATER_EQUALS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::LESS
            | operators::NEGATE
            | operators::INDEX
            | operators::NOT_STRICTLY_FALSE
            | operators::IN
    )
}
