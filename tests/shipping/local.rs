//! Destinations on this machine's disk.

use std::path::{Path, PathBuf};

use crate::far_end::{FarEnd, Place, Promise, in_file, in_line};

/// A SQLite database that somebody else locks.
struct Sqlite {
    runtime: tokio::runtime::Runtime,
    path: PathBuf,
    locked: Option<sqlx::SqliteConnection>,
}

pub(crate) fn sqlite(dir: &Path) -> Result<Box<dyn FarEnd>, String> {
    Ok(Box::new(Sqlite {
        runtime: tokio::runtime::Runtime::new().unwrap(),
        path: dir.join("far.db"),
        locked: None,
    }))
}

impl Sqlite {
    fn connect(&self) -> sqlx::SqliteConnection {
        use sqlx::Connection as _;

        let url = format!("sqlite://{}", self.path.display());
        let connection = sqlx::SqliteConnection::connect(&url);
        self.runtime.block_on(connection).unwrap()
    }
}

impl FarEnd for Sqlite {
    fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    fn stop(&mut self) {
        let mut connection = self.connect();
        // Waits for the sink's own transaction first.
        let locked = sqlx::raw_sql("PRAGMA busy_timeout = 30000; BEGIN EXCLUSIVE");
        self.runtime
            .block_on(locked.execute(&mut connection))
            .unwrap();
        self.locked = Some(connection);
    }

    fn start(&mut self) {
        self.locked = None;
    }

    fn arrived(&mut self) -> Vec<Place> {
        let mut connection = self.connect();
        let rows = sqlx::query_as::<_, (Vec<u8>, i64)>(
            "SELECT trail, number FROM audit_records ORDER BY arrival",
        );
        let rows = self
            .runtime
            .block_on(rows.fetch_all(&mut connection))
            .unwrap();
        let place = |(trail, number): (Vec<u8>, i64)| {
            let trail = uuid::Uuid::from_slice(&trail).unwrap();
            (trail.to_string(), number.cast_unsigned())
        };
        rows.into_iter().map(place).collect()
    }

    fn promise(&self) -> Promise {
        Promise::Once
    }
}

/// A file in a directory that is moved away.
struct File {
    dir: PathBuf,
    away: PathBuf,
}

pub(crate) fn file(dir: &Path) -> Result<Box<dyn FarEnd>, String> {
    let (dir, away) = (dir.join("far"), dir.join("away"));
    std::fs::create_dir(&dir).unwrap();
    Ok(Box::new(File { dir, away }))
}

impl FarEnd for File {
    fn url(&self) -> String {
        format!("file://{}/audit.jsonl", self.dir.display())
    }

    fn stop(&mut self) {
        std::fs::rename(&self.dir, &self.away).unwrap();
    }

    fn start(&mut self) {
        std::fs::rename(&self.away, &self.dir).unwrap();
    }

    fn arrived(&mut self) -> Vec<Place> {
        in_file(&self.dir.join("audit.jsonl"))
    }

    fn promise(&self) -> Promise {
        Promise::Once
    }
}

/// The standard output of the service, between what it says of itself.
struct Output(Vec<Place>);

pub(crate) fn stdout(_dir: &Path) -> Result<Box<dyn FarEnd>, String> {
    Ok(Box::new(Output(Vec::new())))
}

impl FarEnd for Output {
    fn url(&self) -> String {
        "stdout://".to_owned()
    }

    fn can_stop(&self) -> bool {
        false
    }

    fn stop(&mut self) {}

    fn start(&mut self) {}

    /// A kill can cut the last line; its record comes again.
    fn heard(&mut self, lines: &[String]) {
        let whole = |line: &&String| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
        let records = lines.iter().filter(|line| line.starts_with('{'));
        self.0
            .extend(records.filter(whole).map(|line| in_line(line)));
    }

    fn arrived(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.0)
    }

    fn promise(&self) -> Promise {
        Promise::AgainAfterAnOutage(1000)
    }
}
