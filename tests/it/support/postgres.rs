//! A schema of its own for each test on the shared PostgreSQL server.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions,
};
use tower_audit::sink::PostgresSink;

use super::services;

/// Where a test has its tables; dropped with them.
#[derive(Debug)]
pub(crate) struct Place {
    /// The server's URL, without options.
    pub(crate) server: String,
    pub(crate) schema: String,
}

/// A place for one test; `None` where there is no server, which was said.
pub(crate) fn place() -> Option<Place> {
    services::postgres().map(Place::on)
}

impl Place {
    /// A place on this server.
    pub(crate) fn on(server: String) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let schema = format!("t{}_{next}", std::process::id());
        Self { server, schema }
    }

    /// The address of a sink here.
    pub(crate) fn address(&self) -> String {
        format!("{}?schema={}", self.server, self.schema)
    }

    pub(crate) fn sink(&self) -> PostgresSink {
        PostgresSink::new(&self.address()).unwrap()
    }

    /// The address for another user.
    pub(crate) fn address_of(&self, user: &str, password: &str) -> String {
        let (_, rest) = self.server.split_once('@').unwrap();
        format!("postgres://{user}:{password}@{rest}?schema={}", self.schema)
    }

    /// A connection that finds the tables without naming the schema.
    pub(crate) async fn connect(&self) -> PgConnection {
        let options: PgConnectOptions = self.server.parse().unwrap();
        let options = options.options([("search_path", &self.schema)]);
        options.disable_statement_logging().connect().await.unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    pub(crate) async fn try_run(&self, sql: &str) -> sqlx::Result<()> {
        let mut connection = self.connect().await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        let done = done.await.map(drop);
        connection.close().await.unwrap();
        done
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await;
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection);
        let number = row.await.unwrap().get(0);
        connection.close().await.unwrap();
        number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let options: PgConnectOptions = self.server.parse().unwrap();
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema);
        // A thread of its own: a test's runtime cannot wait in here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut connection = options.connect().await?;
                let dropped = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
                dropped.await.map(drop)
            })
        });
        // A server that a test has killed keeps it; its folder goes too.
        drop(dropping.join());
    }
}
