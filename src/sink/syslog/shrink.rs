//! A record that is too large for a message gives up whole fields, never a part of one.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// What is given up, in this order: the largest and least searched for first.
const ORDER: [&str; 5] = ["details", "changes", "error", "context", "targets"];

/// What is left in the end: who wants more finds it in the journal by the id.
const ALWAYS: [&str; 4] = ["id", "timestamp", "action", "outcome"];

/// The fields of a record, each as it stands there.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A record with fewer fields.
pub(super) struct Smaller {
    pub(super) json: String,
    /// The names of the fields that are missing, with spaces between them.
    pub(super) omitted: String,
}

impl<'a> Fields<'a> {
    /// The fields of a JSON object; `None` if it is none.
    pub(super) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The record with ever fewer fields.
    pub(super) fn smaller(mut self) -> impl Iterator<Item = Smaller> {
        let mut omitted: Vec<String> = Vec::new();
        let steps = ORDER.into_iter().map(Some).chain([None]);
        steps.filter_map(move |step| {
            let before = omitted.len();
            self.0.retain(|(name, _)| {
                let stays = match step {
                    Some(gone) => name != gone,
                    None => ALWAYS.contains(&name.as_ref()),
                };
                if !stays {
                    omitted.push(name.to_string());
                }
                stays
            });
            (omitted.len() > before).then(|| Smaller {
                json: self.json(),
                omitted: omitted.join(" "),
            })
        })
    }

    fn json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in &self.0 {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&serde_json::Value::from(name.as_ref()).to_string());
            json.push(':');
            json.push_str(value.get());
        }
        json.push('}');
        json
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_whole_and_in_order_and_what_is_left_keeps_its_bytes() {
        let json = r#"{"id":"x","actor":{"a":[1.0, 2]},"changes":[1],"details":{"b":1e3},"timestamp":"t","outcome":"error"}"#;
        let steps: Vec<(String, String)> = Fields::of(json)
            .unwrap()
            .smaller()
            .map(|smaller| (smaller.omitted, smaller.json))
            .collect();
        let expected = [
            (
                "details",
                r#"{"id":"x","actor":{"a":[1.0, 2]},"changes":[1],"timestamp":"t","outcome":"error"}"#,
            ),
            (
                "details changes",
                r#"{"id":"x","actor":{"a":[1.0, 2]},"timestamp":"t","outcome":"error"}"#,
            ),
            (
                "details changes actor",
                r#"{"id":"x","timestamp":"t","outcome":"error"}"#,
            ),
        ];
        assert_eq!(
            steps,
            expected.map(|(omitted, json)| (omitted.to_owned(), json.to_owned()))
        );
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for json in ["", "1", "[]", "{", r#"{"a":1} x"#] {
            assert!(Fields::of(json).is_none(), "{json}");
        }
    }
}
