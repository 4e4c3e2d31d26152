//! A sink that fails, hangs, blocks or panics, and a trail that cannot be read.

use std::{path::PathBuf, time::Duration};

use tokio::time::Instant;

use crate::{
    delivery::{
        What,
        backoff::{BLOCKED_WAIT, FIRST_WAIT, LONGEST_WAIT},
        fake::{Bench, MemorySource, sleep_until_then},
        follower::Next,
    },
    sink::Limits,
    stats::SinkState,
    testing::sinks::{Answer, MemoryStore, Script},
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_day_loses_and_doubles_nothing_and_costs_a_call_a_minute() {
    // trap D1
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source, script) = (Bench::new(), MemorySource::with(1, 50), Script::new());
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        run.settle().await;
        source.grow(50);
        script.always(Answer::Retry);
        let end = Instant::now() + 24 * HOUR;
        while Instant::now() < end {
            let until = run.until_rest().await;
            sleep_until_then(until).await;
        }
        let retries = run.stats().retries;
        assert!((1440..3000).contains(&retries), "{retries}");
        assert_eq!(run.stats().state, SinkState::Retrying);
        assert_eq!(run.stats().lag, Some(2 * HOUR));
        script.heal();
        run.settle().await;
        assert_eq!(
            store.contents().numbers(source.id()),
            Vec::from_iter(0..100)
        );
        assert_eq!(run.stats().state, SinkState::Ok);
        let events = bench.events();
        assert!(
            matches!(&events[..], [What::OutageEnded { waited: 50, .. }]),
            "{events:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_fault_is_a_retry_and_not_an_outage() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
    let script = Script::new();
    script.next([Answer::Retry, Answer::Retry]);
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    let began = Instant::now();
    run.settle().await;
    let waited = began.elapsed();
    assert!(
        waited >= FIRST_WAIT && waited < 4 * FIRST_WAIT,
        "{waited:?}"
    );
    let stats = run.stats();
    assert_eq!((stats.retries, stats.delivered), (2, 5));
    assert!(stats.last_error.is_some(), "{stats:?}");
    assert_eq!(bench.events(), []);
}

#[tokio::test(start_paused = true)]
async fn waits_begin_short_again_after_a_success() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.next([Answer::Retry; 12]);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    run.settle().await;
    source.grow(1);
    script.next([Answer::Retry]);
    let until = run.until_rest().await;
    assert!(until - Instant::now() <= FIRST_WAIT);
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_when_to_come_back_is_kept() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.next([Answer::RetryAfter(Duration::from_secs(17))]);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    let until = run.until_rest().await;
    assert_eq!(until - Instant::now(), Duration::from_secs(17));
}

