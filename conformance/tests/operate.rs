//! What operators get beside the Envoy example: a real Prometheus scrapes it, and every metric and label that the alerts and the
//! dashboard use is there; the alerts' unit tests hold; each alert has its section in `OPERATIONS.md`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "all of this is test code, the parts outside of test functions too"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis_conformance::environment;
use portcullis_conformance::envoy::Options;
use portcullis_conformance::jwks_server::JwksServer;
use portcullis_conformance::keys::key;
use portcullis_conformance::prometheus::Prometheus;
use portcullis_conformance::scenario::{Example, Gateway, replace_once, workspace};
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::upstream::Upstream;
use serde_json::Value;

fn folder() -> PathBuf {
    workspace().join("examples/envoy")
}

fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(folder().join(name)).with_context(|| name.to_owned())
}

/// Name and expression of each alert.
fn alerts() -> Result<Vec<Value>> {
    let file: Value = serde_saphyr::from_str(&read("alerts.yaml")?)?;
    Ok(file["groups"][0]["rules"]
        .as_array()
        .context("no rules")?
        .clone())
}

/// Every PromQL expression of the alerts and the dashboard.
fn expressions() -> Result<Vec<String>> {
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("an expression is text")
    };
    let mut all: Vec<String> = alerts()?
        .iter()
        .map(|alert| text(&alert["expr"]))
        .collect::<Result<_>>()?;
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")?)?;
    for panel in dashboard["panels"].as_array().context("no panels")? {
        for target in panel["targets"].as_array().context("no targets")? {
            all.push(text(&target["expr"])?);
        }
    }
    Ok(all)
}

/// The selectors of an expression: `name` or `name{…}`, of the guard and of Envoy.
fn selectors(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    for (at, _) in expression
        .match_indices("portcullis_")
        .chain(expression.match_indices("envoy_"))
    {
        if expression[..at].ends_with(part) {
            continue;
        }
        let rest = &expression[at..];
        let name = rest.find(|it| !part(it)).unwrap_or(rest.len());
        let end = match rest[name..].strip_prefix('{') {
            Some(labels) => name + 1 + labels.find('}').map_or(labels.len(), |end| end + 1),
            None => name,
        };
        found.insert(rest[..end].to_owned());
    }
    found
}

/// A selector with alternatives (`=~"a|b"`) as one selector each: all of them must exist, not just one.
fn alternatives(selector: &str) -> Vec<String> {
    let Some((head, rest)) = selector.split_once("=~\"") else {
        return vec![selector.to_owned()];
    };
    let (values, tail) = rest.split_once('"').unwrap_or((rest, ""));
    values
        .split('|')
        .flat_map(|value| alternatives(&format!("{head}=\"{value}\"{tail}")))
        .collect()
}

#[test]
fn selectors_are_found_and_taken_apart() {
    let expression =
        "sum by (le) (rate(portcullis_a{x=\"1\",y=~\"p|q\"}[5m])) / envoy_b > my_envoy_c";
    let found: Vec<String> = selectors(expression).into_iter().collect();
    assert_eq!(found, ["envoy_b", "portcullis_a{x=\"1\",y=~\"p|q\"}"]);
    assert_eq!(
        alternatives(&found[1]),
        [
            "portcullis_a{x=\"1\",y=\"p\"}",
            "portcullis_a{x=\"1\",y=\"q\"}"
        ]
    );
}

