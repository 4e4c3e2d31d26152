//! The sink on PostgreSQL.

use super::{SqlSink, sink_over_tables};
use crate::{
    address::{Address, UrlError},
    record::Origin,
    sink::{Batch, Limits, Sink, SinkFuture},
    sql::{database::Database, postgres::PostgresDatabase, write::End},
};

/// Keeps records in a PostgreSQL database, version 13 or newer, shared by any number of services.
///
/// - Nothing is opened before the first call: a server that is away does not keep a service from
///   starting. Where the user may make tables, they are made and brought up to date then, under a
///   lock; where the user may not, the owner runs `tower-audit migrate` (or [`tables::migrate`]).
/// - A batch is one transaction, committed before it is acknowledged, and holds the cursor of its
///   trail: nothing is doubled. A database that was put back to an earlier state says itself how
///   far it comes, and what it lacks is delivered again for as long as the journal has it.
/// - `arrival` is the order of commits: whoever follows it misses nothing.
/// - A record that is there already with the same bytes is accepted once more; other bytes under
///   the same id, or another record in the same place of a trail, are refused.
///
/// # When it waits
///
/// A server that is away, starting, full, or waits for a lock: the batch is tried again. A wrong
/// password, a certificate that is not trusted, a missing database, table or right, tables of a
/// newer major format or another shape: blocked until somebody acts, with the reason.
///
/// [`tables::migrate`]: crate::sink::tables::migrate
#[derive(Debug)]
pub struct PostgresSink(SqlSink<PostgresDatabase>);

impl PostgresSink {
    /// A sink on the database that an address names:
    /// `postgres://user:password@host:5432/database?schema=audit`. Opens nothing yet.
    ///
    /// | option | default | means |
    /// |---|---|---|
    /// | `schema` | `public` | the schema of the tables |
    /// | `prefix` | `audit_` | what the names of the tables begin with |
    /// | `sslmode` | `verify-full`; `prefer` to the same machine without `ca` | `disable`, `prefer`, `require`, `verify-ca`, `verify-full`, as PostgreSQL means them |
    /// | `ca` | the system's authorities | a file with further authorities that are trusted |
    /// | `cert`, `key` | none | files with a certificate of our own and its key |
    /// | `password_file` | none | a file with the password, read at each attempt to connect |
    ///
    /// # Errors
    ///
    /// [`UrlError`] names the part that is wrong, and what would be right.
    pub fn new(address: &str) -> Result<Self, UrlError> {
        let address = Address::parse(address, &[PostgresDatabase::KIND])?;
        Ok(Self(SqlSink::new(PostgresDatabase::from_address(address)?)))
    }
}

sink_over_tables!(PostgresSink, PostgresDatabase);

/// Makes the sink of a `postgres://` address.
pub(in crate::sink) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let database = PostgresDatabase::from_address(address)?;
    Ok(Box::new(PostgresSink(SqlSink::new(database))))
}
