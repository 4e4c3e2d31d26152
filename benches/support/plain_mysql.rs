//! The reference for MariaDB: the rows ready in memory, written with multi-row `INSERT`.

use serde_json::Value;
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection,
    mysql::{MySqlArguments, MySqlConnectOptions, MySqlSslMode},
};
use tower_audit::sink::Batch;

use super::Fallible;

/// The tables, from the file that the crate itself uses.
const TABLES: &str = include_str!("../../migrations/mysql/0001_records.sql");

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

/// How the same rows are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Prepared,
    Text,
}

/// A value of a row.
enum Cell {
    Number(i64),
    Bytes(Vec<u8>),
    Text(Option<String>),
}

/// The rows of one statement; its text with marks, and with the values.
struct Piece {
    rows: Vec<Vec<Cell>>,
    prepared: String,
    text: String,
}

/// The values of all rows, in the transactions in which they are written.
pub(crate) struct Plain {
    records: u64,
    transactions: Vec<Vec<Piece>>,
}

impl Plain {
    /// Takes the same rows into the same transactions as these batches.
    pub(crate) fn new(batches: &[Batch]) -> Fallible<Self> {
        let mut plain = Self {
            records: 0,
            transactions: Vec::new(),
        };
        for batch in batches {
            let (mut records, mut targets) = (Vec::new(), Vec::new());
            for record in &batch.records {
                plain.records += 1;
                let json: Value = serde_json::from_str(&record.json)?;
                let text = |at: &str| json.pointer(at).and_then(Value::as_str).map(str::to_owned);
                let id: uuid::Uuid = text("/id").ok_or("no id")?.parse()?;
                let id = || Cell::Bytes(id.as_bytes().to_vec());
                let timestamp: tower_audit::clock::Timestamp =
                    text("/timestamp").ok_or("no timestamp")?.parse()?;
                let mut row = vec![
                    Cell::Number(i64::try_from(plain.records)?),
                    id(),
                    Cell::Bytes(batch.origin.trail.as_bytes().to_vec()),
                    Cell::Number(i64::try_from(record.number)?),
                    Cell::Bytes(record.leaf.as_bytes().to_vec()),
                    Cell::Number(batch.received.as_micros()),
                    Cell::Number(timestamp.as_micros()),
                ];
                row.extend(TEXTS.map(|at| Cell::Text(text(at))));
                row.push(Cell::Text(Some(record.json.to_string())));
                records.push(row);
                // The records of the benches have one target, those of the trail itself none.
                if let Some(kind) = text("/targets/0/type") {
                    let of = |at| Cell::Text(text(at));
                    let (target, name) = (of("/targets/0/id"), of("/targets/0/name"));
                    targets.push(vec![
                        id(),
                        Cell::Number(0),
                        Cell::Text(Some(kind)),
                        target,
                        name,
                    ]);
                }
            }
            let mut pieces = pieces(RECORDS, records);
            pieces.extend(self::pieces(TARGETS, targets));
            plain.transactions.push(pieces);
        }
        Ok(plain)
    }

    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// A connection to a database, with the tables.
    pub(crate) async fn open(&self, url: &str) -> Fallible<MySqlConnection> {
        let options: MySqlConnectOptions = url.parse()?;
        // As the sink to the same machine: over TLS it was a third as fast.
        let options = options.ssl_mode(MySqlSslMode::Disabled);
        let mut connection = options.disable_statement_logging().connect().await?;
        sqlx::raw_sql(TABLES).execute(&mut connection).await?;
        Ok(connection)
    }

    /// Writes everything, one transaction a batch.
    pub(crate) async fn write(&self, connection: &mut MySqlConnection, way: Way) -> Fallible<()> {
        for pieces in &self.transactions {
            let mut transaction = connection.begin().await?;
            for piece in pieces {
                match way {
                    Way::Prepared => {
                        let arguments = arguments(&piece.rows)?;
                        let sql = AssertSqlSafe(piece.prepared.as_str());
                        let insert = sqlx::query_with(sql, arguments);
                        insert.execute(&mut *transaction).await?;
                    }
                    Way::Text => {
                        let insert = sqlx::raw_sql(AssertSqlSafe(piece.text.as_str()));
                        insert.execute(&mut *transaction).await?;
                    }
                }
            }
            transaction.commit().await?;
        }
        Ok(())
    }
}

fn pieces(start: &str, rows: Vec<Vec<Cell>>) -> Vec<Piece> {
    let mut rows = rows.into_iter();
    let mut pieces = Vec::new();
    loop {
        let rows: Vec<_> = rows.by_ref().take(ROWS).collect();
        let Some(first) = rows.first() else {
            return pieces;
        };
        let marks = format!("({})", vec!["?"; first.len()].join(", "));
        let prepared = format!("{start}{}", vec![marks; rows.len()].join(", "));
        let literals: Vec<String> = rows.iter().map(|row| literals(row)).collect();
        let text = format!("{start}{}", literals.join(", "));
        pieces.push(Piece {
            rows,
            prepared,
            text,
        });
    }
}

fn arguments(rows: &[Vec<Cell>]) -> Fallible<MySqlArguments> {
    let mut arguments = MySqlArguments::default();
    for cell in rows.iter().flatten() {
        let added = match cell {
            Cell::Number(number) => arguments.add(*number),
            Cell::Bytes(bytes) => arguments.add(bytes.as_slice()),
            Cell::Text(text) => arguments.add(text.as_deref()),
        };
        added.map_err(|error| error.to_string())?;
    }
    Ok(arguments)
}

/// A row as it stands in SQL.
fn literals(row: &[Cell]) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|cell| match cell {
            Cell::Number(number) => number.to_string(),
            Cell::Bytes(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("x'{digits}'")
            }
            Cell::Text(None) => "NULL".to_owned(),
            Cell::Text(Some(text)) => {
                format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
            }
        })
        .collect();
    format!("({})", cells.join(", "))
}