#[test]
fn prometheus_scrapes_all_that_alerts_and_dashboard_use() -> Result<()> {
    let issuer = JwksServer::start(&serde_json::json!({ "keys": [key("es_a")?.jwk] }).to_string())?;
    let upstream = Upstream::start()?;
    let policy = Example::read()?.policy.replace(
        "http://127.0.0.1:9090",
        &format!("http://{}", issuer.address()),
    );
    let gateway = Gateway::start(
        &policy,
        issuer.address(),
        upstream.address(),
        &Options::default(),
    )?;
    assert_eq!(gateway.request("GET", "/orders/42", None)?.status, 401);

    // The example's own configuration, with its address, and quicker.
    let scratch = Scratch::new()?;
    let admin = gateway.envoy().admin_address().to_string();
    let configuration = replace_once(&read("prometheus.yaml")?, "127.0.0.1:9901", &admin)?
        .replace("_interval: 15s", "_interval: 1s");
    scratch.write("alerts.yaml", read("alerts.yaml")?.as_bytes())?;
    let configuration = scratch.write("prometheus.yaml", configuration.as_bytes())?;
    let prometheus = Prometheus::start(&configuration, scratch.path())?;
    let denied = "portcullis_decisions{verdict=\"deny\",reason=\"credential_missing\"} == 1";
    let patience = Instant::now() + Duration::from_secs(60);
    while prometheus.query(denied)?.is_empty() {
        ensure!(
            Instant::now() < patience,
            "no scrape shows the denied request"
        );
        std::thread::sleep(Duration::from_millis(100));
    }

    for expression in expressions()? {
        let selectors = selectors(&expression);
        ensure!(
            !selectors.is_empty(),
            "nothing of the guard or Envoy in {expression}"
        );
        for one in selectors.iter().flat_map(|selector| alternatives(selector)) {
            assert!(
                !prometheus.query(&one)?.is_empty(),
                "{one} is not scraped, but used in {expression}"
            );
        }
        // Labels that it groups by are on what it selects.
        for group in expression.split("by (").skip(1) {
            let labels = group.split(')').next().unwrap_or_default();
            for label in labels
                .split(',')
                .map(str::trim)
                .filter(|label| *label != "le")
            {
                let first = selectors.first().expect("there is one");
                let series = prometheus.query(first)?;
                assert!(
                    series.iter().all(|one| one["metric"].get(label).is_some()),
                    "{label} of {first}"
                );
            }
        }
        prometheus.query(&expression)?;
    }

    // What is scraped of the guard is documented, and the other way round.
    let documented = std::fs::read_to_string(workspace().join("crates/engine/README.md"))?;
    for series in prometheus.query("{__name__=~\"portcullis_.*\"}")? {
        let metric = &series["metric"];
        let name = metric["__name__"]
            .as_str()
            .unwrap_or_default()
            .replacen('_', ".", 1);
        let known = match metric["event"].as_str() {
            Some(event) => format!("`{}.{event}`", name.replace("keys_", "keys.")),
            None if name.starts_with("portcullis.latency_us") => {
                "`portcullis.latency_us`".to_owned()
            }
            None => format!("| `{}` |", metric["reason"].as_str().unwrap_or_default()),
        };
        assert!(
            documented.contains(&known),
            "{metric} is not documented as {known}"
        );
    }

    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let groups = prometheus.api("/api/v1/rules")?;
        let rules = groups["groups"][0]["rules"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert!(
            rules.iter().all(|rule| rule["health"] != "err"),
            "{rules:?}"
        );
        if rules.len() == alerts()?.len() && rules.iter().all(|rule| rule["health"] == "ok") {
            return Ok(());
        }
        ensure!(
            Instant::now() < patience,
            "not all alerts are evaluated: {rules:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn promtool_takes_the_files_and_the_alerts_pass_their_tests() -> Result<()> {
    let promtool = environment::prometheus()?.join("promtool");
    for arguments in [
        ["check", "config", "prometheus.yaml"],
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
    ] {
        let output = Command::new(&promtool)
            .args(arguments)
            .current_dir(folder())
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(
            output.status.success(),
            "promtool {arguments:?}:\n{}",
            String::from_utf8_lossy(&said)
        );
    }
    // An alert without a test that it fires is not tested by the above.
    let tests: Value = serde_saphyr::from_str(&read("alerts_test.yaml")?)?;
    let fired: BTreeSet<&str> = tests["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
        .filter(|test| {
            test["exp_alerts"]
                .as_array()
                .is_some_and(|alerts| !alerts.is_empty())
        })
        .filter_map(|test| test["alertname"].as_str())
        .collect();
    for alert in alerts()? {
        let name = alert["alert"].as_str().unwrap_or_default();
        assert!(fired.contains(name), "no test shows that {name} fires");
    }
    Ok(())
}

#[test]
fn each_alert_has_a_section_that_says_what_to_do() -> Result<()> {
    let page = std::fs::read_to_string(workspace().join("OPERATIONS.md"))?;
    let anchors: BTreeSet<String> = page
        .lines()
        .filter_map(|line| Some(line.strip_prefix("### ")?.to_lowercase().replace(' ', "-")))
        .collect();
    for alert in alerts()? {
        let runbook = alert["annotations"]["runbook"].as_str().unwrap_or_default();
        let anchor = runbook
            .strip_prefix("OPERATIONS.md#")
            .context("a runbook is a section of OPERATIONS.md")?;
        assert!(
            anchors.contains(anchor),
            "OPERATIONS.md has no section {anchor}"
        );
    }
    Ok(())
}
