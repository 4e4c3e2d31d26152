//! A disk that does not answer: who waits, for how long, and what is counted.

use std::{
    sync::mpsc::Sender,
    task::{Context, Wake, Waker},
};

use super::*;

const AGES: Duration = Duration::from_secs(3600);

/// Long enough for a disk in memory, also on a machine that is busy with other tests; short enough
/// to wait for.
const MOMENT: Duration = Duration::from_secs(2);

fn opened(
    disk: &TestDisk,
    change: impl FnOnce(&mut Settings),
) -> (Opened, mpsc::Receiver<TrailEvent>) {
    let (mut base, events) = in_memory(disk);
    base.settings.commit_timeout = AGES;
    base.settings.retry_max = Duration::from_millis(1);
    change(&mut base.settings);
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    appended(opened.inbox(), "0");
    landed(opened.inbox(), 1);
    // On a busy machine even this may have taken too long.
    let _spurious = events.try_iter().count();
    (opened, events)
}

fn next(events: &mpsc::Receiver<TrailEvent>) -> TrailEvent {
    events.recv_timeout(Duration::from_secs(30)).unwrap()
}

fn landed(inbox: &Inbox, size: u64) {
    let mut mark = inbox.mark();
    block_on(mark.wait_for(|mark| *mark >= size)).unwrap();
}

/// What a waiter is told, if it is told anything.
fn in_time(ticket: Ticket) -> Result<TreeHead, CommitError> {
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || sender.send(block_on(ticket.committed())));
    told.recv_timeout(Duration::from_secs(30)).unwrap()
}

fn check_sum(inbox: &Inbox) -> Counts {
    let counts = inbox.counts();
    assert_eq!(
        counts.emitted,
        counts.stored + counts.queued + counts.lost,
        "{counts:?}"
    );
    counts
}

fn appended(inbox: &Inbox, text: &str) -> Ticket {
    inbox.append(&line(text), Urgency::Durable).unwrap()
}

fn now() -> crate::clock::Timestamp {
    SystemClock::new().now()
}

// Trap J2: `Continue`.
#[test]
fn the_first_to_wait_time_out_and_later_ones_do_not_wait_at_all() {
    let disk = TestDisk::new();
    let after = MOMENT;
    let (opened, events) = opened(&disk, |settings| settings.commit_timeout = after);
    let inbox = opened.inbox();
    disk.stall(Call::Sync);
    let first = appended(inbox, "1");
    assert!(disk.wait_stalled(Call::Sync, 1));
    let behind = appended(inbox, "2");
    assert_eq!(
        block_on(first.committed()),
        Err(CommitError::TimedOut { after })
    );
    let told = block_on(behind.committed());
    assert!(matches!(told, Err(CommitError::Failing { .. })), "{told:?}");
    let told = commit(inbox, "3");
    assert!(matches!(told, Err(CommitError::Failing { .. })), "{told:?}");
    assert_eq!(check_sum(inbox).queued, 3);
    disk.release(Call::Sync);
    landed(inbox, 4);
    let TrailEvent::Outage(outage) = next(&events) else {
        panic!("an outage is told");
    };
    assert!(outage.start <= outage.end && outage.cause.contains("no write and sync returned"));
    assert_eq!((outage.failures, outage.waited, outage.lost), (0, 3, 0));
    let counts = check_sum(inbox);
    assert_eq!((counts.stored, counts.failures), (4, 0));
    assert_eq!(inbox.failing(), None);
}

#[test]
fn the_time_counts_from_the_first_line_of_a_group_not_from_its_turn() {
    let disk = TestDisk::new();
    let (opened, _events) = opened(&disk, |_| {});
    let inbox = opened.inbox();
    disk.stall(Call::Sync);
    appended(inbox, "1");
    assert!(disk.wait_stalled(Call::Sync, 1));
    appended(inbox, "2");
    let since = inbox.shared().lock().front_since.unwrap();
    disk.step(Call::Sync);
    landed(inbox, 2);
    assert!(disk.wait_stalled(Call::Sync, 1));
    let state = inbox.shared().lock();
    assert_eq!(state.in_flight.as_ref().unwrap().since, since);
    drop(state);
    disk.release(Call::Sync);
}

