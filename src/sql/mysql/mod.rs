//! MySQL and MariaDB: a server with InnoDB tables.
//!
//! Every session says what it relies on, whatever the server's defaults are: strict mode, the
//! character set utf8mb4 with its binary collation, and READ COMMITTED. Under it a batch first
//! changes the row of the arrivals, which makes all others wait until it is committed, and reads
//! only then; so the order of arrivals is the order of commits.

mod fault;
mod roles;
mod shape;
mod statements;
mod write;

use std::{
    fs, io,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, MySql, MySqlConnection, Row, Transaction,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

pub(crate) use self::write::column;
use self::{fault::fault, statements::Statements};
use super::{
    TablePrefix,
    database::{Database, Found},
    fault::{Fault, OpenError},
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

/// Statements, each prepared once: few that write, and some for each kind of question.
const PREPARED: usize = 128;

/// How long a program waits for another one that is changing the tables: less than a call may take,
/// so that the reason is heard.
const LOCK_SECONDS: i64 = 15;

/// What a server must take in one packet: several times the largest record, so that no record is
/// ever refused for it. The least that any server has as its default.
const LEAST_PACKET: usize = 1024 * 1024;

/// A database on a server, and the prefix of the tables in it.
#[derive(Debug)]
pub(crate) struct MysqlDatabase {
    location: NetworkLocation,
    statements: Statements,
    /// Bytes of rows that one statement may carry: what the server takes, without what stands around them.
    max_bytes: AtomicUsize,
}

impl MysqlDatabase {
    /// Both servers speak the same language.
    pub(crate) const SCHEMES: [&'static str; 2] = ["mysql", "mariadb"];

    /// Reads an address whose scheme is already known. Opens nothing.
    pub(crate) fn from_address(mut address: Address) -> Result<Self, UrlError> {
        let location = NetworkLocation::take(&mut address, "mysql", 3306)?;
        address.finish(&NetworkLocation::OPTIONS)?;
        Ok(Self {
            statements: Statements::new(&location.prefix),
            location,
            max_bytes: AtomicUsize::new(LEAST_PACKET / 2),
        })
    }

    /// The name of a table.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    fn prefix(&self) -> &TablePrefix {
        &self.location.prefix
    }

    /// Notes what the server takes in one packet; too little is a matter for its operator.
    async fn learn_packet_size(&self, connection: &mut MySqlConnection) -> Result<(), OpenError> {
        let row = sqlx::query("SELECT CAST(@@max_allowed_packet AS SIGNED)")
            .fetch_one(connection)
            .await?;
        let bytes = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default();
        if bytes < LEAST_PACKET {
            return Err(OpenError::Repair(format!(
                "the server takes packets of {bytes} bytes only: set its max_allowed_packet to at \
                 least {LEAST_PACKET}"
            )));
        }
        // The other half is for the lengths, types and NULL marks of the values.
        self.max_bytes.store(bytes / 2, Ordering::Relaxed);
        Ok(())
    }
}

impl Database for MysqlDatabase {
    type Driver = MySql;

    const KIND: &'static str = "mysql";

    const MIGRATIONS: &'static [Migration] = schema::MYSQL;

    fn address(&self) -> String {
        self.location.display()
    }

    fn fault(error: &sqlx::Error) -> Fault {
        fault(error)
    }

    async fn connect(&self) -> Result<MySqlConnection, OpenError> {
        let options = options(&self.location)?;
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, open(&self.location, options));
        let late = |_elapsed| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
        let mut connection = connecting.await.map_err(late)??;
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        self.learn_packet_size(&mut connection).await?;
        Ok(connection)
    }

    async fn version(&self, connection: &mut MySqlConnection) -> sqlx::Result<Option<Version>> {
        version(connection, self.prefix()).await
    }

    async fn lock<'c>(
        &self,
        connection: &'c mut MySqlConnection,
    ) -> sqlx::Result<Transaction<'c, MySql>> {
        // Held by the session: a definition of a table ends every transaction.
        let row = sqlx::query(AssertSqlSafe(format!("SELECT GET_LOCK({LOCK}, ?)")))
            .bind(self.prefix().as_str())
            .bind(LOCK_SECONDS)
            .fetch_one(&mut *connection)
            .await?;
        if row.try_get::<Option<i64>, _>(0)? != Some(1) {
            let reason = "another program is changing the tables";
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason).into());
        }
        self.begin(connection).await
    }

    async fn apply(&self, connection: &mut MySqlConnection, step: &Migration) -> sqlx::Result<()> {
        apply(connection, self.prefix(), step).await
    }

    async fn unlock(&self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        sqlx::query(AssertSqlSafe(format!("SELECT RELEASE_LOCK({LOCK})")))
            .bind(self.prefix().as_str())
            .fetch_one(connection)
            .await?;
        Ok(())
    }

    async fn check(&self, connection: &mut MySqlConnection) -> Result<(), OpenError> {
        Ok(shape::check(connection, self.prefix()).await?)
    }

    async fn prepare(
        &self,
        connection: &mut MySqlConnection,
        service_role: Option<&str>,
    ) -> Result<Vec<String>, OpenError> {
        let Some(role) = service_role else {
            return Ok(Vec::new());
        };
        Ok(vec![roles::grant(connection, self.prefix(), role).await?])
    }

    async fn concerns(&self, connection: &mut MySqlConnection) -> sqlx::Result<Vec<String>> {
        // Only to be heard of, see `SESSION`.
        connection.ping().await?;
        Ok(Vec::new())
    }

    async fn begin<'c>(
        &self,
        connection: &'c mut MySqlConnection,
    ) -> sqlx::Result<Transaction<'c, MySql>> {
        connection.begin().await
    }

    async fn position(
        &self,
        connection: &mut MySqlConnection,
        origin: &Origin,
    ) -> sqlx::Result<Option<u64>> {
        write::position(connection, &self.statements, origin).await
    }

    async fn arrivals(&self, connection: &mut MySqlConnection, count: i64) -> sqlx::Result<i64> {
        write::arrivals(connection, &self.statements, count).await
    }

    async fn insert<'a>(
        &self,
        connection: &mut MySqlConnection,
        group: &Group<'a>,
        rows: &[&'a RecordRow<'a>],
        arrival: i64,
    ) -> sqlx::Result<()> {
        let max_bytes = self.max_bytes.load(Ordering::Relaxed);
        write::insert(
            connection,
            &self.statements,
            max_bytes,
            group,
            rows,
            arrival,
        )
        .await
    }

    async fn look_up(
        &self,
        connection: &mut MySqlConnection,
        group: &Group<'_>,
    ) -> sqlx::Result<Vec<Found>> {
        write::look_up(connection, &self.statements, group).await
    }

    async fn move_on(
        &self,
        connection: &mut MySqlConnection,
        group: &Group<'_>,
    ) -> sqlx::Result<()> {
        write::move_on(connection, &self.statements, group).await
    }
}

