//! What a child process does.

use std::{io::Read, path::Path, process::ExitCode, time::Duration};

use tokio::task::JoinSet;
use tower_audit::{Actor, Audit, AuditScope, Record, Target};

use crate::{cases::say, full, memory, outbox, place, program::PATIENCE};

pub(crate) fn main(args: &[String]) -> ExitCode {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["work", dir] => work(Path::new(dir)),
        ["memory", dir, records] => memory::child(Path::new(dir), records.parse().unwrap()),
        ["full", dir] => full::child(Path::new(dir)),
        ["outbox", dir] => outbox::child(Path::new(dir)),
        ["cycle", dir] => cycle(Path::new(dir), After::End),
        ["cycle", dir, "and wait"] => cycle(Path::new(dir), After::Wait),
        _ => panic!("a child knows no {args:?}"),
    }
}

/// Writes to a trail from many tasks, and says what is acknowledged, until its input ends.
fn work(dir: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let audit = place::trail_with_sinks(dir)
            .adopt_every(Duration::from_millis(50))
            // A machine that is busy with other tests is not what fails here.
            .commit_timeout(PATIENCE)
            .start()
            .await
            .unwrap();
        say(&format!("ready {}", audit.origin().trail));
        let mut tasks = JoinSet::new();
        for task in 0..6 {
            tasks.spawn(durable(audit.clone(), task));
        }
        for task in 6..8 {
            tasks.spawn(buffered(audit.clone(), task));
        }
        for task in 8..10 {
            tasks.spawn(strict(audit.clone(), task));
        }
        tasks.spawn(never_settled(audit.clone()));
        let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = input.await;
        tasks.shutdown().await;
        let report = audit.shutdown(PATIENCE).await;
        say(&format!("report {report}"));
        match report.in_order {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    })
}

/// What follows the cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// An orderly end.
    End,
    /// An open intent, until somebody kills the process.
    Wait,
}

/// The smallest run in which a trail does everything: open, commit, roll with an open intent, end.
///
/// Any call of the system may fail here: what failed is not said.
fn cycle(dir: &Path, after: After) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let Ok(audit) = place::small_trail(dir).start_blocking() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        commit(&audit, 0..3).await;
        let job = audit.scope(record(0, 3)).strict();
        let work = async {
            let id = begun();
            commit(&audit, 4..12).await;
            id
        };
        if let Ok(id) = job.run(work).await
            && audit.flush().await.is_ok()
        {
            say(&format!("settled {id}"));
        }
        commit(&audit, 12..14).await;
        if after == After::Wait {
            never_settled(audit.clone()).await;
        }
    });
    let report = audit.shutdown_blocking(Duration::from_secs(10));
    say(&format!("report {report}"));
    ExitCode::SUCCESS
}

async fn commit(audit: &Audit, numbers: std::ops::Range<u64>) {
    for number in numbers {
        if let Ok(receipt) = audit.commit(record(0, number)).await {
            say(&format!("ack {} {}", receipt.id, receipt.number));
        }
    }
}

fn record(task: u64, number: u64) -> Record {
    Record::new("document.create")
        .actor(Actor::user(task.to_string()).name("Flapjack Toasty"))
        .target(Target::new("document", format!("{task}-{number}")))
}

async fn durable(audit: Audit, task: u64) {
    for number in 0.. {
        let receipt = audit.commit(record(task, number)).await.unwrap();
        say(&format!("ack {} {}", receipt.id, receipt.number));
    }
}

/// Buffered records are acknowledged by a flush.
async fn buffered(audit: Audit, task: u64) {
    for number in 0.. {
        let some = (0..10).map(|_| audit.record(record(task, number)).unwrap());
        let some: Vec<_> = some.collect();
        audit.flush().await.unwrap();
        for id in some {
            say(&format!("ack {id} -"));
        }
    }
}

async fn strict(audit: Audit, task: u64) {
    for number in 0.. {
        let job = audit.scope(record(task, number)).strict();
        let id = job.run(async { begun() }).await.unwrap();
        say(&format!("settled {id}"));
    }
}

/// Work that every end of the process interrupts.
async fn never_settled(audit: Audit) {
    let job = audit.scope(Record::system("backup.run")).strict();
    let work = async {
        begun();
        std::future::pending::<()>().await;
    };
    job.run(work).await.unwrap();
}

/// Runs once the intent is durable.
fn begun() -> String {
    let id = AuditScope::current().unwrap().id().to_string();
    say(&format!("intent {id}"));
    id
}
