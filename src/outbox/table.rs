//! The rows of an outbox in any database: what is asked is the same, only the words differ.

use std::{error::Error, fmt, future::Future, sync::Arc};

use super::{CLAIMED, LeftOver, OutboxError, Rows, RowsFuture};
use crate::{
    clock::RecordId,
    record::{Draft, Owner, Standing},
};

/// A value that a statement takes or gives. All of them are texts, so that every library can
/// write them.
pub(super) type Value = Option<String>;

/// Why something did not work: what a database said, or what is wrong with the set-up.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// The text of every statement, made once for one table.
#[derive(Debug)]
pub(super) struct Statements {
    /// The table, if it is not there.
    pub(super) create: Arc<str>,
    /// Fails unless the table is there with its columns.
    pub(super) check: Arc<str>,
    /// Id, trail, run, record.
    pub(super) insert: Arc<str>,
    /// Ids as a JSON array.
    pub(super) remove: Arc<str>,
    /// The run that is not asked for.
    pub(super) trails: Arc<str>,
    /// The trail, the new trail, the new run, and the id that is lower than none, or null.
    pub(super) claim: Arc<str>,
    /// The trail, the run that is not asked for, and how many at most.
    pub(super) left: Arc<str>,
    /// Ids as a JSON array.
    pub(super) set_aside: Arc<str>,
}

/// A database that can hold an outbox.
pub(super) trait Database: fmt::Debug + Clone + Send + Sync + 'static {
    /// A connection of the trail's own.
    type Connection: Send;

    /// The database, without secrets.
    fn address(&self) -> String;

    fn statements(&self) -> &Statements;

    /// Opens a connection.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Cause>> + Send;

    /// Runs a statement and gives its rows.
    fn read(
        connection: &mut Self::Connection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> impl Future<Output = sqlx::Result<Vec<Vec<Value>>>> + Send;

    /// Runs a statement and gives how many rows it changed.
    fn write(
        connection: &mut Self::Connection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;
}

/// Makes the table if it is missing, and looks whether it is ours.
pub(super) async fn prepare<D: Database>(database: &D) -> Result<(), OutboxError> {
    let made = async {
        let statements = database.statements();
        let mut connection = database.connect().await?;
        let check = || Arc::clone(&statements.check);
        // Whoever may only write rows may not make tables, not even one that is there.
        if D::read(&mut connection, check(), Vec::new()).await.is_err() {
            let create = Arc::clone(&statements.create);
            D::write(&mut connection, create, Vec::new()).await?;
            D::read(&mut connection, check(), Vec::new()).await?;
        }
        Ok::<_, Cause>(())
    };
    let made = made.await;
    made.map_err(|error| OutboxError::database(database.address(), error))
}

/// What a draft writes into its row; `None` when there is nothing to write.
pub(super) fn row(draft: &Draft) -> Result<Option<[String; 4]>, OutboxError> {
    let id = draft.id();
    match draft.standing() {
        Standing::Open => Ok(Some([
            id.to_string(),
            draft.trail().to_string(),
            draft.run().to_string(),
            draft.json().to_owned(),
        ])),
        Standing::Finished => Err(OutboxError::Finished { id }),
        Standing::NoOutbox => Err(OutboxError::NotStarted),
        // The operator's rule says that there is no record; the change is made all the same.
        Standing::Skipped => Ok(None),
    }
}

/// The rows of a table, over a connection of their own.
pub(super) struct Table<D: Database> {
    database: D,
    /// Out of its place during every call: after an error, or when a call was dropped, the next
    /// one connects anew.
    connection: Option<D::Connection>,
}

impl<D: Database> Table<D> {
    pub(super) const fn new(database: D) -> Self {
        Self {
            database,
            connection: None,
        }
    }

    async fn take_connection(&mut self) -> Result<D::Connection, Cause> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.database.connect().await,
        }
    }

    async fn read(
        &mut self,
        statement: fn(&Statements) -> &Arc<str>,
        values: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, OutboxError> {
        let statement = Arc::clone(statement(self.database.statements()));
        let read = async {
            let mut connection = self.take_connection().await?;
            let rows = D::read(&mut connection, statement, values).await?;
            self.connection = Some(connection);
            Ok::<_, Cause>(rows)
        };
        let read = read.await;
        read.map_err(|error| OutboxError::database(self.database.address(), error))
    }

    async fn write(
        &mut self,
        statement: fn(&Statements) -> &Arc<str>,
        values: Vec<Value>,
    ) -> Result<u64, OutboxError> {
        let statement = Arc::clone(statement(self.database.statements()));
        let written = async {
            let mut connection = self.take_connection().await?;
            let changed = D::write(&mut connection, statement, values).await?;
            self.connection = Some(connection);
            Ok::<_, Cause>(changed)
        };
        let written = written.await;
        written.map_err(|error| OutboxError::database(self.database.address(), error))
    }
}

impl<D: Database> fmt::Debug for Table<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// A list as one value.
fn json(ids: impl IntoIterator<Item = String>) -> Value {
    let ids = ids.into_iter().map(serde_json::Value::String).collect();
    Some(serde_json::Value::Array(ids).to_string())
}

/// The first column of a row; no column that is asked for here is ever null.
fn first(row: Vec<Value>) -> String {
    row.into_iter().next().flatten().unwrap_or_default()
}

impl<D: Database> Rows for Table<D> {
    fn address(&self) -> String {
        self.database.address()
    }

    fn remove<'a>(&'a mut self, ids: &'a [RecordId]) -> RowsFuture<'a, u64> {
        Box::pin(async {
            let ids = json(ids.iter().map(ToString::to_string));
            self.write(|statements| &statements.remove, vec![ids]).await
        })
    }

    fn trails(&mut self, own: Owner) -> RowsFuture<'_, Vec<String>> {
        Box::pin(async move {
            let values = vec![Some(own.run.to_string())];
            let rows = self.read(|statements| &statements.trails, values).await?;
            Ok(rows.into_iter().map(first).collect())
        })
    }

    fn claim<'a>(
        &'a mut self,
        trail: &'a str,
        own: Owner,
        before: Option<RecordId>,
    ) -> RowsFuture<'a, ()> {
        Box::pin(async move {
            let values = vec![
                Some(trail.to_owned()),
                Some(own.trail.to_string()),
                Some(CLAIMED.to_string()),
                before.map(|id| id.to_string()),
            ];
            self.write(|statements| &statements.claim, values).await?;
            Ok(())
        })
    }

    fn left(&mut self, own: Owner, limit: u32) -> RowsFuture<'_, Vec<LeftOver>> {
        Box::pin(async move {
            let values = vec![
                Some(own.trail.to_string()),
                Some(own.run.to_string()),
                Some(limit.to_string()),
            ];
            let rows = self.read(|statements| &statements.left, values).await?;
            let left = rows.into_iter().map(|row| {
                let mut columns = row.into_iter();
                LeftOver {
                    id: columns.next().flatten().unwrap_or_default(),
                    record: columns.next().flatten(),
                }
            });
            Ok(left.collect())
        })
    }

    fn set_aside<'a>(&'a mut self, ids: &'a [String]) -> RowsFuture<'a, ()> {
        Box::pin(async {
            let ids = json(ids.iter().cloned());
            self.write(|statements| &statements.set_aside, vec![ids])
                .await?;
            Ok(())
        })
    }
}
