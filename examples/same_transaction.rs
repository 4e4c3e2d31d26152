//! Run with `cargo run --features sqlite --example same_transaction`.
//!
//! Three requests make documents in SQLite; each writes its audit record in the same transaction. The third
//! finds no room and rolls back. You will see what is left: two documents, three records, no row in the outbox.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{path::PathBuf, time::Duration};

use axum::{Router, body::Body, extract::State, http::Request, http::StatusCode, routing::post};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tower::ServiceExt;
use tower_audit::{Audit, AuditScope, Target, outbox::SqliteOutbox, sink::SqliteSink};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Service {
    pool: SqlitePool,
    outbox: SqliteOutbox,
}

impl Service {
    async fn insert(&self, scope: &AuditScope, name: &str) -> Result<(), Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let insert = sqlx::query("INSERT INTO documents (name) VALUES (?1)");
        insert.bind(name).execute(&mut *tx).await?;
        self.outbox.record_in(&mut tx, &scope.draft()).await?;
        // The third time this fails: the transaction is dropped, and the row in the outbox with it.
        let take_room = sqlx::query("UPDATE room SET free = free - 1");
        take_room.execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}

async fn create(service: State<Service>, scope: AuditScope, name: String) -> StatusCode {
    scope.action("document.create");
    scope.target(Target::new("document", name.as_str()));
    if let Err(error) = service.insert(&scope, &name).await {
        scope.failure(error.to_string());
        return StatusCode::CONFLICT;
    }
    StatusCode::CREATED
}

const TABLES: &str = "CREATE TABLE documents (name TEXT);
    CREATE TABLE room (free INTEGER CHECK (free >= 0)); INSERT INTO room VALUES (2);";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = PathBuf::from(format!("target/same-transaction/{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let database = SqliteConnectOptions::new().filename(dir.join("service.db"));
    let pool = SqlitePool::connect_with(database.create_if_missing(true)).await?;
    sqlx::raw_sql(TABLES).execute(&pool).await?;
    let outbox = SqliteOutbox::open(dir.join("service.db")).await?;
    let audit = Audit::builder("documents")
        .dir(dir.join("journal"))
        .sink("sqlite", SqliteSink::new(dir.join("audit.db")))
        .outbox(outbox.clone())
        .start()
        .await?;
    let app = Router::new().route("/documents", post(create));
    let service = Service { pool, outbox };
    let app = app.with_state(service.clone()).layer(audit.layer());

    for name in ["Plans", "Budget", "Secrets"] {
        let request = Request::post("/documents").body(Body::from(name))?;
        let response = app.clone().oneshot(request).await?;
        println!("POST /documents {name}: {}", response.status());
    }
    println!("{}", audit.shutdown(Duration::from_secs(10)).await);
    let count = "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM audit_outbox)";
    let (documents, rows): (i64, i64) = sqlx::query_as(count).fetch_one(&service.pool).await?;
    println!("{documents} documents, {rows} rows in the outbox; see the records with");
    println!(
        "  tower-audit query --store sqlite://{}/audit.db",
        dir.display()
    );
    Ok(())
}
