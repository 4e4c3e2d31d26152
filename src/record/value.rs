//! Values of `details` and `changes`: the author's own data as JSON, bounded.

use serde::Serialize;
use serde_json::{Map, Value};

use super::marks::{Marks, Place, cap};
use crate::text;

/// What stands in place of lists and maps that are nested too deeply.
pub(super) const TOO_DEEP: &str = "[nested too deeply]";

/// The value as JSON; `None` for what is absent.
pub(super) fn given(value: &impl Serialize) -> Option<Value> {
    match serde_json::to_value(value) {
        Ok(Value::Null) => None,
        Ok(value) => Some(value),
        // Better a record that says what is missing than no record.
        Err(error) => Some(Value::String(format!(
            "[cannot be written as JSON: {error}]"
        ))),
    }
}

/// Cleans and caps every text and name within `value`, and bounds how deep it goes.
pub(super) fn clean(value: &mut Value, place: Place<'_>, marks: &mut Marks<'_>, depth: usize) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(string) => marks.string(place, string, cap::VALUE),
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            *value = Value::String(TOO_DEEP.to_owned());
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                clean(value, place.at(index), marks, depth - 1);
            }
        }
        Value::Object(map) => clean_map(map, place, marks, depth - 1),
    }
}

/// Cleans the names and values of a map.
pub(super) fn clean_map(
    map: &mut Map<String, Value>,
    place: Place<'_>,
    marks: &mut Marks<'_>,
    depth: usize,
) {
    if !map.keys().all(|key| text::is_clean(key, cap::KEY)) {
        clean_keys(map, place, marks);
    }
    for (key, value) in map {
        clean(value, place.of(key), marks, depth);
    }
}

/// Cleans the names of a map; those that become alike are told apart by `~` at the end.
fn clean_keys(map: &mut Map<String, Value>, place: Place<'_>, marks: &mut Marks<'_>) {
    let mut cleaned = Map::new();
    for (mut key, value) in std::mem::take(map) {
        let original = key.clone();
        marks.string(place.of(&original), &mut key, cap::KEY);
        while cleaned.contains_key(&key) {
            key.push('~');
        }
        cleaned.insert(key, value);
    }
    *map = cleaned;
}
