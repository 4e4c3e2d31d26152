//! From a record's JSON to the columns that are searched.
//!
//! Only the needed fields are read, without copying where the text has no escapes. The JSON text
//! itself is stored as it came; the columns are only ever copies of parts of it.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};

use crate::clock::{RecordId, Timestamp};

/// One record as it stands in the tables.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) number: u64,
    pub(crate) leaf: &'a [u8; 32],
    pub(crate) json: &'a str,
    pub(crate) id: RecordId,
    pub(crate) timestamp: Timestamp,
    pub(crate) columns: Columns<'a>,
}

/// Why a text cannot be stored as a record; never holds any of that text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowError {
    #[error("not a JSON object with the fields of a record (at byte {column} of line {line})")]
    Json { line: usize, column: usize },
    #[error("its id is not a UUID of version 7")]
    Id,
    #[error("its timestamp is not RFC 3339")]
    Timestamp,
    #[error("its number is larger than a database can hold")]
    Number,
}

impl<'a> Row<'a> {
    /// Reads the columns out of a record's JSON.
    pub(crate) fn new(number: u64, leaf: &'a [u8; 32], json: &'a str) -> Result<Self, RowError> {
        if i64::try_from(number).is_err() {
            return Err(RowError::Number);
        }
        // The cause stays out: its message quotes the value it stumbled over.
        let columns: Columns<'a> = serde_json::from_str(json).map_err(|error| RowError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let id = columns
            .id
            .0
            .parse()
            .map_err(|_quotes_nothing| RowError::Id)?;
        let timestamp = columns
            .timestamp
            .0
            .parse()
            .map_err(|_quotes_the_value| RowError::Timestamp)?;
        Ok(Self {
            number,
            leaf,
            json,
            id,
            timestamp,
            columns,
        })
    }
}

/// The fields of a record that have a column.
#[derive(Debug, Deserialize)]
pub(crate) struct Columns<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    pub(crate) action: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) category: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) outcome: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) actor: Option<Party<'a>>,
    #[serde(borrow, default)]
    pub(crate) targets: Vec<Party<'a>>,
    #[serde(borrow, default)]
    pub(crate) tenant: Option<Party<'a>>,
    #[serde(borrow, default)]
    pub(crate) application: Option<Party<'a>>,
    #[serde(borrow, default)]
    pub(crate) service: Option<Service<'a>>,
    #[serde(borrow, default)]
    pub(crate) context: Option<Context<'a>>,
}

/// An actor, a target, a tenant or an application.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Party<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(crate) kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) name: Option<Text<'a>>,
}

/// What runs the program.
#[derive(Debug, Deserialize)]
pub(crate) struct Service<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) instance: Option<Text<'a>>,
}

/// Where a request came from.
#[derive(Debug, Deserialize)]
pub(crate) struct Context<'a> {
    #[serde(borrow, default)]
    pub(crate) ip_address: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) session_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) request_id: Option<Text<'a>>,
}

/// A JSON string, borrowed where it has no escapes.
///
/// JSON can spell half a surrogate pair (`\ud800`), which no Rust string can hold. It becomes
/// U+FFFD here, in the copy; a record is not refused for it.
#[derive(Debug)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, because serde_json then lets lone surrogates pass.
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> de::Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Text(String::from_utf8_lossy(bytes)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(
            String::from_utf8_lossy(bytes).into_owned(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01939b1a-7e6c-7abc-8def-0123456789ab";

    fn json(more: &str) -> String {
        format!(
            r#"{{"id":"{ID}","timestamp":"2026-11-20T13:34:01.123456Z","action":"user.login"{more}}}"#
        )
    }

    #[test]
    fn columns_are_read_from_a_full_record() {
        let json = json(
            r#","schema":"1.0","category":"user","outcome":"success",
            "service":{"name":"docs","version":"1","instance":"web-1"},
            "actor":{"type":"user","id":"146","name":"Toast","email":"x"},
            "targets":[{"type":"document","id":"4cq","name":"Untitled"},{"type":"folder","id":"7"}],
            "tenant":{"id":"42","name":"Labs"},"application":{"id":"web"},
            "context":{"ip_address":"39.139.42.243","session_id":"hmac-sha256:k1:9f","request_id":"r1"},
            "details":{"x":[1,2,{"id":"other"}]}"#,
        );
        let row = Row::new(7, &[1; 32], &json).unwrap();
        let columns = &row.columns;
        assert_eq!(row.id.to_string(), ID);
        assert_eq!(row.timestamp.as_micros(), 1_795_181_641_123_456);
        let actor = columns.actor.as_ref().unwrap();
        let context = columns.context.as_ref().unwrap();
        let found = [
            &columns.action,
            columns.category.as_ref().unwrap(),
            actor.kind.as_ref().unwrap(),
            actor.id.as_ref().unwrap(),
            columns.targets[1].kind.as_ref().unwrap(),
            columns.tenant.as_ref().unwrap().id.as_ref().unwrap(),
            columns.service.as_ref().unwrap().instance.as_ref().unwrap(),
            context.session_id.as_ref().unwrap(),
        ]
        .map(|text| text.0.as_ref());
        let expected = [
            "user.login",
            "user",
            "user",
            "146",
            "folder",
            "42",
            "web-1",
            "hmac-sha256:k1:9f",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_texts_with_escapes_are_copied() {
        let json = json(r#","actor":{"id":"plain","name":"esc\u0000aped \ud800"}"#);
        let row = Row::new(0, &[0; 32], &json).unwrap();
        let actor = row.columns.actor.unwrap();
        assert!(
            matches!(actor.id, Some(Text(Cow::Borrowed("plain")))),
            "{:?}",
            actor.id
        );
        assert_eq!(actor.name.unwrap().0, "esc\0aped \u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_refusal_never_quotes_the_record() {
        let secret = "hunter2";
        let cases = [
            ("not JSON", format!("{{\"{secret}")),
            (
                "no id",
                format!(r#"{{"timestamp":"{secret}","action":"x"}}"#),
            ),
            (
                "wrong type",
                json(&format!(r#","actor":{{"id":["{secret}"]}}"#))
                    .replace('[', "{\"a\":")
                    .replace(']', "}"),
            ),
            ("bad id", json("").replace(ID, secret)),
            (
                "bad time",
                json("").replace("2026-11-20T13:34:01.123456Z", secret),
            ),
        ];
        for (name, text) in cases {
            let error = Row::new(0, &[0; 32], &text).unwrap_err();
            assert!(!error.to_string().contains(secret), "{name}: {error}");
            assert!(!format!("{error:?}").contains(secret), "{name}: {error:?}");
        }
    }
}
