//! Run with `cargo run --release --all-features --example trail [RECORDS]`.
//!
//! Writes a hundred thousand durable records from many tasks into a fresh directory, with a SQLite
//! database and a file as sinks, and prints the rates and the balance of the counters. Then it names
//! the commands that check the result.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use tower_audit::{
    Actor, Audit, Record, Target,
    sink::{FileSink, SqliteSink},
};

const TASKS: u64 = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let records = std::env::args()
        .nth(1)
        .map_or(Ok(100_000), |text| text.parse::<u64>())?;
    let dir = fresh_dir()?;
    let audit = Audit::builder("trail-example")
        .dir(dir.join("journal"))
        .sink("sqlite", SqliteSink::new(dir.join("audit.db")))
        .sink("file", FileSink::builder(dir.join("audit.jsonl")).build()?)
        .start()
        .await?;

    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let audit = audit.clone();
        let share = records / TASKS + u64::from(task < records % TASKS);
        tasks.spawn(async move {
            for i in 0..share {
                // Returns when the record is on the disk.
                let receipt = audit.commit(document_created(task, i)).await?;
                debug_assert!(receipt.number < receipt.tree_size);
            }
            Ok::<_, tower_audit::CommitError>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let durable = begun.elapsed();
    let report = audit.shutdown(Duration::from_secs(600)).await;
    let delivered = begun.elapsed();

    println!(
        "durable    {records} records in {durable:.2?}: {}/s from {TASKS} tasks",
        rate(records, durable)
    );
    println!(
        "delivered  to both sinks after {delivered:.2?}: {}/s",
        rate(records, delivered)
    );
    balance(&audit);
    println!("report     {report}\n");
    commands(&dir);
    if report.in_order {
        Ok(())
    } else {
        Err("the trail was not closed in order".into())
    }
}

fn document_created(task: u64, i: u64) -> Record {
    Record::new("document.create")
        .actor(Actor::user(format!("{task}")).name("Flapjack Toasty"))
        .target(Target::new("document", format!("{task}-{i}")).name("Untitled document"))
        .detail(
            "workspace",
            serde_json::json!({"id": 97, "name": "Secret Plans"}),
        )
}

fn balance(audit: &Audit) {
    let stats = audit.stats();
    println!(
        "balance    emitted {} = stored {} + queued {} + lost {}",
        stats.emitted, stats.stored, stats.queued, stats.lost
    );
    for sink in stats.sinks {
        println!(
            "           {}: committed {} = delivered {} + pending {} + dead {} + missed {}",
            sink.name, sink.committed, sink.delivered, sink.pending, sink.dead, sink.missed
        );
    }
}

fn commands(dir: &Path) {
    let dir = dir.display();
    println!("now run    cargo run --release --features cli -- verify {dir}/journal");
    println!(
        "           cargo run --release --features cli -- query --store sqlite://{dir}/audit.db --all --limit 5"
    );
}

fn fresh_dir() -> Result<std::path::PathBuf, Box<dyn Error>> {
    let base = std::env::current_dir()?.join("target/trail-example");
    let dir = base.join(std::process::id().to_string());
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
fn rate(records: u64, time: Duration) -> u64 {
    let rate = records as f64 / time.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive rate"
    )]
    let whole = rate as u64;
    whole
}
