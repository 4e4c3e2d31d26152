//! The text of every statement that writes, made once for one prefix.

use std::sync::Arc;

use crate::sql::{
    TablePrefix,
    inserts::{Inserts, RECORD_VALUES},
};

/// Rows of one statement; the largest keeps below the 65535 values that the servers take.
const ROWS: [usize; 5] = [1024, 256, 64, 8, 1];

const _: () = assert!(ROWS[0] * RECORD_VALUES <= 65_535);

/// What a sink runs.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(super) position: Arc<str>,
    pub(super) look_up: Arc<str>,
    pub(super) arrivals: Arc<str>,
    pub(super) move_on: Arc<str>,
    pub(super) records: Inserts,
    pub(super) targets: Inserts,
}

impl Statements {
    pub(crate) fn new(prefix: &TablePrefix) -> Self {
        Self {
            position: format!("SELECT next FROM {prefix}trails WHERE trail = ?").into(),
            look_up: look_up(prefix).into(),
            // The only way to read what an update left without asking again.
            arrivals: format!("UPDATE {prefix}arrival SET last = LAST_INSERT_ID(last + ?)").into(),
            move_on: move_on(prefix).into(),
            records: Inserts::records(prefix, &ROWS),
            targets: Inserts::targets(prefix, &ROWS),
        }
    }
}

fn look_up(prefix: &TablePrefix) -> String {
    // As bytes: to the collation, texts that differ in spaces at their end are equal.
    let same = "CAST(json AS BINARY) = CAST(? AS BINARY)";
    format!(
        "SELECT {same} FROM {prefix}records WHERE id = ? \
         UNION ALL \
         SELECT id = ? AND {same} FROM {prefix}records WHERE trail = ? AND number = ?"
    )
}

fn move_on(prefix: &TablePrefix) -> String {
    // From left to right: a bare column is the value before the update until it is assigned, so
    // that `size` comes after what depends on it.
    let newer = "VALUES(size) IS NOT NULL AND (size IS NULL OR VALUES(size) > size)";
    format!(
        "INSERT INTO {prefix}trails (trail, service, instance, next, size, root, updated) \
         VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON DUPLICATE KEY UPDATE \
         service = VALUES(service), instance = VALUES(instance), \
         next = GREATEST(next, VALUES(next)), \
         root = CASE WHEN {newer} THEN VALUES(root) ELSE root END, \
         size = CASE WHEN {newer} THEN VALUES(size) ELSE size END, \
         updated = VALUES(updated)"
    )
}
