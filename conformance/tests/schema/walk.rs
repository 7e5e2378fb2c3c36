//! A document and its schema side by side: at each place the reader is given something wrong, and what it then says it wanted is
//! compared with what the schema says there.

use std::collections::BTreeSet;

use portcullis_engine::{Config, Environment, Problem};
use serde_json::{Map, Value, json};

/// No field has a name like it, so that the reader lists those it knows instead of guessing one.
const NOBODY: &str = "qqqqqqqqqqqqqqqqqqqqqqqq";

/// The schema, and how the readers' answers to several documents compare with it.
#[derive(Debug)]
pub(crate) struct Walk<'s> {
    schema: &'s Value,
    /// Pointers of the properties that some document had.
    seen: BTreeSet<String>,
    /// Properties that the reader asked for in some document, and those that some document did without.
    asked: BTreeSet<String>,
    left_out: BTreeSet<String>,
    failures: BTreeSet<String>,
}

/// One value of a document.
struct Place<'d> {
    document: &'d Value,
    /// As JSON Pointer (RFC 6901).
    pointer: String,
    /// As the reader names it.
    path: String,
}

impl Place<'_> {
    fn value(&self) -> &Value {
        self.document.pointer(&self.pointer).unwrap()
    }

    fn member(&self, name: &str) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let step = match (self.path.is_empty(), name.chars().all(plain)) {
            (true, true) => name.to_owned(),
            (false, true) => format!(".{name}"),
            (_, false) => format!("[{name:?}]"),
        };
        Place {
            document: self.document,
            pointer: format!("{}/{escaped}", self.pointer),
            path: format!("{}{step}", self.path),
        }
    }

    fn item(&self, index: usize) -> Self {
        Place {
            document: self.document,
            pointer: format!("{}/{index}", self.pointer),
            path: format!("{}[{index}]", self.path),
        }
    }

    /// What the reader says to the document with another value here.
    fn with(&self, value: Value) -> Vec<Problem> {
        let mut document = self.document.clone();
        *document.pointer_mut(&self.pointer).unwrap() = value;
        mistakes(&document)
    }

    /// Of those, what is about this very place.
    fn with_here(&self, value: Value) -> Vec<Problem> {
        let mut problems = self.with(value);
        problems.retain(|problem| problem.path == self.path);
        problems
    }

    /// Of those, what is about this place or one in it.
    fn with_within(&self, value: Value) -> Vec<Problem> {
        let mut problems = self.with(value);
        problems.retain(|problem| problem.path.starts_with(&self.path));
        problems
    }
}

/// An environment in which every variable has a secret, 64 bytes in base64.
struct Secrets;

impl Environment for Secrets {
    fn variable(&self, _: &str) -> Option<Vec<u8>> {
        Some(format!("{}==", "A".repeat(86)).into_bytes())
    }
}

/// What the reader says to a document.
pub(crate) fn mistakes(document: &Value) -> Vec<Problem> {
    match Config::parse_in(document.to_string().as_bytes(), &Secrets) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().cloned().collect(),
    }
}

impl<'s> Walk<'s> {
    pub(crate) fn new(schema: &'s Value) -> Self {
        Self {
            schema,
            seen: BTreeSet::new(),
            asked: BTreeSet::new(),
            left_out: BTreeSet::new(),
            failures: BTreeSet::new(),
        }
    }

    /// Walks through a document that the reader takes.
    pub(crate) fn document(&mut self, document: &Value) {
        let root = Place {
            document,
            pointer: String::new(),
            path: String::new(),
        };
        self.visit(&root, "");
    }

