//! Foreign code on the trail's threads: a clock, a receiver of events.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::*;
use crate::clock::{Clock, Timestamp};

/// A clock that stands where it is put, and panics as often as asked.
#[derive(Debug, Default)]
struct Wilful {
    micros: AtomicI64,
    panics: AtomicU64,
}

impl Clock for Wilful {
    fn now(&self) -> Timestamp {
        let less = |left: u64| left.checked_sub(1);
        let panics = self
            .panics
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        assert!(panics.is_err(), "the clock panics, as asked");
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

const HOUR: i64 = 3_600_000_000;

fn with_clock(disk: &TestDisk) -> (Base, Arc<Wilful>, mpsc::Receiver<TrailEvent>) {
    let (mut base, events) = in_memory(disk);
    let clock = Arc::new(Wilful::default());
    clock.micros.store(1000 * HOUR, Ordering::SeqCst);
    base.clock = Arc::<Wilful>::clone(&clock);
    (base, clock, events)
}

// Trap J12
#[test]
fn a_clock_that_steps_back_is_told_and_refuses_nothing() {
    let disk = TestDisk::new();
    let (base, clock, events) = with_clock(&disk);
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    commit(opened.inbox(), "0").unwrap();
    clock.micros.fetch_sub(HOUR, Ordering::SeqCst);
    commit(opened.inbox(), "1").unwrap();
    let event = events.recv_timeout(Duration::from_secs(30)).unwrap();
    let TrailEvent::ClockStep { from, to, by_us } = event else {
        panic!("{event:?}");
    };
    assert_eq!(to.as_micros() - from.as_micros(), -HOUR);
    assert!(by_us <= -HOUR && by_us > -2 * HOUR, "{by_us}");
    assert_eq!(opened.journal.close(soon()), Closed::InOrder);
    drop(opened);
    clock.micros.fetch_sub(HOUR, Ordering::SeqCst);
    let again = base.open(Uuid::from_u128(2)).unwrap();
    assert!(again.before.unwrap().clean);
    assert_eq!(commit(again.journal.inbox(), "2").unwrap().size, 3);
}

#[test]
fn a_clock_that_panics_on_the_writer_loses_nothing() {
    for panics in 1..4 {
        let disk = TestDisk::new();
        let (base, clock, _events) = with_clock(&disk);
        let opened = base.open(Uuid::from_u128(1)).unwrap();
        let inbox = opened.inbox();
        commit(inbox, "0").unwrap();
        clock.panics.store(panics, Ordering::SeqCst);
        // Nobody may be told, or all; but the record stays.
        let _ = commit(inbox, "1");
        let mut mark = inbox.mark();
        block_on(mark.wait_for(|mark| *mark == 2)).unwrap();
        assert_eq!(commit(inbox, "2").unwrap().size, 3);
        assert_eq!(inbox.failing(), None);
        assert!(inbox.writer_panics() > 0);
        assert_eq!(texts(&shared(&disk), opened.dir(), 0, 3), ["0", "1", "2"]);
    }
}

#[test]
fn a_receiver_of_events_that_panics_takes_nobody_along() {
    let disk = TestDisk::new();
    let (mut base, clock, _events) = with_clock(&disk);
    base.events = Events::new(|event| panic!("{event:?}"));
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    commit(opened.inbox(), "0").unwrap();
    clock.micros.fetch_add(HOUR, Ordering::SeqCst);
    assert_eq!(commit(opened.inbox(), "1").unwrap().size, 2);
    assert_eq!(opened.inbox().writer_panics(), 1);
}
