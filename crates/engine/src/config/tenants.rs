//! Issuers with a tenant in their name: `https://login.example.com/{tenant}/v2.0`, and which tenants there are.
//!
//! The tenant is one whole path segment of RFC 3986's unreserved characters. So it is never an encoded byte, a
//! separator or a dot segment, and a name has one reading: whatever matches, matches byte for byte.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use portcullis_policy::{Field, Value};

use super::issuers::MOST_SEGMENTS;

/// Where the tenant stands in an issuer's name.
pub(crate) const PLACE: &str = "{tenant}";

/// How many issuers entries of these names are, as far as it matters: one, or more than one. INVARIANT: each tenant is an issuer of
/// its own (its `sub`s are no other's), so a name with a place for them stands for more than one, whatever `tenants` says today.
pub(super) fn issuers_among<'n>(names: impl IntoIterator<Item = &'n str>) -> usize {
    let issuers = |name: &str| usize::from(name.contains(PLACE)).saturating_add(1);
    names
        .into_iter()
        .map(issuers)
        .fold(0, usize::saturating_add)
}

/// Most tenants that an entry can list.
const MOST_TENANTS: usize = 10_000;

/// Longest name of a tenant, in bytes.
const MOST_BYTES: usize = 128;

/// An issuer's name around its tenant, and the tenants that it may have.
#[derive(Debug)]
pub(crate) struct Template {
    before: Box<str>,
    after: Box<str>,
    tenants: Tenants,
}

#[derive(Debug, PartialEq, Eq)]
enum Tenants {
    /// These, sorted: who is none of them is told so before any signature, by anybody who asks.
    List(Box<[Box<str>]>),
    /// Those that look so.
    Pattern(Pattern),
}

/// What a tenant's name may look like.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// Lower-case hexadecimal, 8-4-4-4-12 (RFC 9562 section 4).
    Uuid,
    /// So many characters of a set.
    Class {
        /// A bit for each ASCII character.
        characters: u128,
        least: usize,
        most: usize,
    },
}

impl Template {
    /// Splits an issuer's name at its tenant. `None`, reported, unless that is one whole path segment.
    pub(super) fn split<'d>(field: &Field<'_>, issuer: &'d str) -> Option<(&'d str, &'d str)> {
        let around = issuer.split_once(PLACE).filter(|(before, after)| {
            let authority_is_over = before
                .split_once("://")
                .is_some_and(|(_, rest)| rest.contains('/'));
            authority_is_over
                && before.ends_with('/')
                && before.matches('/').count() <= MOST_SEGMENTS
                && (after.is_empty() || after.starts_with('/'))
                && !after.contains(PLACE)
        });
        if around.is_none() {
            field.problem(
                "has `{tenant}` once, as one whole segment of the path, such as https://login.example.com/{tenant}/v2.0",
            );
        }
        around
    }

    /// Reads `tenants` for the name around them.
    pub(super) fn read(field: &Field<'_>, (before, after): (&str, &str)) -> Option<Self> {
        let tenants = match field.value() {
            Value::Map(_) => {
                let mut section = field.section()?;
                Tenants::Pattern(section.required("pattern", read_pattern)?)
            }
            _ => Tenants::List(read_list(field)?.into()),
        };
        Some(Self {
            before: before.into(),
            after: after.into(),
            tenants,
        })
    }

    pub(crate) fn before(&self) -> &str {
        &self.before
    }

    pub(crate) fn after(&self) -> &str {
        &self.after
    }

    /// The tenants, sorted, if they are listed.
    pub(crate) fn list(&self) -> Option<&[Box<str>]> {
        match &self.tenants {
            Tenants::List(list) => Some(list),
            Tenants::Pattern(_) => None,
        }
    }

    /// The name of a tenant's issuer.
    pub(crate) fn issuer_of(&self, tenant: &str) -> String {
        [&*self.before, tenant, &*self.after].concat()
    }

    /// Whether there is such a tenant.
    pub(crate) fn has(&self, tenant: &str) -> bool {
        match &self.tenants {
            Tenants::List(list) => is_in(list, tenant),
            Tenants::Pattern(pattern) => pattern.matches(tenant),
        }
    }

    /// The tenant that this issuer's name has here, if it is one.
    pub(crate) fn tenant_of<'i>(&self, issuer: &'i str) -> Option<&'i str> {
        let tenant = issuer
            .strip_prefix(&*self.before)?
            .strip_suffix(&*self.after)?;
        self.has(tenant).then_some(tenant)
    }

    /// Whether some issuer's name may be one of both. May err towards "yes".
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.segments(), other.segments());
        ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|pair| match pair {
                (Some(a), Some(b)) => a == b,
                (None, Some(text)) => self.has(text),
                (Some(text), None) => other.has(text),
                (None, None) => self.tenants.overlaps(&other.tenants),
            })
    }

    /// The name's parts between slashes; `None` where the tenant stands.
    fn segments(&self) -> Vec<Option<&str>> {
        let before = self.before.strip_suffix('/').unwrap_or(&self.before);
        let mut segments: Vec<_> = before.split('/').map(Some).collect();
        segments.push(None);
        if let Some(after) = self.after.strip_prefix('/') {
            segments.extend(after.split('/').map(Some));
        }
        segments
    }
}

