//! What of a record arrives, and under which name.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    logs::v1::LogRecord,
};
use serde_json::{Value, json};
use tower_audit::{
    evidence::leaf_hash,
    sink::{Delivery, Sink},
};

use super::{
    WAYS, Way,
    receiver::{Receiver, Taken},
};
use crate::support::{
    batches::{batch, origin, plain},
    project::{code_words, read, table},
};

/// The text of an attribute.
pub(super) fn text<'a>(attributes: &'a [KeyValue], name: &str) -> &'a str {
    let found = attributes.iter().find(|pair| pair.key == name);
    match found.and_then(|pair| pair.value.as_ref()?.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        other => panic!("{name}: {other:?}"),
    }
}

/// The body, which is always a text.
pub(super) fn body(log: &LogRecord) -> &str {
    match log.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// A value as JSON.
fn as_json(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        Some(Any::ArrayValue(list)) => list.values.iter().map(as_json).collect(),
        Some(Any::KvlistValue(list)) => attributes(&list.values).into_iter().collect(),
        Some(other) => panic!("{other:?}"),
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, Value> {
    let found: BTreeMap<_, _> = pairs
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().unwrap();
            (pair.key.clone(), as_json(value))
        })
        .collect();
    assert_eq!(found.len(), pairs.len(), "a name stands twice: {pairs:?}");
    found
}

/// A record with every field that `docs/record.schema.json` knows, each with a value of its own.
pub(super) fn full_record() -> Value {
    let schema: Value = serde_json::from_str(&read("docs/record.schema.json")).unwrap();
    let mut count = 0;
    let mut record = filled(&schema, &schema, "", &mut count, 0);
    record["actor"]["type"] = json!("user");
    record["outcome"] = json!("denied");
    record["context"]["trace_id"] = json!("4bf92f3577b34da6a3ce929d0e0e4736");
    record["context"]["span_id"] = json!("00f067aa0ba902b7");
    record["details"] = json!({"list": [1, {"deep": [true, null]}], "text": "x", "number": 1.5});
    record["truncated"] = json!({"context.user_agent": 1_048_576});
    record["changes"] = json!([
        {"field": "name", "previous": {"a": [1]}, "current": "b"},
        {"field": "size", "current": 7},
    ]);
    record["targets"] = json!([
        {"type": "document", "id": "4cq1mN", "name": "Plans"},
        {"type": "folder", "id": "7", "name": "Folder"},
    ]);
    record
}

/// A value that the schema allows.
fn filled(root: &Value, schema: &Value, path: &str, count: &mut u32, depth: u32) -> Value {
    if let Some(place) = schema["$ref"].as_str() {
        let name = place.strip_prefix("#/$defs/").unwrap();
        return filled(root, &root["$defs"][name], path, count, depth);
    }
    *count += 1;
    match schema["type"].as_str() {
        Some("object") => {
            let empty = serde_json::Map::new();
            let properties = schema["properties"].as_object().unwrap_or(&empty);
            let properties = properties.iter();
            properties
                .filter(|(name, _)| depth < 3 || *name != "on_behalf_of")
                .map(|(name, schema)| {
                    let path = format!("{path}.{name}");
                    (name.clone(), filled(root, schema, &path, count, depth + 1))
                })
                .collect()
        }
        Some("array") => json!([filled(root, &schema["items"], path, count, depth)]),
        Some("integer") => json!(*count),
        Some("string") if schema["format"] == "date-time" => {
            json!(format!("2026-11-20T13:34:01.{count:06}Z"))
        }
        Some("string") if schema["format"] == "uuid" => {
            json!("01a1f929-fda3-774b-8000-000000000001")
        }
        // Of an enumeration, the first.
        None if schema["enum"].is_array() => schema["enum"][0].clone(),
        _ => json!(format!("{path} {count} ä")),
    }
}

