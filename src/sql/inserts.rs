//! Multi-row `INSERT` statements, and how rows are cut into pieces for them.

use std::sync::Arc;

use super::{TablePrefix, group::TEXTS};

/// How many values one row of the records takes.
pub(crate) const RECORD_VALUES: usize = 8 + TEXTS.len();

/// How many values one target takes.
pub(crate) const TARGET_VALUES: usize = 5;

/// The same `INSERT` for several numbers of rows.
///
/// Few and fixed, so that each is prepared once.
#[derive(Debug)]
pub(crate) struct Inserts(Vec<(usize, Arc<str>)>);

impl Inserts {
    /// Into the table of records. `rows` is how many rows a statement has, largest first, down to 1.
    pub(crate) fn records(prefix: &TablePrefix, rows: &[usize]) -> Self {
        let columns = TEXTS.join(", ");
        let start = format!(
            "INSERT INTO {prefix}records \
             (arrival, id, trail, number, leaf, received, timestamp, {columns}, json) VALUES "
        );
        Self::new(rows, |rows| values(&start, rows, RECORD_VALUES))
    }

    /// Into the table of targets.
    pub(crate) fn targets(prefix: &TablePrefix, rows: &[usize]) -> Self {
        let start =
            format!("INSERT INTO {prefix}targets (record, position, type, id, name) VALUES ");
        Self::new(rows, |rows| values(&start, rows, TARGET_VALUES))
    }

    fn new(rows: &[usize], sql: impl Fn(usize) -> String) -> Self {
        Self(rows.iter().map(|rows| (*rows, sql(*rows).into())).collect())
    }

    /// Cuts rows into pieces for which there is a statement, largest first.
    #[cfg(any(feature = "sqlite", test))]
    pub(crate) fn cut<'a, T>(&'a self, rows: &'a [T]) -> impl Iterator<Item = (Arc<str>, &'a [T])> {
        self.cut_within(rows, usize::MAX, |_| 0)
    }

    /// The same, with at most `max_bytes` in a piece. One row that is larger stays alone.
    pub(crate) fn cut_within<'a, T>(
        &'a self,
        mut rows: &'a [T],
        max_bytes: usize,
        bytes: impl Fn(&T) -> usize,
    ) -> impl Iterator<Item = (Arc<str>, &'a [T])> {
        std::iter::from_fn(move || {
            self.0.iter().find_map(|(length, sql)| {
                let (piece, rest) = rows.split_at_checked(*length)?;
                if *length > 1 && piece.iter().map(&bytes).sum::<usize>() > max_bytes {
                    return None;
                }
                rows = rest;
                Some((Arc::clone(sql), piece))
            })
        })
    }
}

/// `start (?, ?, …), (…)` for so many rows.
///
/// Not `?1`: SQLite keeps the names of numbered parameters in a list, which the driver looks
/// through for each of them. With a hundred rows that costs more than storing them.
fn values(start: &str, rows: usize, values: usize) -> String {
    let row = format!("({})", vec!["?"; values].join(", "));
    format!("{start}{}", vec![row; rows].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(pieces: &[(Arc<str>, &[usize])]) -> Vec<String> {
        pieces.iter().map(|(sql, _)| sql.to_string()).collect()
    }

    #[test]
    fn rows_are_cut_into_fixed_lengths_without_losing_one() {
        let inserts = Inserts::new(&[128, 32, 8, 1], |rows| rows.to_string());
        let rows: Vec<usize> = (0..128 * 2 + 32 + 3).collect();
        let pieces: Vec<(Arc<str>, &[usize])> = inserts.cut(&rows).collect();
        assert_eq!(lengths(&pieces), ["128", "128", "32", "1", "1", "1"]);
        let joined: Vec<usize> = pieces
            .iter()
            .flat_map(|(_, piece)| piece.to_vec())
            .collect();
        assert_eq!(joined, rows);
    }

    #[test]
    fn a_piece_keeps_within_its_bytes_and_a_row_that_cannot_stays_alone() {
        let inserts = Inserts::new(&[128, 32, 8, 1], |rows| rows.to_string());
        let mut rows = vec![10; 8 + 8 + 1];
        rows.extend([1000, 10]);
        let pieces: Vec<(Arc<str>, &[usize])> =
            inserts.cut_within(&rows, 100, |row| *row).collect();
        assert_eq!(lengths(&pieces), ["8", "8", "1", "1", "1"]);
        assert_eq!(pieces[3].1, [1000]);
    }

    #[test]
    fn placeholders_have_no_numbers() {
        assert_eq!(values("x ", 2, 3), "x (?, ?, ?), (?, ?, ?)");
    }
}