    /// All that differs, and the fields that no document had.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let mut all = BTreeSet::new();
        properties(self.schema, "", &mut all);
        for pointer in all.difference(&self.seen) {
            self.failures.insert(format!(
                "policies/schema.json#{pointer}: no document of conformance/tests/schema/samples has this field"
            ));
        }
        for pointer in self.asked.difference(&self.left_out) {
            self.failures.insert(format!(
                "policies/schema.json#{pointer}: the reader requires it, the schema does not"
            ));
        }
        self.failures.into_iter().collect()
    }

    fn at(&self, pointer: &str) -> &'s Value {
        self.schema.pointer(pointer).unwrap()
    }

    fn fail(&mut self, place: &Place<'_>, pointer: &str, what: &str) {
        let path = match &*place.path {
            "" => "the top",
            path => path,
        };
        let failure = format!("{path} (policies/schema.json#{pointer}): {what}");
        self.failures.insert(failure);
    }

    /// The alternatives at a pointer, references followed, and the node that is told about each.
    fn alternatives(&self, pointer: &str) -> Vec<String> {
        let node = self.at(pointer);
        if let Some(reference) = node["$ref"].as_str() {
            let to = reference.trim_start_matches('#');
            // The bounds of these two stand beside the reference.
            if matches!(to, "/$defs/duration" | "/$defs/size") {
                return vec![pointer.to_owned()];
            }
            return self.alternatives(to);
        }
        match node["oneOf"].as_array() {
            Some(list) if node.get("properties").is_none() => (0..list.len())
                .flat_map(|index| self.alternatives(&format!("{pointer}/oneOf/{index}")))
                .collect(),
            _ => vec![pointer.to_owned()],
        }
    }

    fn visit(&mut self, place: &Place<'_>, pointer: &str) {
        let alternatives = self.alternatives(pointer);
        self.wrong_type(place, pointer, &alternatives);
        if let Some(default) = self.at(pointer).get("default")
            && let Some(problem) = place.with_within(default.clone()).first()
        {
            self.fail(
                place,
                pointer,
                &format!("the default is no good: {problem}"),
            );
        }
        let fitting = alternatives
            .iter()
            .find(|one| fits(self.at(one), place.value()));
        let Some(one) = fitting else {
            return self.fail(
                place,
                pointer,
                "no alternative of the schema fits the sample",
            );
        };
        match place.value() {
            Value::Object(members) => self.object(place, one, &alternatives, members),
            Value::Array(items) => self.list(place, one, items),
            Value::String(text) => self.text(place, one, text),
            _ => {}
        }
    }

    /// Nothing at all is wrong everywhere, and the reader then says what it wants.
    fn wrong_type(&mut self, place: &Place<'_>, pointer: &str, alternatives: &[String]) {
        let said: Vec<String> = place
            .with_within(Value::Null)
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        let wanted: Vec<String> = alternatives
            .iter()
            .flat_map(|one| wants(self.at(one)))
            .collect();
        let fits = said.iter().any(|message| {
            let told = message
                .strip_prefix("wants ")
                .and_then(|m| m.split_once(", found nothing"));
            told.is_some_and(|(told, _)| wanted.iter().any(|wanted| same(told, wanted)))
        });
        // What is read elsewhere (the members of a JWK) says what it likes.
        let is_foreign = wanted.is_empty() && !said.is_empty();
        if !fits && !is_foreign {
            let what = format!("the schema wants {wanted:?}, the reader says {said:?}");
            self.fail(place, pointer, &what);
        }
    }

    fn object(
        &mut self,
        place: &Place<'_>,
        one: &str,
        alternatives: &[String],
        members: &Map<String, Value>,
    ) {
        let node = self.at(one);
        self.number_of_members(place, one, members);
        let Some(properties) = node["properties"].as_object() else {
            // The author's own keys.
            if node.get("additionalProperties").is_some() {
                for name in members.keys() {
                    self.visit(&place.member(name), &format!("{one}/additionalProperties"));
                }
            }
            return;
        };
        self.known_fields(place, one, alternatives, members);
        let required: Vec<&str> = strings(&node["required"]);
        for name in members.keys() {
            let mut without = members.clone();
            without.remove(name);
            let missing = format!("the field `{name}` is missing");
            let without = Value::Object(without);
            let is_another = alternatives.iter().any(|one| fits(self.at(one), &without));
            let said = place.with(without);
            let told = said
                .iter()
                .any(|problem| problem.path == place.path && problem.message.starts_with(&missing));
            // Some are wanted by other words, or by one who needs one of several.
            let refused = !said.is_empty();
            if required.contains(&name.as_str()) && !refused && !is_another {
                self.fail(
                    place,
                    one,
                    &format!("`{name}` is required, and the reader does without"),
                );
            }
            let alternative_needs_it = node.get("oneOf").is_some();
            if told && !required.contains(&name.as_str()) && !alternative_needs_it {
                self.asked.insert(format!("{one}/properties/{name}"));
            }
        }
        let absent = properties
            .keys()
            .filter(|name| !members.contains_key(*name));
        self.left_out
            .extend(absent.map(|name| format!("{one}/properties/{name}")));
        for name in members.keys().filter(|name| properties.contains_key(*name)) {
            let property = format!("{one}/properties/{name}");
            self.visit(&place.member(name), &property);
            self.seen.insert(property);
        }
    }

    /// Exactly the fields that the reader lists beside an unknown one.
    fn known_fields(
        &mut self,
        place: &Place<'_>,
        one: &str,
        alternatives: &[String],
        members: &Map<String, Value>,
    ) {
        let mut more = members.clone();
        more.insert(NOBODY.to_owned(), json!(0));
        let at = place.member_path(NOBODY);
        let said = place.with(Value::Object(more));
        let help = said
            .iter()
            .find(|problem| {
                // Below what is secret the name itself is not told.
                let hushed = problem.message == "unknown field"
                    && at
                        .strip_prefix(problem.path.as_str())
                        .is_some_and(|rest| rest.ends_with(NOBODY));
                problem.path == at || hushed
            })
            .and_then(|problem| problem.help.as_deref());
        let Some(known) = help.and_then(|help| help.strip_prefix("known here: ")) else {
            return self.fail(
                place,
                one,
                "the reader takes fields that the schema does not have",
            );
        };
        let known: BTreeSet<&str> = known.split(", ").collect();
        let names = |pointer: &str| -> BTreeSet<&'s str> {
            let properties = self.at(pointer)["properties"].as_object();
            properties
                .into_iter()
                .flat_map(|properties| properties.keys().map(String::as_str))
                .collect()
        };
        let ours = names(one);
        let any: BTreeSet<&str> = alternatives.iter().flat_map(|one| names(one)).collect();
        for name in known.difference(&any) {
            self.fail(
                place,
                one,
                &format!("the reader knows `{name}`, the schema does not"),
            );
        }
        for name in ours.difference(&known) {
            self.fail(
                place,
                one,
                &format!("the schema has `{name}`, which the reader does not know"),
            );
        }
    }

    fn number_of_members(&mut self, place: &Place<'_>, one: &str, members: &Map<String, Value>) {
        let node = self.at(one);
        if node.get("minProperties").is_some() && place.with_here(json!({})).is_empty() {
            self.fail(place, one, "the reader takes an empty map");
        }
        if let Some(most) = node["maxProperties"].as_u64() {
            let value = members.values().next().cloned().unwrap_or_default();
            let many = (0..=most).map(|index| (format!("n{index}"), value.clone()));
            let many = Value::Object(many.collect());
            self.refused_for_number(place, one, [many, json!({})], most);
        }
    }

    fn list(&mut self, place: &Place<'_>, one: &str, items: &[Value]) {
        let node = self.at(one);
        let least = node["minItems"].as_u64().unwrap_or(0);
        let refused = !place.with_here(json!([])).is_empty();
        if refused != (least > 0) {
            let what = format!("`minItems` is {least}; an empty list is refused: {refused}");
            self.fail(place, one, &what);
        }
        if let Some(most) = node["maxItems"].as_u64()
            && let Some(first) = items.first()
        {
            let same = (0..=most).map(|_| first.clone()).collect();
            let others = (0..=most).map(|index| another(first, index)).collect();
            let values = [Value::Array(same), Value::Array(others)];
            self.refused_for_number(place, one, values, most);
        }
        if let Some(first) = items.first()
            && node["uniqueItems"] == json!(true)
            && place.with_within(json!([first, first])).is_empty()
        {
            self.fail(place, one, "the reader takes an item twice");
        }
        for index in 0..items.len() {
            self.visit(&place.item(index), &format!("{one}/items"));
        }
    }

    /// The reader names the most there may be, to one of these values that have one more.
    fn refused_for_number(&mut self, place: &Place<'_>, one: &str, values: [Value; 2], most: u64) {
        let mut messages = Vec::new();
        for value in values {
            for problem in place.with(value) {
                let around = place.path.starts_with(&problem.path);
                if !around && !problem.path.starts_with(&place.path) {
                    continue;
                }
                let mut numbers = problem
                    .message
                    .split(|c: char| !c.is_ascii_digit() && c != ',');
                if numbers.any(|number| number.replace(',', "") == most.to_string()) {
                    return;
                }
                messages.push(problem.to_string());
            }
        }
        messages.truncate(3);
        let what = format!("{most} at most, but the reader says to one more {messages:?}");
        self.fail(place, one, &what);
    }

    fn text(&mut self, place: &Place<'_>, one: &str, text: &str) {
        let node = self.at(one);
        if node["minLength"].as_u64().is_some_and(|least| least > 0)
            && place.with_within(json!("")).is_empty()
        {
            self.fail(place, one, "the reader takes empty text");
        }
        if let Some(most) = node["maxLength"].as_u64() {
            let long = format!("{text}{}", "A".repeat(usize::try_from(most).unwrap()));
            if place.with_within(json!(long)).is_empty() {
                self.fail(place, one, "the reader takes text that is longer");
            }
        }
        for word in strings(&node["enum"]) {
            if let Some(problem) = place.with_here(json!(word)).first() {
                self.fail(place, one, &format!("`{word}` is refused: {problem}"));
            }
        }
    }
}

