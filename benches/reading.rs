//! Run with `cargo bench --features cli,postgres --bench reading [-- [--quick] [sqlite] [postgres]
//! [pages] [export] [prune]]`, after `scripts/services up postgres`.
//!
//! What reading a store costs at 100 thousand records and at a million, each question beside itself,
//! on SQLite and PostgreSQL, with the store's own code; then all records as an export, with the most
//! memory that it took; then the older half is pruned while a sink goes on writing.
//! `AUDIT_BENCH_ROWS=10000000` makes the larger store another size.
//!
//! The records are spread over 90 days: 5000 actors, of whom a few do most, 20 tenants, 20 actions,
//! one in fifty refused, one in 100 thousand with a text that is searched for.

mod support;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use support::{
    Asked, Fallible, Series, Watch,
    history::{delivery, fill},
    place::Place,
    say,
};
use tower_audit::{
    clock::{Clock, RecordId, SystemClock, Timestamp},
    export::{Columns, Export, ExportFormat},
    record::Origin,
    retention::{Pruner, Retention},
    sink::{Batch, url},
    store::{Field, Query, Reach, Store},
};
use uuid::Uuid;

/// What can be named to run it alone: databases, and what is done with them.
const DATABASES: [&str; 2] = ["sqlite", "postgres"];
const STEPS: [&str; 3] = ["pages", "export", "prune"];

fn main() -> Fallible<()> {
    let asked = Asked::read();
    let place = Place::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let rows = match std::env::var("AUDIT_BENCH_ROWS") {
        Ok(rows) => rows.parse()?,
        Err(_) => asked.or_quick(1_000_000, 20_000),
    };
    let sizes = [(rows / 10).min(100_000), rows];
    if asked.one_of(&DATABASES, "sqlite") {
        let addresses = sizes.map(|rows| {
            let path = place.join(&format!("{rows}.db"));
            format!("sqlite://{}", path.display())
        });
        runtime.block_on(read("SQLite", sizes, &addresses, &asked))?;
    }
    if asked.one_of(&DATABASES, "postgres") {
        let server = server("POSTGRES_URL")?;
        let schema = format!("bench_{}", std::process::id());
        let addresses = sizes.map(|rows| format!("{server}?schema={schema}_{rows}"));
        runtime.block_on(read("PostgreSQL", sizes, &addresses, &asked))?;
        runtime.block_on(async {
            use sqlx::Connection as _;
            let mut connection = sqlx::PgConnection::connect(&server).await?;
            for rows in sizes {
                let sql = format!("DROP SCHEMA {schema}_{rows} CASCADE");
                let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
                sql.execute(&mut connection).await?;
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        })?;
    }
    Ok(())
}

/// From the variable `AUDIT_TEST_` + `name`, or from what `scripts/services up` left.
fn server(name: &str) -> Fallible<String> {
    if let Ok(url) = std::env::var(format!("AUDIT_TEST_{name}")) {
        return Ok(url);
    }
    let left = concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/urls");
    let urls = fs::read_to_string(left)?;
    let mut lines = urls.lines().filter_map(|line| line.split_once('='));
    let found = lines.find(|(key, _)| *key == name);
    let (_, url) = found.ok_or("no server: run scripts/services up")?;
    Ok(url.to_owned())
}

async fn read(name: &str, sizes: [u64; 2], addresses: &[String; 2], asked: &Asked) -> Fallible<()> {
    let end = SystemClock::new().now();
    let begin = days_before(end, 90);
    for (rows, address) in sizes.into_iter().zip(addresses) {
        let watch = Watch::start();
        fill(address, rows, begin).await?;
        let taken = watch.taken().wall.as_secs_f64();
        say(&format!("{name}: {rows} records written in {taken:.0} s"));
    }
    let small = Store::open(&addresses[0]).await?;
    let large = Store::open(&addresses[1]).await?;
    let step = |name| asked.one_of(&STEPS, name);
    if step("pages") {
        let titles = sizes.map(|rows| format!("{rows} records"));
        say(&format!(
            "| {name} | {} | {} | ratio |",
            titles[0], titles[1]
        ));
        say("|---|---:|---:|---:|");
        compare([&small, &large], end, asked.rounds()).await?;
    }
    if step("export") {
        export(&small).await?;
        export(&large).await?;
    }
    if step("prune") {
        prune(&addresses[1], end).await?;
    }
    Ok(())
}

/// Each question, of the smaller store and of the larger one.
async fn compare(stores: [&Store; 2], end: Timestamp, rounds: u64) -> Fallible<()> {
    for (title, question) in questions(end) {
        let then = median(stores[0], &question, rounds).await?;
        let now = median(stores[1], &question, rounds).await?;
        let ratio = now / then;
        say(&format!(
            "| {title} | {then:.2} ms | {now:.2} ms | {ratio:.2} |"
        ));
    }
    Ok(())
}

/// Removes the older half, while another thread delivers batches as it did before.
async fn prune(address: &str, end: Timestamp) -> Fallible<()> {
    let alone = Writer::start(address, end, 2)?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let alone = alone.stop()?;
    let writer = Writer::start(address, end, 3)?;
    let watch = Watch::start();
    let retention = Retention::new().keep(Duration::from_secs(45 * 86_400));
    let report = Pruner::open(address).await?.prune(&retention, end).await?;
    let taken = watch.taken().wall.as_secs_f64();
    let beside = writer.stop()?;
    say(&format!(
        "prune: {} records removed in {taken:.1} s; batches of 100 written meanwhile: {beside}; alone: {alone}",
        report.done.removed
    ));
    Ok(())
}

/// A thread that delivers small batches of a trail of its own, one after the other.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Vec<f64>, String>>,
}