#[tokio::test(start_paused = true)]
async fn new_records_do_not_shorten_a_wait() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.always(Answer::Retry);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    let until = run.until_rest().await;
    source.grow(5);
    assert_eq!(run.step().await, Next::Rest(Some(until)));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_sink_is_tried_slowly_and_nothing_goes_to_the_dead_letters() {
    // trap D13
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 500), MemoryStore::new());
    let script = Script::new();
    let store = store.limits(Limits::new(10, usize::MAX));
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    script.always(Answer::Block);
    let end = Instant::now() + HOUR;
    while Instant::now() < end {
        let until = run.until_rest().await;
        let wait = until - Instant::now();
        assert!(
            wait >= BLOCKED_WAIT && wait <= BLOCKED_WAIT * 11 / 10,
            "{wait:?}"
        );
        sleep_until_then(until).await;
    }
    let stats = run.stats();
    assert_eq!((stats.state, stats.dead), (SinkState::Blocked, 0));
    script.heal();
    run.settle().await;
    assert_eq!(
        store.contents().numbers(source.id()),
        Vec::from_iter(0..500)
    );
    let events = bench.events();
    assert!(
        matches!(
            &events[..],
            [What::Blocked { .. }, What::OutageEnded { waited: 500, .. }]
        ),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn another_fault_does_not_look_like_the_repair_of_a_blocked_sink() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.next([Answer::Block, Answer::Retry]);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    for _ in 0..2 {
        let until = run.until_rest().await;
        assert_eq!(run.stats().state, SinkState::Blocked);
        sleep_until_then(until).await;
    }
    run.settle().await;
    assert_eq!(run.stats().state, SinkState::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_answers_is_given_up_at_its_deadline() {
    // trap D2
    for answer in [Answer::Hang, Answer::StoreThenHang] {
        let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
        let script = Script::new();
        script.next([answer]);
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        let began = Instant::now();
        run.settle().await;
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..5));
        assert_eq!((run.stats().retries, script.state().held), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_told_and_delivery_goes_on() {
    // trap D8
    for answer in [Answer::Panic, Answer::StoreThenPanic] {
        let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
        let script = Script::new();
        script.next([answer]);
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        run.settle().await;
        assert_eq!(store.contents().numbers(source.id()), Vec::from_iter(0..5));
        assert_eq!((run.stats().panics, run.stats().retries), (1, 1));
        let message = "the script panics".to_owned();
        assert_eq!(bench.events(), [What::Panicked { count: 1, message }]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_for_an_hour_is_told_once_a_minute() {
    // trap D4
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.always(Answer::Panic);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    let end = Instant::now() + HOUR;
    while Instant::now() < end {
        let until = run.until_rest().await;
        assert!(until - Instant::now() <= LONGEST_WAIT);
        sleep_until_then(until).await;
    }
    let told = |what: &What| matches!(what, What::Panicked { .. });
    let count = bench.events().iter().filter(|what| told(what)).count();
    assert!((30..=60).contains(&count), "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_at_the_start_is_waited_for_and_its_lag_is_known() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    let store = MemoryStore::new();
    script.always(Answer::Retry);
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.until_rest().await;
    let stats = run.stats();
    assert_eq!((stats.pending, stats.lag), (5, Some(2 * HOUR)));
    script.heal();
    run.settle().await;
    assert_eq!(store.contents().records.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_back_with_nothing_to_deliver_is_well_again() {
    let (bench, source, script) = (Bench::new(), MemorySource::new(1), Script::new());
    script.always(Answer::Retry);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    run.until_rest().await;
    assert_eq!(run.stats().state, SinkState::Retrying);
    script.heal();
    run.settle().await;
    assert_eq!(run.stats().state, SinkState::Ok);
}

#[tokio::test(start_paused = true)]
async fn one_trail_that_cannot_be_read_does_not_hold_up_the_other() {
    let bench = Bench::new();
    let (own, adopted) = (MemorySource::with(1, 5), MemorySource::with(2, 5));
    let store = MemoryStore::new();
    own.fail_reads(usize::MAX);
    let mut run = bench.follow(store.sink(), &[&own, &adopted]);
    run.settle().await;
    assert_eq!(store.contents().numbers(adopted.id()), Vec::from_iter(0..5));
    assert_eq!(run.stats().state, SinkState::Retrying);
    own.fail_reads(0);
    let Next::Idle(Some(until)) = run.step().await else {
        panic!("it tries again by itself");
    };
    sleep_until_then(until).await;
    run.settle().await;
    assert_eq!(store.contents().numbers(own.id()), Vec::from_iter(0..5));
    assert_eq!(run.stats().state, SinkState::Ok);
}

#[tokio::test(start_paused = true)]
async fn damaged_and_pruned_numbers_are_missed_told_and_passed_over() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    source.grow(10);
    source.prune_below(12);
    source.damage(15);
    run.settle().await;
    let expected: Vec<_> = (0..10).chain(12..15).chain(16..20).collect();
    assert_eq!(store.contents().numbers(source.id()), expected);
    assert_eq!(store.contents().positions[&source.id()], 20);
    let stats = run.stats();
    assert_eq!((stats.committed, stats.missed, stats.damaged), (20, 3, 1));
    let trail = source.id();
    let (from, to) = (10, 12);
    let missed = What::Missed { trail, from, to };
    let (from, to) = (15, 16);
    let (file, offset) = (PathBuf::from("segment.jsonl"), 1500);
    let damaged = What::Damaged {
        trail,
        from,
        to,
        file,
        offset,
    };
    assert_eq!(bench.events(), [missed, damaged]);
}
