//! Records, and batches of them, as a follower would hand them over.

use std::fmt::Display;

use tower_audit::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::Origin,
    sink::{Batch, Delivery},
};
use uuid::Uuid;

/// The time at which record 0 of every trail began: 2026-11-20T13:34:01Z.
pub(crate) const START: i64 = 1_795_181_641_000_000;

/// A trail of its own for each `number`.
pub(crate) fn origin(number: u128) -> Origin {
    Origin::new(Uuid::from_u128(number), "docs", Some("web-1".to_owned()))
}

/// The id of record `number` of trail 1: its time is `number` microseconds after [`START`].
pub(crate) fn id(number: u64) -> Uuid {
    let at = Timestamp::from_micros(START + i64::try_from(number).unwrap());
    let lowest = u128::from_be_bytes(*RecordId::lowest_at(at).as_bytes());
    Uuid::from_u128(lowest | u128::from(number))
}

/// Record `number`, with `more` after its action: `,"outcome":"success"`.
pub(crate) fn record(number: u64, action: &str, more: impl Display) -> Delivery {
    let timestamp = Timestamp::from_micros(START + i64::try_from(number).unwrap());
    let json = format!(
        r#"{{"id":"{}","timestamp":"{timestamp}","schema":"1.0","action":"{action}"{more}}}"#,
        id(number)
    );
    Delivery::new(number, leaf_hash(json.as_bytes()), json)
}

/// These records of a trail.
pub(crate) fn batch(origin: &Origin, records: Vec<Delivery>) -> Batch {
    let next = records.last().map_or(0, |last| last.number + 1);
    let received = Timestamp::from_micros(START + 3_600_000_000);
    Batch::new(origin.clone(), received, records, next)
}

/// Plain records with these numbers.
pub(crate) fn plain(origin: &Origin, numbers: std::ops::Range<u64>) -> Batch {
    let records = numbers
        .map(|number| record(number, "document.create", r#","outcome":"success""#))
        .collect();
    batch(origin, records)
}
