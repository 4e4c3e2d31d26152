//! The tables of a database, for whoever owns them.
//!
//! A sink makes its tables by itself where its user may. Where the service's user is not the owner,
//! which is safer, the owner calls [`migrate`] (or runs `tower-audit migrate`) at each deployment,
//! before the services start: it brings the tables up to date, makes what is needed ahead, and
//! gives the service's role exactly the rights that its sink needs.

use crate::{
    address::{Address, UrlError},
    sql::{
        database::Database,
        fault::{OpenError, reason},
        migrate::migrate as bring_up_to_date,
        schema::{Version, newest},
    },
};

/// What [`migrate`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The database, without secrets.
    pub address: String,
    /// The format of the tables that were there before, such as `1.0`; `None` when there were none.
    pub before: Option<String>,
    /// The format of the tables now.
    pub now: String,
    /// What else was done, in words.
    pub done: Vec<String>,
}

/// Why the tables are not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The address is wrong, or names no database.
    #[error(transparent)]
    Address(#[from] UrlError),
    /// The database cannot be reached, or does not let this user do it; the reason says what to do.
    #[error("the tables are not ready: {reason}")]
    Failed {
        /// What failed, for a person; no secrets.
        reason: String,
    },
}

/// Makes the tables of the database that an address names, or brings them up to date, under a lock:
/// any number of callers may do it at once.
///
/// `service_role` is the role that a service logs in with: it gets the rights to insert and to
/// select; what it may do there besides, [`Migrated::done`] tells. PostgreSQL and MySQL have roles,
/// SQLite has none.
///
/// # Errors
///
/// [`MigrateError`] says what is wrong and what to do.
pub async fn migrate(address: &str, service_role: Option<&str>) -> Result<Migrated, MigrateError> {
    let address = Address::parse(address, SCHEMES)?;
    match address.scheme.as_str() {
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let location = crate::sql::location::file::FileLocation::from_address(address)?;
            let mut database = crate::sql::sqlite::SqliteDatabase::new(location.path);
            database.table_prefix(location.prefix);
            prepare(&database, service_role).await
        }
        #[cfg(feature = "postgres")]
        "postgres" => {
            let database = crate::sql::postgres::PostgresDatabase::from_address(address)?;
            prepare(&database, service_role).await
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => {
            let database = crate::sql::mysql::MysqlDatabase::from_address(address)?;
            prepare(&database, service_role).await
        }
        _ => {
            let expected = "this program was built without it";
            Err(UrlError::new("scheme", address.scheme, expected).into())
        }
    }
}

/// The schemes of databases.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "mysql")]
    "mysql",
    #[cfg(feature = "mysql")]
    "mariadb",
];

async fn prepare<D: Database>(
    database: &D,
    service_role: Option<&str>,
) -> Result<Migrated, MigrateError> {
    let failed = |error: OpenError| MigrateError::Failed {
        reason: match error {
            OpenError::Database(error) => {
                format!(
                    "{}: {}",
                    database.address(),
                    reason(&error, D::fault(&error))
                )
            }
            error => format!("{}: {error}", database.address()),
        },
    };
    let mut connection = database.connect().await.map_err(failed)?;
    let before = database.version(&mut connection).await;
    let before = before.map_err(|error| failed(error.into()))?;
    bring_up_to_date(database, &mut connection)
        .await
        .map_err(failed)?;
    let done = database.prepare(&mut connection, service_role).await;
    let done = done.map_err(failed)?;
    let known = newest(D::MIGRATIONS);
    let now = before.map_or(known, |before| before.max(known));
    let text = |version: Version| format!("{}.{}", version.major, version.minor);
    // Done is done; that the server did not hear our good-bye changes nothing.
    drop(sqlx::Connection::close(connection).await);
    Ok(Migrated {
        address: database.address(),
        before: before.map(text),
        now: text(now),
        done,
    })
}
