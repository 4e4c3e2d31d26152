//! What `explain` tells is held to what is written: full records, field by field.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Event, Format,
    explain::{FIELDS, is_about},
    mapping::{How, Mapping, Rule},
};
use crate::evidence::leaf_hash;

fn write(format: Format, record: &Value) -> Value {
    let json = record.to_string();
    let mut line = Vec::new();
    let event = Event {
        trail: &Uuid::from_u128(7),
        number: 4711,
        leaf: &leaf_hash(json.as_bytes()),
        json: &json,
    };
    format.write(&mut line, &event);
    serde_json::from_slice(&line).unwrap()
}

/// Every field of the schema, each with a value of its own.
fn full(action: &str, outcome: &str, kind: &str, targets: &[&str]) -> Value {
    let target = |(number, kind): (usize, &&str)| json!({"type": kind, "id": format!("t{number}"), "name": format!("target {number}")});
    let actor = |kind: &str, of: &str| {
        json!({"type": kind, "id": format!("{of} id"), "name": format!("{of} name"),
            "email": format!("{of}@example.com"), "claimed": format!("{of} claimed"),
            "auth_method": format!("{of} method"),
            "credential": {"type": format!("{of} key"), "id": format!("{of} key id")}})
    };
    let mut actor = (
        actor(kind, "actor"),
        actor("user", "behalf"),
        actor("system", "deep"),
    );
    actor.1["on_behalf_of"] = actor.2;
    actor.0["on_behalf_of"] = actor.1;
    json!({
        "id": "0199a3c8-0000-7000-8000-000000000001", "timestamp": "2026-11-20T13:34:01.123456Z", "schema": "1.0",
        "service": {"name": "s name", "version": "s version", "instance": "s instance"},
        "action": action, "category": "c", "outcome": outcome, "reason": "the reason",
        "error": {"type": "e type", "code": "e code", "message": "e message"},
        "actor": actor.0,
        "targets": targets.iter().enumerate().map(target).collect::<Vec<_>>(),
        "tenant": {"id": "42", "name": "t name", "domain": "t domain"},
        "application": {"id": "a id", "name": "a name"},
        "context": {"ip_address": "192.0.2.1", "peer_address": "192.0.2.2", "forwarded": ["192.0.2.3", "192.0.2.4"],
            "user_agent": "agent", "session_id": "session", "previous_session_id": "previous",
            "request_id": "request", "trace_id": "trace", "span_id": "span",
            "http": {"method": "POST", "route": "/api/plain", "status": 201}, "duration_us": 1834},
        "changes": [{"field": "name", "previous": "was", "current": "is"}, {"field": "size", "current": 7}],
        "details": {"workspace": {"id": 97}, "url_id": "url", "fork_id": "fork", "snapshot_id": "snap", "more": ["x"]},
        "count": 3, "first": "2026-11-20T13:34:02.000001Z", "last": "2026-11-20T13:34:03.000002Z",
        "truncated": {"details.more": 5000}, "of_the_future": {"kept": true}
    })
}

/// Records that between them need every rule.
pub(super) fn records() -> Vec<Value> {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("user.login", "denied", "user", &["user"]),
        ("user.create", "success", "service", &["team", "user"]),
        ("role.assign", "error", "system", &["role", "user", "group"]),
        (
            "document.create",
            "success",
            "user",
            &["document", "workspace"],
        ),
        ("document.rename", "success", "user", &["document"]),
        ("site.rename", "success", "user", &["site"]),
        ("site.delete", "failure", "anonymous", &["site"]),
        ("a.b", "cancelled", "unknown", &["thing", "thing"]),
    ];
    let mut records: Vec<Value> = cases
        .iter()
        .map(|(action, outcome, actor, targets)| full(action, outcome, actor, targets))
        .collect();
    let last = records.last().cloned().unwrap();
    let mut change = |edit: fn(&mut Value)| {
        let mut record = last.clone();
        edit(&mut record);
        records.push(record);
    };
    change(|record| record["context"]["ip_address"] = "hmac-sha256:k1:00".into());
    change(|record| record["context"]["ip_address"] = "192.0.2.2".into());
    change(|record| {
        drop(
            record["context"]
                .as_object_mut()
                .unwrap()
                .remove("ip_address"),
        )
    });
    change(|record| record["context"]["http"]["route"] = "/api/{id}".into());
    change(|record| record["changes"] = json!([]));
    change(|record| record["changes"] = json!([{"field": "size", "current": 7}]));
    change(|record| {
        record["action"] = "user.login".into();
        let actor = record["actor"].as_object_mut().unwrap();
        actor.retain(|field, _| field != "id" && field != "name");
    });
    records
}

