//! The sink on MySQL and MariaDB.

use super::{SqlSink, sink_over_tables};
use crate::{
    address::{Address, UrlError},
    record::Origin,
    sink::{Batch, Limits, Sink, SinkFuture},
    sql::{database::Database, mysql::MysqlDatabase, write::End},
};

/// Keeps records in a database of MySQL 8.0, MariaDB 10.6 or newer, shared by any number of services.
///
/// - Nothing is opened before the first call: a server that is away does not keep a service from
///   starting. Where the user may make tables, they are made and brought up to date then, under a
///   lock; where the user may not, the owner runs `tower-audit migrate` (or [`tables::migrate`]).
/// - A batch is one transaction and holds the cursor of its trail: nothing is doubled. An older
///   copy of the database that is put back says itself how far it comes, and what it lacks is
///   delivered again for as long as the journal has it.
/// - A record that is there already with the same bytes is accepted once more; other bytes under
///   the same id, or another record in the same place of a trail, are refused.
/// - `arrival` is the order of commits: whoever follows it misses nothing.
/// - The session is strict, in utf8mb4 with its binary collation, whatever the server's defaults.
///
/// # When it waits
///
/// A server that is away, full or restarting, a lock, a deadlock: the batch is tried again. A
/// wrong password, an unknown database, a missing privilege, a certificate that is not trusted,
/// tables of another shape or of a newer major format: blocked until somebody acts, with the
/// reason. The password file and the certificates are read anew for each connection.
///
/// [`tables::migrate`]: crate::sink::tables::migrate
#[derive(Debug)]
pub struct MysqlSink(SqlSink<MysqlDatabase>);

impl MysqlSink {
    /// A sink on the database that an address names:
    /// `mysql://user:password@host:3306/database?prefix=audit_`. Opens nothing yet.
    ///
    /// | option | default | means |
    /// |---|---|---|
    /// | `prefix` | `audit_` | what the names of the tables begin with |
    /// | `sslmode` | `verify-full`; `prefer` to the same machine without `ca` | `disable`, `prefer`, `require`, `verify-ca`, `verify-full` (or `verify-identity`) |
    /// | `ca` | the system's authorities | a file with further authorities that are trusted |
    /// | `cert`, `key` | none | files with a certificate of our own and its key |
    /// | `password_file` | none | a file with the password, read at each attempt to connect |
    ///
    /// # Errors
    ///
    /// [`UrlError`] names the part that is wrong, and what would be right.
    pub fn new(address: &str) -> Result<Self, UrlError> {
        let address = Address::parse(address, &MysqlDatabase::SCHEMES)?;
        Ok(Self(SqlSink::new(MysqlDatabase::from_address(address)?)))
    }
}

sink_over_tables!(MysqlSink, MysqlDatabase);

/// Makes the sink of a `mysql://` or `mariadb://` address.
pub(in crate::sink) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let database = MysqlDatabase::from_address(address)?;
    Ok(Box::new(MysqlSink(SqlSink::new(database))))
}