impl Tenants {
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(one), Self::List(two)) => have_common(one, two),
            (Self::List(list), Self::Pattern(pattern))
            | (Self::Pattern(pattern), Self::List(list)) => {
                list.iter().any(|tenant| pattern.matches(tenant))
            }
            (Self::Pattern(_), Self::Pattern(_)) => true,
        }
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Uuid => {
                text.len() == 36
                    && text.bytes().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                    })
            }
            Self::Class {
                characters,
                least,
                most,
            } => {
                (*least..=*most).contains(&text.len())
                    && is_segment(text)
                    && text.bytes().all(|byte| has(*characters, byte))
            }
        }
    }
}

/// Whether a set of ASCII characters has this one.
fn has(characters: u128, byte: u8) -> bool {
    byte < 128 && characters & bit(byte) != 0
}

fn bit(byte: u8) -> u128 {
    1_u128.checked_shl(u32::from(byte)).unwrap_or(0)
}

/// RFC 3986 section 2.3, unreserved; and no dot segment, which some parser might take away.
fn is_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_unreserved) && text != "." && text != ".."
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_in(sorted: &[Box<str>], name: &str) -> bool {
    place_in(sorted, name).is_some()
}

/// Where a name stands in a sorted list.
pub(crate) fn place_in(sorted: &[Box<str>], name: &str) -> Option<usize> {
    sorted.binary_search_by(|known| (**known).cmp(name)).ok()
}

/// Whether two sorted lists have an item in common. Each item is looked at once.
fn have_common(one: &[Box<str>], two: &[Box<str>]) -> bool {
    let (mut one, mut two) = (one.iter().peekable(), two.iter().peekable());
    while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
        match a.cmp(b) {
            Ordering::Equal => return true,
            Ordering::Less => one.next(),
            Ordering::Greater => two.next(),
        };
    }
    false
}

/// Names, sorted.
fn read_list(field: &Field<'_>) -> Option<Vec<Box<str>>> {
    let items = field.non_empty_list()?;
    if items.len() > MOST_TENANTS {
        field.problem_with_help(
            format!(
                "has {} tenants, more than the {MOST_TENANTS} allowed",
                items.len()
            ),
            "a pattern stands for any number of them: { pattern: uuid }",
        );
        return None;
    }
    let mut names: BTreeSet<Box<str>> = BTreeSet::new();
    let mut whole = true;
    for item in items {
        let name = item.non_empty_text();
        let wrong = match name {
            None => None,
            Some(name) if names.contains(name) => Some("stands here twice"),
            Some(name) if !is_segment(name) || name.len() > MOST_BYTES => {
                Some("wants up to 128 letters, digits, `-`, `.`, `_` and `~`")
            }
            Some(name) => {
                names.insert(name.into());
                continue;
            }
        };
        if let Some(wrong) = wrong {
            item.problem(wrong);
        }
        whole = false;
    }
    whole.then(|| names.into_iter().collect())
}

/// `uuid`, or one class and how many of it: `[a-z0-9-]{1,36}`.
fn read_pattern(field: &Field<'_>) -> Option<Pattern> {
    let text = field.non_empty_text()?;
    if text == "uuid" {
        return Some(Pattern::Uuid);
    }
    let pattern = parse_class(text);
    if pattern.is_none() {
        field.problem_with_help(
            "wants `uuid`, or one class of characters and how many, such as [a-z0-9-]{1,36}",
            "letters, digits, `-`, `.`, `_`, `~` and ranges of them, at most 128",
        );
    }
    pattern
}

fn parse_class(text: &str) -> Option<Pattern> {
    let (class, count) = text.strip_prefix('[')?.split_once("]{")?;
    let count = count.strip_suffix('}')?;
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    let number = |text: &str| -> Option<usize> {
        let plain = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| plain)
    };
    let (least, most) = (number(least)?, number(most)?);
    if least == 0 || least > most || most > MOST_BYTES {
        return None;
    }
    let mut characters = 0;
    let mut rest = class.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (last, after) = match after {
            [b'-', last, after @ ..] => (last, after),
            _ => (first, after),
        };
        let both_or_same = first == last || is_range(*first, *last);
        if !is_unreserved(*first) || !both_or_same {
            return None;
        }
        characters |= (*first..=*last).map(bit).fold(0, |all, one| all | one);
        rest = after;
    }
    (characters != 0).then_some(Pattern::Class {
        characters,
        least,
        most,
    })
}

