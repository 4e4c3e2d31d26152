//! The published format of records, as a reader of it sees it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use serde_json::{Value, json};
use tower_audit::record::{Actor, ActorType, Outcome, Record};

use crate::support::project::{code_words, read, root, table};

fn schema() -> Value {
    serde_json::from_str(&read("docs/record.schema.json")).expect("the schema is JSON")
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .expect("the schema is a JSON Schema")
}

/// The golden records of every version that was ever released, and of this one.
fn golden() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for version in entries(&root().join("tests/golden/record")) {
        for path in entries(&version) {
            let json = fs::read_to_string(&path).expect("a golden file");
            found.push((path, json));
        }
    }
    assert!(!found.is_empty());
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of golden files");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// The places of all fields that a schema lists, such as `actor.credential.type`.
fn documented(schema: &Value, root: &Value, at: &str, found: &mut BTreeSet<String>) {
    let referred = schema["$ref"]
        .as_str()
        .and_then(|path| root.pointer(path.strip_prefix('#')?));
    let schema = referred.unwrap_or(schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{at}{name}");
        // One person acting for another is described like the first.
        if !place.contains("on_behalf_of.") && found.insert(place.clone()) {
            documented(field, root, &format!("{place}."), found);
            documented(&field["items"], root, &format!("{place}."), found);
        }
    }
}

fn documented_fields() -> BTreeSet<String> {
    let (schema, mut found) = (schema(), BTreeSet::new());
    documented(&schema, &schema, "", &mut found);
    found
}

#[test]
fn golden_records_of_every_version_are_valid() {
    let validator = validator(&schema());
    for (path, json) in golden() {
        let record = serde_json::from_str(&json).expect("a golden file is JSON");
        let faults: Vec<_> = validator
            .iter_errors(&record)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    }
}

#[test]
fn golden_records_of_every_version_are_read() {
    for (path, json) in golden() {
        let record = Record::from_json(&json).expect("a golden file is a record");
        let value: Value = serde_json::from_str(&json).expect("a golden file is JSON");
        assert_eq!(json!(record.id()), value["id"], "{}", path.display());
        assert_eq!(json!(record.timestamp()), value["timestamp"]);
        assert_eq!(json!(record.service()), value["service"]);
        assert_eq!(json!(record.action), value["action"]);
        assert_eq!(json!(record.outcome), value["outcome"]);
        assert_eq!(json!(record.actor), value["actor"]);
        let details = value.get("details").cloned().unwrap_or_else(|| json!({}));
        assert_eq!(json!(record.details), details);
    }
}

#[test]
fn the_full_record_holds_every_documented_field() {
    let json = read("tests/golden/record/1.0/full.json");
    let full: Value = serde_json::from_str(&json).expect("JSON");
    for place in documented_fields() {
        let field = place.split('.').fold(&full, |value, name| match value {
            Value::Array(items) => &items[0][name],
            other => &other[name],
        });
        assert!(!field.is_null(), "{place}");
    }
}

#[test]
fn the_module_documentation_lists_the_fields_of_the_schema() {
    let docs = read("src/record/mod.rs");
    let docs: Vec<_> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .collect();
    let rows = table(&docs.join("\n"), "# Fields");
    let listed: BTreeSet<_> = rows.iter().flat_map(|row| code_words(&row[0])).collect();
    assert_eq!(listed, documented_fields());
}

#[test]
fn the_schema_refuses_what_is_no_record() {
    let validator = validator(&schema());
    let json = read("tests/golden/record/1.0/full.json");
    let full: Value = serde_json::from_str(&json).expect("JSON");
    for (place, wrong) in [
        ("/id", json!("01a1f929-fda3-474b-8000-000000000002")),
        ("/timestamp", json!("2026-11-20T13:34:01Z")),
        ("/timestamp", json!("2026-13-20T13:34:01.000000Z")),
        ("/schema", json!("2.0")),
        ("/outcome", json!("ok")),
        ("/reason", Value::Null),
        ("/reason", json!("")),
        ("/actor/type", json!("robot")),
        ("/actor/on_behalf_of/type", json!("robot")),
        ("/targets", json!([])),
        ("/changes/0/previous", Value::Null),
        ("/context/duration_us", json!(-1)),
    ] {
        let mut record = full.clone();
        *record.pointer_mut(place).expect(place) = wrong.clone();
        assert!(!validator.is_valid(&record), "{place}: {wrong}");
    }
    let mut later = full;
    later["added_later"] = json!({"by": "a minor version"});
    assert!(validator.is_valid(&later));
}

#[test]
fn a_failed_login_claims_a_name_without_having_it() {
    let json = read("tests/golden/record/1.0/denied_login.json");
    let record = Record::from_json(json).expect("a record");
    let claimed = Actor::anonymous().claimed("flapjack@example.com");
    assert_eq!(record.actor, Some(claimed));
    assert_eq!(record.outcome, Some(Outcome::Denied));
    assert_eq!(record.actor.and_then(|actor| actor.id), None);
}

#[test]
fn the_schema_lists_the_words_of_the_types() {
    let schema = schema();
    assert_eq!(schema["properties"]["outcome"]["enum"], json!(Outcome::ALL));
    assert_eq!(
        schema["$defs"]["actor"]["properties"]["type"]["enum"],
        json!(ActorType::ALL)
    );
}
