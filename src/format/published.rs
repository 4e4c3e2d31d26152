//! What OCSF 1.8.0 and ECS 9.4.0 publish, as far as it is written here: by it every line is held.
//!
//! The fields stand in `tests/golden/formats/*.fields`, a place and its kind in each line; `*` is
//! each entry of a list. They were held against both schemas as they are published, on 2026-11-20;
//! a field that is added here must be looked up there first.

use std::{collections::BTreeMap, net::IpAddr, sync::LazyLock};

use serde_json::Value;

use crate::clock::Timestamp;

type Fields = BTreeMap<&'static str, &'static str>;

static OCSF: LazyLock<Fields> =
    LazyLock::new(|| fields(include_str!("../../tests/golden/formats/ocsf.fields")));
static ECS: LazyLock<Fields> =
    LazyLock::new(|| fields(include_str!("../../tests/golden/formats/ecs.fields")));

fn fields(text: &'static str) -> Fields {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).collect()
}

/// A class: its category, its activities, and what it demands besides what all do.
struct Class {
    uid: u64,
    category: u64,
    activities: &'static [u64],
    required: &'static [&'static str],
}

/// What every event demands.
const REQUIRED: [&str; 7] = [
    "activity_id",
    "category_uid",
    "class_uid",
    "metadata",
    "severity_id",
    "time",
    "type_uid",
];

const CLASSES: [Class; 5] = [
    Class {
        uid: 3001,
        category: 3,
        activities: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99],
        required: &["user"],
    },
    Class {
        uid: 3002,
        category: 3,
        activities: &[0, 1, 2, 3, 4, 5, 6, 7, 99],
        required: &["user", "service"],
    },
    Class {
        uid: 3004,
        category: 3,
        activities: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99],
        required: &["entity"],
    },
    Class {
        uid: 3005,
        category: 3,
        activities: &[0, 1, 2, 99],
        required: &["privileges", "user"],
    },
    Class {
        uid: 6003,
        category: 6,
        activities: &[0, 1, 2, 3, 4, 99],
        required: &["actor", "api", "src_endpoint"],
    },
];

/// Objects of which one of these must be there, wherever they stand.
const ONE_OF: [(&str, &[&str]); 6] = [
    (
        "actor",
        &["app_name", "app_uid", "invoked_by", "session", "user"],
    ),
    ("api", &["operation"]),
    ("entity", &["name", "uid", "user"]),
    ("http_response", &["code"]),
    ("product", &["name", "uid"]),
    ("user", &["name", "uid"]),
];

/// The numbers that an attribute can have.
const NUMBERS: [(&str, &[u64]); 2] = [
    ("severity_id", &[0, 1, 2, 3, 4, 5, 6, 99]),
    ("status_id", &[0, 1, 2, 99]),
];

/// Holds a line to its class; an attribute that is not known here is a fault. Gives the class.
pub(super) fn check_ocsf(line: &str) -> Result<u64, String> {
    let mut event: Value = serde_json::from_str(line).unwrap();
    let uid = event["class_uid"].as_u64().unwrap();
    let class = CLASSES.iter().find(|class| class.uid == uid);
    let class = class.ok_or("no such class")?;
    let activity = event["activity_id"].as_u64().unwrap();
    if !class.activities.contains(&activity) {
        return Err(format!("{uid} has no activity {activity}"));
    }
    assert_eq!(event["type_uid"], uid * 100 + activity, "{line}");
    assert_eq!(event["category_uid"], class.category, "{line}");
    let missing = REQUIRED.iter().chain(class.required);
    let mut missing = missing.filter(|name| event.get(name).is_none());
    if let Some(name) = missing.next() {
        return Err(format!("{uid} demands {name}: {line}"));
    }
    for (name, numbers) in NUMBERS {
        if let Some(number) = event.get(name)
            && !number
                .as_u64()
                .is_some_and(|number| numbers.contains(&number))
        {
            return Err(format!("{name} is never {number}"));
        }
    }
    event.as_object_mut().unwrap().remove("unmapped");
    let metadata = &event["metadata"];
    if metadata["version"] != "1.8.0" || metadata.get("product").is_none() {
        return Err(format!("metadata lacks its version or product: {line}"));
    }
    has_one_of(&event)?;
    check(&OCSF, &event, "")?;
    Ok(uid)
}

fn has_one_of(value: &Value) -> Result<(), String> {
    let empty = Vec::new();
    for entry in value.as_array().unwrap_or(&empty) {
        has_one_of(entry)?;
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let rule = ONE_OF.iter().find(|(name, _)| name == key);
        if let Some((name, of)) = rule
            && !of.iter().any(|field| inner.get(field).is_some())
        {
            return Err(format!("{name} lacks all of {of:?}: {inner}"));
        }
        has_one_of(inner)?;
    }
    Ok(())
}

/// Which types go with a category: `expected_event_types` of the schema.
const TYPES: &[(&str, &[&str])] = &[
    (
        "api",
        &[
            "access", "admin", "allowed", "change", "creation", "deletion", "denied", "end",
            "info", "start", "user",
        ],
    ),
    ("authentication", &["start", "end", "info"]),
    (
        "configuration",
        &["access", "change", "creation", "deletion", "info"],
    ),
    (
        "iam",
        &[
            "admin", "change", "creation", "deletion", "group", "info", "user",
        ],
    ),
];

/// Holds a line to the published field names and types; only `tower_audit` is ours.
pub(super) fn check_ecs(line: &str) {
    let mut event: Value = serde_json::from_str(line).unwrap();
    event.as_object_mut().unwrap().remove("tower_audit");
    assert_eq!(event["ecs"]["version"], "9.4.0");
    check(&ECS, &event, "").unwrap();
    let category = event["event"]["category"][0].as_str().unwrap();
    let allowed = TYPES.iter().find(|(name, _)| *name == category).unwrap().1;
    for kind in event["event"]["type"].as_array().unwrap() {
        assert!(
            allowed.contains(&kind.as_str().unwrap()),
            "{category}: {kind}"
        );
    }
    if let Some(outcome) = event["event"].get("outcome") {
        assert!(
            ["success", "failure", "unknown"].contains(&outcome.as_str().unwrap()),
            "{outcome}"
        );
    }
}

/// That each value stands at a known place, and is of its kind.
fn check(fields: &Fields, value: &Value, place: &str) -> Result<(), String> {
    let below = |key: &str| match place {
        "" => key.to_owned(),
        place => format!("{place}.{key}"),
    };
    match value {
        Value::Object(map) => map
            .iter()
            .try_for_each(|(key, value)| check(fields, value, &below(key))),
        Value::Array(list) => list
            .iter()
            .try_for_each(|value| check(fields, value, &below("*"))),
        value => {
            let kind = fields.get(place);
            let kind = kind.ok_or_else(|| format!("UNKNOWN {place} {value}"))?;
            if is_of(kind, value) {
                Ok(())
            } else {
                Err(format!("{place} is no {kind}: {value}"))
            }
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        "text" => text.is_some(),
        "number" => value
            .as_u64()
            .is_some_and(|number| i64::try_from(number).is_ok()),
        "boolean" => value.is_boolean(),
        "ip" => text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "date" => text.is_some_and(|text| text.parse::<Timestamp>().is_ok()),
        other => panic!("no kind: {other}"),
    }
}
