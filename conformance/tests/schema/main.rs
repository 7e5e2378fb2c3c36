//! `policies/schema.json`, which editors read, says what the readers of the document do.
//!
//! The readers are asked: given an unknown field they list those they know, given nothing they say what they want. So a field that is
//! added to a reader, or a bound that changes, fails here with its place in the schema. The samples need not mean anything; they use
//! every field.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test: what is not as it must be stops it"
)]

mod documents;
mod walk;

use anyhow::{Context, Result};
use jsonschema::Validator;
use serde_json::Value;

use documents::{Document, everywhere, folder, samples};
use portcullis_conformance::scenario::workspace;
use walk::{Walk, mistakes};

fn schema() -> Result<Value> {
    let path = workspace().join("policies/schema.json");
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

fn validator(schema: &Value) -> Result<Validator> {
    jsonschema::meta::validate(schema).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(jsonschema::draft202012::new(schema)?)
}

fn complaints(validator: &Validator, document: &Value) -> Vec<String> {
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_schema_says_what_the_readers_do() -> Result<()> {
    let schema = schema()?;
    let mut walk = Walk::new(&schema);
    for Document { name, value, .. } in samples()? {
        let mistakes = mistakes(&value);
        assert!(mistakes.is_empty(), "{name}: {mistakes:#?}");
        walk.document(&value);
    }
    let failures = walk.finish();
    assert!(
        failures.is_empty(),
        "policies/schema.json and the readers differ:\n{}",
        failures.join("\n")
    );
    Ok(())
}

#[test]
fn every_document_of_the_repository_is_valid() -> Result<()> {
    let validator = validator(&schema()?)?;
    let documents = everywhere()?;
    assert!(documents.len() > 15, "only {} documents", documents.len());
    for Document { name, value, .. } in documents {
        let complaints = complaints(&validator, &value);
        let mistakes = mistakes(&value);
        assert!(complaints.is_empty(), "{name}: the schema: {complaints:#?}");
        assert!(mistakes.is_empty(), "{name}: the reader: {mistakes:#?}");
    }
    Ok(())
}

#[test]
fn documents_tell_editors_where_the_schema_is() -> Result<()> {
    for Document {
        name, text, folder, ..
    } in everywhere()?
    {
        let Some(folder) = folder else { continue };
        let line = "# yaml-language-server: $schema=";
        let reference = text
            .lines()
            .next()
            .and_then(|first| first.strip_prefix(line));
        let reference = reference.with_context(|| format!("{name} does not begin with {line}…"))?;
        let found = folder.join(reference).canonicalize();
        let found = found.with_context(|| format!("{name}: {reference}"))?;
        assert_eq!(
            found,
            workspace().join("policies/schema.json").canonicalize()?,
            "{name}"
        );
    }
    Ok(())
}

/// Each is the first sample with one thing changed, by pointer; `null` removes.
#[test]
fn wrong_documents_fail_in_both() -> Result<()> {
    let validator = validator(&schema()?)?;
    let sample = samples()?.into_iter().next().context("no sample")?.value;
    let text = std::fs::read_to_string(folder().join("wrong.yaml"))?;
    let wrong: Vec<(String, Value)> = serde_saphyr::from_str(&text)?;
    assert!(wrong.len() >= 40, "only {}", wrong.len());
    for (pointer, value) in wrong {
        let mut document = sample.clone();
        let (parent, name) = pointer.rsplit_once('/').context("a pointer")?;
        let parent = document
            .pointer_mut(parent)
            .with_context(|| pointer.clone())?;
        match (parent, &value) {
            (Value::Object(members), Value::Null) => {
                drop(members.remove(name).with_context(|| pointer.clone())?)
            }
            (Value::Object(members), value) => drop(members.insert(name.to_owned(), value.clone())),
            (Value::Array(items), value) => items[name.parse::<usize>()?] = value.clone(),
            _ => anyhow::bail!("{pointer}: in neither map nor list"),
        }
        assert!(
            !complaints(&validator, &document).is_empty(),
            "the schema takes {pointer}: {value}"
        );
        assert!(
            !mistakes(&document).is_empty(),
            "the reader takes {pointer}: {value}"
        );
    }
    Ok(())
}
