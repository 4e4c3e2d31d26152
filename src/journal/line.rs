//! One line of a segment: encoding, and a decoder that accepts nothing else.
//!
//! A record line is `{"n":41,"h":"<leaf, 64 hex>","record":{…}}`; the line that settles an intent has
//! `"closes":"<id>",` before `"record"`. A control line is `{"h":"<check, 32 hex>","head":{…}}`, where
//! the check sum is the first half of the SHA-256 of everything between it and the last brace.
//!
//! The decoder is positional, not a JSON parser: a line has one spelling, so any changed byte is an
//! error, and a record's bytes are never re-encoded to be hashed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    evidence::{self, Hash, TreeHead, leaf_hash},
};

/// The version of everything in this file; a larger one in a header is refused.
pub(crate) const FORMAT: u32 = 1;

/// The longest line a reader accepts, in bytes; far above the largest record and header.
pub(crate) const MAX_LINE: usize = 4 * 1024 * 1024;

/// A decoded line, borrowing from the bytes it was read from.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    Record(RecordLine<'a>),
    Control(Control),
}

/// A numbered record: a leaf of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordLine<'a> {
    pub(crate) number: u64,
    pub(crate) leaf: Hash,
    /// The intent that this record settles.
    pub(crate) closes: Option<Uuid>,
    /// The exact bytes that `leaf` is over.
    pub(crate) json: &'a str,
}

/// Everything in a segment that is not a record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Control {
    /// The first line of every segment.
    Head(Box<Head>),
    /// An intent: what is about to happen, not numbered, not a leaf.
    Open(Intent),
    /// Everything above is one tree of this size and root.
    Commit(Commit),
    /// A signed tree head.
    Checkpoint(Checkpoint),
    /// The trail was closed in order; nothing follows in this run.
    End(Commit),
}

/// What a segment needs to stand without the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u32,
    pub(crate) trail: Uuid,
    pub(crate) service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<String>,
    /// Counts every segment ever made in the trail.
    pub(crate) generation: u64,
    /// The first number of this segment: supersedes what an earlier file holds from there on.
    pub(crate) start: u64,
    /// The tree over the numbers below `start`, as the roots of its full subtrees.
    pub(crate) frontier: Vec<Hash>,
    /// The intents still open at `start`; their lines follow.
    pub(crate) open: Vec<Uuid>,
    pub(crate) time: Timestamp,
}

/// A record whose outcome is not known yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: Uuid,
    pub(crate) record: Box<RawValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    #[serde(flatten)]
    pub(crate) head: TreeHead,
    /// Counts the groups of a segment from 1. A line that does not hold belongs to the group after
    /// the last good commit only if that group's commit says so: otherwise a commit is missing.
    pub(crate) group: u64,
    pub(crate) time: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The C2SP signed note, exactly.
    pub(crate) note: String,
}

/// Why a line is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    #[error("the line does not have the form of a record or control line")]
    Form,
    #[error("the record's bytes do not have the leaf hash that stands beside them")]
    Leaf,
    #[error("the control line's check sum does not match")]
    Check,
    #[error("the segment has format {0}, and this version reads up to {FORMAT}")]
    Newer(u32),
}

/// Everything of a record line that does not need its number, made on the caller's thread.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) leaf: Hash,
    pub(crate) closes: Option<Uuid>,
    /// `leaf` as it is written.
    hex: [u8; 64],
    /// The record's bytes; kept as they came, so that they are copied once, into the group.
    json: String,
}

impl Prepared {
    /// Hashes a record's bytes. `json` is one line.
    pub(crate) fn new(json: impl Into<String>, closes: Option<Uuid>) -> Self {
        let json = json.into();
        debug_assert!(!json.contains('\n'), "a record is one line");
        let leaf = leaf_hash(json.as_bytes());
        Self {
            leaf,
            closes,
            hex: leaf.hex(),
            json,
        }
    }

    /// Upper bound of the bytes that [`write`](Self::write) adds.
    pub(crate) fn len(&self) -> usize {
        const FRAME: usize = r#"{"n":,"h":"","closes":"","record":}"#.len() + 1;
        const DIGITS: usize = 20 + 64 + 36;
        self.json.len() + FRAME + DIGITS
    }

    /// Appends the whole line under its number.
    pub(crate) fn write(&self, number: u64, out: &mut Vec<u8>) {
        self.frame(number, self.closes, out);
    }

    /// As [`write`](Self::write), for an intent that is not open: a record like any other.
    pub(crate) fn write_plain(&self, number: u64, out: &mut Vec<u8>) {
        self.frame(number, None, out);
    }

