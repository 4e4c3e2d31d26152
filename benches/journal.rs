//! Run with `cargo bench --bench journal [-- [--quick] [buffered] [durable] [alone]]`.
//!
//! Records into the journal, beside the usual way to write such facts to a file:
//!
//! - `buffered`: one producer that never waits for a sync, against JSON `fmt` events of the same
//!   facts into `tracing_appender`, which waits for no sync either, and loses none.
//! - `durable`: 256 tasks, each waiting for the sync of its record, against as many that do not wait.
//! - `alone`: one record at a time, on disk before the next, against a bare append and `fdatasync`.

mod support;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use support::{
    Asked, Bar, Fallible, Series, Unit, Watch, compare,
    facts::{Facts, SERVICE},
    place::{self, Place},
    timed,
};
use tower_audit::{Audit, Record, Rejected};

fn main() -> Fallible<()> {
    let asked = Asked::read();
    let place = Place::new()?;
    if asked.part("buffered") {
        buffered(&asked, &place)?;
    }
    if asked.part("durable") {
        durable(&asked, &place)?;
    }
    if asked.part("alone") {
        alone(&asked, &place)?;
    }
    Ok(())
}

fn start(dir: &Path) -> Fallible<Audit> {
    Ok(Audit::builder(SERVICE).dir(dir).start_blocking()?)
}

fn stop(audit: &Audit, dir: &Path) -> Fallible<()> {
    let stats = audit.stats();
    if stats.lost > 0 {
        return Err(format!("{} records were lost", stats.lost).into());
    }
    let report = audit.shutdown_blocking(Duration::from_secs(60));
    if !report.in_order {
        return Err(format!("not closed in order: {report}").into());
    }
    place::settle(dir)
}

/// As a task may end.
type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Records one, however long the queue is full.
fn record(audit: &Audit, make: impl Fn() -> Record) -> Done {
    loop {
        match audit.record(make()) {
            Ok(_) => return Ok(()),
            // The queue holds 16 MiB; it is shorter in a moment.
            Err(Rejected::Full) => thread::sleep(Duration::from_micros(200)),
            Err(other) => return Err(other.into()),
        }
    }
}

fn buffered(asked: &Asked, place: &Place) -> Fallible<()> {
    let records = asked.or_quick(1_000_000, 200_000);
    let appender = Appender::install(place)?;
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    for _ in 0..asked.rounds() {
        let dir = place.join("journal");
        let audit = start(&dir)?;
        let ((), taken) = timed(|| one_producer(&audit, records))?;
        ours.rate(records, taken);
        stop(&audit, &dir)?;

        let ((), taken) = timed(|| appender.events(records))?;
        theirs.rate(records, taken);
        place::settle(&appender.path)?;
    }
    compare(
        &format!("Buffered, one producer, {records} records, until all are on disk"),
        Unit::PerSecond,
        &ours,
        (
            "JSON fmt into tracing_appender, not lossy, until all are written, unsynced",
            &theirs,
        ),
        Bar::AtLeast { bar: 1.5, aim: 3.0 },
    );
    Ok(())
}

fn one_producer(audit: &Audit, records: u64) -> Fallible<()> {
    for number in 0..records {
        record(audit, || Facts::new(number).record()).map_err(|error| error.to_string())?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(audit.flush())?)
}

/// The reference: events of `tracing`, as JSON, through a channel to a thread that writes a file.
struct Appender {
    path: std::path::PathBuf,
    written: Arc<AtomicU64>,
    _guard: tracing_appender::non_blocking::WorkerGuard,
}

impl Appender {
    fn install(place: &Place) -> Fallible<Self> {
        let written = Arc::new(AtomicU64::new(0));
        let file = Counted {
            inner: tracing_appender::rolling::never(place.path(), "events.jsonl"),
            lines: Arc::clone(&written),
        };
        let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
            .lossy(false)
            .finish(file);
        tracing_subscriber::fmt()
            .json()
            .with_writer(writer)
            .with_max_level(tracing::Level::INFO)
            .init();
        Ok(Self {
            path: place.join("events.jsonl"),
            written,
            _guard: guard,
        })
    }

    /// Returns when the last one is in the file.
    fn events(&self, records: u64) -> Fallible<()> {
        let last = self.written.load(Ordering::Acquire) + records;
        for number in 0..records {
            Facts::new(number).event();
        }
        while self.written.load(Ordering::Acquire) < last {
            thread::sleep(Duration::from_micros(100));
        }
        Ok(())
    }
}

