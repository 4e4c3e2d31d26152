//! Every sink of the crate runs the suite that anyone's sink can run, and the suite finds sinks
//! that break their word.

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "syslog")]
mod syslog;

use tower_audit::{
    record::Origin,
    sink::{Batch, Sink, SinkError, SinkFuture},
    sink_conformance,
    testing::{
        conformance::{self, Behaviour, Destination},
        sinks::{MemoryStore, Stored},
    },
};

/// A destination in memory behind a sink that `make` changes.
fn memory<S: Sink>(store: &MemoryStore, make: impl Fn(MemoryStore) -> S + 'static) -> Destination {
    let (store, there) = (store.clone(), store.clone());
    Destination::new(
        move || {
            let sink = make(store.clone());
            async move { Box::new(sink) as Box<dyn Sink> }
        },
        move || {
            let records = there.contents().records;
            async move { records }
        },
    )
}

sink_conformance!(
    memory_store,
    memory(&MemoryStore::new(), |store| store.sink())
);
sink_conformance!(
    memory_without_position,
    memory(&MemoryStore::without_position(), |store| store.sink())
);

#[cfg(feature = "file")]
mod file {
    use std::rc::Rc;

    use serde_json::value::RawValue;
    use tower_audit::sink::FileSink;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Line<'a> {
        trail: uuid::Uuid,
        n: u64,
        #[serde(borrow)]
        record: &'a RawValue,
    }

    fn fresh() -> Destination {
        let dir = Rc::new(tempfile::tempdir().unwrap());
        let path = dir.path().join("audit.jsonl");
        let there = path.clone();
        Destination::new(
            move || {
                let sink = FileSink::builder(&path).build().unwrap();
                let _dir = Rc::clone(&dir);
                async move { Box::new(sink) as Box<dyn Sink> }
            },
            move || {
                let text = std::fs::read_to_string(&there).unwrap();
                let stored = |line: &str| {
                    let line: Line<'_> = serde_json::from_str(line).unwrap();
                    Stored::new(line.trail, line.n, line.record.get())
                };
                let records = text.lines().map(stored).collect();
                async move { records }
            },
        )
    }

    sink_conformance!(conforms, fresh());
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::rc::Rc;

    use sqlx::{ConnectOptions, Row, sqlite::SqliteConnectOptions};
    use tower_audit::sink::SqliteSink;

    use super::*;

    fn fresh() -> Destination {
        let dir = Rc::new(tempfile::tempdir().unwrap());
        let path = dir.path().join("audit.db");
        let there = path.clone();
        Destination::new(
            move || {
                let sink = SqliteSink::new(&path);
                let _dir = Rc::clone(&dir);
                async move { Box::new(sink) as Box<dyn Sink> }
            },
            move || {
                let options = SqliteConnectOptions::new().filename(&there);
                async move {
                    let mut connection = options.connect().await.unwrap();
                    let sql = "SELECT trail, number, json FROM audit_records ORDER BY arrival";
                    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                    let stored = |row: &sqlx::sqlite::SqliteRow| {
                        let trail = uuid::Uuid::from_slice(row.get(0)).unwrap();
                        let number = u64::try_from(row.get::<i64, _>(1)).unwrap();
                        Stored::new(trail, number, row.get::<String, _>(2))
                    };
                    rows.iter().map(stored).collect()
                }
            },
        )
    }

    sink_conformance!(conforms, fresh());
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::rc::Rc;

    use sqlx::Row;

    use super::*;
    use crate::support::postgres::{Place, place};

    fn fresh(place: Place) -> Destination {
        let place = Rc::new(place);
        let there = Rc::clone(&place);
        Destination::new(
            move || {
                let sink = place.sink();
                async move { Box::new(sink) as Box<dyn Sink> }
            },
            move || {
                let place = Rc::clone(&there);
                async move {
                    let mut connection = place.connect().await;
                    let sql =
                        "SELECT trail, number, json::text FROM audit_records ORDER BY arrival";
                    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                    let stored = |row: &sqlx::postgres::PgRow| {
                        let number = u64::try_from(row.get::<i64, _>(1)).unwrap();
                        Stored::new(row.get(0), number, row.get::<String, _>(2))
                    };
                    rows.iter().map(stored).collect()
                }
            },
        )
    }

    // Not the macro: without a server there is no destination to make.
    #[tokio::test]
    async fn conforms() {
        if place().is_none() {
            return;
        }
        let destination = || fresh(place().expect("it was there"));
        conformance::run(destination).await.unwrap();
    }
}