/// Within the digits, the capitals or the small letters.
fn is_range(first: u8, last: u8) -> bool {
    let within = |kind: fn(&u8) -> bool| kind(&first) && kind(&last);
    first < last
        && (within(u8::is_ascii_digit)
            || within(u8::is_ascii_uppercase)
            || within(u8::is_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        parse_class(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_class_says_which_characters_and_how_many() {
        for (pattern, text) in [
            ("[a-z0-9-]{1,36}", "acme-2"),
            ("[a-z0-9-]{1,36}", "-"),
            ("[A-Za-z._~-]{3}", "A.~"),
            ("[a]{2,3}", "aa"),
            ("[0-9a-f]{128}", &"0".repeat(128)),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("[a-z0-9-]{1,36}", ""),
            ("[a-z0-9-]{1,36}", "Acme"),
            ("[a-z0-9-]{1,36}", "a/b"),
            ("[a-z0-9-]{1,36}", "a%2fb"),
            ("[a-z0-9-]{1,36}", "acmé"),
            ("[a-z0-9-]{1,3}", "acme"),
            ("[a]{2,3}", "a"),
            ("[.a]{1,3}", "."),
            ("[.a]{1,3}", ".."),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(matches("[.a]{1,3}", "..."));
    }

    #[test]
    fn what_is_no_class_is_refused() {
        for pattern in [
            "",
            "[a-z]",
            "[a-z]+",
            "[]{1}",
            "[a-z]{0,3}",
            "[a-z]{3,1}",
            "[a-z]{1,129}",
            "[a-z]{1,}",
            "[a-z]{,3}",
            "[a-z]{1,3}x",
            "x[a-z]{1}",
            "[^a]{1}",
            "[a-Z]{1}",
            "[z-a]{1}",
            "[%]{1}",
            "[/]{1}",
            "[a-z]{+1}",
            "[a-z]{1,3}{1}",
            "[\u{e9}]{1}",
            "[a b]{1}",
            "(a|b){1}",
            "[a-z]]{1}",
        ] {
            assert_eq!(parse_class(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_uuid_has_one_spelling() {
        let uuid = "0191b3f2-7c1e-7f00-8000-0123456789ab";
        assert!(Pattern::Uuid.matches(uuid));
        for other in [
            &uuid.to_uppercase(),
            &uuid.replace('-', ""),
            uuid.trim_start_matches('0'),
            &format!("{uuid}0"),
            &uuid.replacen("-7", "%2d7", 1),
            "",
        ] {
            assert!(!Pattern::Uuid.matches(other), "{other}");
        }
    }

    fn template(before: &str, after: &str, tenants: Tenants) -> Template {
        Template {
            before: before.into(),
            after: after.into(),
            tenants,
        }
    }

    fn some(pattern: &str) -> Tenants {
        Tenants::Pattern(parse_class(pattern).unwrap())
    }

    #[test]
    fn a_name_matches_byte_for_byte_and_its_tenant_is_one_segment() {
        let template = template("https://login.example.com/", "/v2.0", some("[a-z]{1,9}"));
        assert_eq!(
            template.tenant_of("https://login.example.com/acme/v2.0"),
            Some("acme")
        );
        for issuer in [
            "https://login.example.com/acme/v2.0/",
            "https://login.example.com/acme/V2.0",
            "https://login.example.com//v2.0",
            "https://login.example.com/v2.0",
            "https://login.example.com/a/b/v2.0",
            "https://login.example.com/a%2fb/v2.0",
            "https://login.example.com/%61cme/v2.0",
            "https://login.example.com/Acme/v2.0",
            "https://LOGIN.example.com/acme/v2.0",
            "https://login.example.com/{tenant}/v2.0",
            "",
        ] {
            assert_eq!(template.tenant_of(issuer), None, "{issuer}");
        }
    }

    #[test]
    fn templates_that_can_name_the_same_issuer_overlap() {
        let list = |names: &[&str]| {
            assert!(names.is_sorted());
            Tenants::List(names.iter().map(|name| (*name).into()).collect())
        };
        let one = template("https://x/", "/b", list(&["a", "c"]));
        for (other, overlaps) in [
            (template("https://x/", "/b", list(&["c"])), true),
            (template("https://x/", "/b", list(&["d"])), false),
            (template("https://x/", "/b", some("[a-z]{1}")), true),
            (template("https://x/", "/b", some("[a-z]{2}")), false),
            (template("https://x/a/", "", list(&["b"])), true),
            (template("https://x/a/", "", list(&["z"])), false),
            (template("https://x/z/", "", list(&["b"])), false),
            (template("https://y/", "/b", list(&["a"])), false),
            (template("https://x/", "", list(&["a"])), false),
        ] {
            assert_eq!(one.overlaps(&other), overlaps, "{other:?}");
            assert_eq!(other.overlaps(&one), overlaps, "{other:?}");
        }
    }
}
