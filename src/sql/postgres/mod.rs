//! PostgreSQL: many writers, one counter of arrivals, a part of the records for each month.
//!
//! Whoever owns the tables makes them and the parts; the service's own role inserts and selects.

mod fault;
mod parts;
mod roles;
mod shape;
mod statements;
mod write;

use std::{fmt, fs, path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgSslMode},
};

use self::statements::Statements;
pub(crate) use self::write::{Copy, column};
use super::{
    TablePrefix,
    database::{Database, Found},
    fault::{Fault, OpenError, foreign},
    group::Group,
    location::network::{NetworkLocation, Tls},
    rows::Row as RecordRow,
    schema::{self, Migration, Version},
};
use crate::{
    address::{Address, UrlError},
    record::Origin,
};

/// How long a server may take to let somebody in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Few statements, each prepared once.
const PREPARED: usize = 16;

/// The schema of the tables, unless told otherwise.
const DEFAULT_SCHEMA: &str = "public";

/// A server, a database on it, and the names of the tables there.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    location: NetworkLocation,
    names: Names,
    statements: Statements,
}

/// What the names of the tables begin with: schema and prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    /// Follows the rule of a prefix, so that it needs no escaping.
    schema: TablePrefix,
    prefix: TablePrefix,
}

impl fmt::Display for Names {
    /// Quoted, because a schema's name can be a word of SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\".{}", self.schema, self.prefix)
    }
}

impl PostgresDatabase {
    /// Reads an address whose scheme is already known. Opens nothing.
    pub(crate) fn from_address(mut address: Address) -> Result<Self, UrlError> {
        let location = NetworkLocation::take(&mut address, "postgres", 5432)?;
        let schema = address.take(
            "schema",
            "a schema begins with a to z or _ and has at most 31 of a to z, 0 to 9 and _",
            |text| text.parse().ok(),
        )?;
        let options = [NetworkLocation::OPTIONS.as_slice(), &["schema"]].concat();
        address.finish(&options)?;
        let schema = match schema {
            Some(schema) => schema,
            None => TablePrefix(DEFAULT_SCHEMA.into()),
        };
        let names = Names {
            schema,
            prefix: location.prefix.clone(),
        };
        Ok(Self {
            statements: Statements::new(&names),
            names,
            location,
        })
    }

    /// The name of a table as it stands in SQL.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.names)
    }

    fn options(&self) -> Result<PgConnectOptions, OpenError> {
        let location = &self.location;
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&location.host)
            .port(location.port)
            .username(&location.user)
            .database(&location.database)
            .application_name("tower-audit")
            .statement_cache_capacity(PREPARED)
            // What stands in statements has no place in anybody's log.
            .disable_statement_logging()
            .ssl_mode(match location.tls {
                Tls::Disable => PgSslMode::Disable,
                Tls::Prefer => PgSslMode::Prefer,
                Tls::Require => PgSslMode::Require,
                Tls::VerifyCa => PgSslMode::VerifyCa,
                Tls::VerifyFull => PgSslMode::VerifyFull,
            });
        if let Some(password) = &location.password {
            let password = password.read();
            let password = password.map_err(|error| OpenError::Repair(error.to_string()))?;
            options = options.password(&password);
        }
        if let Some(ca) = &location.ca {
            options = options.ssl_root_cert(readable(ca)?);
        }
        if let (Some(cert), Some(key)) = (&location.cert, &location.key) {
            options = options
                .ssl_client_cert(readable(cert)?)
                .ssl_client_key(readable(key)?);
        }
        Ok(options)
    }
}

/// The path of a file that can be opened: the driver's own error does not name it.
fn readable(path: &Path) -> Result<&Path, OpenError> {
    match fs::File::open(path) {
        Ok(_) => Ok(path),
        Err(error) => {
            let reason = format!("{} cannot be read: {error}", path.display());
            Err(OpenError::Repair(reason))
        }
    }
}

/// What every connection is set to: nobody waits for ever, and a client that died in the middle
/// does not keep the others waiting: one that vanished without a word is noticed after a minute. A
/// lock is waited for less long than a call may take, so that the reason is heard. A batch has its
/// own deadline, so a time-out of the server's for statements has no say. Asynchronous commit would
/// acknowledge what a crash takes.
const SETTINGS: &str = "SELECT current_setting('server_encoding'), \
    set_config('lock_timeout', '15s', false), \
    set_config('statement_timeout', '0', false), \
    set_config('idle_in_transaction_session_timeout', '60s', false), \
    set_config('tcp_keepalives_idle', '30', false), \
    set_config('tcp_keepalives_interval', '10', false), \
    set_config('tcp_keepalives_count', '3', false), \
    CASE current_setting('synchronous_commit') \
        WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END";

/// Whether a table is there. Not `to_regclass`: within a transaction that goes on believing what it
/// found missing before it waited for a lock.
const TABLE: &str = "SELECT 1 FROM pg_class AS class \
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace \
    WHERE namespace.nspname = $1 AND class.relname = $2";

async fn set_up(connection: &mut PgConnection) -> Result<(), OpenError> {
    let row = sqlx::query(SETTINGS).fetch_one(connection).await?;
    let encoding: String = row.try_get(0)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(OpenError::Repair(format!(
        "the database has the encoding {}, which cannot hold every record: \
         create it with ENCODING 'UTF8'",
        foreign(&encoding)
    )))
}

impl Database for PostgresDatabase {
    type Driver = Postgres;

    const KIND: &'static str = "postgres";

