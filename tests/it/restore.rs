//! Real sinks end to end: a database that is put back from a backup, and many tasks at once.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tower_audit::{
    Actor, Audit, CommitError, Receipt, Record,
    sink::{FileSink, SqliteSink},
    store::{Leaf, Query, Store},
    verify,
};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    tmp: TempDir,
}

impl Place {
    fn new() -> Self {
        let tmp = tempfile::tempdir().unwrap();
        Self { tmp }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    async fn start(&self) -> Audit {
        let file = FileSink::builder(self.path("audit.jsonl")).build().unwrap();
        Audit::builder("docs")
            .dir(self.path("journal"))
            .sink("sqlite", SqliteSink::new(self.path("audit.db")))
            .sink("file", file)
            .start()
            .await
            .unwrap()
    }

    async fn store(&self) -> Store {
        let address = format!("sqlite://{}", self.path("audit.db").display());
        Store::open(&address).await.unwrap()
    }

    /// The journal holds, and the database is the same.
    async fn verify(&self) {
        let journal = self.path("journal");
        let report = verify::journal(&journal, verify::Options::new()).unwrap();
        assert!(report.holds(), "{report:#?}");
        let store = self.store().await;
        let both = verify::journal_and_store(&journal, &store, verify::Options::new());
        let both = both.await.unwrap();
        assert!(both.holds(), "{both:#?}");
        assert_eq!(both.records(), 2 * report.records(), "{both:#?}");
    }

    /// The numbers in the file sink's file, in its order.
    fn in_file(&self) -> Vec<u64> {
        let text = fs::read_to_string(self.path("audit.jsonl")).unwrap();
        let number = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["n"].as_u64().unwrap()
        };
        text.lines().map(number).collect()
    }
}

async fn finish(audit: Audit) {
    let report = audit.shutdown(PATIENCE).await;
    assert!(report.in_order, "{report}");
    assert!(
        report.sinks.iter().all(|it| it.undelivered == 0),
        "{report}"
    );
}

async fn commit(audit: &Audit, records: u32) -> u64 {
    let mut last = 0;
    for i in 0..records {
        let record = Record::new("document.create").actor(Actor::user(i));
        last = audit.commit(record).await.unwrap().number;
    }
    last
}

/// All of a trail in a store, in ascending order of number.
async fn leaves(store: &Store, trail: Uuid) -> Vec<Leaf> {
    let mut all: Vec<Leaf> = Vec::new();
    loop {
        let from = all.last().map_or(0, |leaf| leaf.number + 1);
        let page = store.leaves(trail, from, 1000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// How many records a store shows, each counted as often as it is shown.
async fn shown(store: &Store) -> usize {
    let (mut after, mut count) = (0, 0);
    loop {
        let page = store.follow(&Query::new().limit(1000), after).await;
        let page = page.unwrap();
        if page.records.is_empty() {
            return count;
        }
        count += page.records.len();
        after = page.next;
    }
}

fn numbers(leaves: &[Leaf]) -> Vec<u64> {
    leaves.iter().map(|leaf| leaf.number).collect()
}

fn put_back(copy: &Path, database: &Path) {
    for side in ["-wal", "-shm"] {
        let path = format!("{}{side}", database.display());
        if let Err(error) = fs::remove_file(&path) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{path}");
        }
    }
    fs::copy(copy, database).unwrap();
}

// trap D14
#[tokio::test(flavor = "multi_thread")]
async fn a_database_put_back_from_a_backup_is_refilled_exactly() {
    let place = Place::new();
    let (database, copy) = (place.path("audit.db"), place.path("copy.db"));
    let audit = place.start().await;
    let trail = audit.origin().trail;
    commit(&audit, 50).await;
    finish(audit).await;
    let wal = place.path("audit.db-wal");
    assert_eq!(fs::metadata(&wal).map_or(0, |wal| wal.len()), 0);
    fs::copy(&database, &copy).unwrap();
    let in_copy = leaves(&place.store().await, trail).await;
    assert_eq!(numbers(&in_copy), (0..52).collect::<Vec<_>>());

    let audit = place.start().await;
    assert_eq!(audit.origin().trail, trail);
    commit(&audit, 150).await;
    finish(audit).await;
    let whole = leaves(&place.store().await, trail).await;
    assert_eq!(numbers(&whole), (0..204).collect::<Vec<_>>());

    put_back(&copy, &database);
    assert_eq!(leaves(&place.store().await, trail).await, in_copy);
    let audit = place.start().await;
    finish(audit).await;

    let store = place.store().await;
    let refilled = leaves(&store, trail).await;
    assert_eq!(refilled[..whole.len()], whole, "the same bytes as before");
    let count = refilled.len() as u64;
    assert_eq!(numbers(&refilled), (0..count).collect::<Vec<_>>());
    assert_eq!(shown(&store).await, refilled.len(), "each record once");
    // The other sink was not given anything twice.
    assert_eq!(place.in_file(), (0..count).collect::<Vec<_>>());
    place.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_commit_at_once_without_gaps_and_both_sinks_agree() {
    const TASKS: usize = 64;
    const EACH: usize = 50;
    let place = Place::new();
    let audit = place.start().await;
    let trail = audit.origin().trail;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let audit = audit.clone();
        tasks.spawn(async move {
            let mut receipts: Vec<Receipt> = Vec::new();
            for _ in 0..EACH {
                let record = Record::new("document.create").actor(Actor::user(task));
                receipts.push(audit.commit(record).await?);
            }
            assert!(receipts.is_sorted_by(|a, b| a.number < b.number));
            Ok::<_, CommitError>(receipts)
        });
    }
    let mut receipts = Vec::new();
    while let Some(done) = tasks.join_next().await {
        receipts.extend(done.unwrap().unwrap());
    }
    finish(audit).await;

    let leaves = leaves(&place.store().await, trail).await;
    let all: Vec<u64> = (0..leaves.len() as u64).collect();
    assert_eq!(numbers(&leaves), all);
    assert_eq!(place.in_file(), all);
    let acknowledged: BTreeSet<u64> = receipts.iter().map(|it| it.number).collect();
    assert_eq!(
        acknowledged.len(),
        TASKS * EACH,
        "no number was given twice"
    );
    for receipt in &receipts {
        let leaf = &leaves[usize::try_from(receipt.number).unwrap()];
        assert_eq!(leaf.leaf, receipt.leaf);
        assert!(leaf.json.contains(&receipt.id.to_string()), "{leaf:?}");
    }
    place.verify().await;
}
