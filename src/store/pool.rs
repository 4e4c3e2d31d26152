//! A few connections that only read, each with a limit on what it runs.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    StoreError,
    link::{Link, Place},
    statement::Tables,
};
use crate::sql::fault::{Fault, OpenError};

/// How many questions are answered at once; the next ones wait for their turn.
const READERS: usize = 4;

/// Connections to one database, opened when they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    place: Place,
    pub(super) tables: Tables,
    limit: Mutex<Duration>,
    turns: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    identity: Option<(u64, u64)>,
}

/// A connection that is in use. Dropped without being given back, it is closed.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) link: Link,
    /// How long one statement may run.
    pub(super) limit: Duration,
    identity: Option<(u64, u64)>,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(place: Place, limit: Duration) -> Self {
        Self {
            tables: place.tables(),
            place,
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

    /// A connection whose next statement has the whole time limit.
    pub(super) async fn take(&self) -> Result<Reader<'_>, StoreError> {
        // Never closed, so that this cannot fail; and every turn ends with its statement's limit.
        let turn = self.turns.acquire().await;
        let turn = turn.map_err(|error| self.failed(error))?;
        let (limit, identity) = (self.longest(), self.place.identity());
        let link = loop {
            let Some(mut link) = self.idle(identity) else {
                break self.connect(limit).await?;
            };
            // One that a server or a network has ended meanwhile is replaced.
            if link.limit(limit).await.is_ok() {
                break link;
            }
        };
        Ok(Reader {
            link,
            limit,
            identity,
            _turn: turn,
        })
    }

    /// An idle connection to the file that has the name now. One to a file that was replaced
    /// would go on to answer from the old one.
    fn idle(&self, identity: Option<(u64, u64)>) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.identity == identity);
        idle.pop().map(|idle| idle.link)
    }

    async fn connect(&self, limit: Duration) -> Result<Link, StoreError> {
        let mut link = match self.place.connect(limit).await {
            Ok(link) => link,
            Err(OpenError::Database(error)) => return Err(self.explain(&error)),
            Err(error) => {
                return Err(StoreError::Unusable {
                    address: self.address(),
                    reason: error.to_string(),
                });
            }
        };
        let limited = link.limit(limit).await;
        limited.map_err(|error| self.explain(&error))?;
        Ok(link)
    }

    /// Takes a connection back, and explains what became of its statement.
    pub(super) fn give<T>(
        &self,
        reader: Reader<'_>,
        answer: sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        match answer {
            // An answer can be enough without its last part, which was given up.
            Ok(answer) if reader.link.is_owed() => Ok(answer),
            Ok(answer) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push(Idle {
                    link: reader.link,
                    identity: reader.identity,
                });
                Ok(answer)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Whether a statement ran longer than it may.
    pub(super) fn is_late(&self, error: &sqlx::Error) -> bool {
        self.place.fault(error) == Fault::Interrupted
    }

    fn explain(&self, error: &sqlx::Error) -> StoreError {
        match self.place.fault(error) {
            Fault::Interrupted => StoreError::Timeout {
                address: self.address(),
                limit: self.longest(),
            },
            Fault::Repair(_) => StoreError::Unusable {
                address: self.address(),
                reason: self.place.reason(error),
            },
            Fault::Passing | Fault::Constraint | Fault::Refused => {
                self.failed(self.place.reason(error))
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
        self.place.address()
    }

    #[cfg(test)]
    pub(super) fn into_place(self) -> Place {
        self.place
    }
}
