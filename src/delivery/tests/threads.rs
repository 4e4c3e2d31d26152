//! With the threads around the followers.

use std::time::Duration;

use tokio::sync::watch;

use crate::{
    delivery::{
        Ending, Options, SinkName, Supervisor, Undelivered,
        fake::{Bench, MemorySource},
        source::Source,
    },
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
