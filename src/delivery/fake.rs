//! A trail in memory, and a bench to run followers on, for the tests of this folder.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::{
    DeliveryEvent, Options, Surroundings, What,
    follower::{Control, Follower, Next},
    source::{Chunk, Gap, GapKind, ReadError, Reading, Source},
    stats::Ledger,
};
use crate::{
    clock::{Clock, Timestamp},
    evidence::leaf_hash,
    record::Origin,
    sink::{Delivery, Limits, Sink},
    stats::SinkStats,
    testing::disk::TestDisk,
};

/// A trail in memory; a clone is the same one.
#[derive(Debug, Clone)]
pub(crate) struct MemorySource {
    origin: Origin,
    dir: PathBuf,
    trail: Arc<Mutex<Trail>>,
}

#[derive(Debug, Default)]
struct Trail {
    records: Vec<String>,
    oldest: u64,
    recovered: u64,
    damaged: BTreeSet<u64>,
    failing_reads: usize,
    panicking_reads: usize,
}

impl MemorySource {
    pub(crate) fn new(id: u128) -> Self {
        Self {
            origin: Origin::new(Uuid::from_u128(id), "docs", None),
            dir: PathBuf::from(format!("trail-{id}")),
            trail: Arc::default(),
        }
    }

    /// A trail that holds `count` records.
    pub(crate) fn with(id: u128, count: u64) -> Self {
        let source = Self::new(id);
        source.grow(count);
        source
    }

    pub(crate) fn id(&self) -> Uuid {
        self.origin.trail
    }

    /// Commits `count` more records.
    pub(crate) fn grow(&self, count: u64) {
        let mut trail = self.trail();
        for _ in 0..count {
            let number = trail.records.len();
            let record =
                format!(r#"{{"id":{number},"timestamp":"2026-11-20T13:00:00.000000Z","a":"ü"}}"#);
            trail.records.push(record);
        }
    }

    /// Puts an older state of the trail back: everything from `next` on is gone.
    pub(crate) fn cut(&self, next: usize) {
        self.trail().records.truncate(next);
    }

    /// As after a crash: the records from `next` on are there, but their commit is not proven.
    pub(crate) fn leave_unproven(&self, next: usize) {
        let mut trail = self.trail();
        trail.recovered = trail.records.len() as u64;
        trail.records.truncate(next);
    }

    pub(crate) fn prune_below(&self, number: u64) {
        self.trail().oldest = number;
    }

    pub(crate) fn damage(&self, number: u64) {
        self.trail().damaged.insert(number);
    }

    pub(crate) fn fail_reads(&self, count: usize) {
        self.trail().failing_reads = count;
    }

    pub(crate) fn panic_in_reads(&self, count: usize) {
        self.trail().panicking_reads = count;
    }

    pub(crate) fn shared(&self) -> Arc<dyn Source> {
        Arc::new(self.clone())
    }

    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap()
    }
}

impl Source for MemorySource {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn durable(&self) -> u64 {
        self.trail().records.len() as u64
    }

    fn known(&self) -> u64 {
        self.durable().max(self.trail().recovered)
    }

    fn open(&self, from: u64) -> Box<dyn Reading> {
        Box::new(MemoryReading {
            source: self.clone(),
            next: from,
        })
    }
}

struct MemoryReading {
    source: MemorySource,
    next: u64,
}

impl Reading for MemoryReading {
    fn read(&mut self, until: u64, limits: &Limits) -> Result<Chunk, ReadError> {
        let mut trail = self.source.trail();
        if trail.panicking_reads > 0 {
            trail.panicking_reads -= 1;
            drop(trail);
            panic!("the reader panics");
        }
        if trail.failing_reads > 0 {
            trail.failing_reads -= 1;
            let reason = "cannot read the trail: the test says so".to_owned();
            return Err(ReadError { reason });
        }
        let mut chunk = Chunk {
            records: Vec::new(),
            gaps: Vec::new(),
            next: self.next,
            head: None,
        };
        let oldest = trail.oldest.min(until);
        if chunk.next < oldest {
            chunk.gap(oldest, GapKind::Pruned);
        }
        while chunk.next < until && chunk.records.len() < limits.max_records {
            let number = chunk.next;
            if trail.damaged.contains(&number) {
                let file = PathBuf::from("segment.jsonl");
                let offset = number * 100;
                chunk.gap(number + 1, GapKind::Damaged { file, offset });
                continue;
            }
            let json = trail.records[usize::try_from(number).unwrap()].as_str();
            let leaf = leaf_hash(json.as_bytes());
            chunk.records.push(Delivery::new(number, leaf, json));
            chunk.next += 1;
        }
        self.next = chunk.next;
        Ok(chunk)
    }
}

