//! With the threads around the followers.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::{
    delivery::{
        Options, SinkName, Supervisor,
        fake::{Bench, MemorySource},
        source::Source,
        supervisor::{Ending, Undelivered},
    },
    stats::{SinkState, SinkStats},
    testing::sinks::{Answer, MemoryStore, Script},
};

const LONG: Duration = Duration::from_secs(30);

fn name(text: &str) -> SinkName {
    SinkName::parse(text).unwrap()
}

/// A supervisor of one trail, and what tells it that the trail has grown.
fn supervise(bench: &Bench, source: &MemorySource) -> (Supervisor, watch::Sender<u64>) {
    let marks = watch::Sender::new(source.durable());
    let supervisor = Supervisor::new(bench.around(), marks.subscribe());
    supervisor.add_source(source.shared());
    (supervisor, marks)
}

fn undelivered(sink: &str, records: u64, ending: Ending) -> Undelivered {
    Undelivered {
        sink: sink.to_owned(),
        records,
        ending,
    }
}

#[test]
fn a_mark_that_moves_wakes_every_sink() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let (supervisor, marks) = supervise(&bench, &source);
    let stores = [MemoryStore::new(), MemoryStore::without_position()];
    for (index, store) in stores.iter().enumerate() {
        let sink = Box::new(store.sink());
        supervisor
            .add_sink(name(&format!("sink-{index}")), sink, Options::default())
            .unwrap();
    }
    for total in [3, 5, 9] {
        source.grow(total - source.durable());
        marks.send_replace(total);
        for store in &stores {
            store.wait_until("all are there", |now| now.records.len() as u64 == total);
        }
    }
    assert_eq!(
        supervisor.stop(LONG),
        [
            undelivered("sink-0", 0, Ending::Stopped),
            undelivered("sink-1", 0, Ending::Stopped)
        ]
    );
    assert_eq!(stores[0].contents().closed, 1);
    assert_eq!(supervisor.stats()[0].delivered, 9);
    assert_eq!(
        supervisor.stop(LONG).len(),
        2,
        "a second stop says the same"
    );
    assert_eq!(stores[0].contents().closed, 1);
}

#[test]
fn a_sink_that_blocks_its_thread_delays_neither_others_nor_the_stop() {
    // trap D2
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let (supervisor, _marks) = supervise(&bench, &source);
    let (store, script) = (MemoryStore::new(), Script::new());
    script.always(Answer::BlockThread);
    let stuck = script.around(MemoryStore::new().sink());
    supervisor
        .add_sink(name("stuck"), Box::new(stuck), Options::default())
        .unwrap();
    supervisor
        .add_sink(name("well"), Box::new(store.sink()), Options::default())
        .unwrap();
    script.wait_until("it blocks", |state| state.held == 1);
    store.wait_until("the other goes on", |now| now.records.len() == 3);
    assert_eq!(
        supervisor.stop(Duration::from_millis(1)),
        [
            undelivered("stuck", 3, Ending::LeftBehind),
            undelivered("well", 0, Ending::Stopped)
        ]
    );
    script.heal();
}

#[test]
fn a_drain_waits_for_what_is_durable_and_says_what_is_left() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let (supervisor, _marks) = supervise(&bench, &source);
    let (store, script) = (MemoryStore::new(), Script::new());
    script.always(Answer::Block);
    supervisor
        .add_sink(name("well"), Box::new(store.sink()), Options::default())
        .unwrap();
    supervisor
        .add_sink(
            name("blocked"),
            Box::new(script.around(MemoryStore::new().sink())),
            Options::default(),
        )
        .unwrap();
    // The blocked one is not waited for beyond one more try, or this would take half a minute.
    assert_eq!(
        supervisor.drain(LONG),
        [
            undelivered("well", 0, Ending::Running),
            undelivered("blocked", 3, Ending::Running)
        ]
    );
    assert_eq!(supervisor.lowest(source.id()), Some(0));
    assert!(!supervisor.finished(source.id()));
    script.heal();
    supervisor.drain(LONG);
    assert_eq!(supervisor.lowest(source.id()), Some(3));
    assert!(supervisor.finished(source.id()));
}