/// To the same machine `prefer` means: without TLS, unless the server wants it. The driver writes
/// each TLS record by itself and leaves Nagle's algorithm on, which over the loopback's large
/// segments makes a statement wait 40 ms for the server's delayed acknowledgement.
async fn open(
    location: &NetworkLocation,
    options: MySqlConnectOptions,
) -> sqlx::Result<MySqlConnection> {
    if location.tls == Tls::Prefer && location.is_local() {
        let plain = options.clone().ssl_mode(MySqlSslMode::Disabled);
        match plain.connect().await {
            // The server answered, and did not let us in like this.
            Err(error) if !matches!(error, sqlx::Error::Io(_)) => {}
            opened => return opened,
        }
    }
    options.connect().await
}

/// What the session relies on. What stands in `/*M! */` is for MariaDB only: without that mode it
/// makes an account without a password when rights are granted to one that is not there.
///
/// A client that vanished without a word holds the row of the arrivals until its session ends:
/// after 60 s on MariaDB, and on MySQL, which knows no limit for a transaction alone, when it was
/// not heard of for three times as long as `concerns` leaves between two looks.
const SESSION: &str = "\
    SET SESSION sql_mode = CONCAT('STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION' \
            /*M! , ',NO_AUTO_CREATE_USER' */), \
        SESSION autocommit = 1, SESSION innodb_lock_wait_timeout = 10, SESSION lock_wait_timeout = 10, \
        SESSION wait_timeout = 180 \
        /*M! , SESSION idle_transaction_timeout = 60, SESSION max_statement_time = 0 */; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The name of the lock; locks belong to the server, not to a database, and have short names.
const LOCK: &str = "CONCAT('tower_audit_', LEFT(SHA2(CONCAT(DATABASE(), '.', ?), 256), 40))";

/// How the driver gets there. Files are read now: a login or a certificate may have been renewed.
fn options(location: &NetworkLocation) -> Result<MySqlConnectOptions, OpenError> {
    let mut options = MySqlConnectOptions::new()
        .host(&location.host)
        .port(location.port)
        .username(&location.user)
        .database(&location.database)
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .statement_cache_capacity(PREPARED)
        .ssl_mode(match location.tls {
            Tls::Disable => MySqlSslMode::Disabled,
            Tls::Prefer => MySqlSslMode::Preferred,
            Tls::Require => MySqlSslMode::Required,
            Tls::VerifyCa => MySqlSslMode::VerifyCa,
            Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
        })
        // A statement here can be 30 kB long; it has no place in anybody's log.
        .disable_statement_logging();
    if let Some(password) = &location.password {
        let password = password.read();
        options =
            options.password(&password.map_err(|error| OpenError::Repair(error.to_string()))?);
    }
    if let Some(ca) = &location.ca {
        options = options.ssl_ca_from_pem(read(ca)?);
    }
    if let (Some(cert), Some(key)) = (&location.cert, &location.key) {
        options = options
            .ssl_client_cert_from_pem(read(cert)?)
            .ssl_client_key_from_pem(read(key)?);
    }
    Ok(options)
}

async fn apply(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
    step: &Migration,
) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(step.sql(prefix)))
        .execute(&mut *connection)
        .await?;
    // A table that somebody else made under this name was left as it is.
    shape::check(connection, prefix).await?;
    let note = format!(
        "INSERT INTO {prefix}schema (number, name, major, minor, applied) \
         VALUES (?, ?, ?, ?, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED))"
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

/// The version of the tables; `None` when there are none with this prefix.
async fn version(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
) -> sqlx::Result<Option<Version>> {
    let table = sqlx::query(
        "SELECT 1 FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = ?",
    )
    .bind(format!("{prefix}schema"))
    .fetch_optional(&mut *connection)
    .await?;
    if table.is_none() {
        return Ok(None);
    }
    let newest =
        format!("SELECT major, minor FROM {prefix}schema ORDER BY major DESC, minor DESC LIMIT 1");
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

/// A file of the address, read with its name in what is wrong with it.
fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    fs::read(path)
        .map_err(|error| OpenError::Repair(format!("{} cannot be read: {error}", path.display())))
}
