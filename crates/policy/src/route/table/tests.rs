//! The table against a reference that reads the rules naively, and the count of its steps.

use proptest::prelude::*;

use super::*;
use crate::document::{Field, Sink, parse};
use crate::path::{Mode, canonical};

fn pattern(text: &str, kind: Kind) -> Pattern {
    let sink = Sink::new();
    let node = parse(format!("'{text}'").as_bytes(), &sink).unwrap();
    let pattern = Pattern::read(&Field::root(&node, &sink), kind);
    sink.finish().unwrap();
    pattern.unwrap()
}

/// A route as the reference keeps it.
#[derive(Debug, Clone)]
struct Rule {
    host: Option<HostPattern>,
    method: Option<String>,
    pattern: Pattern,
}

impl Rule {
    fn host_rank(&self, host: &str) -> Option<usize> {
        match &self.host {
            None => Some(0),
            Some(HostPattern::Below(suffix)) => (host.len() > suffix.len()
                && host.ends_with(suffix.as_str()))
            .then_some(suffix.len()),
            Some(HostPattern::Exact(name)) => (name == host).then_some(usize::MAX),
        }
    }

    /// How specific the match is, segment by segment: literal 3, variable 2, the end of an exact pattern 1, of a prefix 0.
    fn path_rank(&self, segments: &[&str]) -> Option<Vec<u8>> {
        let own = &self.pattern.segments;
        if own.len() > segments.len()
            || (self.pattern.kind == Kind::Exact && own.len() != segments.len())
        {
            return None;
        }
        let mut rank = Vec::new();
        for (own, segment) in own.iter().zip(segments) {
            rank.push(match own {
                Segment::Literal(text) if text == segment => 3,
                Segment::Variable(_) if !segment.is_empty() => 2,
                _ => return None,
            });
        }
        rank.push(if self.pattern.kind == Kind::Exact {
            1
        } else {
            0
        });
        Some(rank)
    }
}

/// Selects by the rules as they are written, looking at every route.
fn reference(rules: &[Rule], host: &str, method: &str, segments: &[&str]) -> Found {
    let mut host_ranks = rules
        .iter()
        .filter_map(|rule| rule.host_rank(host))
        .collect::<Vec<_>>();
    host_ranks.sort_unstable();
    host_ranks.dedup();
    for host_rank in host_ranks.into_iter().rev() {
        let at_host = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.host_rank(host) == Some(host_rank));
        let with_slash = [segments, &[""]].concat();
        let best = at_host
            .clone()
            .filter_map(|(index, rule)| Some((rule.path_rank(segments)?, index)))
            .map(|(rank, _)| rank)
            .max();
        // An exact pattern that differs by a final `/`, and is at least as specific up to there as what was found, reserves the path.
        let without = segments
            .split_last()
            .filter(|(last, rest)| last.is_empty() && !rest.is_empty())
            .map(|(_, rest)| rest);
        let reserving = at_host
            .clone()
            .filter(|(_, rule)| rule.pattern.kind == Kind::Exact)
            .filter_map(|(_, rule)| {
                let longer = rule.path_rank(&with_slash).map(|mut rank| {
                    rank.truncate(segments.len());
                    rank
                });
                longer.or_else(|| {
                    let mut rank = rule.path_rank(without?)?;
                    rank.pop();
                    Some(rank)
                })
            })
            .max();
        match (best, reserving) {
            (None, None) => continue,
            (None, Some(_)) => return Found::Nothing,
            (Some(best), Some(reserving)) if beats(&reserving, &best) => return Found::Nothing,
            (Some(best), _) => {
                let slot = at_host
                    .filter(|(_, rule)| rule.path_rank(segments).as_ref() == Some(&best))
                    .collect::<Vec<_>>();
                let named = slot
                    .iter()
                    .find(|(_, rule)| rule.method.as_deref() == Some(method));
                let folded = slot.iter().any(|(_, rule)| {
                    let named = rule.method.as_deref();
                    named.is_some_and(|named| named.eq_ignore_ascii_case(method))
                });
                let any = slot
                    .iter()
                    .find(|(_, rule)| rule.method.is_none() && !folded);
                return named
                    .or(any)
                    .map_or(Found::OtherMethod, |(index, _)| Found::Route(*index));
            }
        }
    }
    Found::Nothing
}

/// Whether the reserving pattern, known up to the segment before the difference, comes before the match in the search.
fn beats(reserving: &[u8], best: &[u8]) -> bool {
    for (own, other) in reserving.iter().zip(best) {
        if own != other {
            return own > other;
        }
    }
    // The same way so far. The match has its say first if it goes on or ends there itself.
    reserving.len() >= best.len()
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "{x}", "{y}"])
}

