//! The journal from outside, on a real directory.

use std::task::{Context, Wake, Waker};

use super::*;
use crate::disk::StdDisk;

#[test]
fn what_is_committed_reads_back_across_segments_and_runs() {
    let tmp = tempfile::tempdir().unwrap();
    let disk: SharedDisk = Arc::new(StdDisk);
    let mut expected = Vec::new();
    let mut dir = None;
    for run in 0..3 {
        let (base, _events) = base(Arc::clone(&disk), tmp.path());
        let opened = base.open(Uuid::from_u128(1)).unwrap();
        assert_eq!(
            opened.before.as_ref().map(|before| before.clean),
            (run > 0).then_some(true)
        );
        for i in 0..100 {
            let text = format!("{run}-{i}");
            let head = commit(opened.inbox(), &text).unwrap();
            expected.push(text);
            assert_eq!(head.size, expected.len() as u64);
        }
        dir = Some(opened.dir().to_owned());
        assert_eq!(opened.journal.close(soon()), Closed::InOrder);
    }
    let dir = dir.unwrap();
    assert!(
        segment::list(&StdDisk, &dir).unwrap().0.len() > 6,
        "the test rolls"
    );
    assert_eq!(texts(&disk, &dir, 0, u64::MAX), expected);
    assert_eq!(texts(&disk, &dir, 150, 160), expected[150..160]);
}

#[test]
fn a_chunk_that_ends_at_a_commit_carries_its_head() {
    let tmp = tempfile::tempdir().unwrap();
    let disk: SharedDisk = Arc::new(StdDisk);
    let (base, _events) = base(Arc::clone(&disk), tmp.path());
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let heads: Vec<TreeHead> = (0..3)
        .map(|i| commit(opened.inbox(), &i.to_string()).unwrap())
        .collect();
    let mut reader = Reader::open(disk, opened.dir().into(), 0);
    for head in heads {
        let chunk = reader
            .read(
                u64::MAX,
                Most {
                    records: 1,
                    bytes: 1,
                },
            )
            .unwrap();
        assert_eq!(chunk.head, Some(head));
    }
    // A record that arrives later is found by the same reader.
    let head = commit(opened.inbox(), "later").unwrap();
    assert_eq!(
        reader
            .read(
                head.size,
                Most {
                    records: 9,
                    bytes: 999
                }
            )
            .unwrap()
            .head,
        Some(head)
    );
}

// Trap J4: two processes on one base have two trails.
#[test]
fn a_held_trail_is_not_taken_again_and_a_free_one_is_continued() {
    let tmp = tempfile::tempdir().unwrap();
    let (base, _events) = base(Arc::new(StdDisk), tmp.path());
    let first = base.open(Uuid::from_u128(1)).unwrap();
    let second = base.open(Uuid::from_u128(2)).unwrap();
    assert_ne!(first.journal.origin.trail, second.journal.origin.trail);
    assert!(
        base.take_orphan(Uuid::from_u128(1)).unwrap().is_none(),
        "it is held"
    );
    commit(first.inbox(), "a").unwrap();
    first.journal.close(soon());
    drop(first);
    let third = base.open(Uuid::from_u128(3)).unwrap();
    assert_eq!(third.journal.origin.trail, Uuid::from_u128(1));
    assert_eq!(commit(third.inbox(), "b").unwrap().size, 2);
}

#[test]
fn an_intent_that_nobody_settled_is_found_and_a_settled_one_is_not() {
    let tmp = tempfile::tempdir().unwrap();
    let (base, _events) = base(Arc::new(StdDisk), tmp.path());
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.into()).unwrap();
    for id in [7, 8] {
        let ticket = opened
            .inbox()
            .open(Uuid::from_u128(id), raw(&format!("{{\"id\":{id}}}")))
            .unwrap();
        block_on(ticket.committed()).unwrap();
    }
    // Enough to roll: the intent that is still open must move along.
    for i in 0..100 {
        commit(opened.inbox(), &i.to_string()).unwrap();
    }
    let verdict = Prepared::new("{\"id\":7}", Some(Uuid::from_u128(7)));
    block_on(
        opened
            .inbox()
            .append(&verdict, Urgency::Durable)
            .unwrap()
            .committed(),
    )
    .unwrap();
    assert_eq!(opened.inbox().counts().open_intents, 1);
    opened.journal.close(soon());
    drop(opened);
    let again = base.open(Uuid::from_u128(2)).unwrap();
    let unsettled = again.before.unwrap().unsettled;
    assert_eq!(unsettled.len(), 1, "{unsettled:?}");
    assert_eq!(
        (unsettled[0].0, unsettled[0].1.get()),
        (Uuid::from_u128(8), "{\"id\":8}")
    );
}

