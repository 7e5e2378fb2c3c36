//! Bodies of answers with places to fill in: `{{name}}`, each value escaped for the kind of text around it.

use std::fmt::Write as _;

use crate::digits::push_decimal;
use crate::escape::push_json;
use crate::event_id::EventId;
use crate::reason::Reason;

/// The most bytes that one value takes, escaped.
const MOST: usize = 1024;

/// How a value is written so that it stays a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As the inside of a JSON string.
    Json,
    /// As text or the inside of a quoted attribute, in HTML and XML.
    Markup,
    /// As it is, but on one line and without control characters.
    Plain,
}

macro_rules! places {
    ($($name:ident = $word:literal,)+) => {
        /// What can be filled in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Place { $($name,)+ }

        /// The words for it, as messages list them.
        pub(crate) const PLACES: &[&str] = &[$($word,)+];

        impl Place {
            fn of(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

places! {
    Id = "id",
    Reason = "reason",
    Status = "status",
    Title = "title",
    Detail = "detail",
    Scope = "scope",
    Method = "method",
    Path = "path",
}

/// What the places hold for one answer. What there is none of is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) id: EventId,
    pub(crate) reason: Reason,
    pub(crate) status: u16,
    pub(crate) title: &'a str,
    pub(crate) detail: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
}

/// A checked template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Place(Place),
}

/// What is wrong with a template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// `{{` without `}}`.
    Open,
    /// No place has this name.
    Unknown(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first place that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (word, tail) = after.split_once("}}").ok_or(Wrong::Open)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let word = word.trim();
            match Place::of(word) {
                Some(place) => parts.push(Part::Place(place)),
                None => return Err(Wrong::Unknown(word.chars().take(40).collect())),
            }
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self { parts })
    }

    /// Fills it in.
    pub(crate) fn render(&self, escape: Escape, values: &Values<'_>) -> String {
        let mut out = String::with_capacity(256);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(place) => push_value(&mut out, *place, escape, values),
            }
        }
        out
    }
}

fn push_value(out: &mut String, place: Place, escape: Escape, values: &Values<'_>) {
    let text = match place {
        // These two have no character that needs escaping anywhere.
        Place::Id => {
            let _ = write!(out, "{}", values.id);
            return;
        }
        Place::Status => return push_decimal(out, u64::from(values.status), 0),
        Place::Reason => values.reason.code(),
        Place::Title => values.title,
        Place::Detail => values.detail,
        Place::Scope => values.scope,
        Place::Method => values.method,
        Place::Path => values.path,
    };
    match escape {
        Escape::Json => push_json(out, text, MOST),
        Escape::Markup => push_markup(out, text),
        Escape::Plain => push_plain(out, text),
    }
}

/// Within [`MOST`] bytes, as all of these.
fn push_bounded(out: &mut String, text: &str, push: impl Fn(&mut String, char)) {
    let start = out.len();
    for c in text.chars() {
        let before = out.len();
        push(out, c);
        if out.len().saturating_sub(start) > MOST {
            out.truncate(before);
            return;
        }
    }
}

fn push_markup(out: &mut String, text: &str) {
    push_bounded(out, text, |out, c| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        // An attribute without quotes ends at white space, and old readers take this for a quote.
        '`' => out.push_str("&#96;"),
        c if c.is_control() => out.push('\u{fffd}'),
        c => out.push(c),
    });
}

fn push_plain(out: &mut String, text: &str) {
    push_bounded(out, text, |out, c| match c {
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push('\u{fffd}'),
        c => out.push(c),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "/a\"b\\c<script>&'`\n\u{2028}é";

    fn values(path: &str) -> Values<'_> {
        Values {
            id: EventId::from_random(1),
            reason: Reason::ScopeInsufficient,
            status: 403,
            title: "Forbidden",
            detail: "",
            scope: "orders:read",
            method: "GET",
            path,
        }
    }

    fn render(text: &str, escape: Escape, path: &str) -> String {
        Template::parse(text).unwrap().render(escape, &values(path))
    }

    #[test]
    fn places_are_filled_in() {
        assert_eq!(
            render(
                "{{status}} {{ title }}: {{reason}} ({{scope}}) at {{method}} {{path}}{{detail}} }}",
                Escape::Plain,
                "/x"
            ),
            "403 Forbidden: scope_insufficient (orders:read) at GET /x }}"
        );
        let id = render("{{id}}", Escape::Plain, "");
        assert_eq!(id, EventId::from_random(1).to_string());
        assert_eq!(render("", Escape::Plain, ""), "");
    }

    #[test]
    fn what_is_no_place_is_a_mistake() {
        for (text, wrong) in [
            ("{{", Wrong::Open),
            ("a {{id} b", Wrong::Open),
            ("{{}}", Wrong::Unknown(String::new())),
            ("{{token}}", Wrong::Unknown("token".into())),
            ("{{Id}}", Wrong::Unknown("Id".into())),
            ("{{id}}{{i d}}", Wrong::Unknown("i d".into())),
            ("{{{id}}}", Wrong::Unknown("{id".into())),
        ] {
            assert_eq!(Template::parse(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn values_stay_values() {
        let json = render(r#"{"path":"{{path}}"}"#, Escape::Json, NASTY);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["path"], NASTY);
        let html = render("<p title='{{path}}'>{{path}}</p>", Escape::Markup, NASTY);
        assert_eq!(html.matches('<').count(), 2, "{html}");
        assert!(html.contains("&lt;script&gt;&amp;&#39;&#96;"), "{html}");
        assert_eq!(html.matches('\'').count(), 2, "{html}");
        let plain = render("{{path}}", Escape::Plain, NASTY);
        assert_eq!(plain.lines().count(), 1, "{plain}");
    }

    #[test]
    fn values_are_bounded() {
        let long = "<".repeat(5000);
        for escape in [Escape::Json, Escape::Markup, Escape::Plain] {
            let rendered = render("{{path}}", escape, &long);
            assert!(
                rendered.len() <= MOST && rendered.len() > MOST / 2,
                "{escape:?}"
            );
        }
        // No half of an escape.
        assert!(render("{{path}}", Escape::Markup, &long).ends_with("&lt;"));
    }
}
