//! Values of `details` and `changes`: the author's own data as JSON, bounded.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    bounded::{Bounded, TOO_DEEP},
    marks::{Marks, Place, cap},
};

/// The value as JSON; `None` for what is absent.
pub(super) fn given(value: &impl Serialize) -> Option<Value> {
    let depth = cap::DEPTH;
    match serde_json::to_value(Bounded { value, depth }) {
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
    if !map.keys().all(|key| marks.leaves(key, cap::KEY)) {
        clean_keys(map, place, marks);
    }
    for (key, value) in map {
        clean(value, place.of(key), marks, depth);
    }
}

/// Cleans the names of a map; those that become alike are told apart by a number at the end.
fn clean_keys(map: &mut Map<String, Value>, place: Place<'_>, marks: &mut Marks<'_>) {
    let mut cleaned = Map::new();
    let mut numbers = Numbers::default();
    for (index, (original, value)) in std::mem::take(map).into_iter().enumerate() {
        let mut key = original.clone();
        marks.string(place.of(&original), &mut key, cap::KEY);
        if cleaned.contains_key(&key) {
            key = numbers.free(&key, index, |key| cleaned.contains_key(key));
        }
        cleaned.insert(key, value);
    }
    *map = cleaned;
}

/// The next number for each name that had to be told apart from another.
///
/// Trap C15: somebody who chooses all names can take the numbered ones too. None is tried twice, so
/// there are no more tries than names.
#[derive(Default)]
struct Numbers {
    next: HashMap<String, usize>,
}

impl Numbers {
    /// The name with a number at its end, from this one on, that is not taken.
    fn free(&mut self, key: &str, from: usize, is_taken: impl Fn(&str) -> bool) -> String {
        let mut number = from;
        loop {
            let end = format!("~{number}");
            let (start, _) = key.split_at(key.floor_char_boundary(cap::KEY - end.len()));
            let next = self.next.entry(start.to_owned()).or_insert(number);
            if *next > number {
                number = *next;
                continue;
            }
            *next = number + 1;
            let numbered = format!("{start}{end}");
            if !is_taken(&numbered) {
                return numbered;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use serde_json::json;

    use super::*;
    use crate::text;

    /// A value and marks after cleaning.
    fn cleaned(mut value: Value) -> (Value, BTreeMap<String, u64>) {
        let mut map = BTreeMap::new();
        clean(
            &mut value,
            Place::field("details"),
            &mut Marks::new(&mut map),
            cap::DEPTH,
        );
        (value, map)
    }

    fn depth_of(value: &Value) -> usize {
        match value {
            Value::Array(values) => 1 + values.iter().map(depth_of).max().unwrap_or(0),
            Value::Object(map) => 1 + map.values().map(depth_of).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(u8, u8),
        Struct { a: Option<u8> },
    }

    #[test]
    fn a_value_is_taken_as_its_json() {
        #[derive(Serialize)]
        struct Id(u64);
        #[derive(Serialize)]
        struct Pair(u8, char);
        let value = (
            (true, -1_i8, u64::MAX, 0.1, "text", (), Id(7), Pair(1, 'x')),
            [
                Shape::Unit,
                Shape::Newtype(1),
                Shape::Tuple(1, 2),
                Shape::Struct { a: None },
            ],
            BTreeMap::from([(1, vec![Some("one"), None])]),
            std::net::IpAddr::from([127, 0, 0, 1]),
            serde_json::value::RawValue::from_string(r#"{"raw": [1]}"#.to_owned()).unwrap(),
        );
        assert_eq!(given(&value), Some(serde_json::to_value(&value).unwrap()));
        assert_eq!(given(&None::<&str>), None);
    }

    #[test]
    fn bytes_that_are_text_become_text() {
        struct Bytes(&'static [u8]);
        impl Serialize for Bytes {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }
        assert_eq!(given(&Bytes(b"secret")), Some(json!("secret")));
        assert_eq!(given(&Bytes(b"\xff\x00")), Some(json!([255, 0])));
    }

    #[test]
    fn what_has_no_json_says_so() {
        let value = given(&BTreeMap::from([((1, 2), 3)]));
        assert_eq!(
            value,
            Some(json!("[cannot be written as JSON: key must be a string]"))
        );
    }

    #[test]
    fn nesting_ends_at_the_limit_without_using_up_the_stack() {
        // trap R5
        struct Endless;
        impl Serialize for Endless {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq([BTreeMap::from([("again", Self)])])
            }
        }
        enum List {
            Next(Box<Self>),
            End,
        }
        impl Serialize for List {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Next(next) => serializer.serialize_newtype_variant("", 0, "next", next),
                    Self::End => serializer.serialize_unit(),
                }
            }
        }
        let list = (0..1000).fold(List::End, |list, _| List::Next(Box::new(list)));
        for value in [given(&Endless), given(&list)] {
            let value = value.unwrap();
            assert_eq!(depth_of(&value), cap::DEPTH);
            assert!(value.to_string().contains(TOO_DEEP));
            assert_eq!(cleaned(value.clone()).0, value);
        }
    }

    #[test]
    fn nesting_that_was_read_is_bounded_too() {
        let deep = (0..100).fold(json!(1), |value, _| json!([value]));
        assert_eq!(depth_of(&cleaned(deep).0), cap::DEPTH);
    }

    #[test]
    fn texts_and_names_are_cleaned_at_any_depth() {
        let long = "x".repeat(cap::VALUE + 1);
        let (value, marks) =
            cleaned(json!({"a\n": [{"b": "\u{202e}"}, long], "n": 1.5, "t": true}));
        let kept = "x".repeat(cap::VALUE);
        assert_eq!(
            value,
            json!({"a\\n": [{"b": "\\u{202e}"}, kept], "n": 1.5, "t": true})
        );
        assert_eq!(marks, BTreeMap::from([("details.a\\n.1".to_owned(), 4097)]));
    }

    #[test]
    fn names_that_become_alike_keep_all_values() {
        let long = |end: &str| format!("{}{end}", "k".repeat(cap::KEY));
        let mut given = Map::new();
        for (key, value) in [
            (long("1"), 1),
            (long("2"), 2),
            ("a\n".to_owned(), 3),
            ("a\\n".to_owned(), 4),
        ] {
            given.insert(key, json!(value));
        }
        let (value, marks) = cleaned(Value::Object(given));
        let mut values: Vec<_> = value.as_object().unwrap().values().cloned().collect();
        values.sort_by_key(Value::as_u64);
        assert_eq!(values, [json!(1), json!(2), json!(3), json!(4)]);
        assert_eq!(marks.values().copied().collect::<Vec<_>>(), [129, 129]);
    }

    #[test]
    fn names_that_were_chosen_to_collide_cost_no_more_tries_than_there_are_names() {
        // Trap C15: the first half are the numbers that the second half would get.
        let count = 500_usize;
        let rest = "k".repeat(cap::KEY);
        let mut given = Map::new();
        for number in count..2 * count {
            let end = format!("~{number}");
            let start = format!("\\u{{7f}}{rest}");
            let start = &start[..cap::KEY - end.len()];
            given.insert(format!("{start}{end}"), json!(number));
            given.insert(format!("\u{7f}{rest}{number}"), json!(count + number));
        }
        let (mut numbers, mut taken) = (Numbers::default(), HashSet::new());
        let tries = std::cell::Cell::new(0);
        for (index, key) in given.keys().enumerate() {
            let mut key = text::clean(key, cap::KEY).0.into_owned();
            if taken.contains(&key) {
                key = numbers.free(&key, index, |key| {
                    tries.set(tries.get() + 1);
                    taken.contains(key)
                });
            }
            assert!(taken.insert(key));
        }
        assert!(tries.get() <= 2 * given.len(), "{}", tries.get());
        let (value, _) = cleaned(Value::Object(given));
        assert_eq!(value.as_object().unwrap().len(), 2 * count, "none is lost");
    }
}
