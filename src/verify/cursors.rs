//! What the cursors beside a trail say about its end.

use std::{io, path::Path};

use serde::Deserialize;

use crate::disk::{Disk, read_bounded};

/// Longer than any cursor.
const LONGEST: usize = 4096;

/// The part of a cursor file that is of use here.
#[derive(Deserialize)]
struct File {
    cursor: Cursor,
}

#[derive(Deserialize)]
struct Cursor {
    sink: String,
    next: u64,
}

/// The sink that has read furthest, and the number that it wants next.
///
/// A sink is only given what is durable, so that the trail cannot end before. A cursor that cannot
/// be read says nothing; delivery begins anew then.
pub(super) fn furthest(disk: &dyn Disk, dir: &Path) -> io::Result<Option<(String, u64)>> {
    let cursors = dir.join("cursors");
    let files = match disk.list(&cursors) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        files => files?,
    };
    let read = |name: &str| {
        let bytes = read_bounded(disk, &cursors.join(name), LONGEST).ok()?;
        let File { cursor } = serde_json::from_slice(&bytes).ok()?;
        Some((cursor.sink, cursor.next))
    };
    let names = files.iter().map(|file| file.name.as_str());
    let found = names
        .filter(|name| name.ends_with(".json"))
        .filter_map(read);
    Ok(found.max_by_key(|(_, next)| *next))
}