    fn frame(&self, number: u64, closes: Option<Uuid>, out: &mut Vec<u8>) {
        out.reserve(self.len());
        out.extend_from_slice(b"{\"n\":");
        write_decimal(number, out);
        out.extend_from_slice(b",\"h\":\"");
        out.extend_from_slice(&self.hex);
        if let Some(id) = closes {
            out.extend_from_slice(b"\",\"closes\":\"");
            let mut digits = Uuid::encode_buffer();
            out.extend_from_slice(id.hyphenated().encode_lower(&mut digits).as_bytes());
        }
        out.extend_from_slice(b"\",\"record\":");
        out.extend_from_slice(self.json.as_bytes());
        out.extend_from_slice(b"}\n");
    }
}

fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        used += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(
        digits
            .last_chunk::<20>()
            .map_or(&[], |all| all.get(20 - used..).unwrap_or(&[])),
    );
}

impl Control {
    /// Appends the whole line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        #[expect(
            clippy::expect_used,
            reason = "strings, numbers and raw JSON always serialise"
        )]
        let body = serde_json::to_vec(self).expect("a control line serialises");
        let rest = body.get(1..body.len() - 1).unwrap_or_default();
        out.extend_from_slice(b"{\"h\":\"");
        evidence::write_hex(&check_sum(rest), out);
        out.extend_from_slice(b"\",");
        out.extend_from_slice(rest);
        out.extend_from_slice(b"}\n");
    }
}

fn check_sum(rest: &[u8]) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(rest).into();
    let (half, _) = whole.split_at(16);
    std::array::from_fn(|i| half.get(i).copied().unwrap_or(0))
}

/// Decodes one line without its newline.
///
/// # Errors
///
/// Any byte that differs from what [`Prepared::write`] or [`Control::write`] made.
pub(crate) fn decode(line: &[u8]) -> Result<Line<'_>, LineError> {
    let line = std::str::from_utf8(line).map_err(|_| LineError::Form)?;
    if let Some(rest) = line.strip_prefix("{\"n\":") {
        return record(rest).map(Line::Record);
    }
    let rest = line.strip_prefix("{\"h\":\"").ok_or(LineError::Form)?;
    control(rest).map(Line::Control)
}

/// The number that a record line claims, without checking the rest.
pub(crate) fn peek_number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"n\":")?;
    let end = rest.iter().take(21).position(|byte| *byte == b',')?;
    decimal(std::str::from_utf8(rest.get(..end)?).ok()?)
}

fn record(rest: &str) -> Result<RecordLine<'_>, LineError> {
    let (digits, rest) = rest.split_once(',').ok_or(LineError::Form)?;
    let number = decimal(digits).ok_or(LineError::Form)?;
    let rest = rest.strip_prefix("\"h\":\"").ok_or(LineError::Form)?;
    let (hex, rest) = rest.split_at_checked(64).ok_or(LineError::Form)?;
    let leaf = Hash::parse_hex(hex.as_bytes()).ok_or(LineError::Form)?;
    let mut rest = rest.strip_prefix("\",\"").ok_or(LineError::Form)?;
    let mut closes = None;
    if let Some(after) = rest.strip_prefix("closes\":\"") {
        let (id, after) = after.split_at_checked(36).ok_or(LineError::Form)?;
        closes = Some(canonical_uuid(id).ok_or(LineError::Form)?);
        rest = after.strip_prefix("\",\"").ok_or(LineError::Form)?;
    }
    let json = rest
        .strip_prefix("record\":")
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or(LineError::Form)?;
    if leaf_hash(json.as_bytes()) != leaf {
        return Err(LineError::Leaf);
    }
    Ok(RecordLine {
        number,
        leaf,
        closes,
        json,
    })
}

/// A number as we write it: no sign, no leading zero.
fn decimal(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0');
    (plain && !padded).then(|| digits.parse().ok()).flatten()
}

fn canonical_uuid(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(id)
}

fn control(rest: &str) -> Result<Control, LineError> {
    let (hex, rest) = rest.split_at_checked(32).ok_or(LineError::Form)?;
    let body = rest
        .strip_prefix("\",")
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or(LineError::Form)?;
    let mut sum = [0; 16];
    evidence::parse_hex(hex.as_bytes(), &mut sum).ok_or(LineError::Form)?;
    if sum != check_sum(body.as_bytes()) {
        return Err(LineError::Check);
    }
    let text = format!("{{{body}}}");
    // A header of a later format may have fields this version does not know: name the format.
    if let Some(format) = format_of(&text).filter(|format| *format > FORMAT) {
        return Err(LineError::Newer(format));
    }
    serde_json::from_str(&text).map_err(|_| LineError::Form)
}

fn format_of(text: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Outer {
        head: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        format: u32,
    }
    text.starts_with("{\"head\"")
        .then(|| {
            serde_json::from_str::<Outer>(text)
                .ok()
                .map(|outer| outer.head.format)
        })
        .flatten()
}

#[cfg(test)]
mod tests;
