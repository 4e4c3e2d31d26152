//! What is only true of SQLite: one writer at a time, so that a step needs no other lock.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

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
        sqlite::SqliteDatabase,
    },
};

const STYLE: Style = Style {
    numbered: false,
    insert_new: ("INSERT OR IGNORE", ""),
};

/// The expression of a record's text.
const JSON: &str = "json";

/// Whether there is a file; whoever connects would make one.
fn is_there(database: &SqliteDatabase) -> bool {
    database.identity().is_some()
}

fn key(key: Key) -> Vec<u8> {
    key.to_vec()
}

fn bytes(stored: Vec<u8>) -> sqlx::Result<Key> {
    Key::try_from(stored).map_err(|_other| sqlx::Error::Decode("an id of 16 bytes".into()))
}

/// What a transaction that removes begins with: it has the file for itself already.
async fn gate(
    _texts: &Texts,
    _database: &SqliteDatabase,
    _transaction: &mut SqliteConnection,
) -> sqlx::Result<()> {
    Ok(())
}

async fn gate_of_holds(
    _database: &SqliteDatabase,
    _transaction: &mut SqliteConnection,
) -> sqlx::Result<()> {
    Ok(())
}

tables_over!(SqliteTables, SqliteDatabase, {
    fn lock(&mut self) -> TablesFuture<'_, bool> {
        Box::pin(async { Ok(true) })
    }

    fn unlock(&mut self) -> TablesFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
});
