//! Claims that must have a value.
//!
//! ```yaml
//! claims:
//!   tenant: acme                           # equal to this text
//!   level: [2, 3]                          # equal to one of these
//!   amr: mfa                               # an array in the token: has this item
//!   realm_access.verified: true            # a dot steps into an object
//!   https://example.com/department: sales  # a key with :// is one name, dots and all
//! ```
//!
//! Names that need neither, such as one with a dot that is no URL, are spelled step by step in the list form:
//!
//! ```yaml
//! claims:
//!   - { path: [app.settings, mode], equals: strict }
//! ```

use serde_json::{Map, Value as Json};

use crate::document::{Field, Value};

/// The most claims of one route, the most values of one claim.
const MAX_CLAIMS: usize = 32;
/// The most steps to a claim.
const MAX_STEPS: usize = 8;

/// A claim and the values it may have.
#[derive(Debug)]
pub(crate) struct ClaimTest {
    name: String,
    steps: Vec<String>,
    wanted: Vec<Wanted>,
}

/// A value to be equal to, type included: the text `1` is not the number 1.
#[derive(Debug, PartialEq)]
enum Wanted {
    Text(String),
    Integer(i64),
    Bool(bool),
}

impl ClaimTest {
    /// The claim as the policy names it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the claim is there and equal to one of the wanted values. Of an array, one item must be: that is how `amr` (RFC 8176),
    /// `aud` and the usual `groups` and `roles` are meant. Arrays inside arrays are not looked into.
    pub(crate) fn holds(&self, claims: &Map<String, Json>) -> bool {
        let Some((last, objects)) = self.steps.split_last() else {
            return false;
        };
        let object = objects
            .iter()
            .try_fold(claims, |object, step| object.get(step)?.as_object());
        let Some(found) = object.and_then(|object| object.get(last)) else {
            return false;
        };
        match found {
            Json::Array(items) => items.iter().any(|item| self.is_wanted(item)),
            single => self.is_wanted(single),
        }
    }

    fn is_wanted(&self, found: &Json) -> bool {
        self.wanted.iter().any(|wanted| match wanted {
            Wanted::Text(text) => found.as_str() == Some(text),
            Wanted::Integer(number) => found.as_i64() == Some(*number),
            Wanted::Bool(value) => found.as_bool() == Some(*value),
        })
    }
}

/// Reads `claims`, in either form.
pub(super) fn read(field: &Field<'_>) -> Option<Vec<ClaimTest>> {
    let tests = match field.value() {
        Value::List(_) => field.list_of(read_item)?,
        _ => {
            let entries = field.entries()?;
            if entries.is_empty() {
                field.problem("wants at least one claim, found an empty map");
                return None;
            }
            let read = entries
                .iter()
                .map(|(key, value)| read_entry(key, value))
                .collect::<Vec<_>>();
            read.into_iter().collect::<Option<Vec<_>>>()?
        }
    };
    if tests.len() > MAX_CLAIMS {
        field.problem(format!(
            "has {} claims, more than the {MAX_CLAIMS} allowed",
            tests.len()
        ));
        return None;
    }
    Some(tests)
}

fn read_entry(key: &str, value: &Field<'_>) -> Option<ClaimTest> {
    let steps = if key.contains("://") {
        vec![key.to_owned()]
    } else {
        key.split('.').map(str::to_owned).collect()
    };
    let steps = check_steps(value, steps);
    let wanted = read_wanted(value);
    Some(ClaimTest {
        name: key.to_owned(),
        steps: steps?,
        wanted: wanted?,
    })
}

fn read_item(item: &Field<'_>) -> Option<ClaimTest> {
    let mut section = item.section()?;
    let steps = section.required("path", |path| {
        let steps = path.list_of(|step| step.non_empty_text().map(str::to_owned))?;
        check_steps(path, steps)
    });
    let wanted = section.required("equals", read_wanted);
    let steps = steps?;
    Some(ClaimTest {
        name: steps.join("."),
        steps,
        wanted: wanted?,
    })
}

fn check_steps(field: &Field<'_>, steps: Vec<String>) -> Option<Vec<String>> {
    if steps.iter().any(String::is_empty) {
        let help = "a dot steps into an object; a name with dots of its own is written as a list: { path: [a.b], equals: … }";
        field.problem_with_help("has an empty step in the claim's name", help);
        return None;
    }
    if steps.len() > MAX_STEPS {
        field.problem(format!(
            "has more than {MAX_STEPS} steps in the claim's name"
        ));
        return None;
    }
    Some(steps)
}

fn read_wanted(field: &Field<'_>) -> Option<Vec<Wanted>> {
    let wanted = match field.value() {
        Value::List(_) => field.list_of(read_value)?,
        _ => vec![read_value(field)?],
    };
    if wanted.len() > MAX_CLAIMS {
        field.problem(format!(
            "has {} values, more than the {MAX_CLAIMS} allowed",
            wanted.len()
        ));
        return None;
    }
    Some(wanted)
}