impl Writer {
    fn start(address: &str, end: Timestamp, trail: u128) -> Fallible<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, address) = (Arc::clone(&stop), address.to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::spawn(move || {
            let work = write_until(&seen, &address, end, trail);
            runtime.block_on(work).map_err(|error| error.to_string())
        });
        Ok(Self { stop, thread })
    }

    /// How many there were, and how long one took, in the middle and at worst.
    fn stop(self) -> Fallible<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().map_err(|_| "the writer panicked")??;
        times.sort_by(f64::total_cmp);
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        let worst = times.last().copied().unwrap_or_default();
        let count = times.len();
        Ok(format!(
            "{count}, median {middle:.1} ms, longest {worst:.0} ms"
        ))
    }
}

async fn write_until(
    stop: &AtomicBool,
    address: &str,
    end: Timestamp,
    trail: u128,
) -> Fallible<Vec<f64>> {
    let mut sink = url::parse(address)?;
    let origin = Origin::new(Uuid::from_u128(trail), "docs", None);
    sink.position(&origin).await?;
    let mut times = Vec::new();
    let mut first = 0;
    while !stop.load(Ordering::Relaxed) {
        let numbers = first..first + 100;
        // Behind everything, so that none of it may go; each trail has ids of its own.
        let at = end.saturating_add(Duration::from_secs(u64::try_from(trail)?));
        let records = numbers.clone().map(|number| delivery(number, 1 << 40, at));
        let batch = Batch::new(origin.clone(), end, records.collect(), numbers.end);
        let watch = Watch::start();
        sink.deliver(&batch).await?;
        times.push(watch.taken().wall.as_secs_f64() * 1000.0);
        first = numbers.end;
    }
    sink.close().await?;
    Ok(times)
}

/// What is asked.
enum Question {
    Page(Query),
    Choices(Field, Reach),
    Count(Query),
    Histogram(Query),
}

fn questions(end: Timestamp) -> Vec<(&'static str, Question)> {
    let mut all = pages(end);
    all.extend(numbers(end));
    all
}

fn days_before(end: Timestamp, days: u64) -> Timestamp {
    end.saturating_sub(Duration::from_secs(days * 86_400))
}

