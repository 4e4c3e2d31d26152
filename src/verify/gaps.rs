//! Numbers that are in no segment, and the records that declare some of them pruned.

use crate::record::Record;

use super::{Finding, Kind, Note, NoteKind, report::TrailReport};

/// The holes of one trail. Whether one is declared is known only when everything was read.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    holes: Vec<Hole>,
    /// Numbers below the first were pruned, as the record under the second says.
    declared: Option<(u64, u64)>,
}

/// Numbers from `from` (inclusive) to `to` (exclusive).
#[derive(Debug)]
struct Hole {
    from: u64,
    to: u64,
    finding: Finding,
}

impl Gaps {
    /// No segment holds these numbers; `file` is the first after them.
    pub(super) fn missing(&mut self, kind: Kind, from: u64, to: u64, file: &str) {
        let what = format!(
            "records {from} to {} are missing: no segment holds them",
            to.saturating_sub(1)
        );
        let finding = Finding::new(kind, what).at(file, 0).number(from);
        self.holes.push(Hole { from, to, finding });
    }

    /// `file` ends at `offset` without these numbers, and the segment after it is there.
    pub(super) fn cut(&mut self, from: u64, to: u64, file: &str, offset: u64) {
        let what = format!(
            "the file ends before record {from}, and the next segment begins at {to}: \
             the end of this one is missing, or segments between them"
        );
        let finding = Finding::new(Kind::Missing, what)
            .at(file, offset)
            .number(from);
        self.holes.push(Hole { from, to, finding });
    }

    /// Takes note of a record that declares a pruning.
    pub(super) fn record(&mut self, number: u64, json: &str) {
        let Some(first_kept) = first_kept(json) else {
            return;
        };
        if self
            .declared
            .is_none_or(|(declared, _)| declared < first_kept)
        {
            self.declared = Some((first_kept, number));
        }
    }

    /// Trap J10: what was declared is a gap, what was not is a finding.
    ///
    /// A pruning that a crash interrupted may have taken any of the segments it declared.
    pub(super) fn finish(self, report: &mut TrailReport) {
        for Hole { from, to, finding } in self.holes {
            match self.declared {
                Some((declared, number)) if to <= declared => {
                    let to = to.saturating_sub(1);
                    let what =
                        format!("records {from} to {to} were pruned, as record {number} declares");
                    report.note(Note::new(NoteKind::Pruned, what));
                }
                _ => report.find(finding),
            }
        }
    }
}

/// The first number that is kept, if this is the record of a pruning.
fn first_kept(json: &str) -> Option<u64> {
    const ACTION: &str = "audit.pruned";
    // Nearly no record is, and reading one costs more than hashing it.
    if !json.contains(ACTION) {
        return None;
    }
    let record = Record::from_json(json).ok()?;
    let is_pruning = record.action.as_str() == ACTION;
    record
        .details
        .get("first_kept")
        .filter(|_| is_pruning)?
        .get("start")?
        .as_u64()
}