fn read_value(field: &Field<'_>) -> Option<Wanted> {
    match field.value() {
        Value::Text(text) => Some(Wanted::Text(text.clone())),
        Value::Integer(number) => Some(Wanted::Integer(*number)),
        Value::Bool(value) => Some(Wanted::Bool(*value)),
        Value::Invalid => None,
        other => {
            let message = format!(
                "wants text, a whole number, true or false, or a list of them, found {}",
                other.describe()
            );
            field.problem_with_help(
                message,
                "what is more than equality is a condition: see `when`",
            );
            None
        }
    }
}

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests {
    use super::*;
    use crate::document::{Sink, parse};

    fn holds(claims_of_policy: &str, token: &str) -> bool {
        let sink = Sink::new();
        let node = parse(claims_of_policy.as_bytes(), &sink).unwrap();
        let tests = read(&Field::root(&node, &sink));
        sink.finish().unwrap();
        let token: Json = serde_json::from_str(token).unwrap();
        tests
            .unwrap()
            .iter()
            .all(|test| test.holds(token.as_object().unwrap()))
    }

    #[test]
    fn equality_is_typed() {
        assert!(holds("tenant: acme", r#"{"tenant": "acme"}"#));
        assert!(!holds("tenant: acme", r#"{"tenant": "Acme"}"#));
        assert!(!holds("tenant: acme", r#"{}"#));
        assert!(!holds("tenant: acme", r#"{"tenant": null}"#));
        assert!(holds("level: 2", r#"{"level": 2}"#));
        assert!(!holds("level: 2", r#"{"level": "2"}"#));
        assert!(!holds("level: '2'", r#"{"level": 2}"#));
        assert!(!holds("level: 2", r#"{"level": 2.5}"#));
        assert!(holds("verified: true", r#"{"verified": true}"#));
        assert!(!holds("verified: true", r#"{"verified": "true"}"#));
        assert!(!holds("verified: true", r#"{"verified": 1}"#));
        assert!(holds("level: [1, 2, x]", r#"{"level": "x"}"#));
        assert!(!holds("level: [1, 2, x]", r#"{"level": 3}"#));
        assert!(!holds("a: 1\nb: 2", r#"{"a": 1, "b": 3}"#));
    }

    #[test]
    fn an_array_holds_what_one_of_its_items_is() {
        assert!(holds("amr: mfa", r#"{"amr": ["pwd", "mfa"]}"#));
        assert!(holds("amr: [mfa, hwk]", r#"{"amr": ["pwd", "hwk"]}"#));
        assert!(holds("level: 2", r#"{"level": [1, 2]}"#));
        assert!(!holds("amr: mfa", r#"{"amr": ["pwd"]}"#));
        assert!(!holds("amr: mfa", r#"{"amr": []}"#));
        assert!(!holds("amr: mfa", r#"{"amr": "pwd mfa"}"#));
        assert!(!holds("amr: mfa", r#"{"amr": [["mfa"]]}"#));
        assert!(!holds("amr: mfa", r#"{"amr": {"mfa": "mfa"}}"#));
        assert!(!holds("level: 2", r#"{"level": ["2", 2.0]}"#));
    }

    #[test]
    fn dots_step_and_urls_do_not() {
        assert!(holds("a.b.c: x", r#"{"a": {"b": {"c": "x"}}}"#));
        assert!(!holds("a.b.c: x", r#"{"a.b.c": "x"}"#));
        assert!(!holds("a.b: x", r#"{"a": "x"}"#));
        assert!(holds(
            "https://example.com/roles: x",
            r#"{"https://example.com/roles": "x"}"#
        ));
        assert!(!holds(
            "https://example.com/roles: x",
            r#"{"https://example": {"com/roles": "x"}}"#
        ));
        assert!(holds(
            "- {path: [a.b, c], equals: [x, y]}",
            r#"{"a.b": {"c": "y"}}"#
        ));
        assert!(holds(
            "- {path: ['https://example.com/app', role], equals: x}",
            r#"{"https://example.com/app": {"role": "x"}}"#
        ));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, wanted) in [
            ("{}", "at least one claim"),
            ("[]", "at least one item"),
            ("a..b: 1", "empty step"),
            ("a: 1.5", "wants text, a whole number"),
            ("a: {b: 1}", "wants text, a whole number"),
            ("a:", "found nothing"),
            ("a: []", "at least one item"),
            ("- {path: [a]}", "`equals` is missing"),
            ("- {path: a, equals: 1}", "wants a list"),
            ("a.b.c.d.e.f.g.h.i: 1", "more than 8 steps"),
            ("5", "wants a map"),
        ] {
            let sink = Sink::new();
            let node = parse(text.as_bytes(), &sink).unwrap();
            assert!(read(&Field::root(&node, &sink)).is_none(), "{text}");
            let problems = sink.finish().unwrap_err().to_string();
            assert!(problems.contains(wanted), "{text}: {problems}");
        }
    }
}
