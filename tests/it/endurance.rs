//! Many tasks, sinks that fail, a shutdown in the middle: nothing is lost, nothing comes twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tower_audit::{
    Actor, Audit, AuditBuilder, CommitError, Receipt, Record, Rejected,
    evidence::TreeHead,
    sink::{FileSink, SqliteSink},
    stats::Stats,
    testing::{
        TestTrail,
        sinks::{Answer, MemoryStore, Script},
    },
    verify,
};

use crate::support::found::{self, Trails};

const LONG: Duration = Duration::from_secs(60);

fn record(task: usize) -> Record {
    Record::new("document.create").actor(Actor::user(task.to_string()))
}

fn with_sinks(dir: &Path) -> AuditBuilder {
    let file = FileSink::builder(dir.join("audit.jsonl")).rotate_at_bytes(64 * 1024);
    Audit::builder("endurance")
        .dir(dir.join("journal"))
        .segment_bytes(64 * 1024)
        .reserve_bytes(0)
        .commit_timeout(LONG)
        .sink("sqlite", SqliteSink::new(dir.join("audit.db")))
        .sink("file", file.build().unwrap())
}

// Trap D12: the sums hold at every moment.
#[track_caller]
fn balanced(stats: &Stats) {
    let kept = stats.stored + stats.queued + stats.lost;
    assert_eq!(stats.emitted, kept, "{stats:#?}");
    for sink in &stats.sinks {
        let told = sink.delivered + sink.pending + sink.dead + sink.missed;
        assert_eq!(sink.committed, told, "{sink:#?}");
    }
}

/// What is in the journal; both sinks have exactly that.
#[track_caller]
fn everywhere(dir: &Path) -> Trails {
    let trails = found::journal(&dir.join("journal"));
    assert_eq!(found::database(&dir.join("audit.db")), trails);
    assert_eq!(found::file(&dir.join("audit.jsonl")), trails);
    trails
}

/// Looks at the sums until it is dropped.
struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Watch {
    fn over(audit: &Audit) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (audit, ended) = (audit.clone(), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !ended.load(Ordering::Relaxed) {
                balanced(&audit.stats());
                looks += 1;
                std::thread::yield_now();
            }
            looks
        });
        Self {
            over,
            thread: Some(thread),
        }
    }

    #[track_caller]
    fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        let looks = self.thread.take().unwrap().join().unwrap();
        assert!(looks > 0, "nobody looked");
    }
}

// Trap J4: N threads on one trail.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_64_tasks_finds_its_records_where_its_receipts_say() {
    let dir = tempfile::tempdir().unwrap();
    let audit = with_sinks(dir.path()).start().await.unwrap();
    let watch = Watch::over(&audit);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64 {
        let audit = audit.clone();
        tasks.spawn(async move {
            let mut receipts = Vec::new();
            for _ in 0..20 {
                receipts.push(audit.commit(record(task)).await.unwrap());
            }
            receipts
        });
    }
    let receipts: Vec<Receipt> = tasks.join_all().await.into_iter().flatten().collect();
    let trail = audit.origin().trail;
    watch.end();
    let report = audit.shutdown(LONG).await;
    assert!(report.in_order, "{report}");
    balanced(&audit.stats());

    assert_eq!(receipts.len(), 64 * 20);
    let mut options = verify::Options::new();
    for receipt in &receipts {
        let head = TreeHead::new(receipt.tree_size, receipt.root);
        let (number, leaf) = (receipt.number, receipt.leaf);
        options = options.expect(verify::Expected::receipt(trail, number, leaf, head));
    }
    let checked = verify::journal(dir.path().join("journal"), options).unwrap();
    assert!(checked.holds(), "{checked}");
    let records = tokio::task::block_in_place(|| everywhere(dir.path()));
    let records = &records[&trail.to_string()];
    for receipt in receipts {
        let kept = &records[usize::try_from(receipt.number).unwrap()];
        assert_eq!(kept.field("id"), receipt.id.to_string());
    }
}

