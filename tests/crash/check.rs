//! What must hold of a directory, whatever happened to the processes that wrote it.

use std::{collections::BTreeMap, path::Path};

use tower_audit::{AuditBuilder, Record, stats::Stats, verify};

use crate::{
    found::{self, Kept, Trails},
    place,
    program::{PATIENCE, Said},
};

/// Figures for the note of a case.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) records: usize,
    pub(crate) acknowledged: usize,
    pub(crate) intents: usize,
    pub(crate) unknown: usize,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            records,
            acknowledged,
            intents,
            unknown,
        } = self;
        write!(
            f,
            "{records} records, {acknowledged} acknowledged, {unknown} of {intents} intents unknown"
        )
    }
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.acknowledged += other.acknowledged;
        self.intents += other.intents;
        self.unknown += other.unknown;
    }
}

/// The crate's own check of the journal finds nothing wrong; nothing may be there yet.
pub(crate) fn verified(dir: &Path) {
    match verify::journal(place::journal(dir), verify::Options::new()) {
        Ok(report) => assert!(report.holds(), "{report}"),
        Err(verify::VerifyError::NotAJournal { .. } | verify::VerifyError::Io { .. })
            if found::journal(&place::journal(dir)).is_empty() => {}
        Err(error) => panic!("cannot verify: {error}"),
    }
}

/// A last run that delivers everything and ends in order.
pub(crate) fn last_run(builder: AuditBuilder) {
    let audit = builder.start_blocking().unwrap();
    let receipt = audit.commit_blocking(Record::system("crash.checked"));
    assert!(receipt.is_ok(), "{receipt:?}");
    balanced(&audit.stats());
    let health = audit.health();
    let report = audit.shutdown_blocking(PATIENCE);
    assert!(report.in_order, "{report}; {health:?}");
    for sink in &report.sinks {
        assert_eq!(sink.undelivered + sink.dead, 0, "{report}; {health:?}");
    }
    balanced(&audit.stats());
}

// Trap D12: the sums hold after every fault.
pub(crate) fn balanced(stats: &Stats) {
    let kept = stats.stored + stats.queued + stats.lost;
    assert_eq!(stats.emitted, kept, "{stats:#?}");
    for sink in &stats.sinks {
        let told = sink.delivered + sink.pending + sink.dead + sink.missed;
        assert_eq!(sink.committed, told, "{sink:#?}");
    }
}

/// Everything that was acknowledged is in the journal, once, and every intent has its verdict.
///
/// Given is a directory whose last run ended in order.
pub(crate) fn journal_holds(dir: &Path, said: &Said) -> (Trails, Figures) {
    verified(dir);
    let trails = found::journal(&place::journal(dir));
    let mut by_id: BTreeMap<String, &Kept> = BTreeMap::new();
    for kept in trails.values().flatten() {
        let twice = by_id.insert(kept.field("id"), kept);
        assert!(twice.is_none(), "twice in the journal: {twice:?}, {kept:?}");
    }
    for (id, number) in &said.acknowledged {
        let kept = by_id.get(id);
        let kept = kept.unwrap_or_else(|| panic!("acknowledged and gone: {id}, {number:?}"));
        if let Some(number) = number {
            assert_eq!(kept.number, *number, "{id} has another number");
        }
    }
    let mut figures = Figures {
        records: by_id.len(),
        acknowledged: said.acknowledged.len(),
        intents: said.intents.len(),
        unknown: 0,
    };
    for (id, settled) in &said.intents {
        let kept = by_id.get(id);
        let kept = kept.unwrap_or_else(|| panic!("an intent without a verdict: {id}"));
        match kept.field("outcome").as_str() {
            "success" | "cancelled" => {}
            "unknown" if !settled => figures.unknown += 1,
            other => panic!("intent {id}, settled: {settled}, is {other}"),
        }
    }
    (trails, figures)
}

/// And both sinks have all of it, exactly once.
pub(crate) fn everything_holds(dir: &Path, said: &Said) -> Figures {
    let (trails, figures) = journal_holds(dir, said);
    same(
        "the database",
        &trails,
        &found::database(&place::database(dir)),
    );
    same("the file", &trails, &found::file(&place::file(dir)));
    figures
}

/// Compares record by record, so that a failure names the first one that differs.
pub(crate) fn same(place: &str, journal: &Trails, sink: &Trails) {
    for (trail, records) in journal {
        let delivered = sink.get(trail).map_or(&[][..], Vec::as_slice);
        for (at, record) in records.iter().enumerate() {
            let got = delivered.get(at);
            assert_eq!(got, Some(record), "{place}, trail {trail}, record {at}");
        }
        assert_eq!(delivered.len(), records.len(), "{place} has more");
    }
    assert_eq!(journal.len(), sink.len(), "{place} has other trails");
}
