//! JSON objects read strictly: UTF-8, no duplicate member at any depth, bounded nesting, nothing after the end.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a reader take the last of two members of one name; then two readers
//! of one token may see two issuers. We refuse (RFC 8725 section 2.4 names the class of attack).

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::JsonError;

/// `serde_json` itself stops at 128; staying below it keeps "too deep" and "not JSON" apart.
const DEEPEST: usize = 100;

/// Up to so many members each name is compared with those before it. Beyond that all names are sorted once, so that an object of
/// thousands costs no square of that.
const FEW: usize = 16;

/// A JSON value as it stands in a text. Strings without escapes are borrowed from it: most tokens are read once, and what of them is
/// kept is a small part.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number that a double or 64-bit integer can hold.
    Number(Number),
    /// A string.
    String(Cow<'t, str>),
    /// An array.
    Array(Vec<Json<'t>>),
    /// An object.
    Object(Members<'t>),
}

/// The members of a JSON object, in the order of the text. INVARIANT: no two have one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members<'t>(Vec<(Cow<'t, str>, Json<'t>)>);

impl<'t> Json<'t> {
    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members, if this is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Members<'t>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether this is a string.
    #[must_use]
    pub const fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// The same value without a tie to the text.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::String(text) => Value::String(text.clone().into_owned()),
            Self::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => Value::Object(members.to_map()),
        }
    }
}

impl<'t> Members<'t> {
    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'t>> {
        let mut members = self.0.iter();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// All members without a tie to the text, sorted by name.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        let mut map = Map::new();
        for (name, value) in &self.0 {
            map.insert(name.clone().into_owned(), value.to_value());
        }
        map
    }

    fn has_one_name_twice(&self) -> bool {
        has_one_twice(self.0.iter().map(|(name, _)| name.as_bytes()).collect())
    }
}

/// Whether two of these are the same.
pub(crate) fn has_one_twice(mut names: Vec<&[u8]>) -> bool {
    names.sort_unstable();
    names.array_windows().any(|[one, next]| one == next)
}

/// Reads the one object in `bytes`, to be kept.
pub(crate) fn parse_object(bytes: &[u8], depth: usize) -> Result<Map<String, Value>, JsonError> {
    parse_members(bytes, depth).map(|members| members.to_map())
}

/// Reads the one object in `bytes`.
pub(crate) fn parse_members(bytes: &[u8], depth: usize) -> Result<Members<'_>, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let cause = Cell::new(JsonError::Syntax);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Strict {
        depth_left: depth.min(DEEPEST),
        expected: FEW,
        cause: &cause,
    };
    let value = seed
        .deserialize(&mut deserializer)
        .map_err(|_| cause.get())?;
    deserializer.end().map_err(|_| JsonError::Syntax)?;
    match value {
        Json::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Builds a [`Json`]; on a refusal of our own it leaves the cause in the cell, as a serde error carries only text.
#[derive(Clone, Copy)]
struct Strict<'c> {
    depth_left: usize,
    /// For how many members room is made ahead.
    expected: usize,
    cause: &'c Cell<JsonError>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self {
                depth_left,
                expected: 0,
                ..self
            }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }

    fn refuse<E: serde::de::Error>(self, cause: JsonError) -> E {
        self.cause.set(cause);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| self.refuse(JsonError::Syntax))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut members = Members(Vec::with_capacity(self.expected));
        while let Some(name) = entries.next_key_seed(Name)? {
            if members.0.len() < FEW && members.get(&name).is_some() {
                return Err(self.refuse(JsonError::DuplicateMember));
            }
            members.0.push((name, entries.next_value_seed(inner)?));
        }
        if members.0.len() > FEW && members.has_one_name_twice() {
            return Err(self.refuse(JsonError::DuplicateMember));
        }
        Ok(Json::Object(members))
    }
}

/// The name of a member: serde's own `Cow` never borrows.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Value, JsonError> {
        parse_object(text.as_bytes(), 4).map(Value::Object)
    }

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#" {"a":[1,-2,3.5,true,false,null,"\u00e9\ud83d\ude00"],"b":{"c":{}},"":18446744073709551615} "#;
        assert_eq!(parse(text), Ok(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn duplicate_members_are_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"y":{"a":1,"a":2}}]}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(parse(text), Err(JsonError::DuplicateMember), "{text}");
        }
        assert!(
            parse(r#"{"a":{"a":{"a":1}},"A":2}"#).is_ok(),
            "one name in several objects"
        );
    }

    #[test]
    fn duplicates_are_found_among_few_and_many_members() {
        for count in 1..=3 * FEW {
            let names = |repeated: Option<(usize, usize)>| {
                let name = |place| match repeated {
                    Some((first, second)) if second == place => first,
                    _ => place,
                };
                let members: Vec<String> = (0..count)
                    .map(|place| format!(r#""m{}":0"#, name(place)))
                    .collect();
                parse(&format!("{{{}}}", members.join(",")))
            };
            assert!(names(None).is_ok(), "{count}");
            for second in 1..count {
                for first in 0..second {
                    assert_eq!(
                        names(Some((first, second))),
                        Err(JsonError::DuplicateMember),
                        "{first} and {second} of {count}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_has_no_escape_is_borrowed() {
        let text = br#"{"a":"plain","b":"two\nlines","\u0063":["d"]}"#;
        let members = parse_members(text, 4).unwrap();
        assert!(matches!(
            members.get("a"),
            Some(Json::String(Cow::Borrowed("plain")))
        ));
        assert_eq!(members.get("b").and_then(Json::as_str), Some("two\nlines"));
        assert_eq!(
            members.get("c"),
            Some(&Json::Array(vec![Json::String("d".into())]))
        );
        assert_eq!(members.get("d"), None);
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(r#"{"a":[[[1]]]}"#).is_ok());
        assert_eq!(parse(r#"{"a":[[[[]]]]}"#), Err(JsonError::TooDeep));
        assert_eq!(
            parse(r#"{"a":{"a":{"a":{"a":{}}}}}"#),
            Err(JsonError::TooDeep)
        );
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep), Err(JsonError::TooDeep));
        // A limit beyond what serde_json goes along with is still told as depth.
        assert_eq!(
            parse_object(deep.as_bytes(), usize::MAX),
            Err(JsonError::TooDeep)
        );
        assert_eq!(parse_object(b"{}", 0), Err(JsonError::TooDeep));
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        for bytes in [
            &b"{\"a\":\"\xff\"}"[..],
            b"{\"\xc3\x28\":1}",
            b"\xff{}",
            b"{}\xff",
            b"{\"a\":\"\xc0\xaf\"}",     // overlong
            b"{\"a\":\"\xed\xa0\x80\"}", // a surrogate
        ] {
            assert_eq!(parse_object(bytes, 4), Err(JsonError::NotUtf8), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "{]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{a:1}"#,
            "{'a':1}",
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":1e400}"#,
            r#"{"a":-1e400}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\x"}"#,
            "{\"a\":\"\n\"}",
            "{\"a\":\"\0\"}",
            r#"{"a":1}{"b":2}"#,
            r#"{"a":1} x"#,
            "{}\0",
            "\u{feff}{}",
            r#"{/**/}"#,
            "{}//",
        ] {
            assert_eq!(parse(text), Err(JsonError::Syntax), "{text:?}");
        }
    }

    #[test]
    fn json_that_is_no_object_is_refused() {
        for text in ["null", "true", "1", "\"{}\"", "[]", "[{}]"] {
            assert_eq!(parse(text), Err(JsonError::NotAnObject), "{text}");
        }
    }
}