impl Place<'_> {
    fn member_path(&self, name: &str) -> String {
        self.member(name).path
    }
}

/// What a reader says that it wants, where the schema has this.
fn wants(node: &Value) -> Vec<String> {
    let bounds = || {
        let description = node["description"].as_str().unwrap_or_default();
        let (_, bounds) = description.rsplit_once(" From ").unwrap();
        format!("from {}", bounds.trim_end_matches('.'))
    };
    match node["$ref"].as_str() {
        Some("#/$defs/duration") => {
            return vec![format!("a duration {}, such as 30s or 10m", bounds())];
        }
        Some("#/$defs/size") => return vec![format!("a size {}, such as 64MiB", bounds())],
        _ => {}
    }
    if let Some(number) = node["const"].as_i64() {
        return vec![format!("a whole number from {number} to {number}")];
    }
    if let Some(word) = node["const"].as_str() {
        return vec![format!("`{word}`")];
    }
    match strings(&node["enum"]).as_slice() {
        [] => {}
        [only] => return vec![format!("`{only}`")],
        words => return vec![format!("one of {}", words.join(", "))],
    }
    match node["type"].as_str() {
        Some("string") => vec!["text".to_owned()],
        Some("boolean") => vec!["true or false".to_owned()],
        Some("array") => vec!["a list".to_owned()],
        Some("integer") => {
            let (low, high) = (&node["minimum"], &node["maximum"]);
            vec![format!("a whole number from {low} to {high}")]
        }
        Some("object") if node.get("additionalProperties").is_some() => vec!["a map".to_owned()],
        Some(_) => vec![],
        None => vec!["text, a whole number, true or false, or a list of them".to_owned()],
    }
}

