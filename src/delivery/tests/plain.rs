//! Without faults.

use crate::{
    delivery::{
        Options, StartAt,
        fake::{Bench, MemorySource},
        follower::{Next, Pace},
    },
    sink::Limits,
    stats::SinkState,
    testing::sinks::MemoryStore,
};

#[tokio::test(start_paused = true)]
async fn everything_durable_is_delivered_in_order_and_exactly() {
    let (bench, source, store) = (
        Bench::new(),
        MemorySource::with(1, 2500),
        MemoryStore::new(),
    );
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    let contents = store.contents();
    assert_eq!(contents.numbers(source.id()), Vec::from_iter(0..2500));
    assert_eq!(contents.batches, [1000, 1000, 500]);
    assert!(
        contents.records[7].json.starts_with(r#"{"id":7,"#),
        "{contents:?}"
    );
    let stats = run.stats();
    assert_eq!(
        (stats.committed, stats.delivered, stats.pending),
        (2500, 2500, 0)
    );
    assert_eq!(stats.state, SinkState::Ok);
    assert_eq!(stats.lag, None);
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_cursor_stands() {
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source) = (Bench::new(), MemorySource::with(1, 10));
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        run.finish().await;
        source.grow(5);
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..15));
        let stats = run.stats();
        assert_eq!((stats.committed, stats.delivered), (5, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_own_trail_leaves_every_second_batch_to_the_others() {
    let bench = Bench::new();
    let sources = [1, 2, 3].map(|id| MemorySource::with(id, 40));
    let store = MemoryStore::new().limits(Limits::new(10, usize::MAX));
    let mut run = bench.follow(store.sink(), &[&sources[0], &sources[1], &sources[2]]);
    for _ in 0..12 {
        run.step().await;
    }
    let records = store.contents().records;
    let turns: Vec<_> = records
        .chunks(10)
        .map(|batch| batch[0].trail.as_u128())
        .collect();
    assert_eq!(turns[..8], [1, 2, 1, 3, 1, 2, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_new_sink_that_starts_from_now_gets_what_comes_after_it_even_past_a_restart() {
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source) = (Bench::new(), MemorySource::with(1, 10));
        let options = Options {
            start_at: StartAt::Now,
            ..Options::default()
        };
        let mut run = bench.follow_with(store.sink(), &[&source], options.clone());
        run.settle().await;
        assert_eq!(run.stats().committed, 0);
        drop(run);
        source.grow(2);
        let mut run = bench.follow_with(store.sink(), &[&source], options);
        run.settle().await;
        assert_eq!(store.contents().numbers(source.id()), [10, 11]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_sink_begins_at_the_oldest_record_kept_and_misses_nothing() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    source.prune_below(4);
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(4..10));
    let stats = run.stats();
    assert_eq!((stats.committed, stats.missed), (6, 0));
    assert_eq!(bench.events(), []);
}

#[tokio::test(start_paused = true)]
async fn a_paused_sink_stands_still_until_it_is_resumed() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 3), MemoryStore::new());
    let mut run = bench.follow(store.sink(), &[&source]);
    run.control
        .send_modify(|control| control.pace = Pace::Paused);
    let next = run.step().await;
    assert!(matches!(next, Next::Rest(_)), "{next:?}");
    assert_eq!(run.stats().state, SinkState::Paused);
    run.control
        .send_modify(|control| control.pace = Pace::Running);
    run.settle().await;
    assert_eq!(store.contents().numbers(source.id()), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_is_taken_away_keeps_its_counts() {
    let bench = Bench::new();
    let (own, adopted) = (MemorySource::with(1, 3), MemorySource::with(2, 4));
    let store = MemoryStore::new();
    let mut run = bench.follow(store.sink(), &[&own, &adopted]);
    run.settle().await;
    run.control
        .send_modify(|control| control.sources = vec![own.shared()]);
    adopted.grow(5);
    run.settle().await;
    assert_eq!(store.contents().numbers(adopted.id()), [0, 1, 2, 3]);
    let stats = run.stats();
    assert_eq!((stats.committed, stats.delivered, stats.pending), (7, 7, 0));
}
