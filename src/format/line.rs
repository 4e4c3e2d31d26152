//! How every line of a trail begins, so that a file says itself how far it has come.

use std::io::Write;

use uuid::Uuid;

use super::{Event, Format};

/// What a line begins with in some format, up to the id of its trail.
pub(super) const NATIVE: &[u8] = br#"{"trail":""#;
pub(super) const MAPPED: &[u8] = br#"{"tower_audit":{"trail":""#;
pub(super) const UNMAPPED: &[u8] = br#"{"unmapped":{"tower_audit":{"trail":""#;

/// What follows the id of the trail, up to the number.
pub(super) const NUMBER: &[u8] = br#"","n":"#;

/// Appends trail, number and leaf; the object that they are in stays open.
pub(super) fn open(out: &mut Vec<u8>, format: Format, event: &Event<'_>) {
    out.extend_from_slice(head(format));
    let mut digits = Uuid::encode_buffer();
    out.extend_from_slice(
        event
            .trail
            .hyphenated()
            .encode_lower(&mut digits)
            .as_bytes(),
    );
    out.extend_from_slice(NUMBER);
    // Writing to memory does not fail.
    let _ = write!(out, r#"{},"h":"{}""#, event.number, event.leaf);
}

/// What a line of this format begins with, up to the id of its trail.
const fn head(format: Format) -> &'static [u8] {
    match format {
        Format::Native => NATIVE,
        Format::Ecs | Format::Grist => MAPPED,
        Format::Ocsf => UNMAPPED,
    }
}