#[test]
fn a_full_queue_refuses_new_work_and_still_takes_what_was_admitted() {
    let tmp = tempfile::tempdir().unwrap();
    let (mut base, _events) = base(Arc::new(StdDisk), tmp.path());
    base.settings.queue_limit = 0;
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let inbox = opened.inbox();
    assert_eq!(
        inbox.append(&line("new"), Urgency::Durable).unwrap_err(),
        Rejected::Full
    );
    assert_eq!(inbox.admit().unwrap_err(), Rejected::Full);
    let ticket = inbox
        .append_admitted(&line("admitted"), Urgency::Durable, base.clock.now())
        .unwrap();
    block_on(ticket.committed()).unwrap();
    let counts = inbox.counts();
    assert_eq!(
        (counts.emitted, counts.stored, counts.rejected_full),
        (1, 1, 2)
    );
}

#[test]
fn closing_waits_for_admitted_work_and_refuses_what_comes_after() {
    let tmp = tempfile::tempdir().unwrap();
    let (base, _events) = base(Arc::new(StdDisk), tmp.path());
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let inbox = opened.inbox().clone();
    let admission = inbox.admit().unwrap();
    let closer = std::thread::spawn(move || {
        let closed = opened.journal.close(soon());
        (opened, closed)
    });
    // The door is shut before the closer waits for us.
    while inbox.append(&line("late"), Urgency::Durable).is_ok() {
        std::thread::yield_now();
    }
    inbox
        .append_admitted(&line("mine"), Urgency::Durable, base.clock.now())
        .unwrap();
    drop(admission);
    let (opened, closed) = closer.join().unwrap();
    assert_eq!(closed, Closed::InOrder);
    assert_eq!(
        opened.journal.close(soon()),
        Closed::InOrder,
        "closing twice is harmless"
    );
    assert_eq!(
        inbox.append(&line("x"), Urgency::Durable).unwrap_err(),
        Rejected::Closed
    );
    let counts = inbox.counts();
    assert_eq!((counts.emitted, counts.queued), (counts.stored, 0));
}

// Trap J14: a foreign waker runs on the writer thread.
#[test]
fn a_waker_that_panics_or_drops_the_last_handle_leaves_the_writer_alive() {
    struct Bad(Mutex<Option<Opened>>);
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            panic!("a bad waker");
        }
    }
    let tmp = tempfile::tempdir().unwrap();
    let (base, _events) = base(Arc::new(StdDisk), tmp.path());
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let inbox = opened.inbox().clone();
    let mut committed = Box::pin(
        inbox
            .append(&line("a"), Urgency::Durable)
            .unwrap()
            .committed(),
    );
    let waker = Waker::from(Arc::new(Bad(Mutex::new(Some(opened)))));
    let _ = committed.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(commit(&inbox, "b").map(|head| head.size), Ok(2));
}

// Trap J4: a chain never forks under concurrent producers.
#[test]
fn many_threads_make_one_tree_without_gaps() {
    let tmp = tempfile::tempdir().unwrap();
    let disk: SharedDisk = Arc::new(StdDisk);
    let (base, _events) = base(Arc::clone(&disk), tmp.path());
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let inbox = opened.inbox();
            scope.spawn(move || {
                for i in 0..200 {
                    commit(inbox, &format!("{thread}-{i}")).unwrap();
                }
            });
        }
    });
    let mut read = texts(&disk, opened.dir(), 0, u64::MAX);
    assert_eq!(read.len(), 1600);
    read.sort();
    read.dedup();
    assert_eq!(read.len(), 1600, "each once");
}
