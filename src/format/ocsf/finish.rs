//! What a class demands, where the record says nothing.

use serde_json::{Value, json};

use super::class::Class;
use crate::format::{
    Event,
    tree::{self, text},
};

/// The released version whose classes and attributes these are.
const VERSION: &str = "1.8.0";

/// Adds the class, and what the class demands where the record says nothing.
pub(super) fn finish(mapped: &mut Value, record: &Value, event: &Event<'_>) {
    let (class, activity, name) = Class::of(record);
    let uid = class.uid();
    for (place, value) in [
        ("category_uid", json!(uid / 1000)),
        ("category_name", json!(class.category())),
        ("class_uid", json!(uid)),
        ("class_name", json!(class.name())),
        ("activity_id", json!(activity)),
        ("activity_name", json!(name)),
        ("type_uid", json!(uid * 100 + activity)),
        ("type_name", json!(format!("{}: {name}", class.name()))),
        ("metadata.version", json!(VERSION)),
        ("metadata.log_name", json!("audit")),
        ("metadata.log_provider", json!("tower-audit")),
        ("metadata.sequence", json!(event.number)),
        // Only where nothing is said: what is there already stays.
        ("status_id", json!(0)),
        ("severity_id", json!(1)),
        ("time", json!(0)),
        ("metadata.product.name", json!("unknown")),
    ] {
        fill(mapped, place, value);
    }
    let severity = match mapped.get("severity_id").and_then(Value::as_u64) {
        Some(2) => "Low",
        Some(3) => "Medium",
        _ => "Informational",
    };
    fill(mapped, "severity", json!(severity));
    let has = |place: &str| !tree::find(mapped, place).is_empty();
    if has("actor.user") || (class == Class::ApiActivity && !has("actor")) {
        fill(mapped, "actor.user.type", json!("Unknown"));
        fill(mapped, "actor.user.type_id", json!(0));
        name_user(mapped, "actor.user", text(record, "actor.type"));
    }
    name_resources(mapped);
    match class {
        Class::AccountChange => name_user(mapped, "user", None),
        Class::UserAccess => {
            name_user(mapped, "user", None);
            fill(mapped, "privileges", privileges(record));
        }
        Class::Authentication => {
            name_user(mapped, "user", text(record, "actor.type"));
            fill(mapped, "service.name", json!("unknown"));
        }
        Class::EntityManagement => name_entity(mapped, record),
        Class::ApiActivity => {
            fill(mapped, "api.operation", json!("unknown"));
            if !tree::find(mapped, "api.service").is_empty() {
                fill(mapped, "api.service.name", json!("unknown"));
            }
        }
    }
}

/// What was given or taken: the roles and the like among the targets.
fn privileges(record: &Value) -> Value {
    let targets = tree::find(record, "targets.@other").into_iter();
    let mut names: Vec<Value> = targets
        .filter(|target| {
            let kind = text(target.value, "type").unwrap_or_default();
            matches!(
                kind,
                "role" | "permission" | "privilege" | "scope" | "group"
            )
        })
        .filter_map(|target| target.value.get("name").or_else(|| target.value.get("id")))
        .cloned()
        .collect();
    if names.is_empty() {
        names.push("unknown".into());
    }
    Value::Array(names)
}

/// A user must have an id or a name.
fn name_user(mapped: &mut Value, place: &str, name: Option<&str>) {
    let has = |field: &str| text(mapped, &format!("{place}.{field}")).is_some();
    if !has("uid") && !has("name") {
        fill(
            mapped,
            &format!("{place}.name"),
            json!(name.unwrap_or("unknown")),
        );
    }
}

/// Each resource must have an id or a name.
fn name_resources(mapped: &mut Value) {
    let resources = mapped.get_mut("resources").and_then(Value::as_array_mut);
    for resource in resources.into_iter().flatten() {
        if resource
            .get("uid")
            .or_else(|| resource.get("name"))
            .is_none()
        {
            let kind = text(resource, "type").unwrap_or("unknown").to_owned();
            fill(resource, "name", json!(kind));
        }
    }
}

/// What is managed must have an id or a name; without a target it is the service itself.
fn name_entity(mapped: &mut Value, record: &Value) {
    fill(mapped, "entity.type", json!("service"));
    fill(mapped, "entity.type_id", json!(99));
    let has = |field: &str| text(mapped, field).is_some();
    if !has("entity.uid") && !has("entity.name") {
        let of = |field| text(record, field);
        let name = of("targets.0.type").or_else(|| of("service.name"));
        fill(mapped, "entity.name", json!(name.unwrap_or("unknown")));
    }
}

fn fill(mapped: &mut Value, place: &str, value: Value) {
    let path: tree::Path = place
        .split('.')
        .map(|key| tree::Step::Key(key.to_owned()))
        .collect();
    tree::put(mapped, &path, value);
}
