//! The reference for SQLite: the rows ready in memory, written with multi-row `INSERT`.

use std::{path::Path, sync::Arc};

use serde_json::Value;
use sqlx::Arguments as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{
        SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode,
        SqliteSynchronous,
    },
};
use tower_audit::sink::Batch;

use super::Fallible;

/// The tables, from the file that the crate itself uses.
const TABLES: &str = include_str!("../../migrations/sqlite/0001_records.sql");

/// Rows of one `INSERT`; more were not faster.
const ROWS: usize = 128;

const RECORDS: &str = "INSERT INTO audit_records \
    (arrival, id, trail, number, leaf, received, timestamp, action, category, outcome, \
    actor_type, actor_id, actor_name, tenant, application, service, instance, ip, session, \
    request_id, json) VALUES ";

const TARGETS: &str = "INSERT INTO audit_targets (record, position, type, id, name) VALUES ";

/// Where the values of the text columns stand in a record.
const TEXTS: [&str; 13] = [
    "/action",
    "/category",
    "/outcome",
    "/actor/type",
    "/actor/id",
    "/actor/name",
    "/tenant/id",
    "/application/id",
    "/service/name",
    "/service/instance",
    "/context/ip_address",
    "/context/session_id",
    "/context/request_id",
];

/// The values of all rows, in the transactions in which they are written.
pub(crate) struct Plain {
    trail: Vec<u8>,
    groups: Vec<(Vec<Row>, Vec<Target>)>,
    insert_records: Insert,
    insert_targets: Insert,
}

struct Row {
    id: Vec<u8>,
    number: i64,
    leaf: Vec<u8>,
    timestamp: i64,
    texts: [Option<Arc<str>>; 13],
    json: Arc<str>,
}

struct Target {
    record: Vec<u8>,
    position: i64,
    kind: Arc<str>,
    id: Arc<str>,
    name: Option<Arc<str>>,
}

impl Plain {
    /// Takes the same rows into the same transactions as these batches.
    pub(crate) fn new(batches: &[Batch]) -> Fallible<Self> {
        let trail = batches.first().ok_or("no batches")?.origin.trail;
        let mut groups = Vec::new();
        for batch in batches {
            let (mut rows, mut targets) = (Vec::new(), Vec::new());
            for record in &batch.records {
                let json: Value = serde_json::from_str(&record.json)?;
                let row = row(record, &json)?;
                targets.extend(target(&row, &json));
                rows.push(row);
            }
            groups.push((rows, targets));
        }
        Ok(Self {
            trail: trail.as_bytes().to_vec(),
            groups,
            insert_records: Insert::new(RECORDS, 21),
            insert_targets: Insert::new(TARGETS, 5),
        })
    }

    pub(crate) fn records(&self) -> u64 {
        self.groups.iter().map(|(rows, _)| rows.len() as u64).sum()
    }

    /// A new database with the tables, under the pragmas that the sink uses.
    pub(crate) async fn open(&self, database: &Path) -> Fallible<SqliteConnection> {
        let mut connection = SqliteConnectOptions::new()
            .filename(database)
            .create_if_missing(true)
            .disable_statement_logging()
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", "67108864")
            .connect()
            .await?;
        sqlx::raw_sql(TABLES).execute(&mut connection).await?;
        Ok(connection)
    }

    /// Writes everything, one transaction a batch.
    pub(crate) async fn write(&self, connection: &mut SqliteConnection) -> Fallible<()> {
        let mut arrival = 0;
        for (rows, targets) in &self.groups {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            for rows in rows.chunks(ROWS) {
                let mut arguments = SqliteArguments::default();
                for row in rows {
                    arrival += 1;
                    self.bind(&mut arguments, row, arrival)?;
                }
                let sql = self.insert_records.rows(rows.len());
                sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut *transaction)
                    .await?;
            }
            for targets in targets.chunks(ROWS) {
                let mut arguments = SqliteArguments::default();
                for target in targets {
                    bind_target(&mut arguments, target)?;
                }
                let sql = self.insert_targets.rows(targets.len());
                sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    fn bind(&self, arguments: &mut SqliteArguments, row: &Row, arrival: i64) -> Fallible<()> {
        let added = (|| {
            arguments.add(arrival)?;
            arguments.add(row.id.as_slice())?;
            arguments.add(self.trail.as_slice())?;
            arguments.add(row.number)?;
            arguments.add(row.leaf.as_slice())?;
            arguments.add(row.timestamp)?;
            arguments.add(row.timestamp)?;
            for text in &row.texts {
                arguments.add(text.clone())?;
            }
            arguments.add(Arc::clone(&row.json))
        })();
        added.map_err(|error| error.to_string().into())
    }
}

fn bind_target(arguments: &mut SqliteArguments, target: &Target) -> Fallible<()> {
    let added = (|| {
        arguments.add(target.record.as_slice())?;
        arguments.add(target.position)?;
        arguments.add(Arc::clone(&target.kind))?;
        arguments.add(Arc::clone(&target.id))?;
        arguments.add(target.name.clone())
    })();
    added.map_err(|error| error.to_string().into())
}

fn row(record: &tower_audit::sink::Delivery, json: &Value) -> Fallible<Row> {
    let id: uuid::Uuid = text(json, "/id").ok_or("no id")?.parse()?;
    let timestamp: tower_audit::clock::Timestamp =
        text(json, "/timestamp").ok_or("no timestamp")?.parse()?;
    Ok(Row {
        id: id.as_bytes().to_vec(),
        number: i64::try_from(record.number)?,
        leaf: record.leaf.as_bytes().to_vec(),
        timestamp: timestamp.as_micros(),
        texts: TEXTS.map(|at| text(json, at)),
        json: record.json.as_ref().into(),
    })
}

/// The records of the benches have one target, those of the trail itself have none.
fn target(row: &Row, json: &Value) -> Option<Target> {
    Some(Target {
        record: row.id.clone(),
        position: 0,
        kind: text(json, "/targets/0/type")?,
        id: text(json, "/targets/0/id")?,
        name: text(json, "/targets/0/name"),
    })
}

fn text(json: &Value, at: &str) -> Option<Arc<str>> {
    json.pointer(at).and_then(Value::as_str).map(Arc::from)
}

/// One `INSERT` of [`ROWS`] rows, and of any other number.
struct Insert {
    head: &'static str,
    values: usize,
    usual: Arc<str>,
}

impl Insert {
    fn new(head: &'static str, values: usize) -> Self {
        let usual = insert(head, ROWS, values).into();
        Self {
            head,
            values,
            usual,
        }
    }

    fn rows(&self, rows: usize) -> Arc<str> {
        if rows == ROWS {
            Arc::clone(&self.usual)
        } else {
            insert(self.head, rows, self.values).into()
        }
    }
}

/// `INSERT … VALUES (?, ?), (?, ?)`
fn insert(head: &str, rows: usize, values: usize) -> String {
    let one = format!("({})", vec!["?"; values].join(", "));
    format!("{head}{}", vec![one; rows].join(", "))
}
