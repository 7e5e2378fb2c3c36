//! Scripted foreign functions: what each answers, and which calls were made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::foreign::{ForeignError, ForeignFunctions};

use super::document::{Node, Problems};
use super::reader::Fields;
use super::request::BodySpec;
use super::text::Names;

/// A rule: the function, the arguments that it is for, and what is answered.
#[derive(Clone)]
pub(crate) struct ForeignRule {
    name: String,
    arguments: Option<BodySpec>,
    answer: Result<BodySpec, ForeignError>,
}

/// Fuel of a scripted call: it does no work.
const FUEL: u64 = 1000;

/// Words for errors, as the ABI's statuses are named.
const ERRORS: [(&str, ForeignError); 6] = [
    ("not_found", ForeignError::NotFound),
    ("bad_argument", ForeignError::BadArgument),
    ("serialization_failure", ForeignError::SerializationFailure),
    ("parse_failure", ForeignError::ParseFailure),
    ("internal_failure", ForeignError::InternalFailure),
    ("unimplemented", ForeignError::Unimplemented),
];

/// Reads a list of rules.
pub(crate) fn read(nodes: &[Node], names: &Names<'_>, problems: &mut Problems) -> Vec<ForeignRule> {
    nodes
        .iter()
        .filter_map(|node| read_rule(node, names, problems))
        .collect()
}

fn read_rule(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<ForeignRule> {
    let what = "a foreign function";
    let mut fields = Fields::of(node, what, problems)?;
    let name = fields.text("name", problems);
    if name.is_none() {
        problems.add(node.at, "a foreign function needs a `name`");
    }
    let mut body = |name: &'static str, problems: &mut Problems| {
        let node = fields.take(name)?;
        BodySpec::read(node, names, problems)
    };
    let arguments = body("arguments", problems);
    let result = body("result", problems);
    let error = fields.text("error", problems).map(|word| {
        let known = ERRORS.iter().find(|(name, _)| *name == word);
        if known.is_none() {
            let words = ERRORS.map(|(name, _)| name).join(", ");
            problems.add(node.at, format!("`error` is one of {words}"));
        }
        known.map_or(ForeignError::InternalFailure, |(_, error)| *error)
    });
    fields.finish(what, problems);
    let answer = match (result, error) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => Err(error),
        _ => {
            problems.add(
                node.at,
                "a foreign function needs either a `result` or an `error`",
            );
            return None;
        }
    };
    Some(ForeignRule {
        name: name?,
        arguments,
        answer,
    })
}

impl ForeignRule {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// A call that the filter made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignCall {
    pub(crate) name: String,
    pub(crate) arguments: Vec<u8>,
}

/// A rule with its references filled in.
struct Prepared {
    name: String,
    arguments: Option<Vec<u8>>,
    answer: Result<Vec<u8>, ForeignError>,
}

#[derive(Default)]
struct State {
    rules: Vec<Prepared>,
    made: Vec<ForeignCall>,
}

/// The script that runs: shared with the functions that the VM calls.
#[derive(Clone, Default)]
pub(crate) struct ForeignScript(Arc<Mutex<State>>);

impl ForeignScript {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host's own functions and all that rules name, each asking the script first.
    pub(crate) fn over<'n>(
        &self,
        host: &'n ForeignFunctions,
        scripted: impl Iterator<Item = &'n str>,
    ) -> ForeignFunctions {
        let mut all = ForeignFunctions::none();
        for name in scripted.chain(host.names()) {
            let function = host.get(name.as_bytes());
            let fuel = function.as_ref().map_or(FUEL, |function| function.fuel);
            let (script, asked) = (self.clone(), name.to_owned());
            all = all.with(name, fuel, move |arguments| {
                script.note(&asked, arguments);
                if let Some(answer) = script.answer(&asked, arguments) {
                    return answer;
                }
                match &function {
                    Some(function) => (function.run)(arguments),
                    None => Err(ForeignError::NotFound),
                }
            });
        }
        all
    }

    /// Replaces the rules.
    pub(crate) fn set<'r>(
        &self,
        rules: impl Iterator<Item = &'r ForeignRule>,
        names: &Names<'_>,
    ) -> Result<(), String> {
        let prepare = |rule: &ForeignRule| -> Result<Prepared, String> {
            Ok(Prepared {
                name: rule.name.clone(),
                arguments: match &rule.arguments {
                    Some(arguments) => Some(arguments.bytes(names)?),
                    None => None,
                },
                answer: match &rule.answer {
                    Ok(result) => Ok(result.bytes(names)?),
                    Err(error) => Err(*error),
                },
            })
        };
        self.state().rules = rules.map(prepare).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Calls since the last take.
    pub(crate) fn take_made(&self) -> Vec<ForeignCall> {
        std::mem::take(&mut self.state().made)
    }

    fn note(&self, name: &str, arguments: &[u8]) {
        self.state().made.push(ForeignCall {
            name: name.to_owned(),
            arguments: arguments.to_vec(),
        });
    }

    fn answer(&self, name: &str, arguments: &[u8]) -> Option<Result<Vec<u8>, ForeignError>> {
        let state = self.state();
        let fits = |rule: &&Prepared| {
            let wanted = rule.arguments.as_ref();
            rule.name == name && wanted.is_none_or(|wanted| wanted == arguments)
        };
        state
            .rules
            .iter()
            .find(fits)
            .map(|rule| rule.answer.clone())
    }
}
