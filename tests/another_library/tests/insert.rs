//! The documented `INSERT` from `tokio-postgres`: a change made with another library than sqlx
//! commits together with its record.

use tokio_postgres::{Client, NoTls};
use tower_audit::{
    AuditScope, Record, assert_recorded,
    outbox::PostgresOutbox,
    testing::{TestTrail, disk::TestDisk},
};

/// The server's URL: from `AUDIT_TEST_POSTGRES_URL`, or from what `scripts/services up` left.
///
/// # Panics
///
/// With `AUDIT_TEST_REQUIRE=1`, when it is not there.
fn postgres() -> Option<String> {
    let left = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/services/urls");
    let from_script = || {
        let urls = std::fs::read_to_string(left).ok()?;
        let mut lines = urls.lines();
        lines.find_map(|line| line.strip_prefix("POSTGRES_URL=").map(str::to_owned))
    };
    let url = std::env::var("AUDIT_TEST_POSTGRES_URL")
        .ok()
        .or_else(from_script);
    if url.is_none() {
        let required = std::env::var_os("AUDIT_TEST_REQUIRE").is_some_and(|value| value == "1");
        assert!(!required, "no PostgreSQL; run scripts/services up");
        eprintln!("skipped: no PostgreSQL; run scripts/services up");
    }
    url
}

/// The statement that the documentation gives, and nothing else.
fn documented_insert() -> &'static str {
    let page = include_str!("../../../docs/same-transaction.md");
    page.lines()
        .find(|line| line.starts_with("INSERT INTO audit_outbox") && line.contains("$1"))
        .expect("an INSERT with $1 in the documentation")
}

/// A service with a schema of its own, in which the outbox and its documents are.
struct Service {
    client: Client,
    outbox: PostgresOutbox,
}

impl Service {
    async fn new(url: &str, schema: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let setup = format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
             CREATE TABLE {schema}.documents (id text)"
        );
        client.batch_execute(&setup).await.unwrap();
        Self::watch(url, schema).await
    }

    /// The same over a connection of its own.
    async fn watch(url: &str, schema: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let path = format!("SET search_path = {schema}");
        client.batch_execute(&path).await.unwrap();
        let outbox = PostgresOutbox::open(&format!("{url}?schema={schema}")).await;
        let outbox = outbox.unwrap();
        Self { client, outbox }
    }

    /// A document, and its record beside it.
    async fn create(&mut self) {
        let draft = AuditScope::current().unwrap().draft();
        let (id, trail, run) = (draft.id(), draft.trail(), draft.run());
        let (id, trail, run) = (id.to_string(), trail.to_string(), run.to_string());
        let tx = self.client.transaction().await.unwrap();
        let insert = "INSERT INTO documents VALUES ($1)";
        tx.execute(insert, &[&id]).await.unwrap();
        let values = [
            &id as &(dyn tokio_postgres::types::ToSql + Sync),
            &trail,
            &run,
            &draft.json(),
        ];
        tx.execute(documented_insert(), &values).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn rows(&self) -> i64 {
        let count = "SELECT count(*) FROM audit_outbox";
        self.client.query_one(count, &[]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn a_change_made_with_another_library_leaves_one_record_and_no_row() {
    let Some(url) = postgres() else {
        return;
    };
    let mut service = Service::new(&url, "another_library_row").await;
    let trail = TestTrail::on(&TestDisk::new(), |builder| {
        builder.outbox(service.outbox.clone())
    });
    let work = async {
        service.create().await;
        assert_eq!(service.rows().await, 1, "committed with the change");
    };
    trail
        .audit()
        .scope(Record::new("document.create"))
        .run(work)
        .await;
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, 0);
    assert_recorded!(trail, {"action": "document.create", "outcome": "success"});
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn a_row_that_a_dead_process_left_is_in_the_trail_after_the_next_start() {
    let Some(url) = postgres() else {
        return;
    };
    let mut service = Service::new(&url, "another_library_left").await;
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder.outbox(service.outbox.clone()));
    let (committed, reached) = tokio::sync::oneshot::channel();
    let work = async {
        service.create().await;
        let _ = committed.send(disk.after_kill());
        // The process is gone before the work ends.
        std::future::pending::<()>().await;
    };
    let mut job = Box::pin(
        trail
            .audit()
            .scope(Record::new("document.create"))
            .run(work),
    );
    let left = tokio::select! {
        _ = &mut job => panic!("the work ended"),
        left = reached => left.unwrap(),
    };
    let watcher = Service::watch(&url, "another_library_left").await;
    let again = TestTrail::on(&left, |builder| builder.outbox(watcher.outbox.clone()));
    let _ = again.shutdown();
    assert_eq!(watcher.rows().await, 0);
    assert_recorded!(again, {"action": "document.create", "outcome": "unknown"});
}
