//! How, and how lately, the user must have been authenticated (RFC 9470: step-up authentication).

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::texts;
use crate::decision::Denied;
use crate::document::{Field, Section, quoted};

/// The longest `max_age`. Who asks for less often than that asks for nothing.
const LONGEST_AGE: Duration = Duration::from_secs(365 * 86_400);

/// How far `auth_time` may lie ahead, in seconds: as far as clocks are ever allowed to differ.
const MOST_AHEAD: f64 = 300.0;

/// What a route asks of the authentication that a token stands for.
#[derive(Debug, Default)]
pub(super) struct Authentication {
    /// One of these must be the token's `acr`; empty: any.
    acr_values: Vec<String>,
    /// Seconds since `auth_time` at most.
    max_age: Option<u32>,
}

impl Authentication {
    /// Whether it asks for nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.acr_values.is_empty() && self.max_age.is_none()
    }

    /// The classes of which one is asked for; empty: any.
    pub(super) fn acr_values(&self) -> &[String] {
        &self.acr_values
    }

    /// Seconds since the authentication at most.
    pub(super) const fn max_age(&self) -> Option<u32> {
        self.max_age
    }

    /// Whether it is of a class that is asked for.
    pub(super) fn is_strong(&self, claims: &Map<String, Json>) -> bool {
        let acr = claims.get("acr").and_then(Json::as_str);
        self.acr_values.is_empty()
            || acr.is_some_and(|acr| self.acr_values.iter().any(|wanted| wanted == acr))
    }

    /// Whether it is as late as is asked for.
    pub(super) fn is_fresh(&self, claims: &Map<String, Json>, now: i64) -> bool {
        self.max_age
            .is_none_or(|most| is_fresh(claims.get("auth_time"), most, now))
    }

    /// Reads `acr_values` and `max_age` of `require`.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let acr_values = texts(section, "acr_values", acr_value);
        let max_age = match section.field("max_age") {
            Some(field) => Some(read_age(&field)?),
            None => None,
        };
        Some(Self {
            acr_values: acr_values?,
            max_age,
        })
    }

    /// Whether the authentication is good and fresh enough. What the token does not tell is not good enough.
    pub(super) fn decide(&self, claims: &Map<String, Json>, now: i64) -> Result<(), Denied> {
        if self.is_strong(claims) && self.is_fresh(claims, now) {
            return Ok(());
        }
        // RFC 9470 section 3: each parameter tells what the resource asks for, not what the token lacks.
        Err(Denied::Authentication {
            acr_values: self.acr_values.join(" "),
            max_age: self.max_age,
        })
    }
}

/// OpenID Connect Core section 2: `auth_time` is a number of seconds, perhaps with a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of this age of the world are exact in a double"
)]
fn is_fresh(auth_time: Option<&Json>, most: u32, now: i64) -> bool {
    let Some(then) = auth_time
        .filter(|value| value.is_number())
        .and_then(Json::as_f64)
    else {
        return false;
    };
    let age = now as f64 - then;
    // A comparison with what is no number is false: that denies too.
    age <= f64::from(most) && age >= -MOST_AHEAD
}

fn read_age(field: &Field<'_>) -> Option<u32> {
    let age = field.duration(Duration::from_secs(1)..=LONGEST_AGE)?;
    if age.subsec_nanos() > 0 {
        field.problem(
            "wants whole seconds: the challenge tells them to the client (RFC 9470 section 3)",
        );
        return None;
    }
    u32::try_from(age.as_secs()).ok()
}

/// What fits between the quotes and spaces of `acr_values="…"`.
fn acr_value(item: &Field<'_>, text: &str) -> bool {
    let fits = text.len() <= 256
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if !fits {
        item.problem_with_help(
            format!("{} is no authentication context class", quoted(text)),
            "write each as an item of at most 256 ASCII characters; it has no spaces or quotes",
        );
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_000_000;

    fn asks(acr_values: &[&str], max_age: Option<u32>) -> Authentication {
        Authentication {
            acr_values: acr_values.iter().map(|&text| text.to_owned()).collect(),
            max_age,
        }
    }

    fn passes(asked: &Authentication, claims: &Json) -> bool {
        asked.decide(claims.as_object().unwrap(), NOW).is_ok()
    }

    #[test]
    fn one_of_the_classes_must_be_the_tokens() {
        let asked = asks(&["mfa", "hwk"], None);
        assert!(passes(&asked, &json!({"acr": "hwk"})));
        for claims in [
            json!({}),
            json!({"acr": "pwd"}),
            json!({"acr": "MFA"}),
            json!({"acr": "mfa hwk"}),
            json!({"acr": ["mfa"]}),
            json!({"acr": null}),
        ] {
            assert!(!passes(&asked, &claims), "{claims}");
        }
    }

    #[test]
    fn the_authentication_must_be_recent() {
        let asked = asks(&[], Some(300));
        for (auth_time, good) in [
            (json!(NOW), true),
            (json!(NOW - 300), true),
            (json!(999_700.5), true),
            (json!(999_699.5), false),
            (json!(NOW - 301), false),
            (json!(NOW + 300), true),
            (json!(NOW + 301), false),
            (json!(0), false),
            (json!(-1), false),
            (json!(1e300), false),
            (json!("1000000"), false),
            (json!(null), false),
        ] {
            assert_eq!(
                passes(&asked, &json!({"auth_time": auth_time})),
                good,
                "{auth_time}"
            );
        }
        assert!(!passes(&asked, &json!({})));
    }

    #[test]
    fn the_refusal_tells_all_that_is_asked_for() {
        let asked = asks(&["mfa", "hwk"], Some(60));
        let stale = json!({"acr": "mfa", "auth_time": NOW - 61});
        assert_eq!(
            asked.decide(stale.as_object().unwrap(), NOW),
            Err(Denied::Authentication {
                acr_values: "mfa hwk".into(),
                max_age: Some(60),
            })
        );
        assert!(asks(&[], None).is_empty());
        assert!(passes(&asks(&[], None), &json!({})));
    }
}