impl Chunk {
    fn gap(&mut self, to: u64, kind: GapKind) {
        let from = self.next;
        self.gaps.push(Gap { from, to, kind });
        self.next = to;
    }
}

/// A clock that a test sets; it begins two hours after the records.
#[derive(Debug)]
pub(crate) struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// What followers stand on in a test.
pub(crate) struct Bench {
    pub(crate) disk: TestDisk,
    pub(crate) clock: Arc<Hands>,
    events: Arc<Mutex<Vec<DeliveryEvent>>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let noon = "2026-11-20T15:00:00Z".parse().unwrap();
        Self {
            disk: TestDisk::new(),
            clock: Arc::new(Hands(Mutex::new(noon))),
            events: Arc::default(),
        }
    }

    pub(crate) fn around(&self) -> Surroundings {
        let events = Arc::clone(&self.events);
        Surroundings {
            disk: Arc::new(self.disk.clone()),
            clock: Arc::clone(&self.clock) as _,
            listener: Arc::new(move |event| events.lock().unwrap().push(event)),
        }
    }

    /// What was reported so far.
    pub(crate) fn events(&self) -> Vec<What> {
        let events = self.events.lock().unwrap();
        events.iter().map(|event| event.what.clone()).collect()
    }

    /// A follower named `sink`, and what commands it.
    pub(crate) fn follow(&self, sink: impl Sink, sources: &[&MemorySource]) -> Run {
        self.follow_with(sink, sources, Options::default())
    }

    pub(crate) fn follow_with(
        &self,
        sink: impl Sink,
        sources: &[&MemorySource],
        options: Options,
    ) -> Run {
        let control = watch::Sender::new(Control {
            sources: sources.iter().map(|source| source.shared()).collect(),
            ..Control::default()
        });
        let ledger = Arc::new(Ledger::new("sink".to_owned(), Arc::clone(&self.clock) as _));
        let follower = Follower::new(
            "sink".to_owned(),
            Box::new(sink),
            self.around(),
            options,
            control.subscribe(),
            Arc::clone(&ledger),
        );
        Run {
            follower,
            control,
            ledger,
        }
    }
}

/// One run of a follower: from a start of the process to its end.
pub(crate) struct Run {
    pub(crate) follower: Follower,
    pub(crate) control: watch::Sender<Control>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Run {
    /// One step; the sum of the counters holds after it.
    pub(crate) async fn step(&mut self) -> Next {
        let next = self.follower.step().await;
        self.stats();
        next
    }

    /// Steps until there is nothing to deliver. Waits pass in no time.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..10_000 {
            match self.step().await {
                Next::Again => {}
                Next::Rest(Some(until)) => sleep_until_then(until).await,
                Next::Idle(_) | Next::Rest(None) | Next::Stop => return,
            }
        }
        panic!("not settled: {:?}", self.stats());
    }

    /// Steps until nothing may be delivered, and says until when.
    pub(crate) async fn until_rest(&mut self) -> Instant {
        for _ in 0..10_000 {
            if let Next::Rest(Some(until)) = self.step().await {
                return until;
            }
        }
        panic!("no rest: {:?}", self.stats());
    }

    /// The counters, whose sum holds.
    pub(crate) fn stats(&self) -> SinkStats {
        let stats = self.ledger.snapshot();
        let sum = stats.delivered + stats.pending + stats.dead + stats.missed;
        assert_eq!(stats.committed, sum, "{stats:?}");
        stats
    }

    /// The end of the process in order.
    pub(crate) async fn finish(mut self) {
        self.follower.finish(Instant::now()).await;
    }
}

/// Lets the paused clock jump.
pub(crate) async fn sleep_until_then(until: Instant) {
    // Sleep: the clock is paused, this only moves it.
    sleep_until(until).await;
}
