//! Numbers that a store never got, and the records that say so.

use uuid::Uuid;

use crate::record::Record;

use super::{Finding, Kind, Note, NoteKind, TrailReport, report::plural};

/// Ranges that are kept at most; beyond it a gap that is declared is called suspected.
const MOST: usize = 100_000;

/// What records declare as refused by a sink, or gone before a sink could have it.
#[derive(Debug, Default)]
pub(super) struct Excused {
    ranges: Vec<Range>,
}

/// Numbers of a trail, both ends included.
#[derive(Debug)]
struct Range {
    trail: Uuid,
    first: u64,
    last: u64,
}

/// Numbers that are not in a store, `to` exclusive.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) trail: Uuid,
    pub(super) from: u64,
    pub(super) to: u64,
    /// The first of them that the journal still has.
    pub(super) in_journal: Option<u64>,
}

impl Excused {
    /// Takes note of a record that declares what a sink did not get.
    pub(super) fn record(&mut self, json: &str) {
        // Nearly no record does, and reading one costs more than hashing it.
        if self.ranges.len() >= MOST || !json.contains("\"action\":\"audit.sink_") {
            return;
        }
        let Ok(record) = Record::from_json(json) else {
            return;
        };
        let (first, last) = match record.action.as_str() {
            "audit.sink_refused" => ("first_number", "last_number"),
            "audit.sink_missed" => ("from_number", "to_number"),
            _ => return,
        };
        let number = |name: &str| record.details.get(name).and_then(serde_json::Value::as_u64);
        let target = record
            .targets
            .iter()
            .find(|target| target.kind.as_str() == "trail");
        let trail = target.and_then(|target| target.id.as_deref()?.parse().ok());
        if let (Some(trail), Some(first), Some(last)) = (trail, number(first), number(last)) {
            // What was missed is given with its end excluded.
            let last = if record.action.as_str() == "audit.sink_missed" {
                last.saturating_sub(1)
            } else {
                last
            };
            self.ranges.push(Range { trail, first, last });
        }
    }

    /// Says what is to be said about a gap, once all records were read.
    pub(super) fn judge(&self, gap: Gap, report: &mut TrailReport) {
        let Gap {
            trail,
            from,
            to,
            in_journal,
        } = gap;
        let count = to - from;
        let words = format!("{count} {} from number {from} on", plural(count, "record"));
        if self.covers(trail, from, to) {
            let what = format!(
                "{words} are not here: refused, or gone before they were delivered, as a record declares"
            );
            report.note(Note::new(NoteKind::Undelivered, what));
            return;
        }
        let finding = match in_journal {
            Some(number) => {
                let what = format!("{words} are not here, and the journal has number {number}");
                Finding::new(Kind::NotInStore, what)
            }
            None => Finding::new(Kind::Missing, format!("{words} are not here")).suspected(),
        };
        report.find(finding.number(from));
    }

    fn covers(&self, trail: Uuid, from: u64, to: u64) -> bool {
        let mut at = from;
        // Each range that reaches past `at` moves it on; few ranges, so that a pass for each is cheap.
        while at < to {
            let next = self
                .ranges
                .iter()
                .filter(|range| range.trail == trail && range.first <= at && range.last >= at);
            match next.map(|range| range.last + 1).max() {
                Some(next) => at = next,
                None => return false,
            }
        }
        true
    }
}
