//! Run with `cargo run --release --all-features --example trail [RECORDS]`.
//!
//! Writes a hundred thousand durable records from 256 tasks into a fresh directory, with a SQLite
//! database and a file as sinks; prints rates, the balance of the counters, and how to check both.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, time::Duration, time::Instant};

use tower_audit::sink::{FileSink, SqliteSink};
use tower_audit::{Actor, Audit, Record, Target};

const TASKS: u32 = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let records: u32 = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let dir = std::path::PathBuf::from(format!("target/trail-example/{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
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
        let share = records / TASKS + u32::from(task < records % TASKS);
        tasks.spawn(async move {
            for i in 0..share {
                // Returns when the record is on the disk.
                audit.commit(document_created(task, i)).await?;
            }
            Ok::<_, tower_audit::CommitError>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    say("durable", records, begun.elapsed());
    let report = audit.shutdown(Duration::from_secs(600)).await;
    say("delivered", records, begun.elapsed());

    let s = audit.stats();
    println!(
        "emitted {} = stored {} + queued {} + lost {}",
        s.emitted, s.stored, s.queued, s.lost
    );
    for s in s.sinks {
        println!(
            "{}: committed {} = delivered {} + pending {} + dead {} + missed {}",
            s.name, s.committed, s.delivered, s.pending, s.dead, s.missed
        );
    }
    println!("{report}\nNow run, with `cargo run --release --features cli --` before each:");
    println!("  tower-audit verify {}/journal", dir.display());
    println!(
        "  tower-audit query --store sqlite://{}/audit.db --limit 5",
        dir.display()
    );
    if report.in_order {
        Ok(())
    } else {
        Err("the trail was not closed in order".into())
    }
}

fn document_created(task: u32, i: u32) -> Record {
    Record::new("document.create")
        .actor(Actor::user(format!("{task}")).name("Flapjack Toasty"))
        .target(Target::new("document", format!("{task}-{i}")).name("Untitled document"))
        .detail("workspace", "Secret Plans")
}

fn say(what: &str, records: u32, time: Duration) {
    let per_second = f64::from(records) / time.as_secs_f64();
    println!("{what:<9} {records} records in {time:.2?}: {per_second:.0}/s");
}
