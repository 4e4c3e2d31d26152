//! A store that was filled from a journal, and what is done to either.

use sqlx::{Connection, SqliteConnection};

use super::*;
use crate::{
    clock::Timestamp,
    journal::{Most, Reader},
    record::Origin,
    sink::{Batch, Delivery, Sink, SqliteSink},
    store::Store,
};

/// A journal with ten records, three in each segment or so, and a store that has them.
struct Both {
    scratch: Scratch,
    heads: Vec<TreeHead>,
}

fn json(number: u64, action: &str, more: &str) -> String {
    format!(
        r#"{{"id":"0199aaaa-0000-7000-8000-{number:012}","timestamp":"2026-11-20T13:34:01.{number:06}Z","schema":"1.0","service":{{"name":"docs"}},"action":"{action}","outcome":"success","actor":{{"type":"user","id":"146"}}{more}}}"#
    )
}

fn append(inbox: &Inbox, json: &str) -> TreeHead {
    let ticket = inbox.append(&Prepared::new(json, None), Urgency::Durable);
    block_on(ticket.unwrap().committed()).unwrap()
}

impl Both {
    async fn new() -> Self {
        let both = Self::undelivered(&[]);
        both.deliver(0, 10).await;
        both
    }

    /// Ten records, and these behind them.
    fn undelivered(more: &[String]) -> Self {
        let scratch = Scratch::new(1500);
        let opened = scratch.open();
        let first = (0..10).map(|number| json(number, "document.create", ""));
        let heads = first
            .chain(more.iter().cloned())
            .map(|json| append(opened.inbox(), &json))
            .collect();
        close(opened);
        Self { scratch, heads }
    }

    /// Delivers some numbers as a follower would.
    async fn deliver(&self, from: u64, to: u64) {
        let mut reader = Reader::open(Arc::new(StdDisk), self.scratch.dir(), from);
        let chunk = reader
            .read(
                to,
                Most {
                    records: 1000,
                    bytes: 1 << 20,
                },
            )
            .unwrap();
        let records = chunk.entries.into_iter();
        let records = records
            .map(|entry| Delivery::new(entry.number, entry.leaf, entry.json))
            .collect();
        let received = Timestamp::from_micros(1);
        let batch =
            Batch::new(Origin::new(TRAIL, "docs", None), received, records, to).head(chunk.head);
        let mut sink = SqliteSink::new(self.database());
        sink.deliver(&batch).await.unwrap();
        sink.close().await.unwrap();
    }

    fn database(&self) -> PathBuf {
        self.scratch.tmp.path().join("audit.db")
    }

