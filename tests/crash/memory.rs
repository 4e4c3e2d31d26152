//! A million records wait for a sink that is down, in a process of its own whose memory is measured.

use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use tower_audit::{
    Actor, Audit, Record, Rejected, SinkOptions, Target,
    record::Origin,
    sink::{Batch, Sink, SinkError, SinkFuture},
    testing::sinks::{Answer, Script},
};

use crate::{
    cases::{Tally, say},
    check, place,
    program::Program,
    random,
};

/// The bar of the design.
const MOST: u64 = 64 * 1024 * 1024;

/// Longer than a slow machine takes for a million records.
const LONG: Duration = Duration::from_secs(600);

// Trap D3: a sink that is down costs disk, not memory, and does not delay another one.
pub(crate) fn memory_test() -> Tally {
    let records = random::setting("AUDIT_TEST_RECORDS").unwrap_or(1_000_000);
    let mut tally = Tally::default();
    let told = tally.check("memory stays flat while a sink is down", |place| {
        let (lines, status) = Program::start(&["memory", place.arg(), &records.to_string()]).gone();
        assert!(status.success(), "{status}: {lines:?}");
        lines.join(", ")
    });
    tally.note(format!("{}, ", told.unwrap_or_default()));
    tally
}

/// Counts what it gets; anything but the next number is an error that nobody can miss.
#[derive(Debug, Clone, Default)]
struct Counting {
    next: Arc<(Mutex<u64>, Condvar)>,
}

impl Counting {
    fn wait_for(&self, next: u64) {
        let (count, changed) = &*self.next;
        let short = |count: &mut u64| *count < next;
        let waited = changed.wait_timeout_while(count.lock().unwrap(), LONG, short);
        let (count, _) = waited.unwrap();
        assert_eq!(*count, next, "delivered");
    }
}

impl Sink for Counting {
    fn kind(&self) -> &'static str {
        "counting"
    }

    fn address(&self) -> String {
        "counting:".to_owned()
    }

    fn position<'a>(&'a mut self, _: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        Box::pin(async { Ok(Some(*self.next.0.lock().unwrap())) })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let (next, changed) = &*self.next;
            let mut next = next.lock().unwrap();
            for record in &batch.records {
                if record.number != *next {
                    let wrong = format!("number {} instead of {next}", record.number);
                    return Err(SinkError::blocked(wrong));
                }
                *next += 1;
            }
            changed.notify_all();
            Ok(())
        })
    }
}

/// The child: fills the trail while one sink hangs, then lets it go on.
pub(crate) fn child(dir: &Path, records: u64) -> ExitCode {
    let (up, down, script) = (Counting::default(), Counting::default(), Script::new());
    let audit = Audit::builder("memory")
        .dir(place::journal(dir))
        .sink("up", up.clone())
        .sink_with(
            "down",
            Box::new(script.around(down.clone())),
            SinkOptions::new().call_timeout(LONG),
        )
        .start_blocking()
        .unwrap();
    let first = audit
        .commit_blocking(Record::system("memory.idle"))
        .unwrap();
    up.wait_for(first.tree_size);
    down.wait_for(first.tree_size);
    script.always(Answer::Hang);
    let idle = memory("VmRSS:");

    let begun = Instant::now();
    let two = [records / 2, records - records / 2];
    std::thread::scope(|scope| {
        for share in two {
            let audit = &audit;
            scope.spawn(move || pump(audit, share));
        }
    });
    let last = audit
        .commit_blocking(Record::system("memory.full"))
        .unwrap();
    let written = begun.elapsed();
    // Trap D2: while the other one is down.
    up.wait_for(last.tree_size);
    let stats = audit.stats();
    check::balanced(&stats);
    let waiting = stats.sinks[1].pending;
    assert!(waiting >= records, "{stats:#?}");
    let peak = memory("VmHWM:");
    let more = peak.saturating_sub(idle);
    say(&format!(
        "{waiting} records wait after {written:.1?} for {} KiB more than {} KiB",
        more / 1024,
        idle / 1024
    ));

    script.heal();
    down.wait_for(last.tree_size);
    check::balanced(&audit.stats());
    let report = audit.shutdown_blocking(LONG);
    assert!(report.in_order, "{report}");
    say(&format!("delivered after {:.1?}", begun.elapsed()));
    assert!(more <= MOST, "more than the 64 MiB of the design");
    ExitCode::SUCCESS
}

/// Records so many; waits for the disk when the queue is full, as a service would.
fn pump(audit: &Audit, records: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for number in 0..records {
        while let Err(rejected) = audit.record(record(number)) {
            assert_eq!(rejected, Rejected::Full);
            runtime.block_on(audit.flush()).unwrap();
        }
    }
}

fn record(number: u64) -> Record {
    Record::new("document.view")
        .actor(Actor::user("146").name("Flapjack Toasty"))
        .target(Target::new("document", number.to_string()).name("Untitled document"))
}

/// Bytes of memory, by a line of `/proc/self/status`.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    let kib: u64 = found
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {line} in {status}"));
    kib * 1024
}
