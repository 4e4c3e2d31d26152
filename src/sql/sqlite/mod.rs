//! SQLite: one file, one writer at a time, any number of readers.
//!
//! WAL with `synchronous=FULL`: a batch that was committed is on stable storage. The file is made
//! readable by its owner only, and so are the journals beside it.

mod fault;
mod statements;
mod write;

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, Sqlite, SqliteConnection, Transaction,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

pub(crate) use self::fault::fault;
use self::statements::Statements;
use super::{
    TablePrefix,
    database::{Database, Found},
    fault::{Fault, OpenError},
    group::Group,
    location::file,
    rows::Row as RecordRow,
    schema::{self, Migration, Version},
};
use crate::record::Origin;

/// How long a statement waits for another process's lock before the batch is tried later.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Longer than this nobody waits for a lock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// A database in a file, and the prefix of the tables in it.
#[derive(Debug)]
pub(crate) struct SqliteDatabase {
    path: PathBuf,
    prefix: TablePrefix,
    busy_timeout: Duration,
    statements: Statements,
}

impl SqliteDatabase {
    /// A file, with tables that begin with `audit_`. Opens nothing yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        let prefix = TablePrefix::default();
        Self {
            path: path.into(),
            statements: Statements::new(&prefix),
            prefix,
            busy_timeout: BUSY_TIMEOUT,
        }
    }

    pub(crate) fn table_prefix(&mut self, prefix: TablePrefix) {
        self.statements = Statements::new(&prefix);
        self.prefix = prefix;
    }

    /// The name of a table.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn busy_timeout(&mut self, timeout: Duration) {
        self.busy_timeout = timeout;
    }
}

impl Database for SqliteDatabase {
    type Driver = Sqlite;

    const KIND: &'static str = "sqlite";

    const MIGRATIONS: &'static [Migration] = schema::SQLITE;

    fn address(&self) -> String {
        file::display(&self.path)
    }

    fn identity(&self) -> Option<(u64, u64)> {
        identity(&self.path)
    }

    fn fault(error: &sqlx::Error) -> Fault {
        fault(error)
    }

    async fn connect(&self) -> Result<SqliteConnection, OpenError> {
        Ok(connect(&self.path, Access::Write, self.busy_timeout).await?)
    }

    async fn version(&self, connection: &mut SqliteConnection) -> sqlx::Result<Option<Version>> {
        version(connection, &self.prefix).await
    }

    async fn lock<'c>(
        &self,
        connection: &'c mut SqliteConnection,
    ) -> sqlx::Result<Transaction<'c, Sqlite>> {
        self.begin(connection).await
    }

    async fn apply(&self, connection: &mut SqliteConnection, step: &Migration) -> sqlx::Result<()> {
        apply(connection, &self.prefix, step).await
    }

    async fn prepare(
        &self,
        _connection: &mut SqliteConnection,
        service_role: Option<&str>,
    ) -> Result<Vec<String>, OpenError> {
        match service_role {
            None => Ok(Vec::new()),
            Some(_) => Err(OpenError::Repair(
                "SQLite has no roles: who may write is said by the mode of the file".to_owned(),
            )),
        }
    }

    async fn begin<'c>(
        &self,
        connection: &'c mut SqliteConnection,
    ) -> sqlx::Result<Transaction<'c, Sqlite>> {
        connection.begin_with("BEGIN IMMEDIATE").await
    }

    async fn position(
        &self,
        connection: &mut SqliteConnection,
        origin: &Origin,
    ) -> sqlx::Result<Option<u64>> {
        write::position(connection, &self.statements, origin).await
    }

    async fn arrivals(&self, connection: &mut SqliteConnection, count: i64) -> sqlx::Result<i64> {
        write::arrivals(connection, &self.statements, count).await
    }

    async fn insert<'a>(
        &self,
        connection: &mut SqliteConnection,
        group: &Group<'a>,
        rows: &[&'a RecordRow<'a>],
        arrival: i64,
    ) -> sqlx::Result<()> {
        write::insert(connection, &self.statements, group, rows, arrival).await
    }

    async fn look_up(
        &self,
        connection: &mut SqliteConnection,
        group: &Group<'_>,
    ) -> sqlx::Result<Vec<Found>> {
        write::look_up(connection, &self.statements, group).await
    }

    async fn move_on(
        &self,
        connection: &mut SqliteConnection,
        group: &Group<'_>,
    ) -> sqlx::Result<()> {
        write::move_on(connection, &self.statements, group).await
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Makes the file when it is missing, readable by its owner only.
    Write,
    /// Changes nothing, not even the mode of the journal.
    Read,
}

/// Opens a database file.
pub(crate) async fn connect(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
) -> sqlx::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        // The driver counts it in 31 bits of milliseconds, and panics beyond.
        .busy_timeout(busy_timeout.min(LONGEST_TIMEOUT))
        // A statement here can be 30 kB long; it has no place in anybody's log.
        .disable_statement_logging();
    let options = match access {
        Access::Read => options.read_only(true),
        Access::Write => {
            create_private(path)?;
            options
                .auto_vacuum(SqliteAutoVacuum::Incremental)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                // 16 MiB of pages in memory, and as much in the log before it moves into the
                // database: with a dozen indexes, smaller ones write the same pages again and
                // again.
                .pragma("cache_size", "-16384")
                .pragma("wal_autocheckpoint", "4000")
                .pragma("journal_size_limit", "67108864")
        }
    };
    options.connect().await
}

/// Makes the file before SQLite does: its journals take over the mode it has.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        // SQLite syncs what is in the file, but not that there is one.
        Ok(_) => fs::File::open(directory_of(path))?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Device and inode of the file that has this name now; `None` when there is none.
///
/// A database that was removed or replaced goes on to be written under no name at all.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

async fn apply(
    connection: &mut SqliteConnection,
    prefix: &TablePrefix,
    step: &Migration,
) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(step.sql(prefix)))
        .execute(&mut *connection)
        .await?;
    let note = format!(
        "INSERT INTO {prefix}schema (number, name, major, minor, applied) \
         VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('subsec') * 1000000 AS INTEGER))"
    );
    sqlx::query(AssertSqlSafe(note))
        .bind(step.number)
        .bind(step.name)
        .bind(step.version.major)
        .bind(step.version.minor)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the tables are there and in a format that a reader understands.
pub(crate) async fn readable(
    connection: &mut SqliteConnection,
    prefix: &TablePrefix,
) -> Result<(), OpenError> {
    let found = version(connection, prefix).await?;
    Ok(schema::readable(schema::SQLITE, found)?)
}

/// The version of the tables; `None` when there are none with this prefix.
async fn version(
    connection: &mut SqliteConnection,
    prefix: &TablePrefix,
) -> sqlx::Result<Option<Version>> {
    let table = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1")
        .bind(format!("{prefix}schema"))
        .fetch_optional(&mut *connection)
        .await?;
    if table.is_none() {
        return Ok(None);
    }
    let newest =
        format!("SELECT major, minor FROM {prefix}schema ORDER BY major DESC, minor DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(newest))
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Version {
            major: row.try_get(0)?,
            minor: row.try_get(1)?,
        })
    })
    .transpose()
}