fn page() -> Query {
    Query::new().without_reads().limit(50)
}

fn pages(end: Timestamp) -> Vec<(&'static str, Question)> {
    let week = page().from(days_before(end, 7));
    let middle = RecordId::lowest_at(days_before(end, 45));
    let action = |action: &str| page().action(action.parse().unwrap_or_else(|_| unreachable!()));
    vec![
        ("first page", Question::Page(page())),
        ("first page of a week", Question::Page(week.clone())),
        (
            "a page in the middle",
            Question::Page(page().before(middle)),
        ),
        ("one outcome", Question::Page(page().outcome("denied"))),
        (
            "an action and an outcome",
            Question::Page(action("a7.do").outcome("denied")),
        ),
        ("actions below a prefix", Question::Page(action("a7.*"))),
        ("a busy actor's page", Question::Page(page().actor("42"))),
        ("a rare actor's page", Question::Page(page().actor("4321"))),
        (
            "a target",
            Question::Page(page().target_type("document").target("d77")),
        ),
        (
            "a target by its id alone",
            Question::Page(page().target("d77")),
        ),
        (
            "a tenant's reach",
            Question::Page(page().within(Reach::tenant("7"))),
        ),
        (
            "a reach and a rare actor",
            Question::Page(page().actor("4321").within(Reach::tenant("1"))),
        ),
        (
            "a text, first of a week",
            Question::Page(week.clone().text("flapjack")),
        ),
        (
            "a text that is nowhere",
            Question::Page(page().text("no such words")),
        ),
    ]
}

fn numbers(end: Timestamp) -> Vec<(&'static str, Question)> {
    use Question::{Choices, Count, Histogram};
    let quarter = page().from(days_before(end, 90)).actor("4321");
    vec![
        (
            "choices of actions",
            Choices(Field::Action, Reach::default()),
        ),
        (
            "choices of actors, 200",
            Choices(Field::Actor, Reach::default()),
        ),
        (
            "choices within a reach",
            Choices(Field::Action, Reach::tenant("7")),
        ),
        ("count to 10 000", Count(page())),
        ("count of one outcome", Count(page().outcome("denied"))),
        (
            "histogram of a week, 60 steps",
            Histogram(page().from(days_before(end, 7))),
        ),
        ("histogram of an actor, 90 days", Histogram(quarter)),
    ]
}

async fn median(store: &Store, question: &Question, rounds: u64) -> Fallible<f64> {
    let mut series = Series::default();
    // One before, whose plan and pages are new to everybody.
    for round in 0..=rounds * 3 {
        let watch = Watch::start();
        match question {
            Question::Page(query) => drop(store.browse(query).await?),
            Question::Choices(field, reach) => drop(store.choices(*field, reach, 200).await?),
            Question::Count(query) => drop(store.count(query, 10_000).await?),
            Question::Histogram(query) => drop(store.histogram(query, 60).await?),
        }
        if round > 0 {
            series.once(watch.taken());
        }
    }
    let mut values = series.values;
    values.sort_by(f64::total_cmp);
    Ok(values.get(values.len() / 2).copied().unwrap_or_default())
}

async fn export(store: &Store) -> Fallible<()> {
    // From here on the peak is counted anew.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = peak()?;
    let watch = Watch::start();
    let format = ExportFormat::JsonLines;
    let columns = Columns::default();
    let mut export = Export::begin(store.clone(), Query::new(), format, columns).await?;
    let mut bytes = 0;
    while let Some(chunk) = export.next().await? {
        bytes += chunk.len();
    }
    let taken = watch.taken().wall.as_secs_f64();
    let records = export.manifest().records;
    say(&format!(
        "export as JSON Lines: {records} records, {} MiB, {taken:.1} s, peak {} KiB above what was there",
        bytes / 1_048_576,
        peak()?.saturating_sub(before)
    ));
    Ok(())
}

/// The most memory that this process had, in KiB.
fn peak() -> Fallible<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmHWM")?.parse()?)
}
