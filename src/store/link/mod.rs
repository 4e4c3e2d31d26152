//! A connection that only reads, to whichever database it is.
//!
//! What differs stands in one file for each, in the same order: connect, limit, ask.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "mysql")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "sqlite")]
use crate::sql::location::file::{self, FileLocation};
#[cfg(feature = "mysql")]
use crate::sql::mysql::MysqlDatabase;
#[cfg(feature = "postgres")]
use crate::sql::postgres::PostgresDatabase;
use crate::{
    address::{Address, UrlError},
    sql::fault::{Fault, OpenError, reason},
};

use super::{
    cell::{Cell, Row},
    pool::Turn,
    statement::{Dialect, Statement, Tables},
};

/// How much longer than a statement may run its answer may take: a server that is gone says nothing.
#[cfg(any(feature = "postgres", feature = "mysql"))]
const GRACE: Duration = Duration::from_secs(5);

/// Where a store is.
#[derive(Debug)]
pub(super) enum Place {
    #[cfg(feature = "sqlite")]
    Sqlite(FileLocation),
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresDatabase>),
    #[cfg(feature = "mysql")]
    Mysql(Arc<MysqlDatabase>),
}

/// An open connection.
#[derive(Debug)]
pub(super) enum Link {
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlite::Link>),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Link>),
    #[cfg(feature = "mysql")]
    Mysql(Box<mysql::Link>),
}

/// Every scheme of a store, whether or not its feature is on.
const SCHEMES: [&str; 4] = ["sqlite", "postgres", "mysql", "mariadb"];

impl Place {
    pub(super) fn parse(address: &str) -> Result<Self, UrlError> {
        let address = Address::parse(address, &SCHEMES)?;
        match address.scheme.as_str() {
            #[cfg(feature = "sqlite")]
            "sqlite" => FileLocation::from_address(address).map(Self::Sqlite),
            #[cfg(feature = "postgres")]
            "postgres" => {
                PostgresDatabase::from_address(address).map(|found| Self::Postgres(found.into()))
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                MysqlDatabase::from_address(address).map(|found| Self::Mysql(found.into()))
            }
            scheme => {
                let feature = if scheme == "mariadb" { "mysql" } else { scheme };
                let expected = format!(
                    "this program was built without it: turn on the feature `{feature}` of \
                     tower-audit"
                );
                Err(UrlError::new("scheme", scheme, expected))
            }
        }
    }

    /// The address for a person: no login, and no options.
    pub(super) fn address(&self) -> String {
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        use crate::sql::database::Database as _;
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(location) => file::display(&location.path),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.address(),
            #[cfg(feature = "mysql")]
            Self::Mysql(database) => database.address(),
        }
    }

    /// What stands behind the address now, where that can be seen.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(location) => crate::sql::sqlite::identity(&location.path),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => None,
        }
    }

    pub(super) fn tables(&self) -> Tables {
        let (dialect, base) = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(location) => (Dialect::Sqlite, location.prefix.to_string()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => (Dialect::Postgres, database.table("")),
            #[cfg(feature = "mysql")]
            Self::Mysql(database) => (Dialect::Mysql, database.table("")),
        };
        Tables { dialect, base }
    }

    pub(super) async fn connect(&self, limit: Duration) -> Result<Link, OpenError> {
        // A server has a limit of its own for this.
        let _ = limit;
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(location) => {
                Ok(Link::Sqlite(sqlite::connect(location, limit).await?.into()))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                Ok(Link::Postgres(postgres::connect(database).await?.into()))
            }
            #[cfg(feature = "mysql")]
            Self::Mysql(database) => Ok(Link::Mysql(mysql::connect(database).await?.into())),
        }
    }

    pub(super) fn fault(&self, error: &sqlx::Error) -> Fault {
        // Only `within` makes it.
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Fault::Interrupted;
        }
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        use crate::sql::database::Database as _;
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => crate::sql::sqlite::fault(error),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => PostgresDatabase::fault(error),
            #[cfg(feature = "mysql")]
            Self::Mysql(_) => MysqlDatabase::fault(error),
        }
    }

    /// An error as a reason, with the way out if there is one.
    pub(super) fn reason(&self, error: &sqlx::Error) -> String {
        reason(error, self.fault(error))
    }
}

impl Link {
    /// From now on a statement may run so long; in SQLite, all of them together. Also shows whether
    /// a server is still there.
    pub(super) async fn limit(&mut self, limit: Duration) -> sqlx::Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(link) => sqlite::limit(link, limit).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(link) => link.limit(limit).await,
            #[cfg(feature = "mysql")]
            Self::Mysql(link) => link.limit(limit).await,
        }
    }

    /// While it is in use. Where a statement runs on when nobody waits for it, its turn is over only
    /// when it has ended.
    pub(super) fn hold(&mut self, turn: &Turn) {
        match self {
            #[cfg(feature = "mysql")]
            Self::Mysql(link) => link.turn = Some(Turn::clone(turn)),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => {
                let _ = turn;
            }
        }
    }

    /// It is idle from now on.
    pub(super) fn release(&mut self) {
        match self {
            #[cfg(feature = "mysql")]
            Self::Mysql(link) => link.turn = None,
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => {}
        }
    }

    /// Whether an answer was given up that may still come: whoever asks next would wait for it.
    pub(super) fn is_owed(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(link) => link.is_owed,
            #[cfg(feature = "mysql")]
            Self::Mysql(link) => link.is_owed,
        }
    }

    /// All rows of an answer; a statement has a limit, or asks for few by its nature.
    pub(super) async fn rows(&mut self, statement: Statement) -> sqlx::Result<Vec<Row>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(link) => sqlite::rows(link, statement).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(link) => link.rows(statement).await,
            #[cfg(feature = "mysql")]
            Self::Mysql(link) => link.rows(statement).await,
        }
    }
}

/// Waits for a server no longer than for a statement that it would have stopped itself.
#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match tokio::time::timeout(limit.saturating_add(GRACE), answer).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Whether an answer was not waited for.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn gave_up<T>(answer: &sqlx::Result<T>) -> bool {
    matches!(answer, Err(sqlx::Error::PoolTimedOut))
}

/// Takes a row apart, a column at a time.
fn row(
    statement: &Statement,
    cell: impl Fn(usize, super::statement::Kind) -> sqlx::Result<Option<Cell>>,
) -> sqlx::Result<Row> {
    let cells = statement.kinds.iter().enumerate();
    let cells = cells.map(|(column, kind)| match cell(column, *kind) {
        Ok(found) => Ok(found.unwrap_or(Cell::Null)),
        Err(sqlx::Error::ColumnDecode { .. }) => Ok(Cell::Unreadable),
        Err(error) => Err(error),
    });
    cells.collect::<sqlx::Result<_>>().map(Row::new)
}