/// The order of words does not matter.
fn same(told: &str, wanted: &str) -> bool {
    let words = |text: &str| -> Option<Vec<String>> {
        let mut words: Vec<String> = text
            .strip_prefix("one of ")?
            .split(", ")
            .map(str::to_owned)
            .collect();
        words.sort();
        Some(words)
    };
    told == wanted || words(told).is_some_and(|told| Some(told) == words(wanted))
}

/// Whether this is the alternative that a sample takes.
fn fits(node: &Value, value: &Value) -> bool {
    if node.get("$ref").is_some() {
        return value.is_string();
    }
    if let Some(only) = node.get("const") {
        return only == value;
    }
    if let Some(words) = node["enum"].as_array() {
        return words.contains(value);
    }
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let of_type =
        node["type"].as_str().is_some_and(is) || strings(&node["type"]).into_iter().any(is);
    let Some(members) = value.as_object() else {
        return of_type;
    };
    let known = |name: &String| {
        node["properties"]
            .as_object()
            .is_none_or(|properties| properties.contains_key(name))
    };
    of_type
        && members.keys().all(known)
        && strings(&node["required"])
            .iter()
            .all(|name| members.contains_key(*name))
}

fn strings(value: &Value) -> Vec<&str> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

/// The same with another text in it, where it has some.
fn another(value: &Value, index: u64) -> Value {
    match value {
        Value::String(text) => {
            let first = if text.starts_with(char::is_uppercase) {
                b'A'
            } else {
                b'a'
            };
            let letter = |at: u64| char::from(first + u8::try_from(at % 26).unwrap());
            json!(format!(
                "{text}{}{}{}",
                letter(index / 676),
                letter(index / 26),
                letter(index)
            ))
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), another(value, index)))
            .collect(),
        other => other.clone(),
    }
}

/// The pointers of all properties in a schema.
fn properties(node: &Value, pointer: &str, all: &mut BTreeSet<String>) {
    match node {
        Value::Object(members) => {
            for (name, value) in members {
                let pointer = format!("{pointer}/{name}");
                if name == "properties"
                    && let Some(members) = value.as_object()
                {
                    for (name, value) in members {
                        let pointer = format!("{pointer}/{name}");
                        properties(value, &pointer, all);
                        all.insert(pointer);
                    }
                } else {
                    properties(value, &pointer, all);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                properties(value, &format!("{pointer}/{index}"), all);
            }
        }
        _ => {}
    }
}
