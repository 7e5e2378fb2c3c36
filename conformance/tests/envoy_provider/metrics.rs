//! What Prometheus reads: labels made by the example's `stats_tags`, and buckets in microseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::stage::{READ, Stage, wait_until};

/// One sample of the text format: name, labels, value.
#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Parses the Prometheus text format as far as Envoy writes it: no escapes in label values.
fn parse(text: &str) -> Result<Vec<Series>> {
    let mut all = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (series, value) = line
            .rsplit_once(' ')
            .with_context(|| format!("no value: {line}"))?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let inner = labels
            .strip_suffix('}')
            .with_context(|| format!("no end of labels: {line}"))?;
        let mut pairs = BTreeMap::new();
        for pair in inner.split("\",").filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once("=\"")
                .with_context(|| format!("no label: {line}"))?;
            pairs.insert(key.to_owned(), value.trim_end_matches('"').to_owned());
        }
        let value = value
            .parse()
            .with_context(|| format!("no number: {line}"))?;
        all.push(Series {
            name: name.to_owned(),
            labels: pairs,
            value,
        });
    }
    ensure!(!all.is_empty(), "no metrics at all");
    Ok(all)
}

#[test]
fn prometheus_shows_labels_and_microseconds() -> Result<()> {
    let mut stage = Stage::set()?;
    let gateway = stage.gateway(&stage.policy("")?)?;
    let reader = stage.client.token("reader.es256", READ)?;
    for _ in 0..5 {
        assert_eq!(
            gateway
                .request("GET", "/orders/42", Some(&reader.token))?
                .status,
            200
        );
    }
    for _ in 0..3 {
        assert_eq!(gateway.request("GET", "/orders/42", None)?.status, 401);
    }
    assert_eq!(
        gateway
            .request("POST", "/orders", Some(&reader.token))?
            .status,
        403
    );

    // Histograms are merged from the workers when statistics are flushed, every five seconds; the guard's timer carries its counts.
    let mut series = Vec::new();
    wait_until("all is counted", Duration::from_secs(30), || {
        series = parse(&gateway.envoy().admin("/stats/prometheus")?)?;
        let sum = |name: &str| -> f64 {
            let named = series.iter().filter(|one| one.name == name);
            named.map(|one| one.value).sum()
        };
        let timed = sum("portcullis_latency_us_count");
        let verified = sum("portcullis_signature");
        Ok(timed >= 1.0 && timed >= verified && sum("portcullis_decisions") >= 9.0)
    })?;
    let decisions = |verdict: &str, reason: &str| {
        series
            .iter()
            .find(|one| {
                one.name == "portcullis_decisions"
                    && one
                        .labels
                        .get("verdict")
                        .is_some_and(|label| label == verdict)
                    && one
                        .labels
                        .get("reason")
                        .is_some_and(|label| label == reason)
            })
            .map(|one| one.value)
    };
    assert_eq!(decisions("allow", "authenticated"), Some(5.0));
    assert_eq!(decisions("deny", "credential_missing"), Some(3.0));
    assert_eq!(decisions("deny", "scope_insufficient"), Some(1.0));
    let all: f64 = series
        .iter()
        .filter(|one| one.name == "portcullis_decisions")
        .map(|one| one.value)
        .sum();
    assert_eq!(all, 9.0, "nothing else was decided");

    let event = |name: &str, event: &str| {
        let wanted = |one: &&Series| {
            one.name == name && one.labels.get("event").is_some_and(|label| label == event)
        };
        series.iter().find(wanted).map(|one| one.value)
    };
    assert!(event("portcullis_keys_fetch", "loaded").is_some_and(|count| count >= 1.0));
    assert!(event("portcullis_cache", "hit").is_some_and(|count| count >= 1.0));

    let bounds: Vec<f64> = series
        .iter()
        .filter(|one| one.name == "portcullis_latency_us_bucket")
        .filter_map(|one| one.labels.get("le")?.parse().ok())
        .collect();
    assert!(
        bounds.contains(&50.0) && bounds.contains(&250.0) && bounds.contains(&1_000_000.0),
        "{bounds:?}"
    );
    let count = series
        .iter()
        .find(|one| one.name == "portcullis_latency_us_count")
        .map(|one| one.value);
    // One token came, six times: each worker that met it verified its signature once, and all else was decided at once.
    assert_eq!(count, event("portcullis_signature", "good"));
    assert!(count.is_some_and(|count| count <= 2.0), "{count:?}");
    Ok(())
}
