//! From claims to the values of identity headers. A claim that is there but unfit is an error, never a missing header.

use std::rc::Rc;

use portcullis_jose::{Claims, Json, encode_base64url};
use serde_json::{Map, Value};

use crate::config::{Chosen, Config, Encoding, IdentityHeader, IdentityHeaders, Source};
use crate::escape::ascii;

/// Names and values, ready to be set. A header whose claim is absent or empty is not among them.
pub(crate) type Values = Rc<[Header]>;

/// The name and value of a header.
pub(crate) type Header = (Rc<str>, Box<str>);

/// Why a claim cannot become a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is no text, whole number, boolean or list of texts.
    Type,
    /// It holds a control character, or white space at an end, which readers of headers cut off.
    Characters,
    /// An item of a list holds the comma that separates items, or is empty.
    Item,
    /// It is longer than `limits.header_value_bytes`.
    Length,
}

impl Unfit {
    /// The stable name of this cause.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Type => "mapped_claim_type",
            Self::Characters => "mapped_claim_characters",
            Self::Item => "mapped_claim_item",
            Self::Length => "mapped_claim_length",
        }
    }
}

/// Renders all headers of a list.
///
/// # Errors
/// The first claim that is there and cannot become a header.
pub(crate) fn render(
    config: &Config,
    list: &IdentityHeaders,
    issuer: &str,
    claims: &Claims<'_>,
    scopes: &[String],
) -> Result<Values, Unfit> {
    let mut values = Vec::new();
    for header in list.iter().filter(|header| header.credential.is_none()) {
        values.extend(value_of(header, config, issuer, claims, scopes)?);
    }
    Ok(values.into())
}

/// A header that is made from the token of a named credential.
#[derive(Debug)]
pub(crate) struct NamedValue {
    /// The credential, by place.
    pub(crate) credential: usize,
    pub(crate) value: Result<Header, Unfit>,
}

impl NamedValue {
    /// About how much memory this holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let value = self.value.as_ref().map_or(0, |(_, value)| value.len());
        value.saturating_add(48)
    }
}

/// Renders the identity headers of named credentials, of which this token may come as any. One that cannot be made matters only
/// where it comes as that.
pub(crate) fn render_named(
    config: &Config,
    issuer: &str,
    claims: &Claims<'_>,
    scopes: &[String],
) -> Box<[NamedValue]> {
    if !cfg!(feature = "credentials") {
        return Box::default();
    }
    let headers = config.identity_headers.iter();
    let named = headers.filter_map(|header| {
        let credential = header.credential?;
        let value = value_of(header, config, issuer, claims, scopes).transpose()?;
        Some(NamedValue { credential, value })
    });
    named.collect()
}

fn value_of(
    header: &IdentityHeader,
    config: &Config,
    issuer: &str,
    claims: &Claims<'_>,
    scopes: &[String],
) -> Result<Option<Header>, Unfit> {
    let value = match &header.source {
        Source::Issuer => Some(issuer.to_owned()),
        Source::Subject => claims
            .subject()
            .map(|subject| format!("{issuer}|{subject}")),
        Source::Scopes => Some(scopes.join(" ")),
        Source::Claim(steps) => match find(claims, steps) {
            Some(claim) => Some(text_of(claim)?),
            None => None,
        },
        Source::Json(chosen, encoding) => json_of(claims, chosen, *encoding),
    };
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    check(&value, config.limits.header_value_bytes)?;
    Ok(Some((Rc::clone(&header.name), value.into_boxed_str())))
}

/// A claim, if it says something: `null` is how many issuers write that there is none.
fn find<'c, 't>(claims: &'c Claims<'t>, steps: &[Box<str>]) -> Option<&'c Json<'t>> {
    let (first, rest) = steps.split_first()?;
    let found = rest.iter().try_fold(claims.get(first)?, |value, step| {
        value.as_object()?.get(step)
    });
    found.filter(|value| !matches!(value, Json::Null))
}

/// Nothing where there is nothing to tell.
fn json_of(claims: &Claims<'_>, chosen: &Chosen, encoding: Encoding) -> Option<String> {
    // No document of such a build asks for it: the linker then leaves out what writes JSON.
    if !cfg!(feature = "answers") {
        return None;
    }
    let json = match chosen {
        Chosen::One(steps) => find(claims, steps)?.to_value().to_string(),
        Chosen::All => Value::Object(claims.to_map()).to_string(),
        Chosen::Several(named) => {
            let mut found = Map::new();
            for (name, steps) in named {
                if let Some(value) = find(claims, steps) {
                    found.insert(name.to_string(), value.to_value());
                }
            }
            if found.is_empty() {
                return None;
            }
            Value::Object(found).to_string()
        }
    };
    Some(match encoding {
        Encoding::Json => ascii(&json),
        Encoding::Base64url => encode_base64url(json.as_bytes()),
    })
}