/// Every path to a value of the record; what is no plain group of facts is one value.
pub(super) fn leaves(record: &Value) -> BTreeMap<String, Value> {
    const GROUPS: [&str; 8] = [
        "service",
        "error",
        "actor",
        "actor.credential",
        "tenant",
        "application",
        "context",
        "context.http",
    ];
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(fields) if path.is_empty() || GROUPS.contains(&path) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(&format!("{path}{dot}{name}"), value, found);
                }
            }
            value => {
                found.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", record, &mut found);
    found
}

async fn sent(way: Way, json: String) -> Taken {
    let receiver = Receiver::new();
    let delivery = Delivery::new(41, leaf_hash(json.as_bytes()), json);
    let batch = batch(&origin(7), vec![delivery]);
    way.sink(&receiver).deliver(&batch).await.unwrap();
    let mut taken = receiver.taken();
    assert_eq!(taken.len(), 1);
    taken.remove(0)
}

/// What a row of the table in `docs/sinks.md` says about a field: the words in its second cell.
pub(super) fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let sinks = read("docs/sinks.md");
    let rows = table(&sinks, "### Attributes of OpenTelemetry");
    let rows = rows.into_iter().map(|row| {
        let [field, home, ..] = row.as_slice() else {
            panic!("two cells expected: {row:?}");
        };
        (field.trim_matches('`').to_owned(), code_words(home))
    });
    rows.collect()
}

#[tokio::test]
async fn every_field_of_a_record_arrives_where_the_documents_say() {
    let record = full_record();
    let leaves = leaves(&record);
    assert!(leaves.len() > 40, "{leaves:?}");
    let documented = documented();
    let envelope = ["the trail", "the place in the trail", "the leaf"];
    for field in documented.keys() {
        let is_known = leaves.contains_key(field) || envelope.contains(&field.as_str());
        assert!(is_known, "the table speaks of {field}, which no record has");
    }
    for way in WAYS {
        let taken = sent(way, record.to_string()).await;
        let mut found = attributes(&taken.log.attributes);
        found.extend(attributes(&taken.resource.attributes));
        let micros = taken.log.time_unix_nano / 1000;
        let at = tower_audit::clock::Timestamp::from_micros(micros.cast_signed());
        found.insert("time_unix_nano".into(), json!(at.to_string()));
        found.insert("trace_id".into(), json!(hex(&taken.log.trace_id)));
        found.insert("span_id".into(), json!(hex(&taken.log.span_id)));
        found.insert("event_name".into(), json!(taken.log.event_name));
        for (field, value) in &leaves {
            let homes = documented
                .get(field)
                .unwrap_or_else(|| panic!("{field} has no row"));
            let plain = homes
                .iter()
                .filter(|home| !home.starts_with("audit.target.") && *home != "severity_number");
            for home in plain {
                assert_eq!(found.get(home), Some(value), "{way:?} {field} in {home}");
            }
        }
        for part in ["type", "id", "name"] {
            let name = format!("audit.target.{part}");
            assert_eq!(
                found.get(&name),
                Some(&record["targets"][0][part]),
                "{name}"
            );
        }
        // Nothing arrives that no row speaks of.
        let names: BTreeSet<_> = documented.values().flatten().cloned().collect();
        let unknown: Vec<_> = found.keys().filter(|name| !names.contains(*name)).collect();
        assert_eq!(unknown, [""; 0], "{way:?}");
        assert_eq!(body(&taken.log), record.to_string());
    }
}

#[tokio::test]
async fn the_place_in_the_trail_and_the_leaf_arrive_and_the_leaf_can_be_checked() {
    let taken = sent(Way::Grpc, full_record().to_string()).await;
    let found = attributes(&taken.log.attributes);
    assert_eq!(found["audit.sequence.number"], json!(41));
    assert_eq!(found["audit.trail.id"], json!(origin(7).trail.to_string()));
    let leaf = leaf_hash(body(&taken.log).as_bytes());
    assert_eq!(found["audit.leaf.hash"], json!(leaf.to_string()));
    let received = plain(&origin(7), 0..1).received.as_micros().cast_unsigned();
    assert_eq!(taken.log.observed_time_unix_nano, received * 1000);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    assert_eq!(taken.scope, ("tower-audit".to_owned(), version));
}