/// Every value without inner ones, with its place; details by their names.
fn leaves(value: &Value, place: &str, found: &mut Vec<(String, Value)>) {
    let inner = |key: &dyn std::fmt::Display| match place {
        "" => key.to_string(),
        place => format!("{place}.{key}"),
    };
    let is_whole = [
        "context.forwarded",
        "truncated",
        "actor.on_behalf_of.on_behalf_of",
    ]
    .contains(&place)
        || place.starts_with("details.")
        || place.starts_with("of_the");
    match value {
        Value::Object(map) if !is_whole => {
            for (key, value) in map {
                leaves(value, &inner(key), found);
            }
        }
        Value::Array(list) if !is_whole => {
            for (index, value) in list.iter().enumerate() {
                leaves(value, &inner(&index), found);
            }
        }
        leaf => found.push((place.to_owned(), leaf.clone())),
    }
}

/// Whether a value is at a place; `*`, `{name}` and `[]` are any.
fn is_at(root: &Value, place: &[&str], value: &Value) -> bool {
    let Some((step, rest)) = place.split_first() else {
        return root == value;
    };
    if let Some(list) = step.strip_suffix("[]") {
        let list = root.get(list).and_then(Value::as_array);
        return list.is_some_and(|list| list.contains(value));
    }
    let is_any = *step == "*" || step.starts_with('{');
    match root {
        Value::Object(map) if is_any => map.values().any(|inner| is_at(inner, rest, value)),
        Value::Object(map) => map
            .get(*step)
            .is_some_and(|inner| is_at(inner, rest, value)),
        // Whichever entry: a list that lost some to other places starts with what is left.
        Value::Array(list) => {
            let is_index = is_any || step.parse::<usize>().is_ok();
            let place = if is_index { rest } else { place };
            list.iter().any(|inner| is_at(inner, place, value))
        }
        _ => false,
    }
}

fn steps(place: &str) -> Vec<&str> {
    place.split('.').collect()
}

/// Whether a rule put this value where it says.
fn went(rule: &Rule, output: &Value, place: &str, value: &Value) -> bool {
    let spelled = match rule.how {
        How::Same | How::Left => Some(value.clone()),
        How::As(spell, _) | How::If(spell, _) | How::Part(spell, _) => spell(value),
        How::Name => {
            let shown = output.to_string();
            return shown.contains(&format!("\"{}\":", value.as_str().unwrap()));
        }
    };
    let name = place.rsplit('.').next().unwrap_or_default();
    let to: Vec<&str> = if rule.from == "details.*" {
        vec!["details", name]
    } else {
        steps(rule.to)
    };
    spelled.is_some_and(|spelled| is_at(output, &to, &spelled))
}

fn field_of(place: &str) -> String {
    if place.starts_with("details.") {
        return "details".to_owned();
    }
    let step = |step: &str| {
        if step.parse::<usize>().is_ok() {
            "*"
        } else {
            step
        }
        .to_owned()
    };
    place.split('.').map(step).collect::<Vec<_>>().join(".")
}

fn mappings() -> impl Iterator<Item = (Format, &'static Mapping)> {
    Format::ALL
        .into_iter()
        .filter_map(|format| Some((format, format.mapping()?)))
}

