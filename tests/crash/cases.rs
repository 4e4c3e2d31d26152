//! Runs the cases and counts, in the form that `cargo test` prints.

use std::{
    fmt::Debug,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use crate::place::Place;

/// Checks that run at a time, where a case does so.
const WORKERS: usize = 3;

/// How the checks of a case ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// What else a reader wants to know.
    note: String,
}

impl Tally {
    /// Runs one check in a place of its own; a panic in it is a failure, and the others go on.
    pub(crate) fn check<T>(&mut self, name: &str, check: impl FnOnce(&Place) -> T) -> Option<T> {
        let place = Place::new();
        let checked = catch_unwind(AssertUnwindSafe(|| check(&place))).ok();
        if checked.is_some() {
            self.passed += 1;
        } else {
            self.failed += 1;
            say(&format!("FAILED: {name}; kept: {}", place.keep().display()));
        }
        checked
    }

    /// This machine cannot show it: a failure where everything is required.
    pub(crate) fn skip(&mut self, why: &str) {
        if std::env::var_os("AUDIT_TEST_REQUIRE").is_some_and(|value| value == "1") {
            self.failed += 1;
            say(&format!("FAILED: cannot be tested here: {why}"));
        } else {
            self.skipped += 1;
            say(&format!("skipped: {why}"));
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        self.note = note;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What checks in parallel came to.
#[derive(Debug)]
pub(crate) struct Checked<T> {
    pub(crate) tally: Tally,
    pub(crate) found: Vec<T>,
}

/// Runs one check for each item, a few at a time: they wait for the disk more than they compute.
pub(crate) fn in_parallel<I, T>(items: &[I], check: impl Fn(&I, &Place) -> T + Sync) -> Checked<T>
where
    I: Debug + Sync,
    T: Send,
{
    let next = AtomicUsize::new(0);
    let run = || {
        let (mut tally, mut found) = (Tally::default(), Vec::new());
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(tally.check(&format!("{item:?}"), |place| check(item, place)));
        }
        (tally, found)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(run)).collect();
        let mut all = Checked {
            tally: Tally::default(),
            found: Vec::new(),
        };
        for worker in workers {
            let (tally, found) = worker.join().unwrap();
            all.tally.add(&tally);
            all.found.extend(found);
        }
        all
    })
}

type Case = (&'static str, fn() -> Tally);

pub(crate) fn main(cases: &[Case]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(*word));
    let chosen = cases.iter().filter(|(name, _)| wanted(name));
    if args.iter().any(|arg| arg == "--list") {
        chosen.for_each(|(name, _)| say(&format!("{name}: test")));
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let mut all = Tally::default();
    for (name, run) in chosen {
        let begun = Instant::now();
        let tally = run();
        let took = begun.elapsed();
        let (passed, failed, note) = (tally.passed, tally.failed, &tally.note);
        say(&format!(
            "{name}: {passed} passed, {failed} failed ({note}{took:.1?})"
        ));
        all.add(&tally);
    }
    close(&all, begun)
}

fn close(all: &Tally, begun: Instant) -> ExitCode {
    let Tally {
        passed,
        failed,
        skipped,
        ..
    } = all;
    let verdict = if *failed == 0 { "ok" } else { "FAILED" };
    let took = begun.elapsed().as_secs_f64();
    say(&format!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; \
         0 filtered out; finished in {took:.2}s\n\n{passed} passed, {failed} failed"
    ));
    if *failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints a line with one write, so that lines of threads and of a killed process stay whole.
pub(crate) fn say(line: &str) {
    let line = format!("{line}\n");
    let mut out = std::io::stdout().lock();
    // Nobody listens any more, or the disk of the listener is full: nothing was told then.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
