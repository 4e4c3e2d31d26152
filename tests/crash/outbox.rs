//! Processes that are killed while they write records in the transactions of a database of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tokio::task::JoinSet;
use tower_audit::{Audit, AuditScope, Record, outbox::SqliteOutbox};

use crate::{
    cases::{Tally, say},
    check, found,
    place::{self, Place},
    program::{PATIENCE, Program},
    random::{self, Random},
};

const ROUNDS: u64 = 8;

/// How long a child may work before it is killed.
const LONGEST: Duration = Duration::from_millis(400);

/// A service's database with documents, and the outbox in it.
#[derive(Debug, Clone)]
struct Service {
    pool: SqlitePool,
    outbox: SqliteOutbox,
}

impl Service {
    async fn open(dir: &Path) -> Self {
        let path = dir.join("service.db");
        let options = SqliteConnectOptions::new().filename(&path);
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(4);
        let pool = pool.connect_with(options).await.unwrap();
        let create = "CREATE TABLE IF NOT EXISTS documents (id TEXT NOT NULL PRIMARY KEY)";
        sqlx::raw_sql(create).execute(&pool).await.unwrap();
        let outbox = SqliteOutbox::open(path).await.unwrap();
        Self { pool, outbox }
    }

    async fn start(&self, dir: &Path) -> Audit {
        let builder = place::trail(dir).commit_timeout(PATIENCE);
        let builder = builder.adopt_every(Duration::from_millis(50));
        builder.outbox(self.outbox.clone()).start().await.unwrap()
    }

    /// A document whose id is that of its record; every third is rolled back.
    async fn create(&self, number: u64) -> Result<(), &'static str> {
        let scope = AuditScope::current().unwrap();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let insert = sqlx::query("INSERT INTO documents VALUES (?1)").bind(scope.id().to_string());
        insert.execute(&mut *tx).await.unwrap();
        let draft = scope.draft();
        self.outbox.record_in(&mut tx, &draft).await.unwrap();
        if number % 3 == 2 {
            tx.rollback().await.unwrap();
            return Err("rolled back");
        }
        tx.commit().await.unwrap();
        Ok(())
    }

    async fn ids(&self, query: &'static str) -> BTreeSet<String> {
        let rows = sqlx::query(query).fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Makes documents from a few tasks until it is killed.
pub(crate) fn child(dir: &Path) -> ExitCode {
    runtime().block_on(async {
        let service = Service::open(dir).await;
        let audit = service.start(dir).await;
        say("ready");
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let (service, audit) = (service.clone(), audit.clone());
            tasks.spawn(async move {
                for number in 0.. {
                    let job = audit.scope(Record::new("document.create"));
                    let _ = job.try_run(service.create(number)).await;
                }
            });
        }
        tasks.join_next().await;
        ExitCode::FAILURE
    })
}

// What was committed is in the trail exactly once, whenever the process is killed.
pub(crate) fn outbox_test() -> Tally {
    let seed = random::setting("AUDIT_KILL_SEED").unwrap_or_else(random::by_chance);
    let (mut tally, mut left) = (Tally::default(), 0);
    for number in 0..ROUNDS * 10 {
        // A machine may be so slow that no kill of these leaves a row: then there are more.
        if number >= ROUNDS && left > 0 {
            break;
        }
        let name = format!("round {number} of AUDIT_KILL_SEED={seed}");
        let mut random = Random::new(seed.wrapping_add(number));
        left += tally
            .check(&name, |place| round(place, &mut random))
            .unwrap_or_default();
    }
    tally.check("the kills left rows behind", |_| assert!(left > 0));
    tally.note(format!("AUDIT_KILL_SEED={seed}, {left} rows left, "));
    tally
}

/// Gives how many rows the kills left.
fn round(place: &Place, random: &mut Random) -> usize {
    let mut left = 0;
    for _ in 0..1 + random.below(3) {
        let mut program = Program::start(&["outbox", place.arg()]);
        program.wait_for("ready");
        // Sleep: the process is to die at a random moment; that is what is tested.
        std::thread::sleep(random.time_below(LONGEST));
        program.kill();
        check::verified(place.path());
        left += runtime().block_on(async {
            let service = Service::open(place.path()).await;
            service.ids("SELECT id FROM audit_outbox").await.len()
        });
    }
    runtime().block_on(last_run(place.path()));
    left
}

/// One start and one end, then nothing is left and nothing is missing.
async fn last_run(dir: &Path) {
    let service = Service::open(dir).await;
    let audit = service.start(dir).await;
    let report = audit.shutdown(PATIENCE).await;
    assert!(report.in_order, "{report}");
    let rows = service.ids("SELECT id FROM audit_outbox").await;
    assert_eq!(rows, BTreeSet::new(), "rows are left");
    let mut outcomes = BTreeMap::new();
    for kept in found::journal(&place::journal(dir)).into_values().flatten() {
        if kept.field("action") == "document.create" {
            let twice = outcomes.insert(kept.field("id"), kept.field("outcome"));
            assert_eq!(twice, None, "{}", kept.json);
        }
    }
    let documents = service.ids("SELECT id FROM documents").await;
    let missing: Vec<_> = documents
        .iter()
        .filter(|id| !outcomes.contains_key(*id))
        .collect();
    assert!(
        missing.is_empty(),
        "committed without a record: {missing:?}"
    );
    for (id, outcome) in outcomes {
        let committed = documents.contains(&id);
        assert_eq!(committed, outcome != "error", "{id}: {outcome}");
    }
}
