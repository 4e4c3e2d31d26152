//! Run with `cargo bench --features sqlite --bench follower [-- [--quick] [backlog] [outage]]`.
//!
//! Records out of the journal into a SQLite database:
//!
//! - `backlog`: a follower delivers a journal to a new database, against a plain bulk write of the
//!   same values into the same tables: multi-row `INSERT`, transactions and pragmas alike, the
//!   values ready in memory.
//! - `outage`: the same while the sink was down for all of it, against the sink alone, called with
//!   the same batches from memory.

mod support;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use support::{
    Asked, Bar, Fallible, Series, Taken, Unit, Watch, compare,
    facts::{Facts, SERVICE},
    journal::{batches, fill, stop},
    place::{self, Place},
    plain::Plain,
    timed,
};
use tower_audit::{
    Audit,
    record::Origin,
    sink::{Batch, Limits, Sink, SinkError, SinkFuture, SqliteSink},
};

fn main() -> Fallible<()> {
    let asked = Asked::read();
    let place = Place::new()?;
    let records = asked.or_quick(100_000, 5_000);
    let batches = batches(&place, records, SqliteSink::new("").limits())?;
    let (mut backlog, mut plain) = (Series::default(), Series::default());
    let (mut outage, mut alone) = (Series::default(), Series::default());
    let ready = Plain::new(&batches)?;
    let rounds = if asked.quick { 2 } else { 5 };
    for round in 0..rounds {
        if asked.part("backlog") {
            backlog.rate(records, follow(&place, records, round)?);
            plain.rate(ready.records(), write_plainly(&place, &ready)?);
        }
        if asked.part("outage") {
            outage.rate(records, catch_up(&place, records)?);
            alone.rate(ready.records(), deliver_alone(&place, &batches)?);
        }
    }
    let bar = Bar::AtLeast {
        bar: 0.8,
        aim: 0.95,
    };
    if asked.part("backlog") {
        let title = format!("Through a follower into SQLite, {records} records");
        let reference = ("multi-row INSERT of the same values from memory", &plain);
        compare(&title, Unit::PerSecond, &backlog, reference, bar);
    }
    if asked.part("outage") {
        let title = format!("Catching up after an outage, {records} records");
        let reference = ("the sink alone, same batches from memory", &alone);
        compare(&title, Unit::PerSecond, &outage, reference, bar);
    }
    Ok(())
}

/// A new sink on a journal that is full already.
fn follow(place: &Place, records: u64, round: u64) -> Fallible<Taken> {
    let watch = Arc::new(Seen::default());
    watch.up.store(true, Ordering::Release);
    let database = place.join("follower.db");
    let audit = Audit::builder(SERVICE)
        .dir(place.join("journal"))
        .sink(format!("round-{round}"), Watched::new(&database, &watch))
        .start_blocking()?;
    let taken = watch.wait_for(records);
    stop(&audit)?;
    remove(&database)?;
    Ok(taken)
}

/// A sink that is down while the records come in.
fn catch_up(place: &Place, records: u64) -> Fallible<Taken> {
    let watch = Arc::new(Seen::default());
    let database = place.join("outage.db");
    let dir = place.join("outage");
    let audit = Audit::builder(SERVICE)
        .dir(&dir)
        .sink("sqlite", Watched::new(&database, &watch))
        .start_blocking()?;
    fill(&audit, records)?;
    audit.commit_blocking(Facts::new(records).record())?;
    watch.up.store(true, Ordering::Release);
    let taken = watch.wait_for(records);
    stop(&audit)?;
    remove(&database)?;
    place::settle(&dir)?;
    Ok(taken)
}

fn deliver_alone(place: &Place, batches: &[Batch]) -> Fallible<Taken> {
    let database = place.join("alone.db");
    let mut sink = SqliteSink::new(&database);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let first = batches.first().ok_or("no batches")?;
    // Makes the tables.
    runtime.block_on(sink.position(&first.origin))?;
    let ((), taken) = timed(|| {
        for batch in batches {
            runtime.block_on(sink.deliver(batch))?;
        }
        Ok(())
    })?;
    runtime.block_on(sink.close())?;
    remove(&database)?;
    Ok(taken)
}

fn write_plainly(place: &Place, ready: &Plain) -> Fallible<Taken> {
    let database = place.join("plain.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let taken = runtime.block_on(async {
        let mut connection = ready.open(&database).await?;
        let watch = Watch::start();
        ready.write(&mut connection).await?;
        Ok::<_, Box<dyn std::error::Error>>(watch.taken())
    })?;
    remove(&database)?;
    Ok(taken)
}

fn remove(database: &Path) -> Fallible<()> {
    for ending in ["-wal", "-shm"] {
        let mut beside = database.as_os_str().to_owned();
        beside.push(ending);
        match std::fs::remove_file(beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    place::settle(database)?;
    Ok(std::fs::remove_file(database)?)
}

/// What a [`Watched`] sink saw.
#[derive(Default)]
struct Seen {
    up: AtomicBool,
    delivered: AtomicU64,
    first: Mutex<Option<Watch>>,
}

impl Seen {
    /// From the first that the sink took to the one that makes it so many.
    fn wait_for(&self, records: u64) -> Taken {
        loop {
            let delivered = self.delivered.load(Ordering::Acquire);
            let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(first) = first.filter(|_| delivered >= records) {
                return first.taken();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A SQLite sink that can be down.
struct Watched {
    sink: SqliteSink,
    watch: Arc<Seen>,
}

impl Watched {
    fn new(database: &Path, watch: &Arc<Seen>) -> Self {
        Self {
            sink: SqliteSink::new(database),
            watch: Arc::clone(watch),
        }
    }

    async fn take(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if !self.watch.up.load(Ordering::Acquire) {
            return Err(SinkError::Retry {
                reason: "down".into(),
                after: Some(Duration::from_millis(100)),
                unsent: true,
            });
        }
        self.watch
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Watch::start);
        self.sink.deliver(batch).await?;
        let records = batch.records.len() as u64;
        self.watch.delivered.fetch_add(records, Ordering::AcqRel);
        Ok(())
    }
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
        Box::pin(self.take(batch))
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        self.sink.close()
    }
}