#[test]
fn who_waits_while_the_writer_hangs_beside_a_group_times_out_too() {
    let disk = TestDisk::new();
    disk.set_capacity(100_000);
    let after = MOMENT;
    let (opened, _events) = opened(&disk, |settings| {
        settings.commit_timeout = after;
        settings.reserve_bytes = 1 << 20;
        settings.reserve_pause = Duration::ZERO;
    });
    disk.stall(Call::Allocate);
    disk.set_capacity(1 << 30);
    // The reserve fits now: the writer takes it after this group, and hangs there.
    appended(opened.inbox(), "1");
    assert!(disk.wait_stalled(Call::Allocate, 1));
    let told = in_time(appended(opened.inbox(), "2"));
    assert_eq!(told, Err(CommitError::TimedOut { after }));
    disk.release(Call::Allocate);
    landed(opened.inbox(), 3);
}

// Trap J2
#[test]
fn memory_is_bounded_and_what_did_not_fit_is_counted_and_told() {
    let disk = TestDisk::new();
    let (opened, events) = opened(&disk, |settings| {
        settings.queue_limit = 1000;
        settings.memory_limit = 3000;
    });
    let inbox = opened.inbox();
    disk.stall(Call::Sync);
    while inbox.append(&line("new"), Urgency::Durable).is_ok() {
        check_sum(inbox);
    }
    assert_eq!(
        inbox.append(&line("new"), Urgency::Durable).unwrap_err(),
        Rejected::Full
    );
    assert_eq!(inbox.admit().unwrap_err(), Rejected::Full);
    assert_eq!(
        inbox.open(Uuid::from_u128(1), raw("1")).unwrap_err(),
        Rejected::Full
    );
    let admitted = || inbox.append_admitted(&line("admitted"), Urgency::Durable, now());
    while admitted().is_ok() {
        check_sum(inbox);
    }
    assert_eq!(admitted().unwrap_err(), Rejected::Lost);
    let counts = check_sum(inbox);
    assert!(
        counts.lost == 2 && counts.waiting_bytes <= 3000,
        "{counts:?}"
    );
    inbox
        .append_own(&line("own"), Urgency::Durable, now())
        .unwrap();
    assert_eq!(
        check_sum(inbox).lost,
        2,
        "the trail's own records have room"
    );
    disk.release(Call::Sync);
    let TrailEvent::Lost { count, first, last } = next(&events) else {
        panic!("a loss is told");
    };
    assert!(count == 2 && first <= last);
    landed(inbox, counts.stored + counts.queued + 1);
    assert_eq!(check_sum(inbox).queued, 0);
}

#[test]
fn losses_from_before_the_failure_was_noticed_are_told_with_it() {
    let disk = TestDisk::new();
    let (opened, events) = opened(&disk, |settings| settings.memory_limit = 1000);
    let inbox = opened.inbox();
    disk.stall(Call::Sync);
    while inbox
        .append_admitted(&line("a"), Urgency::Durable, now())
        .is_ok()
    {}
    disk.inject(Fault::eio([Call::Sync]).until_cleared());
    disk.release(Call::Sync);
    while inbox.failing().is_none() {
        std::thread::yield_now();
    }
    let refused = inbox.append_admitted(&line("b"), Urgency::Durable, now());
    assert_eq!(refused.unwrap_err(), Rejected::Lost);
    disk.clear_faults();
    let TrailEvent::Outage(outage) = next(&events) else {
        panic!("an outage is told");
    };
    assert_eq!((outage.lost, check_sum(inbox).lost), (2, 2));
}

#[test]
fn open_intents_are_bounded_in_number_and_in_bytes() {
    let disk = TestDisk::new();
    let (opened, _events) = opened(&disk, |settings| {
        settings.queue_limit = 2000;
        settings.max_open_intents = 3;
    });
    let inbox = opened.inbox();
    let open = |id, text: &str| {
        let ticket = inbox.open(Uuid::from_u128(id), raw(text))?;
        block_on(ticket.committed())
    };
    let full = Err(CommitError::Rejected(Rejected::Full));
    open(1, "a").unwrap();
    open(2, &"b".repeat(1500)).unwrap();
    assert_eq!(open(3, &"c".repeat(1500)), full, "too many bytes");
    open(3, "c").unwrap();
    assert_eq!(open(4, "d"), full, "too many");
    let verdict = Prepared::new("{}", Some(Uuid::from_u128(2)));
    inbox.append(&verdict, Urgency::Durable).unwrap();
    open(4, &"d".repeat(1500)).unwrap();
}

