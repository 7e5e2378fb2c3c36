//! What every example must set, checked without starting it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
                let document: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path)?)?;
                collect(&path, &document, &mut found);
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