fn text_of(claim: &Json<'_>) -> Result<String, Unfit> {
    match claim {
        Json::String(text) => Ok(text.clone().into_owned()),
        Json::Bool(value) => Ok(value.to_string()),
        // A fraction has more than one spelling; an upstream that compares texts would be misled.
        Json::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Json::Array(items) => {
            let mut joined = String::new();
            for (index, item) in items.iter().enumerate() {
                let item = item.as_str().ok_or(Unfit::Type)?;
                if item.is_empty() || item.contains(',') {
                    return Err(Unfit::Item);
                }
                check(item, usize::MAX)?;
                if index > 0 {
                    joined.push(',');
                }
                joined.push_str(item);
            }
            Ok(joined)
        }
        Json::Number(_) | Json::Null | Json::Object(_) => Err(Unfit::Type),
    }
}

/// RFC 9110 section 5.5: a field value has no control characters, and white space at its ends is not part of it.
fn check(value: &str, most: usize) -> Result<(), Unfit> {
    if value.len() > most {
        return Err(Unfit::Length);
    }
    // Nearly all values are plain, and a byte is a character.
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if (!plain && value.chars().any(breaks)) || value.trim() != value {
        return Err(Unfit::Characters);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text_of(claim: &Value) -> Result<String, Unfit> {
        let payload = json!({ "claim": claim }).to_string();
        let limits = portcullis_jose::Limits::default();
        let claims = Claims::parse(payload.as_bytes(), &limits).unwrap();
        super::text_of(claims.get("claim").unwrap())
    }

    #[test]
    fn plain_values_become_text() {
        for (claim, text) in [
            (json!("alice"), "alice"),
            (json!("Jos\u{e9} D"), "Jos\u{e9} D"),
            (json!(-7), "-7"),
            (
                json!(18_446_744_073_709_551_615_u64),
                "18446744073709551615",
            ),
            (json!(true), "true"),
            (json!(["a", "b c"]), "a,b c"),
            (json!([]), ""),
            (json!(""), ""),
        ] {
            assert_eq!(text_of(&claim).as_deref(), Ok(text), "{claim}");
        }
    }

    #[test]
    fn null_says_nothing() {
        let limits = portcullis_jose::Limits::default();
        let claims = Claims::parse(br#"{"a":null,"b":{"c":null},"d":0}"#, &limits).unwrap();
        let find = |steps: &[&str]| {
            let steps: Vec<Box<str>> = steps.iter().map(|step| Box::from(*step)).collect();
            super::find(&claims, &steps).map(Json::to_value)
        };
        assert_eq!((find(&["a"]), find(&["b", "c"])), (None, None));
        assert_eq!(find(&["d"]), Some(json!(0)));
        // A build without answers makes no JSON.
        if !cfg!(feature = "answers") {
            return;
        }
        let some = |names: &[&str]| {
            let steps = names
                .iter()
                .map(|name| (Box::from(*name), Box::from([Box::from(*name)])));
            json_of(&claims, &Chosen::Several(steps.collect()), Encoding::Json)
        };
        assert_eq!(some(&["a", "d"]).as_deref(), Some(r#"{"d":0}"#));
        assert_eq!(some(&["a"]), None);
    }

    #[test]
    fn everything_else_is_unfit() {
        for (claim, unfit) in [
            (json!(null), Unfit::Type),
            (json!(1.5), Unfit::Type),
            (json!({"a": 1}), Unfit::Type),
            (json!(["a", 1]), Unfit::Type),
            (json!([["a"]]), Unfit::Type),
            (json!(["a,b"]), Unfit::Item),
            (json!([""]), Unfit::Item),
            (json!(["a\n"]), Unfit::Characters),
            (json!([" a"]), Unfit::Characters),
        ] {
            assert_eq!(text_of(&claim), Err(unfit), "{claim}");
        }
        for value in [
            "a\rb",
            "a\nb",
            "a\0b",
            "a\u{7f}",
            "a\u{85}",
            "a\u{2028}b",
            " a",
            "a\t",
            "a\u{a0}",
        ] {
            assert_eq!(check(value, 100), Err(Unfit::Characters), "{value:?}");
        }
        assert_eq!(check("abcd", 3), Err(Unfit::Length));
    }
}
