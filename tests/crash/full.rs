//! A volume that is really full: a small one in memory, in a mount name space of its own.

use std::{
    fs,
    future::poll_fn,
    io::Write,
    path::Path,
    pin::Pin,
    process::{Command, ExitCode},
    task::{Context, Poll, Waker},
    time::Instant,
};

use tower_audit::{Audit, CommitError, Health, Record, Rejected, stats::Stats};

use crate::{
    cases::Tally,
    check, found, place,
    program::{CHILD, PATIENCE, Program, Said},
};

const KIB: usize = 1024;

/// Work that was let in before the volume was full: more than fits into memory.
const JOBS: usize = 300;

// Trap J2: a full disk stalls nothing, loses nothing in silence, and is written down.
pub(crate) fn full_test() -> Tally {
    let mut tally = Tally::default();
    let may_mount = Command::new("unshare").args(["-rm", "true"]).status();
    if !may_mount.is_ok_and(|status| status.success()) {
        tally.pass_over("the test of a full volume needs `unshare -rm`, to mount one");
        return tally;
    }
    tally.check("a full volume does to each what it was promised", |place| {
        let mut command = Command::new("unshare");
        command
            .args(["-rm", "sh", "-ec"])
            .arg(r#"mount -t tmpfs -o size=4m tmpfs "$1"; exec "$2" "$3" full "$1""#)
            .args(["sh", place.arg()])
            .arg(std::env::current_exe().unwrap())
            .arg(CHILD);
        let (lines, status) = Program::run(command).gone();
        assert!(status.success(), "{status}: {lines:?}");
    });
    tally
}

/// The child: fills its volume, sees what each caller is told, makes room, and checks.
pub(crate) fn child(dir: &Path) -> ExitCode {
    let audit = Audit::builder("full")
        .dir(place::journal(dir))
        .segment_bytes(64 * KIB as u64)
        .reserve_bytes(256 * KIB as u64)
        .queue_limit(64 * KIB)
        .memory_limit(128 * KIB)
        // What waits for a disk that is full waits for so long.
        .commit_timeout(PATIENCE)
        .start_blocking()
        .unwrap();
    let jobs: Vec<_> = (0..JOBS).map(|_| begun_job(&audit)).collect();
    let mut said = Said::default();
    let ballast = dir.join("ballast");
    fill(&ballast);
    // The reserve takes some more, and that the volume is full.
    let error = commit_until_it_fails(&audit, &mut said);
    assert!(!matches!(error, CommitError::Rejected(_)), "{error:?}");
    assert!(said.acknowledged.len() > 10, "the reserve was given back");
    assert!(
        matches!(audit.health(), Health::Failing(_)),
        "{:?}",
        audit.health()
    );
    while_it_is_full(&audit, jobs);

    fs::remove_file(&ballast).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while found::block_on(audit.flush()).is_err() {
        assert!(Instant::now() < deadline, "there is room, and no commit");
        std::thread::yield_now();
    }
    let report = audit.shutdown_blocking(PATIENCE);
    assert!(report.in_order, "{report}");
    written_down(dir, &audit.stats(), &said);
    ExitCode::SUCCESS
}

/// A job that was let in and ends when it is polled again.
type BegunJob = Pin<Box<dyn Future<Output = ()>>>;

fn begun_job(audit: &Audit) -> BegunJob {
    let mut polls = 0;
    let work = poll_fn(move |_| {
        polls += 1;
        if polls == 1 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    });
    let mut job: BegunJob = Box::pin(audit.scope(large()).buffered().run(work));
    let polled = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    job
}

/// What each sort of caller is told, and what is counted.
fn while_it_is_full(audit: &Audit, jobs: Vec<BegunJob>) {
    // Refuse: what must not happen unseen does not begin.
    let strict = audit.scope(large()).strict();
    let strict = found::block_on(strict.run(async { panic!("it must not begin") }));
    assert!(strict.is_err(), "{strict:?}");
    // Continue: work goes on, nobody waits for the disk, the records wait in memory.
    let begun = Instant::now();
    assert_eq!(found::block_on(audit.scope(large()).run(async { 7 })), 7);
    assert!(begun.elapsed() < PATIENCE / 2, "it waited for the disk");
    while audit.record(large()) != Err(Rejected::Full) {}
    let full = audit.stats();
    assert!(full.rejected_full > 0 && full.lost == 0, "{full:#?}");
    // Work that was let in before still leaves its record, as far as memory goes.
    for mut job in jobs {
        let polled = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "nobody waits while the disk fails");
    }
    let stats = audit.stats();
    assert!(stats.queued > full.queued, "some fitted: {stats:#?}");
    assert!(stats.lost > 0, "not all fitted: {stats:#?}");
    check::balanced(&stats);
}

/// Nothing that was taken is missing, and the trail tells of the outage and of what was lost.
fn written_down(dir: &Path, stats: &Stats, said: &Said) {
    check::balanced(stats);
    assert_eq!(stats.queued, 0, "{stats:#?}");
    let (trails, figures) = check::journal_holds(dir, said);
    assert_eq!(figures.records as u64, stats.stored);
    let find = |action: &str| {
        let mut all = trails.values().flatten();
        let found = all.find(|kept| kept.field("action") == action);
        found.unwrap_or_else(|| panic!("no {action}"))
    };
    find("audit.disk_full");
    let lost = format!(r#""lost":{}"#, stats.lost);
    let outages = trails.values().flatten();
    let mut outages = outages.filter(|kept| kept.field("action") == "audit.outage");
    assert!(
        outages.any(|outage| outage.json.contains(&lost)),
        "{lost} is written down"
    );
    assert_eq!(found::entries(&place::journal(dir)).len(), 1, "one trail");
}

fn commit_until_it_fails(audit: &Audit, said: &mut Said) -> CommitError {
    loop {
        match audit.commit_blocking(large()) {
            Ok(receipt) => {
                let number = Some(receipt.number);
                said.acknowledged.insert(receipt.id.to_string(), number);
            }
            Err(error) => return error,
        }
    }
}

fn large() -> Record {
    Record::new("document.create").detail("text", "a".repeat(KIB))
}

/// Writes until nothing more fits.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    for size in [64 * KIB, KIB] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