#[test]
fn a_trail_that_was_taken_away_is_let_go_of_at_once() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let adopted = MemorySource::with(2, 4);
    let (supervisor, _marks) = supervise(&bench, &source);
    supervisor.add_source(adopted.shared());
    let store = MemoryStore::new();
    supervisor
        .add_sink(name("sink"), Box::new(store.sink()), Options::default())
        .unwrap();
    store.wait_until("all are there", |now| now.records.len() == 7);
    supervisor.drain(LONG);
    assert!(supervisor.finished(adopted.id()));
    supervisor.remove_source(adopted.id());
    // Written when it was let go of: nobody has waited for the lazy cursor to be due.
    let cursor = bench.disk.bytes("trail-2/cursors/sink.json").unwrap();
    let cursor = String::from_utf8(cursor).unwrap();
    assert!(cursor.contains(r#""next":4}"#), "{cursor}");
    assert_eq!(supervisor.stats()[0].delivered, 7);
    assert_eq!(supervisor.lowest(adopted.id()), None);
}

#[test]
fn the_stop_of_a_hanging_sink_cuts_its_call_off() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let (supervisor, _marks) = supervise(&bench, &source);
    let (store, script) = (MemoryStore::new(), Script::new());
    script.next([Answer::Hang]);
    supervisor
        .add_sink(
            name("sink"),
            Box::new(script.around(store.sink())),
            Options::default(),
        )
        .unwrap();
    script.wait_until("it hangs", |state| state.held == 1);
    assert_eq!(
        supervisor.stop(Duration::from_millis(1)),
        [undelivered("sink", 3, Ending::Stopped)]
    );
    assert_eq!((script.state().held, store.contents().closed), (0, 1));
}

#[test]
fn a_paused_sink_is_not_waited_for_and_goes_on_when_resumed() {
    let (bench, source) = (Bench::new(), MemorySource::new(1));
    let (supervisor, marks) = supervise(&bench, &source);
    let store = MemoryStore::new();
    supervisor
        .add_sink(name("sink"), Box::new(store.sink()), Options::default())
        .unwrap();
    assert!(supervisor.pause(&name("sink")));
    // Its thread may look once more before it sees the pause.
    let deadline = Instant::now() + LONG;
    let is_paused = |sink: &SinkStats| sink.state == SinkState::Paused;
    while !supervisor.stats().iter().any(is_paused) {
        assert!(Instant::now() < deadline, "the pause is not seen");
        std::thread::yield_now();
    }
    assert!(!supervisor.pause(&name("other")));
    source.grow(3);
    marks.send_replace(3);
    assert_eq!(
        supervisor.drain(LONG),
        [undelivered("sink", 3, Ending::Running)]
    );
    supervisor.resume(&name("sink"));
    store.wait_until("all are there", |now| now.records.len() == 3);
}

#[test]
fn two_sinks_cannot_have_one_name_until_the_first_is_removed() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let (supervisor, _marks) = supervise(&bench, &source);
    let store = MemoryStore::new();
    let add = || supervisor.add_sink(name("sink"), Box::new(store.sink()), Options::default());
    add().unwrap();
    supervisor.drain(LONG);
    let twice = add().unwrap_err();
    assert_eq!(twice.to_string(), "there is a sink named sink already");
    let removed = supervisor.remove_sink(&name("sink"), LONG);
    assert_eq!(removed, Some(undelivered("sink", 0, Ending::Stopped)));
    add().unwrap();
    source.grow(1);
    supervisor.drain(LONG);
    assert_eq!(store.contents().numbers(source.id()), [0, 1, 2, 3]);
}

#[test]
fn a_panic_of_our_own_is_counted_and_delivery_goes_on() {
    // trap D8
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    source.panic_in_reads(2);
    let (supervisor, _marks) = supervise(&bench, &source);
    let store = MemoryStore::new();
    supervisor
        .add_sink(name("sink"), Box::new(store.sink()), Options::default())
        .unwrap();
    store.wait_until("all are there", |now| now.records.len() == 3);
    supervisor.drain(LONG);
    let stats = supervisor.stats().remove(0);
    assert_eq!((stats.panics, stats.delivered), (2, 3));
}
