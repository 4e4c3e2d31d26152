//! The text of every statement that writes, made once for one prefix.

use std::sync::Arc;

use crate::sql::{TablePrefix, group::TEXTS};

/// How many values one row of the records takes.
pub(super) const RECORD_VALUES: usize = 8 + TEXTS.len();

/// How many values one target takes.
pub(super) const TARGET_VALUES: usize = 5;

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
            records: Inserts::new(|rows| records(prefix, rows)),
            targets: Inserts::new(|rows| targets(prefix, rows)),
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

fn records(prefix: &TablePrefix, rows: usize) -> String {
    let columns = TEXTS.join(", ");
    let mut sql = format!(
        "INSERT INTO {prefix}records \
         (arrival, id, trail, number, leaf, received, timestamp, {columns}, json) VALUES "
    );
    values(&mut sql, rows, RECORD_VALUES);
    sql
}

fn targets(prefix: &TablePrefix, rows: usize) -> String {
    let mut sql = format!("INSERT INTO {prefix}targets (record, position, type, id, name) VALUES ");
    values(&mut sql, rows, TARGET_VALUES);
    sql
}

/// Appends `(?, ?, …), (…)` for so many rows.
///
/// Not `?1`: SQLite keeps the names of numbered parameters in a list, which the driver looks
/// through for each of them. With a hundred rows that costs more than storing them.
fn values(sql: &mut String, rows: usize, values: usize) {
    let row = format!("({})", vec!["?"; values].join(", "));
    sql.push_str(&vec![row; rows].join(", "));
}

/// The same `INSERT` for several numbers of rows.
///
/// Few and fixed, so that each is prepared once; the largest keeps below SQLite's 32766 values.
#[derive(Debug)]
pub(super) struct Inserts([(usize, Arc<str>); 4]);

impl Inserts {
    const ROWS: [usize; 4] = [128, 32, 8, 1];

    fn new(sql: impl Fn(usize) -> String) -> Self {
        Self(Self::ROWS.map(|rows| (rows, sql(rows).into())))
    }

    /// Cuts rows into pieces for which there is a statement, largest first.
    pub(super) fn cut<'a, T>(
        &'a self,
        mut rows: &'a [T],
    ) -> impl Iterator<Item = (Arc<str>, &'a [T])> {
        std::iter::from_fn(move || {
            self.0.iter().find_map(|(length, sql)| {
                let (piece, rest) = rows.split_at_checked(*length)?;
                rows = rest;
                Some((Arc::clone(sql), piece))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_fixed_lengths_without_losing_one() {
        let inserts = Inserts::new(|rows| rows.to_string());
        let rows: Vec<usize> = (0..128 * 2 + 32 + 3).collect();
        let pieces: Vec<(Arc<str>, &[usize])> = inserts.cut(&rows).collect();
        let lengths: Vec<&str> = pieces.iter().map(|(sql, _)| sql.as_ref()).collect();
        assert_eq!(lengths, ["128", "128", "32", "1", "1", "1"]);
        let joined: Vec<usize> = pieces
            .iter()
            .flat_map(|(_, piece)| piece.to_vec())
            .collect();
        assert_eq!(joined, rows);
    }

    #[test]
    fn placeholders_have_no_numbers() {
        let mut sql = String::new();
        values(&mut sql, 2, 3);
        assert_eq!(sql, "(?, ?, ?), (?, ?, ?)");
    }

    #[test]
    fn the_longest_statement_keeps_below_the_limit_of_values() {
        let longest = Inserts::ROWS[0];
        assert!(longest * RECORD_VALUES <= 32_766);
    }
}
