//! A service that delivers to a receiver which is away for a while, or rejects some records.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};
use tower_audit::{Audit, Record, offline::Replay, sink::OtlpCompression};

use super::{
    WAYS, Way,
    fields::text,
    receiver::{Receiver, Reply, number},
};

const LONG: Duration = Duration::from_secs(60);

/// Where receivers live; sinks have runtimes of their own.
fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn start(dir: &Path, way: Way, receiver: &Receiver) -> Audit {
    // Packing takes most of the time of an unoptimised build.
    let builder = way.builder(receiver.url());
    let sink = builder.compression(OtlpCompression::None).build().unwrap();
    let audit = Audit::builder("docs").dir(dir).sink("otlp", sink);
    // What an earlier process left is looked for at once.
    let audit = audit.adopt_every(Duration::from_millis(50));
    audit.start_blocking().unwrap()
}

fn record(audit: &Audit, actions: impl IntoIterator<Item = &'static str>) {
    for action in actions {
        audit
            .commit_blocking(Record::new(action).success())
            .unwrap();
    }
}

fn balanced(audit: &Audit) {
    for sink in audit.stats().sinks {
        let told = sink.delivered + sink.pending + sink.dead + sink.missed;
        assert_eq!(sink.committed, told, "{sink:#?}");
    }
}

/// The ids of what was taken: trail, number, record.
fn ids(receiver: &Receiver) -> Vec<(String, u64, String)> {
    let id = |taken: &super::receiver::Taken| {
        let attributes = &taken.log.attributes;
        let trail = text(attributes, "audit.trail.id").to_owned();
        let record = text(attributes, "audit.record.id").to_owned();
        (trail, number(&taken.log), record)
    };
    receiver.taken().iter().map(id).collect()
}

// trap D1
#[test]
fn an_outage_and_a_restart_lose_nothing_and_double_one_batch_at_most() {
    for way in WAYS {
        let runtime = runtime();
        let _inside = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::new();
        let audit = start(dir.path(), way, &receiver);
        let some = || std::iter::repeat_n("document.create", 400);
        record(&audit, some());
        while receiver.numbers().is_empty() {
            std::thread::yield_now();
        }
        receiver.stop();
        record(&audit, some());
        let report = audit.shutdown_blocking(Duration::from_millis(50));
        assert!(report.sinks[0].undelivered > 0, "{report}");
        balanced(&audit);
        // With its handle the first process is gone.
        drop(audit);

        let audit = start(dir.path(), way, &receiver);
        record(&audit, some());
        receiver.start_again();
        record(&audit, some());
        // What the first process left is delivered by the second.
        let until = Instant::now() + LONG;
        while ids(&receiver).into_iter().collect::<BTreeSet<_>>().len() < 1600 {
            assert!(Instant::now() < until, "{:?}", audit.stats());
            std::thread::yield_now();
        }
        let report = audit.shutdown_blocking(LONG);
        assert_eq!(
            (report.in_order, report.sinks[0].undelivered),
            (true, 0),
            "{report}"
        );
        balanced(&audit);

        let found = ids(&receiver);
        let distinct: BTreeSet<_> = found.iter().collect();
        let records: BTreeSet<_> = found.iter().map(|(.., record)| record).collect();
        assert!(distinct.len() >= 1600, "{}", distinct.len());
        assert_eq!(distinct.len(), records.len());
        let mut trails: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for id in &found {
            if seen.insert(id) {
                trails.entry(&id.0).or_default().push(id.1);
            }
        }
        for numbers in trails.values() {
            // In order, and without a gap.
            let expected: Vec<_> = (0..numbers.len() as u64).collect();
            assert_eq!(*numbers, expected, "{way:?}");
        }
        assert!(found.len() - distinct.len() <= 1000, "{way:?}");
    }
}

// trap D5
#[test]
fn rejected_records_are_dead_letters_and_a_replay_brings_them_in() {
    const ODD: &str = "document.odd";
    let is_odd = |log: &opentelemetry_proto::tonic::logs::v1::LogRecord| log.event_name == ODD;
    for way in WAYS {
        let runtime = runtime();
        let _inside = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let mended = Arc::new(AtomicBool::new(false));
        let now = Arc::clone(&mended);
        let receiver = Receiver::with(move |_| match now.load(Ordering::Relaxed) {
            true => Reply::Take(""),
            false => Reply::Reject(is_odd),
        });
        let audit = start(dir.path(), way, &receiver);
        for _ in 0..3 {
            record(&audit, std::iter::repeat_n("document.create", 100));
            record(&audit, [ODD]);
        }
        let report = audit.shutdown_blocking(LONG);
        assert_eq!(
            (report.in_order, report.sinks[0].undelivered),
            (true, 0),
            "{report}"
        );
        let sink = audit.stats().sinks.remove(0);
        assert_eq!(sink.dead, 3, "{way:?} {sink:#?}");
        balanced(&audit);
        let odd = |receiver: &Receiver| {
            let taken = receiver.taken();
            let odd = taken.iter().filter(|taken| is_odd(&taken.log));
            odd.map(|taken| number(&taken.log)).collect::<Vec<_>>()
        };
        assert_eq!(odd(&receiver), [0; 0]);
        let before: BTreeSet<_> = ids(&receiver).into_iter().collect();
        assert!(before.len() >= 300, "{}", before.len());

        mended.store(true, Ordering::Relaxed);
        let url = receiver.url();
        let sink = move || Ok(Box::new(way.builder(url.clone()).build().unwrap()) as _);
        let replay = Replay::new(dir.path()).dead_letters("otlp");
        let replayed = replay.run(sink, |_, _| {}).unwrap();
        let delivered: u64 = replayed.iter().map(|trail| trail.delivered).sum();
        assert_eq!(delivered, 3, "{replayed:?}");
        assert_eq!(odd(&receiver).len(), 3, "{way:?}");
        let after: BTreeSet<_> = ids(&receiver).into_iter().collect();
        assert_eq!(after.len(), before.len() + 3);
    }
}