// Traps D1, D2, D8: one sink is down in each way there is, the other one is not delayed.
#[test]
fn a_sink_that_is_down_delays_no_other_and_has_everything_once_in_the_end() {
    for answer in [
        Answer::Retry,
        Answer::RetryAfter(Duration::from_millis(200)),
        Answer::Hang,
        Answer::BlockThread,
        Answer::Panic,
        Answer::StoreThenRetry,
        Answer::StoreThenPanic,
        // Longer than this test may sleep between two looks, on a machine that is busy with others.
        Answer::Slow(Duration::from_secs(3)),
    ] {
        let (up, down, script) = (MemoryStore::new(), MemoryStore::new(), Script::new());
        let trail = TestTrail::with(|builder| {
            builder
                .sink("up", up.sink())
                .sink("down", script.around(down.sink()))
        });
        script.always(answer);
        let watch = Watch::over(trail.audit());
        let size = commit_from_threads(trail.audit(), 8, 100);
        let own = trail.audit().origin().trail;
        up.wait_until("the other one has everything", |contents| {
            contents.numbers(own).len() as u64 >= size
        });
        let stores = matches!(answer, Answer::StoreThenRetry | Answer::StoreThenPanic);
        let behind = down.contents().numbers(own).len() as u64;
        assert!(stores || behind < size, "{answer:?}: it was not down");
        script.heal();
        watch.end();
        let report = trail.shutdown();
        let expected: Vec<u64> = (0..trail.audit().stats().stored).collect();
        assert_eq!(up.contents().numbers(own), expected, "{answer:?}: {report}");
        assert_eq!(
            down.contents().numbers(own),
            expected,
            "{answer:?}: {report}"
        );
    }
}

/// Commits from several threads at once; gives the size of the largest tree.
fn commit_from_threads(audit: &Audit, threads: usize, records: usize) -> u64 {
    let largest = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let largest = &largest;
            scope.spawn(move || {
                for _ in 0..records {
                    let receipt = audit.commit_blocking(record(thread)).unwrap();
                    largest.fetch_max(receipt.tree_size, Ordering::Relaxed);
                }
            });
        }
    });
    largest.into_inner()
}

// Trap D14: a database restored from a backup does not stay short.
#[test]
fn an_older_copy_of_the_database_is_refilled_to_the_last_record() {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("audit.db"), dir.path().join("copy.db"));
    let run = |records| {
        let audit = with_sinks(dir.path()).start_blocking().unwrap();
        commit_from_threads(&audit, 4, records);
        let report = audit.shutdown_blocking(LONG);
        assert!(report.in_order, "{report}");
    };
    run(25);
    std::fs::copy(&database, &copy).unwrap();
    run(50);
    let records = everywhere(dir.path());
    std::fs::rename(&copy, &database).unwrap();
    assert_ne!(found::database(&database), records, "the copy is older");
    run(5);
    let refilled = everywhere(dir.path());
    let (before, after) = (records.values().next(), refilled.values().next());
    assert!(after.map(Vec::len) > before.map(Vec::len));
}

// Trap D7: a shutdown under load loses no tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_under_load_keeps_everything_that_was_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let audit = with_sinks(dir.path()).start().await.unwrap();
    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    let ready = Arc::new(tokio::sync::Barrier::new(17));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let (audit, accepted) = (audit.clone(), Arc::clone(&accepted));
        let ready = Arc::clone(&ready);
        tasks.spawn(async move {
            let accept = |id: tower_audit::clock::RecordId| {
                accepted.lock().unwrap().insert(id.to_string());
            };
            for round in 0.. {
                match audit.record(record(task)) {
                    Ok(id) => accept(id),
                    Err(Rejected::Full) => {}
                    Err(rejected) => return assert_eq!(rejected, Rejected::Closed),
                }
                match audit.commit(record(task)).await {
                    Ok(receipt) => accept(receipt.id),
                    Err(error) => {
                        return assert_eq!(error, CommitError::Rejected(Rejected::Closed));
                    }
                }
                if round == 5 {
                    ready.wait().await;
                }
            }
        });
    }
    ready.wait().await;
    // As on SIGTERM: the service still works.
    let report = audit.shutdown(LONG).await;
    assert!(report.in_order, "{report}");
    tasks.join_all().await;
    balanced(&audit.stats());
    let trails = tokio::task::block_in_place(|| everywhere(dir.path()));
    let kept: BTreeMap<String, u64> = trails
        .values()
        .flatten()
        .map(|kept| (kept.field("id"), kept.number))
        .collect();
    let accepted = accepted.lock().unwrap();
    assert!(accepted.len() >= 16 * 12, "{}", accepted.len());
    let missing: Vec<_> = accepted
        .iter()
        .filter(|id| !kept.contains_key(*id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let began = Instant::now();
    drop(audit);
    // Everything was done by the shutdown.
    assert!(began.elapsed() < Duration::from_secs(5));
}
