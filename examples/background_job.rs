//! Run with `cargo run --example background_job`.
//!
//! What the system does by itself: each job leaves one record, whatever its end. Shows the records of
//! a job that ends well, one that fails, one that is given up half-way, one that does not begin unless
//! its intent is on disk, and a plain fact. The first and the last record are the trail's own.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, time::Duration};

use tower_audit::{Audit, AuditScope, Record, Target, sink::FileSink};

/// Any function below a job finds its scope; without one it does its work all the same.
async fn prune(keep: u32) -> u32 {
    let removed = 10_u32.saturating_sub(keep);
    if let Some(scope) = AuditScope::current() {
        scope.detail("removed", removed).detail("kept", keep);
    }
    removed
}

async fn upload() -> Result<(), std::io::Error> {
    Err(std::io::ErrorKind::ConnectionRefused.into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (journal, file) = (dir.path().join("journal"), dir.path().join("audit.jsonl"));
    let sink = FileSink::builder(&file).build()?;
    let audit = Audit::builder("jobs")
        .dir(journal)
        .sink("file", sink)
        .start()
        .await?;

    let job = audit.scope(Record::system("backup.prune").target(Target::of_kind("backups")));
    println!("removed {}", job.run(prune(7)).await);

    let job = audit.scope(Record::system("backup.upload"));
    if let Err(error) = job.try_run(upload()).await {
        println!("upload: {error}");
    }

    // A future that is dropped before its end is a job that was given up.
    let job = audit.scope(Record::system("index.rebuild"));
    let endless = job.run(std::future::pending::<()>());
    let given_up = tokio::time::timeout(Duration::from_millis(10), endless).await;
    println!("rebuild given up: {}", given_up.is_err());

    // When the intent cannot be made durable, the work does not begin.
    let job = audit.scope(Record::system("key.rotate")).strict();
    job.run(async { println!("keys rotated") }).await?;

    // A fact needs no scope: `record` never waits, `commit` until it is on disk.
    audit.record(Record::system("session.expire").target(Target::new("user", "146")))?;
    let receipt = audit.commit(Record::system("license.renew")).await?;
    println!("the renewal is number {} of the trail", receipt.number);

    println!("{}", audit.shutdown(Duration::from_secs(5)).await);
    print!("{}", std::fs::read_to_string(&file)?);
    Ok(())
}