/// A writer that says how many lines it has taken: the appender gives it one at a time.
struct Counted<W> {
    inner: W,
    lines: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.lines.fetch_add(
            u64::from(bytes.get(..count).is_some_and(|all| all.ends_with(b"\n"))),
            Ordering::Release,
        );
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

const TASKS: usize = 256;

fn durable(asked: &Asked, place: &Place) -> Fallible<()> {
    let records = asked.or_quick(1_000_000, 200_000);
    let runtime = tokio::runtime::Runtime::new()?;
    let (mut waiting, mut tasks, mut alone) = Default::default();
    for _ in 0..asked.rounds() {
        let round = |series: &mut Series, run: &dyn Fn(&Audit) -> Fallible<()>| {
            let dir = place.join("journal");
            let audit = start(&dir)?;
            let ((), taken) = timed(|| run(&audit))?;
            series.rate(records, taken);
            stop(&audit, &dir)
        };
        round(&mut waiting, &|audit| {
            many(&runtime, audit, records, Wait::ForTheSync)
        })?;
        round(&mut tasks, &|audit| {
            many(&runtime, audit, records, Wait::Never)
        })?;
        round(&mut alone, &|audit| one_producer(audit, records))?;
    }
    let title = format!("Durable, {TASKS} tasks that wait, {records} records");
    let bar = Bar::AtLeast {
        bar: 0.6,
        aim: 0.85,
    };
    let reference = ("Buffered, one producer", &alone);
    compare(&title, Unit::PerSecond, &waiting, reference, bar);
    let reference = ("Buffered, as many tasks, none waits", &tasks);
    compare(&title, Unit::PerSecond, &waiting, reference, bar);
    Ok(())
}

#[derive(Clone, Copy)]
enum Wait {
    ForTheSync,
    Never,
}

/// Records from many tasks at once, until all are on disk.
fn many(
    runtime: &tokio::runtime::Runtime,
    audit: &Audit,
    records: u64,
    wait: Wait,
) -> Fallible<()> {
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for first in (0..records).take(TASKS) {
            let audit = audit.clone();
            tasks.spawn(async move {
                for number in (first..records).step_by(TASKS) {
                    if let Wait::ForTheSync = wait {
                        let _receipt = audit.commit(Facts::new(number).record()).await?;
                    } else {
                        record(&audit, || Facts::new(number).record())?;
                    }
                }
                Done::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done?.map_err(|error| error.to_string())?;
        }
        Ok(audit.flush().await?)
    })
}

fn alone(asked: &Asked, place: &Place) -> Fallible<()> {
    let (rounds, each) = (asked.or_quick(30, 2), asked.or_quick(100, 10));
    let dir = place.join("journal");
    let audit = start(&dir)?;
    let bytes = bytes_of_one(&audit, &dir)?;
    let mut bare = fs::OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(place.join("bare.jsonl"))?;
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    for round in 0..rounds {
        let watch = Watch::start();
        for number in 0..each {
            let _receipt = audit.commit_blocking(Facts::new(round * each + number).record())?;
        }
        ours.each(each, watch.taken());

        let watch = Watch::start();
        for _ in 0..each {
            bare.write_all(&bytes)?;
            bare.sync_data()?;
        }
        theirs.each(each, watch.taken());
    }
    compare(
        &format!("One Durable record alone, {} bytes", bytes.len()),
        Unit::Micros,
        &ours,
        ("append and fdatasync of as many bytes", &theirs),
        Bar::AtMost {
            bar: 1.35,
            aim: 1.1,
        },
    );
    stop(&audit, &dir)
}

/// What one commit of one record appends to the journal.
fn bytes_of_one(audit: &Audit, dir: &Path) -> Fallible<Vec<u8>> {
    let _receipt = audit.commit_blocking(Facts::new(0).record())?;
    let before = place::bytes_in(dir, ".jsonl")?;
    let _receipt = audit.commit_blocking(Facts::new(1).record())?;
    let length = place::bytes_in(dir, ".jsonl")? - before;
    let mut bytes = vec![b'x'; usize::try_from(length)?];
    if let Some(last) = bytes.last_mut() {
        *last = b'\n';
    }
    Ok(bytes)
}
