//! A few connections that only read, each with a limit on what it runs.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    StoreError,
    link::{Link, Place},
    statement::Tables,
};
use crate::sql::fault::{Fault, OpenError};

/// How many questions are answered at once; the next ones wait for their turn.
const READERS: usize = 4;

/// How long they wait for it.
const WAIT: Duration = Duration::from_secs(30);

/// The right to ask; free again when the last of these is dropped.
pub(super) type Turn = Arc<OwnedSemaphorePermit>;

/// Connections to one database, opened when they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    place: Place,
    pub(super) tables: Tables,
    limit: Mutex<Duration>,
    pub(super) turns: Arc<Semaphore>,
    /// How long a question waits for its turn.
    pub(super) wait: Duration,
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
    _turn: Turn,
    /// It is given back to its pool, or dropped before it.
    _pool: PhantomData<&'a Pool>,
}

impl Pool {
    pub(super) fn new(place: Place, limit: Duration) -> Self {
        Self {
            tables: place.tables(),
            place,
            limit: Mutex::new(limit),
            turns: Arc::new(Semaphore::new(READERS)),
            wait: WAIT,
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
        let turn = self.turn().await?;
        let (limit, identity) = (self.longest(), self.place.identity());
        let mut link = loop {
            let Some(mut link) = self.idle(identity) else {
                break self.connect(limit).await?;
            };
            // One that a server or a network has ended meanwhile is replaced.
            if link.limit(limit).await.is_ok() {
                break link;
            }
        };
        link.hold(&turn);
        Ok(Reader {
            link,
            limit,
            identity,
            _turn: turn,
            _pool: PhantomData,
        })
    }

    /// Every turn ends, but those who wait may be many.
    async fn turn(&self) -> Result<Turn, StoreError> {
        // Only who must wait needs a clock.
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(Arc::new(turn));
        }
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(self.wait, turn).await {
            // Never closed, so that this cannot fail.
            Ok(turn) => turn.map(Arc::new).map_err(|error| self.failed(error)),
            Err(_elapsed) => Err(StoreError::Busy {
                address: self.address(),
                waited: self.wait,
            }),
        }
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
        mut reader: Reader<'_>,
        answer: sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        match answer {
            // An answer can be enough without its last part, which was given up.
            Ok(answer) if reader.link.is_owed() => Ok(answer),
            Ok(answer) => {
                reader.link.release();
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
