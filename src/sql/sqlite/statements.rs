//! The text of every statement that writes, made once for one prefix.

use std::sync::Arc;

use crate::sql::{
    TablePrefix,
    inserts::{Inserts, RECORD_VALUES},
};

/// Rows of one statement; the largest keeps below the 32766 values that SQLite takes.
const ROWS: [usize; 4] = [128, 32, 8, 1];

const _: () = assert!(ROWS[0] * RECORD_VALUES <= 32_766);

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
            position: format!("SELECT next FROM {prefix}trails WHERE trail = ?1").into(),
            look_up: format!(
                "SELECT json = ?4 FROM {prefix}records WHERE id = ?1 \
                 UNION ALL \
                 SELECT id = ?1 AND json = ?4 FROM {prefix}records WHERE trail = ?2 AND number = ?3"
            )
            .into(),
            arrivals: format!("UPDATE {prefix}arrival SET last = last + ?1 RETURNING last").into(),
            move_on: move_on(prefix).into(),
            records: Inserts::records(prefix, &ROWS),
            targets: Inserts::targets(prefix, &ROWS),
        }
    }
}

fn move_on(prefix: &TablePrefix) -> String {
    // On the right-hand side a bare column is the value before the update.
    let newer = "excluded.size IS NOT NULL AND (size IS NULL OR excluded.size > size)";
    format!(
        "INSERT INTO {prefix}trails (trail, service, instance, next, size, root, updated) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (trail) DO UPDATE SET \
         service = excluded.service, instance = excluded.instance, \
         next = max(next, excluded.next), \
         size = CASE WHEN {newer} THEN excluded.size ELSE size END, \
         root = CASE WHEN {newer} THEN excluded.root ELSE root END, \
         updated = excluded.updated"
    )
}
