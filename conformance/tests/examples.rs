//! What every example must set, checked without starting it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portcullis_engine::Series;
use serde_json::Value;

/// The settings of every filter in every example, with the file that it stands in.
fn filters() -> anyhow::Result<Vec<(PathBuf, Value)>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut found = Vec::new();
    let mut folders = vec![examples];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                let text = std::fs::read_to_string(&path)?;
                for document in serde_saphyr::from_multiple::<Value>(&text)? {
                    collect(&path, &document, &mut found);
                }
            }
        }
    }
    Ok(found)
}

/// An object with `vm_config` is a filter's settings, however deep it stands.
fn collect(path: &Path, value: &Value, found: &mut Vec<(PathBuf, Value)>) {
    if value.get("vm_config").is_some() {
        found.push((path.to_owned(), value.clone()));
    }
    let children: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => return,
    };
    for child in children {
        collect(path, child, found);
    }
}

#[test]
fn vm_ids_are_set_and_unique() {
    // Shared data and queues belong to a vm_id; an empty one is shared with filters of strangers.
    let filters = filters().unwrap();
    assert!(!filters.is_empty(), "no example has a filter");
    let mut owners: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (path, filter) in filters {
        let vm_id = filter["vm_config"]["vm_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            !vm_id.is_empty(),
            "{}: a filter without vm_id",
            path.display()
        );
        if let Some(other) = owners.insert(vm_id.clone(), path.clone()) {
            panic!(
                "{} and {} both have the vm_id {vm_id}",
                path.display(),
                other.display()
            );
        }
    }
}

#[test]
fn a_trap_costs_one_request_only() {
    for (path, filter) in filters().unwrap() {
        assert_eq!(
            filter["failure_policy"],
            "FAIL_RELOAD",
            "{}",
            path.display()
        );
    }
}

/// A series as Envoy's `stats_tags` show it: each rule that fits takes its first group out of the name, and its second is the
/// label's value.
fn labelled(name: &str, rules: &[(String, regex_lite::Regex)]) -> (String, Vec<(String, String)>) {
    let mut short = name.to_owned();
    let mut labels = Vec::new();
    for (label, rule) in rules {
        if let Some(found) = rule.captures(name) {
            short = short.replacen(&found[1], "", 1);
            labels.push((label.clone(), found[2].to_owned()));
        }
    }
    (short, labels)
}

#[test]
fn every_series_of_the_guard_has_its_labels_in_prometheus() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/envoy/envoy.yaml");
    let document: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rules: Vec<(String, regex_lite::Regex)> = document["stats_config"]["stats_tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let text = |member: &str| rule[member].as_str().unwrap();
            let regex = regex_lite::Regex::new(text("regex")).unwrap();
            (text("tag_name").to_owned(), regex)
        })
        .collect();
    for series in Series::all() {
        let name = format!("wasmcustom.{}", series.name());
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let wanted = match series {
            Series::Decision(reason) | Series::Shadow(reason) => (
                match series {
                    Series::Shadow(_) => "wasmcustom.portcullis.shadow".to_owned(),
                    _ => "wasmcustom.portcullis.decisions".to_owned(),
                },
                vec![
                    label("verdict", reason.verdict().code()),
                    label("reason", reason.code()),
                ],
            ),
            Series::Latency => (name.clone(), Vec::new()),
            Series::Count(_) => {
                let (family, event) = name.rsplit_once('.').unwrap();
                (family.to_owned(), vec![label("event", event)])
            }
        };
        assert_eq!(labelled(&name, &rules), wanted);
    }
}