    const MIGRATIONS: &'static [Migration] = schema::POSTGRES;

    fn address(&self) -> String {
        self.location.display()
    }

    fn fault(error: &sqlx::Error) -> Fault {
        fault::fault(error)
    }

    async fn connect(&self) -> Result<PgConnection, OpenError> {
        let options = self.options()?;
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, options.connect());
        let late = |_elapsed| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        let mut connection = connecting.await.map_err(late)??;
        set_up(&mut connection).await?;
        Ok(connection)
    }

    async fn version(&self, connection: &mut PgConnection) -> sqlx::Result<Option<Version>> {
        let names = &self.names;
        let table = sqlx::query(TABLE)
            .bind(names.schema.as_str())
            .bind(format!("{}schema", names.prefix))
            .fetch_optional(&mut *connection)
            .await?;
        if table.is_none() {
            return Ok(None);
        }
        let newest = format!(
            "SELECT major, minor FROM {names}schema ORDER BY major DESC, minor DESC LIMIT 1"
        );
        let row = sqlx::query(AssertSqlSafe(newest))
            .fetch_optional(connection)
            .await?;
        row.map(|row| {
            Ok(Version {
                major: row.try_get(0)?,
                minor: row.try_get(1)?,
            })
        })
        .transpose()
    }

    async fn lock<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> sqlx::Result<Transaction<'c, Postgres>> {
        let mut transaction = self.begin(connection).await?;
        // Until the transaction ends; everybody who changes these tables' format asks for it.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("tower-audit {}", self.names))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }

    async fn apply(&self, connection: &mut PgConnection, step: &Migration) -> sqlx::Result<()> {
        let Names { schema, prefix } = &self.names;
        make_schema(connection, schema).await?;
        // The names in the text have no schema; those of indexes and triggers never have one.
        let text = format!(
            "SET LOCAL search_path TO \"{schema}\";\n{}",
            step.sql(prefix)
        );
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut *connection)
            .await?;
        let note = format!(
            "INSERT INTO {}schema (number, name, major, minor, applied) \
             VALUES ($1, $2, $3, $4, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)",
            self.names
        );
        sqlx::query(AssertSqlSafe(note))
            .bind(step.number)
            .bind(step.name)
            .bind(step.version.major)
            .bind(step.version.minor)
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn check(&self, connection: &mut PgConnection) -> Result<(), OpenError> {
        shape::check(connection, &self.names).await?;
        if parts::may_make(connection, &self.names).await? {
            // Whoever owns the tables makes the months ahead in passing. That it could not is no
            // reason to deliver nothing: rows find a place all the same, and `concerns` tells.
            drop(parts::make_ahead(self, connection).await);
        }
        Ok(())
    }

    async fn prepare(
        &self,
        connection: &mut PgConnection,
        service_role: Option<&str>,
    ) -> Result<Vec<String>, OpenError> {
        if !parts::may_make(connection, &self.names).await? {
            return Err(OpenError::Repair(
                "this user does not own the tables: give the login of their owner".to_owned(),
            ));
        }
        let left = parts::make_ahead(self, connection).await?;
        let mut done = vec!["monthly parts are there, 12 months ahead".to_owned()];
        if !left.is_empty() {
            done = left;
        }
        if let Some(role) = service_role {
            done.push(roles::grant(self, connection, role).await?);
        }
        // Last: what is in its way is in the way of nothing else.
        let moved = parts::empty_default(self, connection).await?;
        if moved.rows > 0 {
            done.push(format!(
                "records moved from the default part into {} of their own: {}",
                moved.parts, moved.rows
            ));
        }
        done.extend(moved.left);
        Ok(done)
    }

    async fn concerns(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
        if parts::may_make(connection, &self.names).await? {
            // As in `check`.
            drop(parts::make_ahead(self, connection).await);
        }
        parts::concerns(connection, &self.names).await
    }

    async fn begin<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> sqlx::Result<Transaction<'c, Postgres>> {
        // Said, because a role can have another default: what is read after a lock was waited for
        // must be what is there by then.
        connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            .await
    }

    async fn position(
        &self,
        connection: &mut PgConnection,
        origin: &Origin,
    ) -> sqlx::Result<Option<u64>> {
        write::position(connection, &self.statements, origin).await
    }

    async fn arrivals(&self, connection: &mut PgConnection, count: i64) -> sqlx::Result<i64> {
        write::arrivals(connection, &self.statements, count).await
    }

    async fn insert<'a>(
        &self,
        connection: &mut PgConnection,
        group: &Group<'a>,
        rows: &[&'a RecordRow<'a>],
        arrival: i64,
    ) -> sqlx::Result<()> {
        write::insert(connection, &self.statements, group, rows, arrival).await
    }

    async fn look_up(
        &self,
        connection: &mut PgConnection,
        group: &Group<'_>,
    ) -> sqlx::Result<Vec<Found>> {
        write::look_up(connection, &self.statements, group).await
    }

    async fn move_on(&self, connection: &mut PgConnection, group: &Group<'_>) -> sqlx::Result<()> {
        write::move_on(connection, &self.statements, group).await
    }
}

/// Makes the schema if it is not there; `IF NOT EXISTS` would ask for the right to make one anyway.
async fn make_schema(connection: &mut PgConnection, schema: &TablePrefix) -> sqlx::Result<()> {
    let found = sqlx::query("SELECT 1 FROM pg_namespace WHERE nspname = $1")
        .bind(schema.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if found.is_none() {
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\"")))
            .execute(connection)
            .await?;
    }
    Ok(())
}