#[tokio::test]
async fn a_field_of_a_later_version_arrives_below_audit() {
    let json = r#"{"id":"x","new":{"a":[1]},"context":{"new":true},"service":"odd","actor":7}"#;
    let taken = sent(Way::Grpc, json.to_owned()).await;
    let found = attributes(&taken.log.attributes);
    assert_eq!(found["audit.new"], json!({"a": [1]}));
    assert_eq!(found["audit.context.new"], json!(true));
    assert_eq!(found["audit.service"], json!("odd"));
    assert_eq!(found["audit.actor"], json!(7));
}

#[tokio::test]
async fn what_is_no_record_at_all_arrives_as_it_is() {
    for json in ["", "{", "[]", "7", r#"{"a":"\ud800"}"#] {
        let taken = sent(Way::Grpc, json.to_owned()).await;
        assert_eq!(body(&taken.log), json);
    }
}

#[tokio::test]
async fn ids_that_are_none_stay_attributes() {
    let json = r#"{"timestamp":"yesterday","context":{"trace_id":"0000000000000000","span_id":"0000000000000000"}}"#;
    let taken = sent(Way::Grpc, json.to_owned()).await;
    let found = attributes(&taken.log.attributes);
    assert_eq!(found["audit.trace_id"], json!("0000000000000000"));
    assert_eq!(found["audit.span_id"], json!("0000000000000000"));
    assert_eq!(found["audit.timestamp"], json!("yesterday"));
    assert_eq!((taken.log.trace_id.len(), taken.log.span_id.len()), (0, 0));
    assert_eq!(taken.log.time_unix_nano, 0);
}

#[tokio::test]
async fn the_severity_says_how_it_ended() {
    for (outcome, number, word) in [
        ("success", 9, "INFO"),
        ("cancelled", 9, "INFO"),
        ("failure", 13, "WARN"),
        ("denied", 13, "WARN"),
        ("unknown", 13, "WARN"),
        ("error", 17, "ERROR"),
    ] {
        let taken = sent(Way::Grpc, json!({"outcome": outcome}).to_string()).await;
        let log = taken.log;
        assert_eq!(
            (log.severity_number, log.severity_text.as_str()),
            (number, word)
        );
    }
}

#[tokio::test]
async fn only_a_person_is_a_user() {
    for kind in ["service", "system", "anonymous", "unknown"] {
        let json = json!({"actor": {"id": "7", "name": "x", "type": kind}});
        let taken = sent(Way::Grpc, json.to_string()).await;
        let found = attributes(&taken.log.attributes);
        assert_eq!(found["audit.actor.id"], json!("7"));
        assert!(!found.contains_key("user.id"), "{kind}: {found:?}");
    }
}

#[tokio::test]
async fn records_of_each_service_have_its_resource_in_their_order() {
    let receiver = Receiver::new();
    let services = ["1.0", "1.0", "2.0", "1.0"];
    let records = (0..).zip(services).map(|(number, version)| {
        let json = json!({"service": {"name": "docs", "version": version}}).to_string();
        Delivery::new(number, leaf_hash(json.as_bytes()), json)
    });
    let batch = batch(&origin(7), records.collect());
    Way::Grpc.sink(&receiver).deliver(&batch).await.unwrap();
    let taken = receiver.taken();
    assert_eq!(receiver.numbers(), [0, 1, 2, 3]);
    for (taken, version) in taken.iter().zip(services) {
        assert_eq!(text(&taken.resource.attributes, "service.version"), version);
        // Of the trail, where the record does not say it.
        let instance = text(&taken.resource.attributes, "service.instance.id");
        assert_eq!(instance, "web-1");
    }
    assert_eq!(receiver.calls().len(), 1);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
