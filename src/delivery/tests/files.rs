//! Cursor files: when they are written, and what becomes of bad ones.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    delivery::{
        What,
        fake::{Bench, MemorySource, sleep_until_then},
        feed::LAZY_CURSOR,
        follower::Next,
    },
    sink::Limits,
    testing::{
        disk::{Call, Crash, Fault},
        sinks::{Answer, MemoryStore, Script},
    },
};

const PATH: &str = "trail-1/cursors/sink.json";

fn cursor(bench: &Bench) -> String {
    String::from_utf8(bench.disk.bytes(PATH).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cursor_file_is_one_line_with_a_check_sum() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let mut run = bench.follow(MemoryStore::without_position().sink(), &[&source]);
    run.settle().await;
    let text = cursor(&bench);
    let (line, sum) = text.split_once(r#","sum":""#).unwrap();
    let expected = r#"{"cursor":{"trail":"00000000-0000-0000-0000-000000000001","sink":"sink","start":0,"next":3}"#;
    assert_eq!(line, expected);
    assert_eq!(sum.len(), 64 + "\"}\n".len());
}

#[tokio::test(start_paused = true)]
async fn a_cursor_is_durable_after_each_batch_where_the_sink_keeps_no_position() {
    let (bench, source, store) = (
        Bench::new(),
        MemorySource::with(1, 9),
        MemoryStore::without_position(),
    );
    let store = store.limits(Limits::new(3, usize::MAX));
    let mut run = bench.follow(store.sink(), &[&source]);
    run.step().await;
    run.step().await;
    assert_eq!(store.contents().batches.len(), 2);
    let crashed = bench.disk.crash(Crash::losing_all());
    let text = String::from_utf8(crashed.bytes(PATH).unwrap()).unwrap();
    assert!(text.contains(r#""next":6}"#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_lazy_cursor_is_written_in_time_under_load_when_idle_and_at_the_end() {
    // trap D6: the interval holds although there is always something to deliver.
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 60), MemoryStore::new());
    let (store, script) = (store.limits(Limits::new(1, usize::MAX)), Script::new());
    script.always(Answer::Slow(Duration::from_secs(1)));
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    for _ in 0..12 {
        run.step().await;
    }
    let written = bench.disk.count(Call::Rename);
    assert_eq!(written, 2, "in 12 seconds");
    script.heal();
    run.settle().await;
    let Next::Idle(Some(due)) = run.step().await else {
        panic!("a cursor that has moved is to be written");
    };
    assert!(due <= Instant::now() + LAZY_CURSOR);
    sleep_until_then(due).await;
    let next = run.step().await;
    assert_eq!(next, Next::Idle(Some(run.follower.concerns_at)));
    assert!(
        cursor(&bench).contains(r#""next":60}"#),
        "{}",
        cursor(&bench)
    );
    source.grow(1);
    run.settle().await;
    run.finish().await;
    assert!(
        cursor(&bench).contains(r#""next":61}"#),
        "{}",
        cursor(&bench)
    );
}

#[tokio::test(start_paused = true)]
async fn a_damaged_cursor_is_told_and_taken_as_absent() {
    let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
    let store = MemoryStore::without_position();
    let mut run = bench.follow(store.sink(), &[&source]);
    run.settle().await;
    drop(run);
    let text = cursor(&bench);
    for bad in [
        text.replace("\"next\":3", "\"next\":2"),
        text.replace("000001", "000002"),
        text[..40].to_owned(),
        String::new(),
        "x".repeat(100_000),
    ] {
        bench.disk.unlink(PATH).unwrap();
        bench.disk.put(PATH, bad.as_bytes()).unwrap();
        let before = (bench.events().len(), store.contents().records.len());
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        let told = bench.events().split_off(before.0);
        assert!(
            matches!(&told[..], [What::FileDamaged { .. }]),
            "{bad:.60}: {told:?}"
        );
        assert_eq!(store.contents().records.len(), before.1 + 3, "{bad:.60}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_cannot_be_written_is_counted_and_does_not_stop_delivery() {
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source) = (Bench::new(), MemorySource::with(1, 3));
        bench
            .disk
            .inject(Fault::eio([Call::CreateNew]).until_cleared());
        let mut run = bench.follow(store.sink(), &[&source]);
        run.settle().await;
        assert_eq!(store.contents().numbers(source.id()), [0, 1, 2]);
        run.finish().await;
        let told = bench.events();
        assert!(
            matches!(&told[..], [What::CursorUnwritable { .. }]),
            "{told:?}"
        );
    }
}