fn rule() -> impl Strategy<Value = Rule> {
    let host = prop::sample::select(vec![
        None,
        None,
        Some(HostPattern::Exact("a.example.com".into())),
        Some(HostPattern::Below(".example.com".into())),
        Some(HostPattern::Below(".com".into())),
    ]);
    let method = prop::sample::select(vec![None, Some("GET".to_owned()), Some("POST".to_owned())]);
    (
        host,
        method,
        prop::collection::vec(segment(), 0..4),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(host, method, segments, prefix, slash)| {
            let mut seen = Vec::new();
            let mut text = String::new();
            for segment in segments {
                // A variable's name stands once.
                let segment = if seen.contains(&segment) && segment.starts_with('{') {
                    "a"
                } else {
                    segment
                };
                seen.push(segment);
                text.push('/');
                text.push_str(segment);
            }
            if text.is_empty() || (slash && !prefix) {
                text.push('/');
            }
            let kind = if prefix { Kind::Prefix } else { Kind::Exact };
            Rule {
                host,
                method,
                pattern: pattern(&text, kind),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_table_selects_what_the_rules_say(
        rules in prop::collection::vec(rule(), 0..14),
        requests in prop::collection::vec((
            prop::sample::select(vec!["a.example.com", "b.example.com", "a.b.example.com", "x.com", "other", "example.com"]),
            prop::sample::select(vec!["GET", "POST", "PUT", "get"]),
            prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..5),
            any::<bool>(),
        ), 1..20),
    ) {
        let mut table = Table::default();
        let mut kept = Vec::new();
        for rule in rules {
            // What equals an earlier rule is refused by the table, exactly then.
            let same = |other: &Rule| {
                let shape = |p: &Pattern| p.segments.iter().map(|s| match s { Segment::Literal(t) => Some(t.clone()), Segment::Variable(_) => None }).collect::<Vec<_>>();
                other.host == rule.host && other.method == rule.method && other.pattern.kind == rule.pattern.kind && shape(&other.pattern) == shape(&rule.pattern)
            };
            let expected = kept.iter().position(same).map_or(Ok(()), |index| Err(Conflict::Same(index)));
            let inserted = table.insert(rule.host.as_ref(), rule.method.as_deref(), &rule.pattern, kept.len());
            prop_assert_eq!(inserted, expected);
            if inserted.is_ok() {
                kept.push(rule);
            }
        }
        for (host, method, segments, slash) in requests {
            let mut raw = segments.iter().map(|s| format!("/{s}")).collect::<String>();
            if raw.is_empty() || slash {
                raw.push('/');
            }
            let path = canonical(&raw, Mode::Refuse).unwrap();
            let found = table.select(host, method, &path);
            let expected = reference(&kept, host, method, &path.segments().collect::<Vec<_>>());
            prop_assert_eq!(found, expected, "{} {}{}", method, host, raw);
        }
    }
}

/// Tables of 10 and of 10,000 routes, of every shape that could make a search long.
#[test]
fn lookup_takes_as_many_steps_among_ten_thousand_routes_as_among_ten() {
    let table = |routes: usize| {
        let mut table = Table::default();
        for index in 0..routes {
            let (text, kind) = match index % 4 {
                0 => (format!("/service{index}/items/{{id}}"), Kind::Exact),
                1 => (format!("/api/{{tenant}}/thing{index}"), Kind::Exact),
                2 => (format!("/static/area{index}"), Kind::Prefix),
                _ => (format!("/api/v1/resource{index}/{{id}}/sub"), Kind::Exact),
            };
            let host =
                (index % 2 == 1).then(|| HostPattern::Exact(format!("h{index}.example.com")));
            table
                .insert(host.as_ref(), Some("GET"), &pattern(&text, kind), index)
                .unwrap();
            table
                .insert(None, Some("PUT"), &pattern(&text, kind), index)
                .unwrap();
        }
        table
    };
    let (small, large) = (table(10), table(10_000));
    for raw in [
        "/service4/items/7",
        "/api/acme/thing5",
        "/static/area6/x/y",
        "/api/v1/resource7/9/sub",
        "/api/v1/nothing",
        "/",
        "/none/of/these",
    ] {
        let path = canonical(raw, Mode::Refuse).unwrap();
        let (mut few, mut many) = (0, 0);
        assert_eq!(
            small.select_counted("x.example.com", "PUT", &path, &mut few),
            large.select_counted("x.example.com", "PUT", &path, &mut many),
            "{raw}"
        );
        assert_eq!(few, many, "{raw}");
        assert!(many <= 2 * (path.segments().count() + 1), "{raw}: {many}");
    }
}
