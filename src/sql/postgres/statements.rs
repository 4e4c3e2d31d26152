//! The text of every statement that writes, made once for one prefix in one schema.

use std::sync::Arc;

use super::Names;
use crate::sql::group::TEXTS;

/// How many values one row of the records has.
pub(super) const RECORD_VALUES: usize = 8 + TEXTS.len();

/// How many values one target has.
pub(super) const TARGET_VALUES: usize = 5;

/// What a sink runs.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) position: Arc<str>,
    pub(super) look_up: Arc<str>,
    pub(super) arrivals: Arc<str>,
    pub(super) move_on: Arc<str>,
    pub(super) records: String,
    pub(super) targets: String,
}

impl Statements {
    pub(super) fn new(names: &Names) -> Self {
        Self {
            position: format!("SELECT next FROM {names}trails WHERE trail = $1").into(),
            look_up: look_up(names).into(),
            arrivals: format!("UPDATE {names}arrival SET last = last + $1 RETURNING last").into(),
            move_on: move_on(names).into(),
            records: format!(
                "COPY {names}records \
                 (arrival, id, trail, number, leaf, received, timestamp, {}, json) \
                 FROM STDIN (FORMAT binary)",
                TEXTS.join(", ")
            ),
            targets: format!(
                "COPY {names}targets (record, position, type, id, name) \
                 FROM STDIN (FORMAT binary)"
            ),
        }
    }
}

/// For each wanted place that is taken: its position in the list, and whether by the same record.
fn look_up(names: &Names) -> String {
    format!(
        "SELECT wanted.place, found.id = wanted.id AND found.json = wanted.json \
         FROM unnest($1::uuid[], $2::bigint[], $3::text[]) \
              WITH ORDINALITY AS wanted (id, number, json, place) \
         CROSS JOIN LATERAL ( \
             SELECT id, json::text AS json FROM {names}records WHERE id = wanted.id \
             UNION ALL \
             SELECT id, json::text FROM {names}records \
             WHERE trail = $4 AND number = wanted.number \
         ) AS found"
    )
}

fn move_on(names: &Names) -> String {
    let newer = "excluded.size IS NOT NULL AND (known.size IS NULL OR excluded.size > known.size)";
    format!(
        "INSERT INTO {names}trails AS known \
         (trail, service, instance, next, size, root, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (trail) DO UPDATE SET \
         service = excluded.service, instance = excluded.instance, \
         next = greatest(known.next, excluded.next), \
         size = CASE WHEN {newer} THEN excluded.size ELSE known.size END, \
         root = CASE WHEN {newer} THEN excluded.root ELSE known.root END, \
         updated = excluded.updated"
    )
}