    async fn sql(&self, statement: &'static str) {
        let mut database = SqliteConnection::connect(self.database().to_str().unwrap())
            .await
            .unwrap();
        sqlx::query(statement).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    async fn store(&self) -> Store {
        Store::open(&format!("sqlite://{}", self.database().display()))
            .await
            .unwrap()
    }

    async fn check(&self, options: Options<'_>) -> TrailReport {
        let mut report = store(&self.store().await, options).await.unwrap();
        assert_eq!(report.trails.len(), 1, "{report}");
        report.trails.remove(0)
    }

    /// The row of the store in a comparison with the journal.
    async fn compare(&self) -> TrailReport {
        let store = self.store().await;
        let report = journal_and_store(&self.scratch.base.dir, &store, Options::new()).await;
        let mut report = report.unwrap();
        assert_eq!(report.trails.len(), 2, "{report}");
        report.trails.remove(1)
    }
}

#[tokio::test]
async fn a_store_that_has_all_holds_alone_and_beside_its_journal() {
    let both = Both::new().await;
    let alone = both
        .check(Options::new().expect(Expected::head(TRAIL, both.heads[9])))
        .await;
    assert_eq!((kinds(&alone), notes(&alone)), (vec![], vec![]), "{alone}");
    assert_eq!(
        (alone.records, alone.head, alone.anchored),
        (10, Some(both.heads[9]), Some(both.heads[9]))
    );
    let beside = both.compare().await;
    assert_eq!(
        (kinds(&beside), notes(&beside)),
        (vec![], vec![]),
        "{beside}"
    );
    assert!(
        beside
            .unanchored_since
            .is_some_and(|since| since.to_string().ends_with("01.000000Z")),
        "{beside}"
    );
}

#[tokio::test]
async fn what_is_not_delivered_yet_is_no_finding() {
    let both = Both::undelivered(&[]);
    both.deliver(0, 4).await;
    let report = both.compare().await;
    assert_eq!((kinds(&report), report.records), (vec![], 4), "{report}");
}

/// What is done to the database, what is found, and under which number.
#[rustfmt::skip]
const CHANGES: [(&str, &str, Kind, Option<u64>); 8] = [
    ("a text", "UPDATE audit_records SET json = replace(json, '146', '147') WHERE number = 3", Kind::Leaf, Some(3)),
    ("a column", "UPDATE audit_records SET actor_id = '147' WHERE number = 3", Kind::Column, Some(3)),
    ("an id", "UPDATE audit_records SET id = x'0199aaaa00007000800000000000ffff' WHERE number = 3", Kind::Column, Some(3)),
    ("a record", "DELETE FROM audit_records WHERE number = 3", Kind::Missing, Some(3)),
    ("the last record", "DELETE FROM audit_records WHERE number = 9", Kind::Missing, Some(9)),
    ("the cursor", "UPDATE audit_trails SET next = 8, size = 8", Kind::Cursor, Some(8)),
    ("the head", "UPDATE audit_trails SET root = zeroblob(32)", Kind::Root, None),
    ("a number", "UPDATE audit_records SET number = 99 WHERE number = 9", Kind::Missing, Some(9)),
];

// Trap J7, J8: each change in the database has its reason.
#[tokio::test]
async fn a_change_in_the_database_is_found_with_its_number() {
    for (name, change, kind, number) in CHANGES {
        let both = Both::new().await;
        both.sql(change).await;
        let report = both.check(Options::new()).await;
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|finding| (finding.kind, finding.number))
            .collect();
        assert!(found.contains(&(kind, number)), "{name}: {report}");
    }
}

#[tokio::test]
async fn a_leaf_changed_with_its_text_is_found_by_the_tree_and_by_the_journal() {
    let both = Both::new().await;
    let forged = json(3, "document.create", r#","details":{"x":1}"#);
    let leaf = crate::evidence::leaf_hash(forged.as_bytes());
    let statement =
        format!("UPDATE audit_records SET json = '{forged}', leaf = x'{leaf}' WHERE number = 3");
    both.sql(statement.leak()).await;
    assert_eq!(kinds(&both.check(Options::new()).await), [Kind::Root]);
    assert_eq!(kinds(&both.compare().await), [Kind::Differs, Kind::Root]);
    // With the head gone too, only the journal, or a head from outside, tells.
    both.sql("UPDATE audit_trails SET root = NULL, size = NULL")
        .await;
    assert_eq!(kinds(&both.check(Options::new()).await), []);
    assert_eq!(kinds(&both.compare().await), [Kind::Differs]);
    let expected = Options::new().expect(Expected::head(TRAIL, both.heads[9]));
    assert_eq!(kinds(&both.check(expected).await), [Kind::Unexpected]);
}

#[tokio::test]
async fn a_record_that_only_the_journal_has_is_named() {
    let both = Both::new().await;
    both.sql("DELETE FROM audit_records WHERE number IN (0, 4, 5)")
        .await;
    let report = both.compare().await;
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.number))
        .collect();
    assert_eq!(
        found,
        [(Kind::NotInStore, Some(0)), (Kind::NotInStore, Some(4))],
        "{report}"
    );
}

// Trap J8: a cut journal is consistent in itself; the store remembers more.
#[tokio::test]
async fn a_journal_that_ends_before_its_store_is_cut() {
    let both = Both::new().await;
    let names = both.scratch.names();
    fs::remove_file(both.scratch.path(names.len() - 1)).unwrap();
    assert_eq!(kinds(&both.scratch.check()), []);
    let report = both.compare().await;
    assert_eq!(kinds(&report), [Kind::NotInJournal], "{report}");
}

