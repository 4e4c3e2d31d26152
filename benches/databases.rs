//! Run with `cargo bench --features postgres --bench databases [-- [--quick] [postgres]]`, after
//! `scripts/services up postgres`.
//!
//! Records into databases on a server, each sink against the fastest plain bulk write of the same
//! values into the same tables, with the same indexes, triggers and parts, in the same transactions:
//!
//! - `postgres`: batches from memory through the sink, and a journal through a follower, against
//!   `COPY` in binary form, every byte of it ready in memory.

mod support;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use support::{
    Asked, Bar, Fallible, Series, Taken, Unit, Watch, compare,
    facts::SERVICE,
    journal::{batches, stop},
    place::Place,
    plain_postgres::PlainCopy,
};
use tower_audit::{
    Audit,
    record::Origin,
    sink::{Batch, Limits, PostgresSink, Sink, SinkFuture, tables},
};

fn main() -> Fallible<()> {
    let asked = Asked::read();
    let place = Place::new()?;
    let records = asked.or_quick(100_000, 5_000);
    if asked.part("postgres") {
        let server = Server::find("POSTGRES_URL")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        postgres(&asked, &place, records, &server, &runtime)?;
    }
    Ok(())
}

fn postgres(
    asked: &Asked,
    place: &Place,
    records: u64,
    server: &Server,
    runtime: &tokio::runtime::Runtime,
) -> Fallible<()> {
    let limits = server.sink()?.limits();
    let batches = batches(place, records, limits)?;
    let ready = PlainCopy::new(&batches)?;
    let (mut sink, mut backlog, mut plain) =
        (Series::default(), Series::default(), Series::default());
    for round in 0..asked.or_quick(5, 2) {
        runtime.block_on(server.empty())?;
        let taken = runtime.block_on(deliver(server, &batches))?;
        sink.rate(ready.records(), taken);

        runtime.block_on(server.empty())?;
        backlog.rate(records, follow(place, server, records, round)?);

        runtime.block_on(server.empty())?;
        let taken = runtime.block_on(async {
            let mut connection = server.connect().await?;
            let watch = Watch::start();
            ready.write(&mut connection).await?;
            Ok::<_, Box<dyn std::error::Error>>(watch.taken())
        })?;
        plain.rate(ready.records(), taken);
    }
    let bar = Bar::AtLeast {
        bar: 0.8,
        aim: 0.95,
    };
    let reference = ("COPY of the same values, ready in memory", &plain);
    let title = format!("Into PostgreSQL, batches from memory, {records} records");
    compare(&title, Unit::PerSecond, &sink, reference, bar);
    let title = format!("Into PostgreSQL, a journal through a follower, {records} records");
    compare(&title, Unit::PerSecond, &backlog, reference, bar);
    runtime.block_on(server.drop_schema())
}

async fn deliver(server: &Server, batches: &[Batch]) -> Fallible<Taken> {
    let mut sink = server.sink()?;
    let first = batches.first().ok_or("no batches")?;
    sink.position(&first.origin).await?;
    let watch = Watch::start();
    for batch in batches {
        sink.deliver(batch).await?;
    }
    let taken = watch.taken();
    sink.close().await?;
    Ok(taken)
}

/// A new sink on a journal that is full already.
fn follow(place: &Place, server: &Server, records: u64, round: u64) -> Fallible<Taken> {
    let watched = Watched {
        sink: server.sink()?,
        seen: Arc::default(),
    };
    let seen = Arc::clone(&watched.seen);
    let audit = Audit::builder(SERVICE)
        .dir(place.join("journal"))
        .sink(format!("round-{round}"), watched)
        .start_blocking()?;
    let taken = loop {
        let first = *seen.first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = first.filter(|_| seen.delivered.load(Ordering::Acquire) >= records) {
            break first.taken();
        }
        thread::sleep(Duration::from_millis(1));
    };
    stop(&audit)?;
    Ok(taken)
}

/// A schema of the bench's own on a server.
struct Server {
    url: String,
}

impl Server {
    const SCHEMA: &str = "bench";

    /// From the variable `AUDIT_TEST_` + `name`, or from what `scripts/services up` left.
    fn find(name: &str) -> Fallible<Self> {
        let given = std::env::var(format!("AUDIT_TEST_{name}")).ok();
        let left = concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/urls");
        let url = given.or_else(|| {
            let urls = std::fs::read_to_string(left).ok()?;
            let mut lines = urls.lines().filter_map(|line| line.split_once('='));
            lines
                .find(|(key, _)| *key == name)
                .map(|(_, url)| url.to_owned())
        });
        let url = url.ok_or("no server: run scripts/services up")?;
        Ok(Self { url })
    }

    fn address(&self) -> String {
        format!("{}?schema={}", self.url, Self::SCHEMA)
    }

    fn sink(&self) -> Fallible<PostgresSink> {
        Ok(PostgresSink::new(&self.address())?)
    }

    async fn connect(&self) -> Fallible<PgConnection> {
        let options: PgConnectOptions = self.url.parse()?;
        let options = options.options([("search_path", Self::SCHEMA)]);
        Ok(options.disable_statement_logging().connect().await?)
    }

    async fn drop_schema(&self) -> Fallible<()> {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", Self::SCHEMA);
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        Ok(())
    }

    /// New tables, and nothing left to write from before.
    async fn empty(&self) -> Fallible<()> {
        self.drop_schema().await?;
        tables::migrate(&self.address(), None).await?;
        let mut connection = self.connect().await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
        Ok(())
    }
}

/// What a [`Watched`] sink saw.
#[derive(Default)]
struct Seen {
    delivered: AtomicU64,
    first: Mutex<Option<Watch>>,
}

/// A sink that tells how far it is.
struct Watched {
    sink: PostgresSink,
    seen: Arc<Seen>,
}

impl Sink for Watched {
    fn kind(&self) -> &'static str {
        self.sink.kind()
    }

    fn address(&self) -> String {
        self.sink.address()
    }

    fn limits(&self) -> Limits {
        self.sink.limits()
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        self.sink.position(origin)
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let first = || {
                self.seen
                    .first
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
            };
            first().get_or_insert_with(Watch::start);
            self.sink.deliver(batch).await?;
            let records = batch.records.len() as u64;
            self.seen.delivered.fetch_add(records, Ordering::AcqRel);
            Ok(())
        })
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        self.sink.close()
    }
}
