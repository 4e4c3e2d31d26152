//! Destinations that are real servers, each started for one journey and killed in its middle.

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, MySqlConnection, PgConnection};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    far_end::{FarEnd, Place, Promise, in_line},
    services::{Instance, private},
};

const MISSING: &str = "the server is not here; run scripts/services up";

type Made = Result<Box<dyn FarEnd>, String>;

/// The bytes of a trail's id, and a number.
type Rows = Vec<(Vec<u8>, i64)>;

/// A database whose server crashes.
struct Database {
    server: Instance,
    url: String,
    read: fn(&str) -> Rows,
}

pub(crate) fn postgres(_dir: &Path) -> Made {
    let server = private("postgres").ok_or(MISSING)?;
    Ok(Box::new(Database {
        url: server.get("POSTGRES_URL"),
        server,
        read: in_postgres,
    }))
}

pub(crate) fn mariadb(_dir: &Path) -> Made {
    let server = private("mariadb").ok_or(MISSING)?;
    Ok(Box::new(Database {
        url: server.get("MARIADB_URL"),
        server,
        read: in_mariadb,
    }))
}

fn in_postgres(url: &str) -> Rows {
    Runtime::new().unwrap().block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let rows = "SELECT uuid_send(trail), number FROM audit_records ORDER BY arrival";
        sqlx::query_as(rows)
            .fetch_all(&mut connection)
            .await
            .unwrap()
    })
}

fn in_mariadb(url: &str) -> Rows {
    Runtime::new().unwrap().block_on(async {
        let mut connection = MySqlConnection::connect(url).await.unwrap();
        let rows = "SELECT trail, number FROM audit_records ORDER BY arrival";
        sqlx::query_as(rows)
            .fetch_all(&mut connection)
            .await
            .unwrap()
    })
}

impl FarEnd for Database {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn stop(&mut self) {
        self.server.kill();
    }

    fn start(&mut self) {
        self.server.start();
    }

    fn arrived(&mut self) -> Vec<Place> {
        let place = |(trail, number): (Vec<u8>, i64)| {
            let trail = Uuid::from_slice(&trail).unwrap();
            (trail.to_string(), number.cast_unsigned())
        };
        (self.read)(&self.url).into_iter().map(place).collect()
    }

    fn promise(&self) -> Promise {
        Promise::Once
    }
}

/// A syslog server that crashes.
struct Syslog {
    server: Instance,
    url: String,
    file: PathBuf,
}

pub(crate) fn syslog(_dir: &Path) -> Made {
    let server = private("rsyslog").ok_or(MISSING)?;
    Ok(Box::new(Syslog {
        url: format!("syslog+tcp://{}", server.get("SYSLOG")),
        file: server.get("SYSLOG_FILE").into(),
        server,
    }))
}

pub(crate) fn syslog_tls(_dir: &Path) -> Made {
    let server = private("rsyslog").ok_or(MISSING)?;
    let (address, ca) = (server.get("SYSLOG_TLS"), server.get("CA"));
    Ok(Box::new(Syslog {
        url: format!("syslog+tls://{address}?ca={ca}"),
        file: server.get("SYSLOG_FILE").into(),
        server,
    }))
}

impl FarEnd for Syslog {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn stop(&mut self) {
        self.server.kill();
    }

    fn start(&mut self) {
        self.server.start();
    }

    /// What a kill cut off has no record at its end; it came again.
    fn arrived(&mut self) -> Vec<Place> {
        let text = std::fs::read(&self.file).unwrap();
        let text = String::from_utf8_lossy(&text);
        let json = |line: &str| {
            line.find(r#"{"trail":"#)
                .map(|start| line[start..].to_owned())
        };
        let whole = |json: &String| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        let lines = text.lines().filter_map(json).filter(whole);
        lines.map(|line| in_line(&line)).collect()
    }

    fn promise(&self) -> Promise {
        Promise::AgainAfterAnOutage(1000)
    }
}