#[cfg(feature = "mysql")]
mod mysql {
    use std::rc::Rc;

    use sqlx::Row;
    use tower_audit::sink::MysqlSink;

    use super::*;
    use crate::support::{mariadb::Scratch, services};

    fn fresh(scratch: Scratch) -> Destination {
        let scratch = Rc::new(scratch);
        let there = Rc::clone(&scratch);
        Destination::new(
            move || {
                let sink = MysqlSink::new(&scratch.url("")).unwrap();
                async move { Box::new(sink) as Box<dyn Sink> }
            },
            move || {
                let scratch = Rc::clone(&there);
                async move {
                    let mut connection = scratch.open().await;
                    let sql = "SELECT trail, number, json FROM audit_records ORDER BY arrival";
                    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                    let stored = |row: &sqlx::mysql::MySqlRow| {
                        let trail = uuid::Uuid::from_slice(row.get(0)).unwrap();
                        let number = u64::try_from(row.get::<i64, _>(1)).unwrap();
                        Stored::new(trail, number, row.get::<String, _>(2))
                    };
                    rows.iter().map(stored).collect()
                }
            },
        )
    }

    // Not the macro: without a server there is no destination to make.
    #[tokio::test]
    async fn conforms() {
        let Some(server) = services::mariadb() else {
            return;
        };
        conformance::run(|| fresh(Scratch::on(&server)))
            .await
            .unwrap();
    }
}

/// A sink with one fault.
struct Faulty {
    store: MemoryStore,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    ReencodesJson,
    ReversesBatches,
    DropsLarge,
    StoresOneByOne,
    MixesTrails,
    ForgetsGaps,
    RefusesHeads,
    CountsInMemory(u64),
}

impl Sink for Faulty {
    fn kind(&self) -> &'static str {
        "faulty"
    }

    fn address(&self) -> String {
        "faulty:".to_owned()
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        Box::pin(async {
            let positions = self.store.contents().positions;
            Ok(match self.fault {
                Fault::CountsInMemory(position) => Some(position),
                Fault::MixesTrails => Some(positions.values().copied().max().unwrap_or(0)),
                Fault::ForgetsGaps => positions.get(&origin.trail).map(|next| next + 1),
                _ => Some(positions.get(&origin.trail).copied().unwrap_or(0)),
            })
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let mut batch = batch.clone();
            match &mut self.fault {
                Fault::ReencodesJson => {
                    for record in &mut batch.records {
                        let value: serde_json::Value = serde_json::from_str(&record.json)
                            .map_err(|_| SinkError::refused(Vec::new(), "no JSON"))?;
                        record.json = value.to_string().into();
                    }
                }
                Fault::ReversesBatches => batch.records.reverse(),
                Fault::DropsLarge => batch.records.retain(|record| record.json.len() < 10_000),
                Fault::RefusesHeads if batch.head.is_some() => {
                    return Err(SinkError::blocked("what is this?"));
                }
                Fault::CountsInMemory(position) => *position = batch.next,
                Fault::StoresOneByOne => {
                    for record in std::mem::take(&mut batch.records) {
                        let next = record.number + 1;
                        let (origin, received) = (batch.origin.clone(), batch.received);
                        let one = Batch::new(origin, received, vec![record], next);
                        self.store.sink().deliver(&one).await?;
                        tokio::task::yield_now().await;
                    }
                    return Ok(());
                }
                _ => {}
            }
            self.store.sink().deliver(&batch).await
        })
    }
}

#[tokio::test]
async fn each_fault_of_a_sink_is_found() {
    for (fault, found) in [
        (Fault::ReencodesJson, Behaviour::KeepsExactBytes),
        (Fault::ReversesBatches, Behaviour::KeepsOrder),
        (Fault::DropsLarge, Behaviour::TakesTheLargestRecord),
        (Fault::StoresOneByOne, Behaviour::SurvivesACancelledCall),
        (Fault::MixesTrails, Behaviour::KeepsTrailsApart),
        (Fault::ForgetsGaps, Behaviour::PassesGaps),
        (Fault::RefusesHeads, Behaviour::TakesTreeHeads),
        (Fault::CountsInMemory(0), Behaviour::RemembersAfterADrop),
    ] {
        let fresh = || memory(&MemoryStore::new(), move |store| Faulty { store, fault });
        let failed = conformance::run(fresh).await.unwrap_err();
        let mut names = failed.iter().map(|failed| failed.behaviour);
        assert!(
            names.any(|behaviour| behaviour == found),
            "{fault:?}: {failed:?}"
        );
    }
}
