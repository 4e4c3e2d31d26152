//! A batch as Splunk takes it: one JSON object after another.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Posted, Settings};
use crate::{
    clock::Timestamp,
    sink::{Batch, Delivery, http::body},
};

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    source: &'a str,
    sourcetype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    fields: Fields<'a>,
}

/// Indexed fields; all texts, as every version of Splunk takes them.
#[derive(Serialize)]
struct Fields<'a> {
    trail: &'a str,
    number: String,
    leaf: String,
}

#[derive(Deserialize)]
struct Timed {
    timestamp: Timestamp,
}

pub(super) fn encode(settings: &Settings, batch: &Batch) -> Posted {
    let trail = batch.origin.trail.to_string();
    let mut posted = Posted {
        body: Vec::new(),
        borders: vec![0],
    };
    for record in &batch.records {
        one(settings, batch, record, &trail, &mut posted.body);
        posted.borders.push(posted.body.len());
    }
    posted
}

fn one(settings: &Settings, batch: &Batch, record: &Delivery, trail: &str, out: &mut Vec<u8>) {
    let time = time(&record.json);
    let envelope = Envelope {
        time: time.as_deref(),
        host: settings
            .host
            .as_deref()
            .or(batch.origin.instance.as_deref()),
        source: settings.source.as_deref().unwrap_or(&batch.origin.service),
        sourcetype: &settings.sourcetype,
        index: settings.index.as_deref(),
        fields: Fields {
            trail,
            number: record.number.to_string(),
            leaf: record.leaf.to_string(),
        },
    };
    // Texts only: nothing in it can fail.
    let frame = serde_json::to_vec(&envelope).unwrap_or_default();
    out.extend_from_slice(frame.strip_suffix(b"}").unwrap_or(&frame));
    out.extend_from_slice(br#","event":"#);
    settings.format.write(out, &body::event(batch, record));
    out.extend_from_slice(b"}\n");
}

/// Seconds with six digits, which no float can round. Without one, Splunk takes the time when it
/// gets the event; that of a record in a foreign form is not guessed.
fn time(json: &str) -> Option<Box<RawValue>> {
    let micros = serde_json::from_str::<Timed>(json)
        .ok()?
        .timestamp
        .as_micros();
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    RawValue::from_string(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_keeps_its_six_digits() {
        for (json, expected) in [
            (
                r#"{"timestamp":"2026-11-20T13:34:01.000045Z"}"#,
                Some("1795181641.000045"),
            ),
            (r#"{"timestamp":"yesterday"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(time(json).as_deref().map(RawValue::get), expected, "{json}");
        }
    }
}
