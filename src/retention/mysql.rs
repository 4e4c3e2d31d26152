//! What is only true of MySQL and MariaDB.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::{
    Hold,
    over::tables_over,
    tables::{
        Candidate, Key, MISSING, OTHER_LEAF, Removed, Run, Tables, TablesError, TablesFuture,
    },
    texts::{Style, Texts},
};
use crate::{
    clock::Timestamp,
    sql::{
        database::{Connection, Database},
        fault::OpenError,
        migrate::migrate,
        mysql::MysqlDatabase,
    },
};

const STYLE: Style = Style {
    numbered: false,
    insert_new: ("INSERT IGNORE", ""),
};

/// The expression of a record's text.
const JSON: &str = "json";

/// The name of the lock; locks belong to the server, not to a database, and have short names.
const LOCK: &str = "CONCAT('tower_audit_prune_', LEFT(SHA2(CONCAT(DATABASE(), '.', ?), 256), 40))";

/// Whether there is a place to connect to: the server tells.
const fn is_there(_database: &MysqlDatabase) -> bool {
    true
}

fn key(key: Key) -> Vec<u8> {
    key.to_vec()
}

fn bytes(stored: Vec<u8>) -> sqlx::Result<Key> {
    Key::try_from(stored).map_err(|_other| sqlx::Error::Decode("an id of 16 bytes".into()))
}

/// Steps and new holds wait for each other: both take the row of the migration that made their
/// tables, which nobody else does.
async fn gate(
    _texts: &Texts,
    database: &MysqlDatabase,
    transaction: &mut MySqlConnection,
) -> sqlx::Result<()> {
    gate_of_holds(database, transaction).await
}

async fn gate_of_holds(
    database: &MysqlDatabase,
    transaction: &mut MySqlConnection,
) -> sqlx::Result<()> {
    let schema = database.table("schema");
    let text = format!("SELECT number FROM {schema} WHERE number = 2 FOR UPDATE");
    sqlx::query(AssertSqlSafe(text))
        .fetch_one(transaction)
        .await?;
    Ok(())
}

impl MysqlTables {
    async fn try_lock(&mut self) -> Result<bool, OpenError> {
        let mut connection = self.take().await?;
        let row = sqlx::query(AssertSqlSafe(format!("SELECT GET_LOCK({LOCK}, 0)")))
            .bind(self.database.table(""))
            .fetch_one(&mut connection)
            .await?;
        let is_ours = row.try_get::<Option<i64>, _>(0)? == Some(1);
        self.connection = Some(connection);
        Ok(is_ours)
    }

    async fn try_unlock(&mut self) -> Result<(), OpenError> {
        let mut connection = self.take().await?;
        sqlx::query(AssertSqlSafe(format!("SELECT RELEASE_LOCK({LOCK})")))
            .bind(self.database.table(""))
            .fetch_one(&mut connection)
            .await?;
        self.connection = Some(connection);
        Ok(())
    }
}

tables_over!(MysqlTables, MysqlDatabase, {
    fn lock(&mut self) -> TablesFuture<'_, bool> {
        Box::pin(async {
            let done = self.try_lock().await;
            done.map_err(|error| self.error(error))
        })
    }

    fn unlock(&mut self) -> TablesFuture<'_, ()> {
        Box::pin(async {
            let done = self.try_unlock().await;
            done.map_err(|error| self.error(error))
        })
    }
});