#[test]
fn explain_names_every_field_of_the_schema_once() {
    let mut found = Vec::new();
    leaves(&full("a.b", "success", "user", &["x"]), "", &mut found);
    let mut found: BTreeSet<String> = found.iter().map(|(place, _)| field_of(place)).collect();
    assert!(found.remove("of_the_future"));
    let listed: BTreeSet<String> = FIELDS.iter().map(|&field| field.to_owned()).collect();
    assert_eq!(found, listed);

    let schema = include_str!("../../docs/record.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut declared = BTreeSet::new();
    declare(&schema, &schema, "", &mut declared);
    assert_eq!(declared, listed);
}

/// The places that a schema declares.
fn declare(schema: &Value, at: &Value, place: &str, found: &mut BTreeSet<String>) {
    if place.ends_with("on_behalf_of.on_behalf_of") {
        found.insert(place.to_owned());
        return;
    }
    let at = match at.get("$ref").and_then(Value::as_str) {
        Some(reference) => schema.pointer(reference.trim_start_matches('#')).unwrap(),
        None => at,
    };
    if let Some(properties) = at.get("properties").and_then(Value::as_object) {
        for (name, inner) in properties {
            let place = if place.is_empty() {
                name.clone()
            } else {
                format!("{place}.{name}")
            };
            declare(schema, inner, &place, found);
        }
    } else if at.pointer("/items/properties").is_some() {
        declare(schema, &at["items"], &format!("{place}.*"), found);
    } else {
        found.insert(place.to_owned());
    }
}

#[test]
fn every_value_is_where_explain_says_or_kept() {
    for (format, mapping) in mappings() {
        let explained = format.explain();
        let mut unused: BTreeSet<(&str, &str)> = mapping
            .rules
            .iter()
            .map(|rule| (rule.from, rule.to))
            .collect();
        for record in records() {
            let output = write(format, &record);
            let mut found = Vec::new();
            leaves(&record, "", &mut found);
            for (place, value) in found {
                let field = field_of(&place);
                let kept = format!("{}.{place}", mapping.base);
                let kept: Vec<&str> = steps(&kept)
                    .into_iter()
                    .filter(|step| step.parse::<usize>().is_err())
                    .collect();
                let is_kept = is_at(&output, &kept, &value);
                let rules = mapping.rules.iter().filter(|rule| is_about(rule, &field));
                let mut is_moved = false;
                for rule in rules {
                    if went(rule, &output, &place, &value) {
                        unused.remove(&(rule.from, rule.to));
                        is_moved |= !matches!(rule.how, How::Part(..));
                    }
                }
                assert!(
                    is_moved || is_kept,
                    "{format}: {place} {value} is lost in {output:#}"
                );
                let may_be_kept = explained
                    .iter()
                    .any(|row| row.field == field && !row.has_home);
                if FIELDS.contains(&field.as_str()) && is_kept {
                    assert!(may_be_kept, "{format}: {place} is kept, and nobody says so");
                }
            }
            let future = format!("{}.of_the_future", mapping.base);
            assert!(
                is_at(&output, &steps(&future), &json!({"kept": true})),
                "{format}"
            );
        }
        assert_eq!(
            unused,
            BTreeSet::new(),
            "{format}: rules that no record needs"
        );
    }
}

#[test]
fn what_is_no_record_is_carried_all_the_same() {
    for json in ["[1]", "\"text\"", "{\"id\":"] {
        for (format, mapping) in mappings() {
            let mut line = Vec::new();
            let event = Event {
                trail: &Uuid::from_u128(7),
                number: 1,
                leaf: &leaf_hash(json.as_bytes()),
                json,
            };
            format.write(&mut line, &event);
            let line: Value = serde_json::from_slice(&line).unwrap();
            assert!(is_at(&line, &steps(mapping.base), &json.into()), "{format}");
        }
    }
}

// The sample of Grist's own documentation, field by field; how its numbers and ids look is Grist's.
#[test]
fn the_sample_of_grists_documentation_is_written_as_it_is_there() {
    let agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
    let context = json!({"ip_address": "39.139.42.243", "user_agent": agent, "session_id": "ixVo6maPbcgd1vvoj93teT"});
    let record = json!({
        "id": "806ed0d9-7d25-4df2-9a6c-f7d2f6b8dba6", "timestamp": "2024-11-13T06:00:51.518Z",
        "action": "document.create", "outcome": "success",
        "actor": {"type": "user", "id": "146", "name": "Flapjack Toasty", "email": "flapjack@example.com"},
        "targets": [{"type": "document", "id": "4cq1mNTkQmEF5KsUVGiy6H", "name": "Untitled document"}],
        "tenant": {"id": "42", "name": "Grist Labs", "domain": "gristlabs"}, "context": context,
        "details": {"workspace": {"id": 97, "name": "Secret Plans"}},
    });
    let mut output = write(Format::Grist, &record);
    let ours = output
        .as_object_mut()
        .unwrap()
        .remove("tower_audit")
        .unwrap();
    assert_eq!(ours["record"], json!({"outcome": "success"}));
    let mut context = context;
    context["site"] = json!({"id": 42, "name": "Grist Labs", "domain": "gristlabs"});
    let document = json!({"id": "4cq1mNTkQmEF5KsUVGiy6H", "name": "Untitled document",
        "workspace": {"id": 97, "name": "Secret Plans"}});
    let expected = json!({
        "id": "806ed0d9-7d25-4df2-9a6c-f7d2f6b8dba6", "timestamp": "2024-11-13T06:00:51.518Z",
        "action": "document.create",
        "actor": {"type": "user", "user": {"id": 146, "email": "flapjack@example.com", "name": "Flapjack Toasty"}},
        "context": context, "details": {"document": document},
    });
    assert_eq!(output, expected);
}

#[test]
fn grist_tells_a_change_by_what_was_and_what_is() {
    let record = json!({"action": "document.rename", "targets": [{"type": "document", "id": "12", "name": "b"}],
        "changes": [{"field": "name", "previous": "a", "current": "b"}]});
    let output = write(Format::Grist, &record);
    let expected = json!({"previous": {"document": {"id": "12", "name": "a"}},
        "current": {"document": {"id": "12", "name": "b"}}});
    assert_eq!(output["details"], expected);
    assert_eq!(output["tower_audit"].get("record"), None);
}
