//! One record as one message of RFC 5424, with its length before it.

use std::{borrow::Cow, fmt::Write as _};

use serde::Deserialize;

use super::{Settings, shrink::Fields};
use crate::{
    format::Event,
    record::Outcome,
    sink::{Batch, Delivery, SinkError},
    text::clean,
};

/// How long names in the header are at most: RFC 5424, section 6.
const HOSTNAME_BYTES: usize = 255;
const APP_NAME_BYTES: usize = 48;

/// The longest action is shorter by far; a foreign one is cut here.
const VALUE_BYTES: usize = 256;

/// What the header and the structured data need of a record.
#[derive(Deserialize, Default)]
struct Head<'a> {
    #[serde(borrow, default)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    action: Option<Cow<'a, str>>,
    #[serde(default)]
    outcome: Outcome,
}

/// The frames of a batch.
///
/// # Errors
///
/// `Refused` with the records that cannot be sent.
pub(super) fn encode(settings: &Settings, batch: &Batch) -> Result<Vec<u8>, SinkError> {
    let mut frames = Vec::new();
    let (mut broken, mut large) = (Vec::new(), Vec::new());
    for record in &batch.records {
        if record.json.contains(['\n', '\r']) {
            broken.push(record.number);
            continue;
        }
        match message(settings, batch, record) {
            Some(message) => {
                frames.extend_from_slice(message.len().to_string().as_bytes());
                frames.push(b' ');
                frames.extend_from_slice(&message);
            }
            None => large.push(record.number),
        }
    }
    if !broken.is_empty() {
        let reason = "a line break inside a record would break the lines of a log";
        return Err(SinkError::refused(broken, reason));
    }
    if !large.is_empty() {
        let most = settings.max_bytes;
        let reason = format!("even without its details it is longer than max_bytes={most}");
        return Err(SinkError::refused(large, reason));
    }
    Ok(frames)
}

/// The message; `None` if nothing that could be left out makes it short enough.
fn message(settings: &Settings, batch: &Batch, record: &Delivery) -> Option<Vec<u8>> {
    let head: Head<'_> = serde_json::from_str(&record.json).unwrap_or_default();
    let whole = with_json(settings, batch, record, &head, &record.json, "");
    if whole.len() <= settings.max_bytes {
        return Some(whole);
    }
    Fields::of(&record.json)?
        .smaller()
        .map(|smaller| {
            with_json(
                settings,
                batch,
                record,
                &head,
                &smaller.json,
                &smaller.omitted,
            )
        })
        .find(|message| message.len() <= settings.max_bytes)
}

fn with_json(
    settings: &Settings,
    batch: &Batch,
    record: &Delivery,
    head: &Head<'_>,
    json: &str,
    omitted: &str,
) -> Vec<u8> {
    let origin = &batch.origin;
    let priority = u16::from(settings.facility) * 8 + severity(head.outcome);
    let timestamp = head.timestamp.as_deref().filter(|text| is_timestamp(text));
    let host = settings.hostname.as_deref().or(origin.instance.as_deref());
    let app = settings.app_name.as_deref().unwrap_or(&origin.service);
    let mut text = format!(
        "<{priority}>1 {} {} {} - audit [audit@{}",
        timestamp.unwrap_or("-"),
        name(host.unwrap_or_default(), HOSTNAME_BYTES),
        name(app, APP_NAME_BYTES),
        settings.enterprise,
    );
    let (trail, number) = (origin.trail.to_string(), record.number.to_string());
    for (name, value) in [
        ("action", head.action.as_deref().unwrap_or_default()),
        ("outcome", head.outcome.as_str()),
        ("trail", &trail),
        ("number", &number),
        ("leaf", &record.leaf.to_string()),
        ("omitted", omitted),
    ] {
        if !value.is_empty() {
            // A text takes any write.
            let _ = write!(text, r#" {name}="{}""#, escape(value));
        }
    }
    text.push_str("] ");
    let mut message = text.into_bytes();
    let event = Event {
        trail: &origin.trail,
        number: record.number,
        leaf: &record.leaf,
        json,
    };
    settings.format.write(&mut message, &event);
    message
}

const fn severity(outcome: Outcome) -> u16 {
    match outcome {
        Outcome::Success => 6,
        Outcome::Failure | Outcome::Cancelled => 5,
        Outcome::Error => 3,
        // Denied, and what nobody can tell.
        _ => 4,
    }
}

/// Whether this is a time stamp of ours, which RFC 5424 takes as it is.
fn is_timestamp(text: &str) -> bool {
    text.len() == 27 && text.parse::<crate::clock::Timestamp>().is_ok()
}

/// A name of the header: printable ASCII without spaces, or `-` for none.
fn name(text: &str, max_bytes: usize) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    let safe = |char: char| if char.is_ascii_graphic() { char } else { '_' };
    text.chars().take(max_bytes).map(safe).collect()
}

/// A value of the structured data: `"`, `\` and `]` have a `\` before them.
fn escape(text: &str) -> String {
    let (text, _) = clean(text, VALUE_BYTES);
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

#[cfg(test)]
mod tests;
