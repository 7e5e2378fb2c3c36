//! JSON objects read strictly: UTF-8, no duplicate member at any depth, bounded nesting, nothing after the end.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a reader take the last of two members of one name; then two readers
//! of one token may see two issuers. We refuse (RFC 8725 section 2.4 names the class of attack).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::error::JsonError;

/// `serde_json` itself stops at 128; staying below it keeps "too deep" and "not JSON" apart.
const DEEPEST: usize = 100;

/// Reads the one object in `bytes`.
pub(crate) fn parse_object(bytes: &[u8], depth: usize) -> Result<Map<String, Value>, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let cause = Cell::new(JsonError::Syntax);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Strict {
        depth_left: depth.min(DEEPEST),
        cause: &cause,
    };
    let value = seed
        .deserialize(&mut deserializer)
        .map_err(|_| cause.get())?;
    deserializer.end().map_err(|_| JsonError::Syntax)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Builds a [`Value`]; on a refusal of our own it leaves the cause in the cell, as a serde error carries only text.
#[derive(Clone, Copy)]
struct Strict<'c> {
    depth_left: usize,
    cause: &'c Cell<JsonError>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }

    fn refuse<E: serde::de::Error>(self, cause: JsonError) -> E {
        self.cause.set(cause);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| self.refuse(JsonError::Syntax))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let Entry::Vacant(member) = members.entry(name) else {
                return Err(self.refuse(JsonError::DuplicateMember));
            };
            member.insert(entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
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
