//! A few connections that only read, each with a limit on what it runs.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::SqliteConnection;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::StoreError;
use crate::sql::{
    fault::{Fault, OpenError},
    location::file::{self, FileLocation},
    sqlite::{self, Access},
};

/// How many statements run at once; the next ones wait for their turn.
const READERS: usize = 4;

/// How many steps SQLite does between two looks at the clock; about a millisecond.
const STEPS: i32 = 10_000;

/// Connections to one database file, opened when they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    location: FileLocation,
    limit: Mutex<Duration>,
    turns: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: SqliteConnection,
    file: Option<(u64, u64)>,
}

/// A connection that is in use. Dropped without being given back, it is closed.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) connection: SqliteConnection,
    file: Option<(u64, u64)>,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(location: FileLocation, limit: Duration) -> Self {
        Self {
            location,
            limit: Mutex::new(limit),
            turns: Semaphore::new(READERS),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn limit(&self, limit: Duration) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    fn longest(&self) -> Duration {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unbuilt(&self) -> StoreError {
        self.failed("not built yet")
    }

    /// A connection whose next statement has the whole time limit.
    pub(super) async fn take(&self) -> Result<Reader<'_>, StoreError> {
        // Never closed, so that this cannot fail; and every turn ends with its statement's limit.
        let turn = self.turns.acquire().await;
        let turn = turn.map_err(|error| self.failed(error))?;
        let file = sqlite::identity(&self.location.path);
        let mut reader = match self.idle(file) {
            Some(connection) => Reader {
                connection,
                file,
                _turn: turn,
            },
            None => Reader {
                connection: self.connect().await?,
                file,
                _turn: turn,
            },
        };
        // A limit beyond what the clock can count is none.
        let deadline = Instant::now().checked_add(self.longest());
        let handle = reader.connection.lock_handle().await;
        let mut handle = handle.map_err(|error| self.explain(&error))?;
        handle.set_progress_handler(STEPS, move || {
            deadline.is_none_or(|deadline| Instant::now() < deadline)
        });
        drop(handle);
        Ok(reader)
    }

    /// An idle connection to the file that has the name now. One to a file that was replaced
    /// would go on to answer from the old one.
    fn idle(&self, file: Option<(u64, u64)>) -> Option<SqliteConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.file == file);
        idle.pop().map(|idle| idle.connection)
    }

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let FileLocation { path, prefix } = &self.location;
        let connection = sqlite::connect(path, Access::Read, self.longest()).await;
        let mut connection = connection.map_err(|error| self.explain(&error))?;
        match sqlite::readable(&mut connection, prefix).await {
            Ok(()) => Ok(connection),
            Err(OpenError::Database(error)) => Err(self.explain(&error)),
            Err(error) => Err(StoreError::Unusable {
                address: self.address(),
                reason: error.to_string(),
            }),
        }
    }

    /// Takes a connection back, and explains what became of its statement.
    pub(super) fn give<T>(
        &self,
        reader: Reader<'_>,
        answer: sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        match answer {
            Ok(answer) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push(Idle {
                    connection: reader.connection,
                    file: reader.file,
                });
                Ok(answer)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    fn explain(&self, error: &sqlx::Error) -> StoreError {
        match sqlite::fault(error) {
            Fault::Interrupted => StoreError::Timeout {
                address: self.address(),
                limit: self.longest(),
            },
            Fault::Repair(_) => StoreError::Unusable {
                address: self.address(),
                reason: sqlite::reason(error),
            },
            Fault::Passing | Fault::Constraint | Fault::Refused => {
                self.failed(sqlite::reason(error))
            }
        }
    }

    fn failed(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Failed {
            address: self.address(),
            source: source.into(),
        }
    }

    pub(super) fn address(&self) -> String {
        file::display(&self.location.path)
    }
}