#[test]
fn closing_gives_up_at_its_deadline_and_lets_everybody_go() {
    let disk = TestDisk::new();
    let (opened, _events) = opened(&disk, |_| {});
    let inbox = opened.inbox().clone();
    disk.stall(Call::Sync);
    let first = appended(&inbox, "1");
    assert!(disk.wait_stalled(Call::Sync, 1));
    let behind = appended(&inbox, "2");
    let deadline = Instant::now() + Duration::from_millis(5);
    let closer = std::thread::spawn(move || (opened.journal.close(deadline), opened));
    for ticket in [first, behind] {
        let told = in_time(ticket);
        assert!(matches!(told, Err(CommitError::Failing { .. })), "{told:?}");
    }
    let (closed, opened) = closer.join().unwrap();
    assert_eq!(closed, Closed::GaveUp);
    assert_eq!(check_sum(&inbox).queued, 2);
    assert_eq!(
        opened.journal.close(soon()),
        Closed::GaveUp,
        "and says so again"
    );
    // The disk answers after all: what was in memory is written, and the lock given back.
    disk.release(Call::Sync);
    landed(&inbox, 3);
}

/// Does something on whatever thread wakes it.
struct OnWake<F>(F, Sender<()>);

impl<F: Fn() + Send + Sync + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
        let _ = self.1.send(());
    }
}

/// Polls a ticket once, so that `act` runs on the thread that wakes who waits for it.
fn when_woken(ticket: Ticket, act: impl Fn() + Send + Sync + 'static) -> mpsc::Receiver<()> {
    let (sender, woken) = mpsc::channel();
    let waker = Waker::from(Arc::new(OnWake(act, sender)));
    let mut committed = Box::pin(ticket.committed());
    let polled = committed.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    woken
}

// Trap J14: the watch runs foreign wakers as well.
#[test]
fn a_waker_that_closes_and_drops_the_trail_on_the_watch_stops_nothing() {
    let disk = TestDisk::new();
    let (opened, _events) = opened(&disk, |settings| {
        settings.commit_timeout = MOMENT;
    });
    disk.stall(Call::Sync);
    let inbox = opened.inbox().clone();
    let ticket = appended(&inbox, "1");
    let opened = Mutex::new(Some(opened));
    let woken = when_woken(ticket, move || {
        let opened = opened.lock().unwrap().take();
        let closed = opened.map(|opened| opened.journal.close(Instant::now()));
        assert_eq!(closed, Some(Closed::GaveUp));
    });
    woken.recv_timeout(Duration::from_secs(30)).unwrap();
    disk.release(Call::Sync);
    landed(&inbox, 2);
}

// Trap J14
#[test]
fn a_waker_may_ask_for_its_thread_while_another_thread_closes() {
    let disk = TestDisk::new();
    let (opened, _events) = opened(&disk, |_| {});
    let inbox = opened.inbox().clone();
    disk.stall(Call::Sync);
    let ticket = appended(&inbox, "1");
    assert!(disk.wait_stalled(Call::Sync, 1));
    let journal = Arc::new(opened.journal);
    let asked = Arc::clone(&journal);
    let woken = when_woken(ticket, move || assert!(asked.is_own_thread()));
    let closing = Arc::clone(&journal);
    let closer = std::thread::spawn(move || closing.close(soon()));
    while inbox.shared().lock().stop.is_none() {
        std::thread::yield_now();
    }
    disk.release(Call::Sync);
    woken.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(closer.join().unwrap(), Closed::InOrder);
}

#[test]
fn a_writer_that_leaves_a_segment_between_two_looks_of_a_reader_makes_no_gap() {
    let disk = TestDisk::new();
    let (opened, _events) = opened(&disk, |settings| settings.segment_bytes = 600);
    let dir = opened.dir().to_owned();
    disk.stall(Call::List);
    let lists = disk.count(Call::List);
    let reader = std::thread::spawn({
        let (disk, dir) = (disk.clone(), dir.clone());
        move || read_all(&disk, &dir, u64::MAX)
    });
    // It has found the segment, read it to its end, and is about to look for the next one.
    disk.step(Call::List);
    assert!(disk.wait_count(Call::List, lists + 2) && disk.wait_stalled(Call::List, 1));
    for number in 1..6 {
        commit(opened.inbox(), &number.to_string()).unwrap();
    }
    disk.release(Call::List);
    let (entries, gaps) = reader.join().unwrap();
    assert_eq!(gaps, []);
    assert_eq!(entries.len(), 6);
    assert!(segments(&disk, &dir).len() > 1);
}
