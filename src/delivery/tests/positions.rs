//! Who says where a sink stands, and what follows.

use crate::{
    delivery::{
        What,
        backoff::BLOCKED_WAIT,
        fake::{Bench, MemorySource, sleep_until_then},
    },
    record::Origin,
    sink::{Batch, Limits, Sink, SinkFuture},
    stats::SinkState,
    testing::sinks::{Answer, MemoryStore, Script},
};

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_doubles_nothing_where_the_sink_keeps_its_position() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let (store, script) = (store.limits(Limits::new(4, usize::MAX)), Script::new());
    script.next([
        Answer::StoreThenRetry,
        Answer::StoreThenHang,
        Answer::StoreThenPanic,
    ]);
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..10));
    assert_eq!(run.stats().delivered, 10);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_doubles_the_batch_where_it_keeps_none() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 3), Script::new());
    let store = MemoryStore::without_position();
    script.next([Answer::StoreThenRetry]);
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), [0, 1, 2, 0, 1, 2]);
    assert_eq!(run.stats().delivered, 3);
}

/// Keeps its position as a file does: in its last line.
struct LastLine(MemoryStore);

impl Sink for LastLine {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn address(&self) -> String {
        "file:".to_owned()
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        let last = self.0.contents().numbers(origin.trail).pop();
        Box::pin(async move { Ok(last.map(|number| number + 1)) })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async { self.0.sink().deliver(batch).await })
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_knows_nothing_of_gaps_is_not_a_loss() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    source.damage(9);
    let script = Script::new();
    let mut run = bench.follow(script.around(LastLine(store.clone())), &[&source]);
    run.settle().await;
    source.grow(5);
    script.next([Answer::StoreThenRetry]);
    run.settle().await;
    let expected: Vec<_> = (0..9).chain(10..15).collect();
    assert_eq!(store.contents().numbers(source.id()), expected);
    let events = bench.events();
    assert!(matches!(&events[..], [What::Damaged { .. }]), "{events:?}");
    assert_eq!((run.stats().committed, run.stats().missed), (15, 1));
}

#[tokio::test(start_paused = true)]
async fn a_database_restored_from_a_backup_is_refilled_after_a_restart() {
    // trap D14
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    let backup = store.contents();
    source.grow(10);
    run.settle().await;
    run.finish().await;
    store.restore(backup);
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..20));
}

#[tokio::test(start_paused = true)]
async fn a_database_exchanged_while_it_was_down_is_refilled_at_once() {
    // trap D14
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let script = Script::new();
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    let empty = store.contents();
    run.settle().await;
    source.grow(1);
    script.next([Answer::Retry]);
    run.until_rest().await;
    store.restore(empty);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..11));
    let stats = run.stats();
    assert_eq!((stats.committed, stats.delivered), (21, 21));
    let trail = source.id();
    let (from, to) = (10, 0);
    assert_eq!(bench.events(), [What::WentBack { trail, to, from }]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_lost_what_is_pruned_by_now_misses_it_and_says_so() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let mut run = bench.follow(store.sink(), &[&source]);
    let empty = store.contents();
    run.settle().await;
    run.finish().await;
    store.restore(empty);
    source.prune_below(6);
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(6..10));
    assert_eq!((run.stats().missed, run.stats().delivered), (6, 4));
    let trail = source.id();
    let (from, to) = (0, 6);
    assert_eq!(bench.events(), [What::Missed { trail, from, to }]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_has_more_than_the_trail_blocks_it_even_after_the_trail_has_caught_up() {
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source) = (Bench::new(), MemorySource::with(1, 10));
        let other = MemorySource::with(2, 3);
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        run.finish().await;
        source.cut(5);
        let mut run = bench.follow(store.sink(), &[&source, &other]);
        run.settle().await;
        assert_eq!(run.stats().state, SinkState::Blocked);
        assert_eq!(store.contents().numbers(other.id()), [0, 1, 2]);
        drop(run);
        // New records under the old numbers: the sink does not have these.
        source.grow(20);
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        assert_eq!(run.stats().state, SinkState::Blocked);
        assert_eq!(store.contents().numbers(source.id()).len(), 10);
        let error = run.stats().last_error.unwrap();
        assert!(error.contains("up to number 10"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_gave_up_what_the_trail_never_had_goes_on() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let mut run = bench.follow(store.sink(), &[&source]);
    let empty = store.contents();
    run.settle().await;
    run.finish().await;
    source.cut(5);
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    store.restore(empty);
    let crate::delivery::follower::Next::Idle(Some(until)) = run.step().await else {
        panic!("it tries again by itself");
    };
    // Whatever it wakes up for first, its next try is over then.
    sleep_until_then(until + BLOCKED_WAIT).await;
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..5));
    assert_eq!(run.stats().state, SinkState::Ok);
}

// Trap J13: after `kill -9` a sink may have what the journal has yet to write again.
#[tokio::test(start_paused = true)]
async fn a_sink_that_has_what_is_being_written_again_is_not_ahead() {
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source) = (Bench::new(), MemorySource::with(1, 10));
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        run.finish().await;
        source.leave_unproven(5);
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        assert_eq!(run.stats().state, SinkState::Ok);
        source.grow(5);
        run.settle().await;
        source.grow(2);
        run.settle().await;
        let expected = Vec::from_iter(0..12);
        assert_eq!(store.contents().numbers(source.id()), expected);
    }
}