#[tokio::test]
async fn a_gap_that_a_record_declares_is_only_noted() {
    for (action, numbers) in [
        ("audit.sink_refused", r#""first_number":4,"last_number":5"#),
        ("audit.sink_missed", r#""from_number":4,"to_number":6"#),
    ] {
        let target =
            format!(r#","targets":[{{"type":"trail","id":"{TRAIL}"}}],"details":{{{numbers}}}"#);
        let both = Both::undelivered(&[json(10, action, &target)]);
        both.deliver(0, 11).await;
        both.sql("DELETE FROM audit_records WHERE number IN (4, 5)")
            .await;
        for report in [both.check(Options::new()).await, both.compare().await] {
            assert_eq!(
                (kinds(&report), notes(&report)),
                (vec![], vec![NoteKind::Undelivered]),
                "{report}"
            );
        }
        both.sql("DELETE FROM audit_records WHERE number = 6").await;
        assert_eq!(kinds(&both.check(Options::new()).await), [Kind::Missing]);
        assert_eq!(kinds(&both.compare().await), [Kind::NotInStore]);
    }
}

#[tokio::test]
async fn a_store_that_began_later_says_that_it_cannot_compute_the_tree() {
    let both = Both::undelivered(&[]);
    both.deliver(4, 10).await;
    let report = both.check(Options::new()).await;
    assert_eq!(
        (kinds(&report), notes(&report)),
        (vec![], vec![NoteKind::Unlinked]),
        "{report}"
    );
    assert_eq!((report.first, report.records, report.head), (4, 6, None));
}

#[tokio::test]
async fn what_a_prune_removed_is_compared_with_the_journal_by_its_leaf() {
    let both = Both::new().await;
    both.sql(
        "INSERT INTO audit_emptied SELECT trail, number, leaf FROM audit_records WHERE number < 4; \
         DELETE FROM audit_records WHERE number < 4",
    )
    .await;
    for report in [both.check(Options::new()).await, both.compare().await] {
        assert_eq!(kinds(&report), [], "{report}");
        assert_eq!((report.emptied, report.records), (4, 6), "{report}");
        assert!(report.head.is_some_and(|head| head.size == 10));
    }
    both.sql("DELETE FROM audit_emptied WHERE number = 2").await;
    assert_eq!(kinds(&both.compare().await), [Kind::NotInStore]);
    both.sql("UPDATE audit_emptied SET leaf = zeroblob(32) WHERE number = 1")
        .await;
    let found = kinds(&both.compare().await);
    assert!(found.contains(&Kind::Differs), "{found:?}");
}

#[tokio::test]
async fn a_prune_that_only_the_journal_recorded_is_held_against_the_store() {
    let recorded = r#","details":{"run":"r1","removed":4}"#;
    let both = Both::undelivered(&[json(10, "audit.prune", recorded)]);
    both.deliver(0, 10).await;
    both.sql(
        "INSERT INTO audit_emptied SELECT trail, number, leaf FROM audit_records WHERE number < 5; \
         DELETE FROM audit_records WHERE number < 5; \
         INSERT INTO audit_prunes (id, started, ended, run_by, digest, policy, removed, counts, complete) \
         VALUES ('r1', 1, 2, 'system', '', '', 5, '', 1)",
    )
    .await;
    let alone = store(&both.store().await, Options::new()).await.unwrap();
    assert!(alone.holds(), "{alone}");
    let store = both.store().await;
    let beside = journal_and_store(&both.scratch.base.dir, &store, Options::new()).await;
    let prunes = beside.unwrap().prunes.unwrap();
    assert_eq!(prunes.recorded, 1, "{prunes}");
    let what = &prunes.findings[0].what;
    assert!(
        what.contains("removed 5, and by the audit.prune of a trail 4"),
        "{what}"
    );
}
