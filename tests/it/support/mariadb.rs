//! A database of a test's own on the MariaDB server, dropped with the test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row};

use super::services;

/// An empty database.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// `mysql://user:password@host:port`.
    server: String,
    name: String,
}

impl Scratch {
    /// `None` where there is no server; said why.
    pub(crate) fn new() -> Option<Self> {
        services::mariadb().map(|url| Self::on(&url))
    }

    /// On the server of this URL, which names a database that is there.
    pub(crate) fn on(url: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("scratch_{}_{count}", std::process::id());
        let (server, _) = url.rsplit_once('/').unwrap();
        let scratch = Self {
            server: server.to_owned(),
            name,
        };
        // As most servers still are; the sink must not rely on it. What a process with the same
        // number left behind goes first.
        let name = &scratch.name;
        let sql =
            format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET latin1");
        elsewhere(url.to_owned(), sql).unwrap();
        scratch
    }

    /// Its URL; what follows the name of the database is given.
    pub(crate) fn url(&self, options: &str) -> String {
        format!("{}/{}{options}", self.server, self.name)
    }

    /// The URL for another login.
    pub(crate) fn url_as(&self, login: &str, options: &str) -> String {
        let (_, host) = self.server.rsplit_once('@').unwrap();
        format!("mysql://{login}@{host}/{}{options}", self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `user:password`.
    pub(crate) fn login(&self) -> &str {
        let (login, _) = self.server.rsplit_once('@').unwrap();
        login.strip_prefix("mysql://").unwrap()
    }

    pub(crate) async fn open(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url("")).await.unwrap()
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        execute(&self.url(""), sql.to_owned()).await.unwrap();
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let mut connection = self.open().await;
        let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
        row.get(0)
    }
}

async fn execute(url: &str, sql: String) -> sqlx::Result<()> {
    let mut connection = MySqlConnection::connect(url).await?;
    let done = sqlx::raw_sql(AssertSqlSafe(sql));
    done.execute(&mut connection).await?;
    connection.close().await
}

/// On a thread of its own: a test's runtime cannot be waited for from within.
fn elsewhere(url: String, sql: String) -> sqlx::Result<()> {
    let done = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build()?.block_on(execute(&url, sql))
    });
    done.join().expect("no panic")
}

impl Drop for Scratch {
    #[expect(clippy::print_stderr, reason = "it fills the server that others use")]
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {}", self.name);
        if let Err(error) = elsewhere(self.url(""), sql) {
            eprintln!("left behind: database {}: {error}", self.name);
        }
    }
}
